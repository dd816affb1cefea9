"""One measured figure with its target, and the table of all figures."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A measured figure; without a target it is only for information."""

    name: str
    value: float
    unit: str
    target: float | None = None
    at_most: bool = False  # whether the target value itself still passes
    note: str = ""

    @property
    def ok(self) -> bool:
        """Whether the target is met."""
        if self.target is None:
            return True
        return self.value <= self.target if self.at_most else self.value < self.target

    @property
    def wanted(self) -> str:
        """The target in words."""
        if self.target is None:
            return ""
        return f"{'≤' if self.at_most else '<'} {self.target:g}{self.unit and ' ' + self.unit}"

    @property
    def verdict(self) -> str:
        """`ok` or `MISSED`; empty without a target."""
        return "" if self.target is None else "ok" if self.ok else "MISSED"


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that at least this percentage of the values doesn't exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


def table(figures: Sequence[Figure]) -> str:
    """The figures as a table for a terminal."""
    rows = [("figure", "value", "target", "", "")]
    rows += [
        (f.name, f"{f.value:.2f} {f.unit}".rstrip(), f.wanted, f.verdict, f.note) for f in figures
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    lines = []
    for name, value, target, verdict, note in rows:
        cells = (
            name.ljust(widths[0]),
            value.rjust(widths[1]),
            target.rjust(widths[2]),
            verdict.ljust(widths[3]),
        )
        lines.append("  ".join((*cells, note)).rstrip())
    return "\n".join(lines)
