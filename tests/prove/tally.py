"""What the proofs tried and what was lost: counted by the tests, printed as a table at the end."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


@dataclass(slots=True)
class Tally:
    """Counts by subject. A loss also fails its test; the table says that there was none."""

    full: bool  # make prove; else the short form inside make test
    tried: Counter[str] = field(default_factory=Counter)
    lost: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)

    def pick(self, short: int, full: int) -> int:
        """How many to try in this run."""
        return full if self.full else short

    def table(self) -> list[str]:
        """One line a subject: tried and lost."""
        width = max(map(len, self.tried), default=8)
        rows = [
            f"{what:<{width}}  {count:>9,}  {self.lost[what]:>6}"
            for what, count in sorted(self.tried.items())
        ]
        return [f"{'':<{width}}  {'tried':>9}  {'lost':>6}", *rows, *self.notes]
