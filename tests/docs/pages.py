"""The documents as data: tables, code, links and anchors of a Markdown file."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

from tests.conftest import ROOT

DOCS = ROOT / "docs"
README = ROOT / "README.md"
PAGES = (README, ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted(DOCS.glob("*.md")))


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of a table: its text without marks, and what stands in code in it."""

    text: str
    code: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """A table with the heading above it; `rows` are without the header."""

    heading: str
    header: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]

    def column(self, name: str) -> list[Cell]:
        """The cells below this header."""
        return [row[self.header.index(name)] for row in self.rows]


@cache
def tokens(page: Path) -> tuple[Token, ...]:
    """The page, parsed with tables as on the web."""
    return tuple(MarkdownIt("commonmark").enable("table").parse(page.read_text()))


def tables(page: Path) -> list[Table]:
    """Every table of the page, in order."""
    found: list[Table] = []
    heading, rows, row = "", list[tuple[Cell, ...]](), list[Cell]()
    for before, token in zip((None, *tokens(page)), tokens(page), strict=False):
        if token.type == "inline" and before is not None:
            if before.type == "heading_open":
                heading = token.content
            elif before.type in ("th_open", "td_open"):
                row.append(_cell(token))
        elif token.type == "tr_close":
            rows.append(tuple(row))
            row = []
        elif token.type == "table_close":
            header, *rest = rows
            found.append(Table(heading, tuple(cell.text for cell in header), tuple(rest)))
            rows = []
    return found


def tables_with(page: Path, header: str) -> list[Table]:
    """The tables of the page whose first column has this header."""
    return [table for table in tables(page) if table.header[0] == header]


def named_in(page: Path, header: str) -> list[str]:
    """What stands in code in the first column of those tables; each thing has a row of its own."""
    cells = [cell for table in tables_with(page, header) for cell in table.column(header)]
    assert all(len(cell.code) == 1 for cell in cells), cells
    return [cell.code[0] for cell in cells]


def code_in(page: Path) -> list[str]:
    """Every piece of code within the page's sentences and tables."""
    return [part.content for part in _parts(page) if part.type == "code_inline"]


def blocks(page: Path, language: str) -> list[str]:
    """Every block of code in this language."""
    return [token.content for token in tokens(page) if token.info == language]


def links(page: Path) -> list[str]:
    """Where the page's links and pictures lead."""
    found = [part.attrs.get("href") or part.attrs.get("src") for part in _parts(page)]
    return [str(link) for link in found if link]


def anchors(page: Path) -> set[str]:
    """The anchors that its headings have on the web."""
    heads = [
        token.content
        for before, token in zip(tokens(page), tokens(page)[1:], strict=False)
        if before.type == "heading_open"
    ]
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


def _cell(token: Token) -> Cell:
    parts = token.children or []
    return Cell(
        "".join(part.content for part in parts),
        tuple(part.content for part in parts if part.type == "code_inline"),
    )


def _parts(page: Path) -> Iterator[Token]:
    for token in tokens(page):
        yield from token.children or []
