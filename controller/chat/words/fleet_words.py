"""Many bots in words: the list, and the fleet's status."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from operator import attrgetter

from controller.chat.languages import plural, say, told
from controller.chat.words.bot_words import (
    engine_note,
    engine_reason,
    headline,
    made_of,
    reasons,
    since,
)
from controller.chat.words.limits import MESSAGE_MAX
from controller.chat.words.text import moment, plain
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
_ROW = attrgetter(
    *("bot.name", "phase.value", "bot.template", "bot.provider", "bot.model", "bot.channel")
)
_FORMULA = frozenset("=+-@\t\r")


def worst_first(views: Iterable[View]) -> list[View]:
    """By phase, then by name; quick also for a thousand."""
    found: dict[Phase, list[View]] = {phase: [] for phase in WORST_FIRST}
    for view in views:
        found[view.phase].append(view)
    return [view for alike in found.values() for view in sorted(alike, key=_NAME)]


def list_page(
    found: Sequence[View],
    shown: Sequence[View],
    engine: EngineState,
    *,
    page: tuple[int, int],
    only: Sequence[str] = (),
) -> str:
    """A page of the list: of the bots that were `found`, those that are `shown`.

    `page` is its number and how many there are; `only` says what the list was narrowed to.
    """
    if not found:
        if not only:
            return say("There are no bots yet. Create the first one with `/bot create`.")
        return say("No bot is {only}.", only=plain(say(" and ").join(only), 300))
    number, pages = page
    notes = [
        *(plain(one, 100) for one in only),
        *([say("page {number} of {pages}", number=number, pages=pages)] if pages > 1 else []),
    ]
    head = counts(found) + (f" ({', '.join(notes)})" if notes else "") + engine_note(engine)
    room = (MESSAGE_MAX - len(head)) // max(1, len(shown)) - 1
    lines = (f"{headline(view)} · {made_of(view.bot)} · {since(view)}" for view in shown)
    return "\n".join(
        [head, *(_cut(line, view, room) for line, view in zip(lines, shown, strict=True))]
    )


def _cut(line: str, view: View, room: int) -> str:
    """A line of the list; without what the bot is made of where that doesn't fit."""
    return line if len(line) <= room else f"{headline(view)} · {since(view)}"


def table(views: Sequence[View]) -> str:
    """The list as a file: comma-separated, with a heading."""
    out = io.StringIO()
    write = csv.writer(out, lineterminator="\n")
    write.writerow(["name", "phase", "template", "provider", "model", "channel"])
    write.writerows(map(_harmless, map(_ROW, views)))
    return out.getvalue()


def _harmless(cells: tuple[object, ...]) -> list[str]:
    """Cells that no spreadsheet takes for a formula."""
    return [f"'{cell}" if str(cell)[:1] in _FORMULA else str(cell) for cell in cells]


def counts(views: Sequence[View]) -> str:
    """`3 bots: 1 error, 2 running`."""
    found = Counter(map(_PHASE, views))
    parts = [f"{found[phase]} {told(phase.value)}" for phase in WORST_FIRST if found[phase]]
    return f"{plural(len(views), 'bot')}: {', '.join(parts)}" if parts else say("no bots")


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
    docker = say("Docker answers.") if engine.reachable else engine_reason(engine)
    lines = [
        say(
            "BotMaker {version}, started {when}. {docker}",
            version=version,
            when=moment(started_at),
            docker=docker,
        ),
        counts(views),
    ]
    for view in worst_first(view for view in views if view.phase.bad):
        why = " ".join(reasons(view, memory(view.bot), now=now))
        lines.append(f"{headline(view)}: {why or say('see its log')}")
    return "\n".join(lines)
