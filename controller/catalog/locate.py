"""Where a key stands in a TOML text, so that an error can name the line.

It reads only as much of TOML as that takes, of text that `tomllib` has already accepted. It does
not look into inline tables and arrays: what is wrong in there has the line of their key.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

Way = tuple[str | int, ...]

_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_KEY_PART = re.compile(r"""[ \t]*(?:"((?:[^"\\\n]|\\.)*)"|'([^'\n]*)'|([A-Za-z0-9_-]+))[ \t]*""")
_PIECE = re.compile(
    r'"""(?:[^\\]|\\.)*?"""+'  # texts of several lines may end in up to five quotes
    r"|'''.*?'''+"
    r'|"(?:[^"\\\n]|\\.)*"'
    r"|'[^'\n]*'"
    r"|#[^\n]*"
    r"|[^\"'#\[\]{}\n]+"
    r"|[\[\]{}\n]",
    re.DOTALL,
)


def line_of(text: str, way: Way) -> int:
    """The line (from 1) of the key that the way leads to, or of the nearest table around it."""
    best, line = 0, 1
    for found, at in _keys(text):
        if best < len(found) <= len(way) and way[: len(found)] == found:
            best, line = len(found), text.count("\n", 0, at) + 1
    return line


def _keys(text: str) -> Iterator[tuple[Way, int]]:
    """Every table header and every key with its way and its place, in the order of the text."""
    counts: dict[Way, int] = {}
    table: Way = ()
    at = _skip_blank(text, 0)
    while at < len(text):
        start = at
        if text.startswith("[", at):
            many = text.startswith("[[", at)
            names, at = _read_key(text, at + 1 + many)
            table = _resolved(names, counts, many)
            for depth in range(1, len(table) + 1):
                yield table[:depth], start
            at += 1 + many
        else:
            names, at = _read_key(text, at)
            for depth in range(1, len(names) + 1):
                yield (*table, *names[:depth]), start
            at = _skip_value(text, at + 1)
        at = _skip_blank(text, at)


def _resolved(names: tuple[str, ...], counts: dict[Way, int], many: bool) -> Way:
    """The way that a header means: a name of an array of tables stands for its last table."""
    way: Way = ()
    for depth, name in enumerate(names, start=1):
        way = (*way, name)
        if many and depth == len(names):
            counts[way] = counts.get(way, -1) + 1
        if way in counts:
            way = (*way, counts[way])
    return way


def _read_key(text: str, at: int) -> tuple[tuple[str, ...], int]:
    names: list[str] = []
    while match := _KEY_PART.match(text, at):
        names.append(next(part for part in match.groups() if part is not None))
        at = match.end()
        if not text.startswith(".", at):
            break
        at += 1
    return tuple(names), at


def _skip_value(text: str, at: int) -> int:
    """The end of a value: the line's, unless a bracket is open there."""
    depth = 0
    while match := _PIECE.match(text, at):
        piece = match[0]
        if piece == "\n" and depth == 0:
            return at
        depth += (piece in {"[", "{"}) - (piece in {"]", "}"})
        at = match.end()
    return len(text)


def _skip_blank(text: str, at: int) -> int:
    match = _BLANK.match(text, at)
    return match.end() if match else at
