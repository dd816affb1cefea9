"""What truly happened to a bot, beside what its history says: nothing invented, nothing lost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from controller.domain.crashes import GIVE_UP_AT, WINDOW_SECONDS
from controller.domain.journal import Entry, Kind


@dataclass(slots=True)
class Ledger:
    """One bot's true crashes, and what others did to its container."""

    crashes: list[tuple[float, int]] = field(default_factory=list)  # when, and the exit code
    by_hand: Counter[str] = field(default_factory=Counter)
    forgivable: set[str] = field(default_factory=set)  # problems that something true explains
    # Crashes that have to be counted: nobody wished for the end of those runs, nor touched them.
    owed: int = 0
    fresh: int = 0  # crashes since the world was last compared with what is known of it
    clear: bool = True  # whether each of these has to be counted

    def crashed(self, at: float, exit_code: int, *, counts: bool) -> None:
        """A program ended by itself."""
        self.crashes.append((at, exit_code))
        self.fresh += 1
        self.clear = self.clear and counts

    def blur(self) -> None:
        """From here on a crash since the last comparison may count or not: another reason for the
        end of its run came up before anybody can have looked, or its traces are gone."""
        self.clear = False

    def settle(self) -> None:
        """All that can be known is known."""
        self.owed += self.fresh if self.clear else 0
        self.fresh, self.clear = 0, True

    def check(self, entries: Sequence[Entry], problem: Any) -> None:
        """The history tells of these crashes and hands, and of no others."""
        told = [entry for entry in entries if entry.kind is Kind.CRASH]
        codes = Counter(code for entry in told if (code := entry.data.get("exit_code")) is not None)
        true = Counter(code for _, code in self.crashes)
        assert len(told) <= len(self.crashes), f"invented crashes: {told}, truly {self.crashes}"
        assert len(told) >= self.owed, f"lost crashes: {told}, truly {self.crashes}"
        assert codes <= true, f"exit codes that no run had: {codes}, truly {true}"
        hands = Counter(e.data["what"] for e in entries if e.kind is Kind.BY_HAND)
        assert hands <= self.by_hand, f"hands that nobody had: {hands}, truly {self.by_hand}"
        if problem is None:
            return
        if problem.code == "crash-loop":
            last = max(at for at, _ in self.crashes)
            window = [at for at, _ in self.crashes if last - at < WINDOW_SECONDS]
            assert len(window) >= GIVE_UP_AT, f"no loop: {self.crashes}"
        elif problem.code == "fatal-exit":
            assert true[78], f"no fatal exit: {self.crashes}"
        else:
            assert problem.code in self.forgivable, f"{problem}"
