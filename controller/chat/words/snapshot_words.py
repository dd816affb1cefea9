"""Snapshots in words: which there are, and what restoring one does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from controller.chat.languages import number, say
from controller.chat.words.text import moment, plain
from controller.domain.bot import Bot
from controller.domain.snapshot import RESTORE, Snapshot

_WHY: Mapping[str, str] = {
    "update": "before an update",
    "rollback": "before a rollback",
    "template": "before its template changed",
    "image": "before another image",
    RESTORE: "before another snapshot was restored",
}


def snapshots_words(bot: Bot, found: Sequence[Snapshot]) -> str:
    """A bot's snapshots, newest first."""
    if not found:
        return say(
            "**{name}** has no snapshots. One is taken before each update if its "
            "template has `snapshot = true` under `[state]`.",
            name=bot.name,
        )
    title = say("**{name}** — snapshots of its state, newest first", name=bot.name)
    return "\n".join([title, *map(_line, found)])


def restore_question(bot: Bot, number: int) -> str:
    """What is asked before a snapshot is restored."""
    return say(
        "Restore snapshot {number} of **{name}**? It stops, its state becomes what "
        "it was then, and it starts again if it was running. What it has now is kept "
        "as a snapshot. The button works for five minutes.",
        number=number,
        name=bot.name,
    )


def _line(one: Snapshot) -> str:
    why = say(_WHY.get(one.why, plain(one.why, 20)))
    return say(
        "**{number}** {when}, {size}: {why} (release {release})",
        number=one.number,
        when=moment(one.at),
        size=size(one.size),
        why=why,
        release=one.release,
    )


def size(count: int) -> str:
    """A number of bytes, for people."""
    if count < 1024**2:
        return f"{number(count / 1024)} KiB"
    if count < 1024**3:
        return f"{number(count / 1024**2)} MiB"
    return f"{number(count / 1024**3, 1)} GiB"
