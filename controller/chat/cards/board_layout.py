"""The board as Discord shows it: bots in trouble with a button each, all others by phase."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from controller.chat.cards.card_layout import COLOURS, GREEN, GREY, ORANGE
from controller.chat.languages import say
from controller.chat.requests import layouts
from controller.chat.requests.buttons import button
from controller.chat.requests.layouts import Layout, Part
from controller.chat.requests.selects import Option, select
from controller.chat.words.board_words import ROWS, board_groups, board_heading, board_row
from controller.chat.words.bot_words import SIGNS
from controller.chat.words.fleet_words import worst_first
from controller.fleet.views import EngineState, View

LIST = ("relist", "0", "-", "-", "")  # the first page of all bots, as `bot_list` has it


def board_layout(views: Sequence[View], engine: EngineState, *, now: float) -> Layout:
    """The fleet at a glance. `now` is the engine's time."""
    ordered = worst_first(views)
    return layouts.layout(_parts(ordered, engine, now), _colour(ordered, engine))


def _colour(ordered: Sequence[View], engine: EngineState) -> int:
    if engine.away:
        return ORANGE
    if not ordered:
        return GREY
    return COLOURS[ordered[0].phase] if ordered[0].phase.bad else GREEN


def _parts(ordered: Sequence[View], engine: EngineState, now: float) -> Iterator[Part]:
    yield layouts.text(f"### {board_heading(ordered, engine)}")
    rows = [view for view in ordered if view.phase.bad][:ROWS]
    if rows:
        yield layouts.line()
    for view in rows:
        yield layouts.beside(board_row(view, now=now), button(say("Open"), "show", view.bot.id))
    groups = board_groups(ordered, rows)
    if groups:
        yield layouts.line()
        yield layouts.text(groups)
    bots = (
        Option(view.bot.name, ("show", view.bot.id), view.phase.value, emoji=SIGNS[view.phase])
        for view in ordered
    )
    opened = select(say("Open a bot"), "board", bots)
    if opened is not None:
        yield layouts.controls([opened])
    yield layouts.controls([button(say("List"), *LIST), button(say("Status"), "status", "all")])
