"""The whole fleet at a glance, in words: the board, and the line below the controller's name."""

from __future__ import annotations

from collections.abc import Sequence

from controller.chat.languages import plural, say, told
from controller.chat.words.bot_words import SIGNS, engine_reason, headline, reasons, since
from controller.chat.words.fleet_words import WORST_FIRST, worst_first
from controller.chat.words.text import fitted
from controller.domain.phase import Phase
from controller.fleet.views import EngineState, View

ROWS = 8  # bots in trouble that have a row of their own
_ROW_MAX, _GROUP_MAX = 250, 200  # characters
_DOWN = {Phase.ERROR, Phase.CRASH_LOOPING}


def summary(views: Sequence[View]) -> str:
    """`7 bots · 1 down · 2 unhealthy`."""
    down = sum(view.phase in _DOWN for view in views)
    unhealthy = sum(view.phase is Phase.UNHEALTHY for view in views)
    parts = [plural(len(views), "bot")]
    parts += [say("{down} down", down=down)] if down else []
    parts += [say("{unhealthy} unhealthy", unhealthy=unhealthy)] if unhealthy else []
    return " · ".join(parts)


def board_heading(views: Sequence[View], engine: EngineState) -> str:
    """The first line, which is the state that counts."""
    if engine.away:
        return say(
            "⚠️ **{summary}** — {why} This is the last known state.",
            summary=summary(views),
            why=engine_reason(engine),
        )
    sign = SIGNS[worst_first(views)[0].phase] if views else "⚪"
    return f"{sign} **{summary(views)}**"


def board_row(view: View, *, now: float) -> str:
    """A bot in trouble: how it is, since when, and the first reason. `now` is the engine's time."""
    why = next(iter(reasons(view, now=now)), "")
    first = f"{headline(view)} · {since(view)}"
    return fitted(f"{first}\n-# {why}", _ROW_MAX) if why else first


def board_groups(views: Sequence[View], shown: Sequence[View]) -> str:
    """Everybody else by phase, the worst first: a line for each phase with as many names as fit."""
    known = {view.bot.id for view in shown}
    rest = [view for view in worst_first(views) if view.bot.id not in known]
    groups = {phase: [view for view in rest if view.phase is phase] for phase in WORST_FIRST}
    return "\n".join(_group(phase, found) for phase, found in groups.items() if found)


def _group(phase: Phase, found: Sequence[View]) -> str:
    line = f"{SIGNS[phase]} {told(phase.value)} ({len(found)}): "
    names: list[str] = []
    for view in found:
        if len(line) + len(", ".join([*names, view.bot.name])) > _GROUP_MAX:
            break
        names.append(view.bot.name)
    more = len(found) - len(names)
    return line + ", ".join(names) + (say(" and {more} more", more=more) if more else "")
