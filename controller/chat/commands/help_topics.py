"""`/help`: the commands by what a person wants to do.

Each command's own description is its line; families of commands share one. An act that stands under
no topic yet is shown all the same; one that has no command here isn't.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from controller.chat.languages import command, say, told
from controller.chat.requests.ways import command_of
from controller.domain import acts
from controller.domain.acts import Act

TOPICS: Mapping[str, tuple[Act, ...]] = {
    "Make a bot, and change it": (
        *(acts.BOT_CREATE, acts.BOT_CLONE, acts.BOT_SECRETS, acts.BOT_EDIT, acts.BOT_RENAME),
        *(acts.BOT_UPDATE, acts.BOT_ROLLBACK, acts.BOT_DELETE),
    ),
    "Start and stop it, let it do something": (
        *(acts.BOT_START, acts.BOT_STOP, acts.BOT_RESTART, acts.BOT_DO),
    ),
    "Do it to many at once, or by itself": (
        *(acts.FLEET_START, acts.FLEET_STOP, acts.FLEET_RESTART, acts.FLEET_UPDATE),
        *(acts.SCHEDULE_ADD, acts.SCHEDULE_LIST, acts.SCHEDULE_PAUSE, acts.SCHEDULE_RESUME),
        acts.SCHEDULE_REMOVE,
    ),
    "See how it is, and what happened": (
        *(acts.BOT_LIST, acts.BOT_SHOW, acts.BOT_LOGS, acts.BOT_HISTORY, acts.BOT_RELEASES),
        acts.BOT_SNAPSHOTS,
        *(acts.BOT_STATS, acts.FLEET_STATUS, acts.FLEET_STATS, acts.FLEET_BOARD),
        *(acts.FLEET_HISTORY, acts.INCIDENT_LIST),
        *(acts.ALERTS_OWN, acts.ALERTS_GIVE, acts.ALERTS_LIST),
        *(acts.DIGEST_OWN, acts.DIGEST_CHANNEL),
    ),
    "Decide who may do what": (
        *(acts.ACCESS_GRANT, acts.ACCESS_REVOKE, acts.ACCESS_LIST, acts.ACCESS_TEST),
    ),
    "Let a browser or a program in": (
        *(acts.ACCESS_WEB, acts.ACCESS_SESSIONS),
        *(acts.TOKEN_CREATE, acts.TOKEN_LIST, acts.TOKEN_REVOKE),
    ),
    "Look after BotMaker itself": (
        *(acts.FLEET_DOCTOR, acts.FLEET_BACKUP, acts.FLEET_UPDATES, acts.FLEET_ORPHANS, acts.HELP),
    ),
}
# Commands that are told in one line, so that all of them fit into one message.
FAMILIES: Mapping[str, tuple[Act, ...]] = {
    "One act on many bots; lists them and asks first": (
        *(acts.FLEET_START, acts.FLEET_STOP, acts.FLEET_RESTART, acts.FLEET_UPDATE),
    ),
    "What a bot does by itself, and when": (
        *(acts.SCHEDULE_ADD, acts.SCHEDULE_LIST, acts.SCHEDULE_PAUSE, acts.SCHEDULE_RESUME),
        acts.SCHEDULE_REMOVE,
    ),
    "Give a person or a Discord role a role here, or take it": (
        *(acts.ACCESS_GRANT, acts.ACCESS_REVOKE, acts.ACCESS_LIST, acts.ACCESS_TEST),
    ),
    "Who is pinged when something goes wrong": (
        *(acts.ALERTS_OWN, acts.ALERTS_GIVE, acts.ALERTS_LIST),
    ),
    "A message every week that says how it was": (acts.DIGEST_OWN, acts.DIGEST_CHANNEL),
    "How the fleet is, also live; what it uses, what happened, what is wrong": (
        *(acts.FLEET_STATUS, acts.FLEET_BOARD, acts.FLEET_STATS, acts.FLEET_HISTORY),
        acts.INCIDENT_LIST,
    ),
    "Check BotMaker, back all up, look for new images and for what belongs to no bot": (
        *(acts.FLEET_DOCTOR, acts.FLEET_BACKUP, acts.FLEET_UPDATES, acts.FLEET_ORPHANS),
    ),
    "Try a newer image or template, go back, see what there was": (
        *(acts.BOT_UPDATE, acts.BOT_ROLLBACK, acts.BOT_RELEASES, acts.BOT_SNAPSHOTS),
    ),
    "Copy a bot, call it something else": (acts.BOT_CLONE, acts.BOT_RENAME),
    "API tokens, for programs": (acts.TOKEN_CREATE, acts.TOKEN_LIST, acts.TOKEN_REVOKE),
}
_MORE = "More"


def help_words(allowed: Collection[Act], descriptions: Mapping[str, str]) -> str:
    """The allowed acts by topic; `descriptions` are those of the commands, by their names."""
    sorted_in = {act.id for topic in TOPICS.values() for act in topic}
    topics = {**TOPICS, _MORE: tuple(act for act in allowed if act.id not in sorted_in)}
    may = {act.id for act in allowed}
    lines: list[str] = []
    for title, every in topics.items():
        shown = [act for act in every if act.id in may and command_of(act) in descriptions]
        if shown:
            lines.append(f"**{say(title)}**")
            lines += _lines(shown, descriptions)
    return "\n".join(lines)


def _lines(shown: Sequence[Act], descriptions: Mapping[str, str]) -> Iterator[str]:
    """A line for each command; one for a whole family, where its first one stands."""
    family = {act.id: words for words, every in FAMILIES.items() for act in every}
    shared = set()
    for act in shown:
        words = family.get(act.id)
        alike = [one for one in shown if words and family.get(one.id) == words]
        if len(alike) < 2:
            yield f"`{command(command_of(act))}` {told(descriptions[command_of(act)])}"
        elif words not in shared:
            shared.add(words)
            first, _, _ = command(command_of(act)).rpartition(" ")
            last = "|".join(command(command_of(one)).rpartition(" ")[2] for one in alike)
            yield f"`{first} {last}` {say(words or '')}"
