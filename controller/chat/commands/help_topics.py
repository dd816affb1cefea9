"""`/help`: the commands by what a person wants to do.

Each command's own description is its line, so nothing is described twice. An act that stands under
no topic yet is shown all the same; one that has no command here isn't.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from controller.chat.requests.ways import command_of
from controller.domain import acts
from controller.domain.acts import Act

TOPICS: Mapping[str, tuple[Act, ...]] = {
    "Make a bot, and change it": (
        *(acts.BOT_CREATE, acts.BOT_SECRETS, acts.BOT_EDIT, acts.BOT_UPDATE, acts.BOT_ROLLBACK),
        acts.BOT_DELETE,
    ),
    "Start and stop it, let it do something": (
        *(acts.BOT_START, acts.BOT_STOP, acts.BOT_RESTART, acts.BOT_DO),
    ),
    "See how it is, and what happened": (
        *(acts.BOT_LIST, acts.BOT_SHOW, acts.BOT_LOGS, acts.BOT_HISTORY, acts.BOT_RELEASES),
        *(acts.FLEET_STATUS, acts.FLEET_HISTORY, acts.INCIDENT_LIST),
        *(acts.ALERTS_OWN, acts.ALERTS_GIVE, acts.ALERTS_LIST),
    ),
    "Decide who may do what": (
        *(acts.ACCESS_GRANT, acts.ACCESS_REVOKE, acts.ACCESS_LIST, acts.ACCESS_TEST),
    ),
    "Let a browser or a program in": (
        *(acts.ACCESS_WEB, acts.ACCESS_SESSIONS),
        *(acts.TOKEN_CREATE, acts.TOKEN_LIST, acts.TOKEN_REVOKE),
    ),
    "Look after BotMaker itself": (
        *(acts.FLEET_DOCTOR, acts.FLEET_BACKUP, acts.FLEET_ORPHANS, acts.HELP),
    ),
}
_MORE = "More"


def help_words(allowed: Collection[Act], descriptions: Mapping[str, str]) -> str:
    """The allowed acts by topic; `descriptions` are those of the commands, by their names."""
    sorted_in = {act.id for topic in TOPICS.values() for act in topic}
    topics = {**TOPICS, _MORE: tuple(act for act in allowed if act.id not in sorted_in)}
    may = {act.id for act in allowed}
    lines: list[str] = []
    for title, every in topics.items():
        named = [command_of(act) for act in every if act.id in may]
        shown = [name for name in named if name in descriptions]
        if shown:
            lines.append(f"**{title}**")
            lines += [f"`/{name}` {descriptions[name]}" for name in shown]
    return "\n".join(lines)
