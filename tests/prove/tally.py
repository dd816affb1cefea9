"""What the proofs tried and what was lost: the tests count it, a table shows it at the end.
Next door: __main__.py runs several at once and adds up their tallies."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(slots=True)
class Tally:
    """Counts by subject. A loss also fails its test; the table shows that there was none."""

    full: bool  # make prove; otherwise the short form inside make test
    tried: Counter[str] = field(default_factory=Counter)
    lost: Counter[str] = field(default_factory=Counter)
    figures: dict[str, tuple[int, int]] = field(default_factory=dict)  # settled, at the end
    notes: list[str] = field(default_factory=list)

    def pick(self, short: int, full: int) -> int:
        """How many to try in this run."""
        return full if self.full else short

    def table(self) -> list[str]:
        """One line per subject with tried and lost; then what mustn't grow; then the notes."""
        width = max(map(len, [*self.tried, *self.figures]), default=8)
        lines = [f"{'':<{width}}  {'tried':>11}  {'lost':>11}"]
        lines += [
            f"{what:<{width}}  {count:>11,}  {self.lost[what]:>11,}"
            for what, count in sorted(self.tried.items())
        ]
        if self.figures:
            lines += ["", f"{'':<{width}}  {'settled':>11}  {'at the end':>11}"]
        lines += [
            f"{what:<{width}}  {before:>11,}  {after:>11,}"
            for what, (before, after) in self.figures.items()
        ]
        return [*lines, *self.notes]

    def write(self, file: Path) -> None:
        """Write it as JSON, for `merged` and for machines."""
        file.write_text(json.dumps(self.plain(), indent=2) + "\n")

    def plain(self) -> dict[str, object]:
        """The part of it that JSON can hold."""
        return {
            "full": self.full,
            "tried": dict(sorted(self.tried.items())),
            "lost": {what: self.lost[what] for what in sorted(self.tried)},
            "figures": self.figures,
            "notes": self.notes,
        }


def merged(files: Iterable[Path]) -> Tally:
    """All written tallies, added up."""
    whole = Tally(full=True)
    for file in files:
        found = json.loads(file.read_text())
        whole.full = whole.full and found["full"]
        whole.tried.update(found["tried"])
        whole.lost.update(found["lost"])
        whole.figures.update({name: tuple(pair) for name, pair in found["figures"].items()})
        whole.notes += found["notes"]
    return whole
