"""A bot's card in words."""

from __future__ import annotations

from dataclasses import dataclass

from controller.chat.languages import say
from controller.chat.words.bot_words import Cause, causes, headline, made_of, since
from controller.chat.words.text import code_block, fitted, newest_fitting
from controller.fleet.views import View

# Characters. A card is read at a glance; all of it together stays within Discord's 4,000.
FACTS_MAX = 500
CAUSE_MAX = 1_200  # of one cause: it may hold several escaped sentences
CAUSES_MAX = 2_000  # of all of them
CAUSES_COUNT = 8
TAIL_ROOM = 1_200
_TAIL_LEAST = 60  # the last log lines in less than that say nothing


@dataclass(frozen=True, slots=True)
class CardWords:
    """What a card says, from top to bottom."""

    heading: str
    facts: str
    causes: tuple[Cause, ...] = ()
    tail: str = ""  # the last log lines before the last crash, as a code block

    @property
    def text(self) -> str:
        """All of it, without what is only looks."""
        causes = (cause.words for cause in self.causes)
        return "\n".join(filter(None, (self.heading, self.facts, *causes, self.tail)))


def card(view: View, memory: int = 0, *, now: float) -> CardWords:
    """How the bot is and, if something is wrong, why. `memory`: its limit in bytes, or 0; `now`:
    the engine's time.

    Whether the engine answers isn't on it: that's told once, as an incident.
    """
    tail = ""
    if view.tail and view.phase.bad:
        kept, _ = newest_fitting(view.tail, TAIL_ROOM)
        tail = code_block("\n".join(kept))
    return CardWords(
        headline(view),
        f"{fitted(made_of(view.bot), FACTS_MAX)} · {since(view)}",
        _fitting(causes(view, memory, now=now)),
        tail,
    )


def _fitting(found: list[Cause]) -> tuple[Cause, ...]:
    """The first causes that fit: what counts most comes first."""
    kept: list[Cause] = []
    room = CAUSES_MAX
    for cause in found[:CAUSES_COUNT]:
        words = fitted(cause.words, min(room, CAUSE_MAX))
        if room < _TAIL_LEAST:
            break
        kept.append(Cause(words, cause.fix))
        room -= len(words)
    return tuple(kept)


def removed_card(title: str) -> str:
    """The card of a bot that is gone."""
    return say(
        "🗑️ **{title}** — removed. Nothing is left of it. Revoke its keys where you got them.",
        title=title,
    )
