"""The ways to ask: every command, button and form, which act it asks for, and how it may be asked.

An act and the role that it needs are in `domain/acts`; several ways may lead to one act. A way's
name is also the name under which a refusal or an owed answer is kept.
"""

from __future__ import annotations

from dataclasses import dataclass

from controller.domain import acts
from controller.domain.acts import Act
from controller.domain.batches import Verb


@dataclass(frozen=True, slots=True)
class Way:
    """One way to ask for an act."""

    name: str  # "bot start" for the command, "button start", "modal form"
    act: Act
    direct: bool = False  # works in a direct message, too
    by_form: bool = False  # its id names a form, which belongs to one person, instead of a bot
    # If the answer can't be given now, it's given later. That's for what changes something: who
    # only looks, or is shown a form or a question, can simply ask again.
    owed: bool = False


_CHANGING = {
    *(acts.BOT_CREATE, acts.BOT_START, acts.BOT_STOP, acts.BOT_RESTART, acts.BOT_DO),
    *(acts.BOT_CLONE, acts.BOT_RENAME),
    *(acts.BOT_ROLLBACK, acts.ACCESS_GRANT, acts.ACCESS_REVOKE, acts.TOKEN_REVOKE),
    *(acts.FLEET_BACKUP, acts.SCHEDULE_ADD, acts.SCHEDULE_PAUSE, acts.SCHEDULE_RESUME),
    acts.SCHEDULE_REMOVE,
    *(acts.FLEET_BOARD, acts.ALERTS_GIVE, acts.DIGEST_CHANNEL),
}
# Asked for over HTTP and at the console only: a webhook's URL is a secret, and what is typed into a
# command stays readable in Discord. And a Worker is deployed where its files and its token are.
ELSEWHERE = frozenset(
    {
        *(acts.WEBHOOK_ADD, acts.WEBHOOK_LIST, acts.WEBHOOK_TEST),
        *(acts.WEBHOOK_REPLAY, acts.WEBHOOK_REMOVE),
        *(acts.EDGE_STATUS, acts.EDGE_DEPLOY, acts.EDGE_ROLLBACK),
    }
)
# Asked for by the buttons under what they are about, and over HTTP and at the console.
BUTTONS_ONLY = frozenset(
    {acts.INCIDENT_ACKNOWLEDGE, acts.INCIDENT_MUTE, acts.ORPHANS_REMOVE, acts.BOT_RESTORE}
)
WITHOUT_COMMAND = ELSEWHERE | BUTTONS_ONLY


def command_of(act: Act) -> str:
    """The slash command that asks for this act, without its slash."""
    return act.id.replace(".", " ")


_COMMANDS = [
    Way(command_of(act), act, owed=act in _CHANGING)
    for act in acts.ACTS.values()
    if act not in WITHOUT_COMMAND
]
_PRESSES = [
    Way("button logs", acts.BOT_LOGS),
    Way("button older", acts.BOT_LOGS),
    Way("button newer", acts.BOT_LOGS),
    Way("button refresh", acts.BOT_LOGS),
    Way("button file", acts.BOT_LOGS),
    Way("button preset", acts.BOT_LOGS),
    Way("button follow", acts.BOT_LOGS),
    Way("button hold", acts.BOT_LOGS),
    Way("button unfollow", acts.BOT_LOGS),
    Way("button start", acts.BOT_START, owed=True),
    Way("button stop", acts.BOT_STOP, owed=True),
    Way("button restart", acts.BOT_RESTART, owed=True),
    Way("button delete", acts.BOT_DELETE, owed=True),
    Way("button update", acts.BOT_UPDATE, owed=True),
    Way("button snapshots", acts.BOT_SNAPSHOTS),
    Way("button askrestore", acts.BOT_RESTORE),
    Way("button restore", acts.BOT_RESTORE, owed=True),
    Way("button askclone", acts.BOT_CLONE),
    Way("modal clone", acts.BOT_CLONE, owed=True),
    Way("button goback", acts.BOT_ROLLBACK, owed=True),
    Way("button acknowledge", acts.INCIDENT_ACKNOWLEDGE, owed=True),
    Way("button mute", acts.INCIDENT_MUTE, owed=True),
    Way("button create", acts.BOT_CREATE),
    Way("button choose", acts.BOT_CREATE),
    Way("button make", acts.BOT_CREATE, owed=True),
    Way("button secrets", acts.BOT_SECRETS),
    Way("button form", acts.BOT_SECRETS, direct=True, by_form=True),
    Way("button edit", acts.BOT_EDIT, direct=True),
    # Acts on many bots: choose them, confirm, cancel. A message in the channel tells of the rest.
    *(Way(f"button pick{verb}", verb.act) for verb in Verb),
    *(Way(f"button many{verb}", verb.act, owed=True) for verb in Verb),
    *(Way(f"button halt{verb}", verb.act, owed=True) for verb in Verb),
    Way("button restored", acts.FLEET_START),
    Way("button status", acts.FLEET_STATUS),
    Way("button doctor", acts.FLEET_DOCTOR),
    Way("button list", acts.BOT_LIST),
    Way("button relist", acts.BOT_LIST),
    Way("button listfile", acts.BOT_LIST),
    Way("button show", acts.BOT_SHOW),
    Way("button rotate", acts.BOT_SECRETS),
    Way("button settings", acts.BOT_EDIT),
    Way("button actions", acts.BOT_DO),
    Way("button do", acts.BOT_DO, owed=True),
    Way("button history", acts.BOT_HISTORY),
    Way("button releases", acts.BOT_RELEASES),
    Way("button rollback", acts.BOT_ROLLBACK, owed=True),
    Way("button askdelete", acts.BOT_DELETE),
    Way("button past", acts.BOT_HISTORY),
    Way("button fleetpast", acts.FLEET_HISTORY),
    Way("button updates", acts.FLEET_UPDATES, owed=True),
    Way("button clear", acts.ORPHANS_REMOVE, owed=True),
    Way("button everyone", acts.ACCESS_GRANT, owed=True),
    Way("modal create", acts.BOT_CREATE, owed=True),
    Way("modal do", acts.BOT_DO, owed=True),
    Way("modal edit", acts.BOT_EDIT, direct=True, owed=True),
    Way("modal form", acts.BOT_SECRETS, direct=True, by_form=True, owed=True),
]

WAYS = {way.name: way for way in (*_COMMANDS, *_PRESSES)}
