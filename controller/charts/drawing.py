"""Draws one chart: JSON comes in by standard input, a PNG goes out. Run by `process`, as a program.

It imports nothing of ours. Colours are readable on Discord's dark and light backgrounds, and the
letters on a phone, where the picture is 340 points wide.
"""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from typing import Any

INK, PAPER, GRID = "#dbdee1", "#2b2d31", "#4e5058"
COLOURS = ("#5865f2", "#3ba55d", "#faa61a", "#ed4245", "#9b84ee")
WIDE, HIGH = 6.4, 2.1  # inches; high is one panel
DOTS = 150  # an inch


def main() -> int:
    """Read, draw, write."""
    import matplotlib as mpl  # noqa: PLC0415 - only here: nothing else may pay for it

    mpl.use("Agg")
    mpl.rcParams.update(
        {
            "text.color": INK,
            "axes.labelcolor": INK,
            "axes.edgecolor": GRID,
            "xtick.color": INK,
            "ytick.color": INK,
            "axes.facecolor": PAPER,
            "figure.facecolor": PAPER,
            "grid.color": GRID,
            "font.size": 13,
            "text.parse_math": False,  # a `$` in a name is a `$`
        }
    )
    chart = json.load(sys.stdin)
    _draw(chart)
    return 0


def _draw(chart: dict[str, Any]) -> None:
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter  # noqa: PLC0415
    from matplotlib.figure import Figure  # noqa: PLC0415

    at = [datetime.fromtimestamp(one, UTC) for one in chart["at"]]
    panels = chart["panels"]
    figure = Figure(figsize=(WIDE, HIGH * len(panels) + 0.5), dpi=DOTS, layout="constrained")
    figure.suptitle(chart["title"], fontsize=14)
    axes = figure.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0]
    for axis, (unit, lines) in zip(axes, panels, strict=True):
        for number, line in enumerate(lines):
            colour = COLOURS[number % len(COLOURS)]
            if line["most"]:
                axis.fill_between(at, line["most"], color=colour, alpha=0.25, linewidth=0)
            axis.plot(at, line["values"], color=colour, linewidth=2.2, label=line["name"])
        axis.set_ylabel(unit)
        axis.set_ylim(bottom=0)
        axis.grid(visible=True, linewidth=0.6)
        if len(lines) > 1:
            axis.legend(loc="upper left", fontsize=11, framealpha=0.6, labelcolor=INK)
    locator = AutoDateLocator(maxticks=6)  # type: ignore[no-untyped-call]
    axes[-1].xaxis.set_major_locator(locator)
    axes[-1].xaxis.set_major_formatter(
        ConciseDateFormatter(locator)  # type: ignore[no-untyped-call]
    )
    axes[-1].set_xlabel("UTC")
    figure.savefig(sys.stdout.buffer, format="png")
