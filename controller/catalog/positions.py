"""The line of a key in a TOML text, for error messages.

The text must be TOML that `tomllib` accepts: only as much as needed is parsed here. Keys inside
inline tables and arrays have the line of the key in front of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from controller.catalog.parts import KeyPath

_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_KEY_PART = re.compile(r"""[ \t]*(?:"((?:[^"\\\n]|\\.)*)"|'([^'\n]*)'|([A-Za-z0-9_-]+))[ \t]*""")
_PIECE = re.compile(
    r'"""(?:[^\\]|\\.)*?"""+'  # multi-line strings may end in up to five quotes
    r"|'''.*?'''+"
    r'|"(?:[^"\\\n]|\\.)*"'
    r"|'[^'\n]*'"
    r"|#[^\n]*"
    r"|[^\"'#\[\]{}\n]+"
    r"|[\[\]{}\n]",
    re.DOTALL,
)


def line_of(text: str, path: KeyPath) -> int:
    """The line, from 1, of the key at this path, or of the nearest table around it."""
    best, line = 0, 1
    for found, at in _keys(text):
        if best < len(found) <= len(path) and path[: len(found)] == found:
            best, line = len(found), text.count("\n", 0, at) + 1
    return line


def _keys(text: str) -> Iterator[tuple[KeyPath, int]]:
    """The path and the offset of every table header and every key, in the order of the text."""
    counts: dict[KeyPath, int] = {}
    table: KeyPath = ()
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


def _resolved(names: tuple[str, ...], counts: dict[KeyPath, int], many: bool) -> KeyPath:
    """The path of a header; the name of an array of tables means its last table."""
    path: KeyPath = ()
    for depth, name in enumerate(names, start=1):
        path = (*path, name)
        if many and depth == len(names):
            counts[path] = counts.get(path, -1) + 1
        if path in counts:
            path = (*path, counts[path])
    return path


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
    """The end of a value: the end of the line, unless a bracket is still open."""
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
