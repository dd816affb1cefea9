"""Many bots in words: the list, and the fleet's status."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from operator import attrgetter

from controller.chat.words.bot_words import (
    engine_note,
    engine_reason,
    headline,
    made_of,
    reasons,
    since,
)
from controller.chat.words.limits import MESSAGE_MAX
from controller.chat.words.text import moment, plural
from controller.domain.bot import Bot
from controller.domain.phase import Phase
from controller.fleet.views import EngineState, View

WORST_FIRST = [
    Phase.ERROR,
    Phase.CRASH_LOOPING,
    Phase.UNHEALTHY,
    Phase.STARTING,
    Phase.STOPPING,
    Phase.REMOVING,
    Phase.CREATED,
    Phase.STOPPED,
    Phase.RUNNING,
]
_PHASE, _NAME = attrgetter("phase"), attrgetter("bot.name")
_ROW = attrgetter("bot.name", "phase", "bot.template", "bot.model")


def _worst_first(views: Iterable[View]) -> list[View]:
    """By phase, then by name; quick also for a thousand."""
    found: dict[Phase, list[View]] = {phase: [] for phase in WORST_FIRST}
    for view in views:
        found[view.phase].append(view)
    return [view for alike in found.values() for view in sorted(alike, key=_NAME)]


def listing(views: Sequence[View], engine: EngineState) -> tuple[str, str | None]:
    """The list of bots as a message; and the whole list as a file's text if it doesn't fit."""
    if not views:
        return "There are no bots yet. Create the first one with `/bot create`.", None
    ordered = _worst_first(views)
    head = counts(views) + engine_note(engine)
    kept: list[str] = []
    room = MESSAGE_MAX - len(head) - 60
    for view in ordered:  # only what fits is worded: there may be a thousand
        line = f"{headline(view)} · {made_of(view.bot)} · {since(view)}"
        if len(line) + 1 > room:
            break
        kept.append(line)
        room -= len(line) + 1
    text = "\n".join([head, *kept])
    if len(kept) == len(ordered):
        return text, None
    text += f"\n… and {len(ordered) - len(kept)} more: see the file."
    table = map("\t".join, map(_ROW, ordered))
    return text, "\n".join(["name\tphase\ttemplate\tmodel", *table]) + "\n"


def counts(views: Sequence[View]) -> str:
    """`3 bots: 1 error, 2 running`."""
    found = Counter(map(_PHASE, views))
    parts = [f"{found[phase]} {phase.value}" for phase in WORST_FIRST if found[phase]]
    return f"{plural(len(views), 'bot')}: {', '.join(parts)}" if parts else "no bots"


def fleet_status(
    engine: EngineState,
    views: Sequence[View],
    started_at: float,
    version: str,
    memory: Callable[[Bot], int] = lambda _: 0,
    *,
    now: float,
) -> str:
    """The fleet in a few lines, naming the bots that somebody should look at. `now` is the engine's
    time."""
    docker = "Docker answers." if engine.reachable else engine_reason(engine)
    lines = [f"BotMaker {version}, started {moment(started_at)}. {docker}", counts(views)]
    for view in _worst_first(view for view in views if view.phase.bad):
        why = " ".join(reasons(view, memory(view.bot), now=now))
        lines.append(f"{headline(view)}: {why or 'see its log'}")
    return "\n".join(lines)
