"""A bot's card as Discord shows it: a box in the phase's colour."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from controller.chat.cards.card_words import CardWords
from controller.chat.requests import layouts
from controller.chat.requests.card_buttons import card_buttons, fix_button, more
from controller.chat.requests.layouts import Layout, Part
from controller.domain.phase import Phase
from controller.fleet.views import View

GREY, YELLOW, GREEN, ORANGE, RED = 0x949BA4, 0xF0B232, 0x23A55A, 0xE67E22, 0xDA373C
COLOURS: Mapping[Phase, int] = {
    Phase.CREATED: GREY,
    Phase.STARTING: YELLOW,
    Phase.RUNNING: GREEN,
    Phase.UNHEALTHY: ORANGE,
    Phase.CRASH_LOOPING: RED,
    Phase.STOPPING: YELLOW,
    Phase.STOPPED: GREY,
    Phase.ERROR: RED,
    Phase.REMOVING: YELLOW,
}


def card_layout(view: View, words: CardWords) -> Layout:
    """The card of a bot that says these words."""
    return layouts.layout(_parts(view, words), COLOURS[view.phase])


def removed_layout(words: str) -> Layout:
    """The card of a bot that is gone."""
    return layouts.layout([layouts.text(words)], GREY)


def _parts(view: View, words: CardWords) -> Iterator[Part]:
    yield layouts.text(f"### {words.heading}\n-# {words.facts}")
    offered: set[str | None] = set()
    if words.causes or words.tail:
        yield layouts.line()
    for cause in words.causes:
        fix = fix_button(cause.fix, view.bot)
        if fix is None or fix.custom_id in offered:
            yield layouts.text(quote(cause.words))
        else:  # ids may stand in a message once
            offered.add(fix.custom_id)
            yield layouts.beside(quote(cause.words), fix)
    if words.tail:
        yield layouts.text(words.tail)
    row = [item for item in card_buttons(view) if item.custom_id not in offered]
    if row:
        yield layouts.controls(row)
    select = more(view)
    if select is not None:
        yield layouts.controls([select])


def quote(words: str) -> str:
    """Words as a quote, each line of them."""
    return "\n".join(f"> {line}" for line in words.split("\n"))
