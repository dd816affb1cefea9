"""Refusals, merged: whoever asks again and again for what they may not fills no journal.

The first of a person for an act is written at once. More of them are counted, and the count is
written when ten minutes are over, or when somebody reads the history.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from controller.domain.bot import Bot
from controller.domain.journal import Author, Fact, Kind

WINDOW_SECONDS = 600.0
OPEN_MOST = 500  # people and acts that are counted at once
BOTS_MOST = 10  # names in one entry

Key = tuple[str, str, str, str]


@dataclass(slots=True)
class Merged:
    """What was refused to one person for one act since the entry that was written."""

    since: float
    by: Author
    bot: Bot | None
    fact: Fact
    times: int = 0
    bots: dict[str, None] = field(default_factory=dict)  # names, in order

    def summary(self) -> Fact:
        """The counted refusals as a fact."""
        data = {**self.fact.data, "times": self.times, "bots": list(self.bots)[:BOTS_MOST]}
        return Fact(Kind.REFUSED, data)


class Refusals:
    """Counts refusals by person and act."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._open: OrderedDict[Key, Merged] = OrderedDict()

    def count(self, fact: Fact, bot: Bot | None, by: Author) -> bool:
        """Count one; False if it is the first, which is to be written."""
        who = by.principal
        key = (who.kind, who.id, str(fact.data.get("act")), str(fact.data.get("code")))
        merged = self._open.get(key)
        if merged is None:
            self._open[key] = Merged(self._clock(), by, bot, fact)
            return False
        merged.times += 1
        if bot is not None:
            merged.bots[bot.name] = None
        return True

    def take(self, *, every: bool = False) -> list[Merged]:
        """What has been counted and is to be written now: old windows, or all that count."""
        now = self._clock()
        found = []
        for key, merged in list(self._open.items()):
            over = merged.since + WINDOW_SECONDS < now or len(self._open) > OPEN_MOST
            if over:
                del self._open[key]
            if merged.times and (over or every):
                found.append(merged)
            if not over and every:
                # The window goes on; what was written isn't counted again.
                self._open[key] = Merged(merged.since, merged.by, merged.bot, merged.fact)
        return found
