"""What events told of a bot's runs, by their own times: they may come late, or twice."""

from __future__ import annotations

from typing import TypeVar

KEPT = 16  # events of each kind

T = TypeVar("T")


class Heard:
    """The exits, stops and starts of one bot that events told of."""

    def __init__(self) -> None:
        # Tuples, because most bots never have any: an empty deque takes 760 bytes.
        self._exits: tuple[tuple[float, int], ...] = ()
        self._stops: tuple[float, ...] = ()
        self._starts: tuple[float, ...] = ()
        self.oom_at = 0.0

    def exit(self, at: float, exit_code: int) -> None:
        """A run ended."""
        if (at, exit_code) not in self._exits:
            self._exits = _kept(self._exits, (at, exit_code))

    def stop(self, at: float) -> None:
        """Somebody had the run stopped or killed that went on then."""
        self._stops = _kept(self._stops, at)

    def start(self, at: float) -> None:
        """A run began."""
        self._starts = _kept(self._starts, at)

    @property
    def stopped_at(self) -> float:
        """When the run that began last was stopped or killed; 0 if it wasn't."""
        last = max(self._stops, default=0.0)
        return last if last >= max(self._starts, default=0.0) else 0.0

    @property
    def exits(self) -> tuple[tuple[float, int], ...]:
        """The exits that nobody asked for: when, and the code; the oldest first."""
        return tuple(sorted(one for one in self._exits if not self._was_asked_for(one[0])))

    def _was_asked_for(self, at: float) -> bool:
        began = max((start for start in self._starts if start <= at), default=0.0)
        return any(began <= stop <= at for stop in self._stops)


def _kept(events: tuple[T, ...], event: T) -> tuple[T, ...]:
    return (*events, event)[-KEPT:]
