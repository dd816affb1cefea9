"""Tables that fit the terminal, and outside text that can't do anything to it."""

from __future__ import annotations

import shutil
import sys
import unicodedata
from collections.abc import Sequence

SMALLEST = 8  # characters that a column keeps
GAP = "  "


def printable(text: str) -> str:
    """The text on one line, without what could steer a terminal or turn its letters around."""
    if text.isprintable():
        return text
    return "".join(
        one if one.isprintable() else " " if one in "\t\n\r" else "\ufffd" for one in text
    )


def room() -> int | None:
    """The columns of the terminal; None where the output goes elsewhere."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def table(
    header: Sequence[str], rows: Sequence[Sequence[str]], width: int | None = None
) -> list[str]:
    """The rows in columns. For a terminal (`width`) with a header, and cut to fit it."""
    cells = [[printable(cell) for cell in row] for row in rows]
    if width is not None:
        cells.insert(0, list(header))
    if not cells:
        return []
    widths = [max(_width(row[column]) for row in cells) for column in range(len(header))]
    if width is not None:
        widths = _fitted(widths, width)
    return [
        GAP.join(_padded(cell, size) for cell, size in zip(row, widths, strict=False)).rstrip()
        for row in cells
    ]


def _fitted(widths: list[int], width: int) -> list[int]:
    """Take from the widest column, the last of several, until all fit. Where even small ones don't,
    the last columns are left out."""
    while len(widths) > 1 and _smallest(widths) > width:
        widths = widths[:-1]
    widths = widths[::-1]
    while sum(widths) + len(GAP) * (len(widths) - 1) > width and max(widths) > SMALLEST:
        widths[widths.index(max(widths))] -= 1
    return widths[::-1]


def _smallest(widths: list[int]) -> int:
    return sum(min(size, SMALLEST) for size in widths) + len(GAP) * (len(widths) - 1)


def _padded(cell: str, size: int) -> str:
    if _width(cell) > size:
        while _width(cell) > size - 1:
            cell = cell[:-1]
        cell += "…"
    return cell + " " * (size - _width(cell))


def _width(text: str) -> int:
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(one) else 2 if unicodedata.east_asian_width(one) in "WF" else 1
        for one in text
    )
