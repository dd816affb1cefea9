"""Tables fit the terminal, and what others wrote can't steer it."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.cli.terminal_tables import printable, table

ROWS = [["shop-helper", "running", "claude-sonnet-4-6"], ["bee", "error", "x"]]
HEADER = ("NAME", "PHASE", "MODEL")


def test_without_a_terminal_nothing_is_cut_and_there_is_no_header() -> None:
    """So that grep and awk have lines of bots alone."""
    assert table(HEADER, ROWS) == [
        "shop-helper  running  claude-sonnet-4-6",
        "bee          error    x",
    ]
    assert table(HEADER, []) == []


def test_on_a_terminal_the_widest_columns_give_way() -> None:
    """With a header, and a mark where something was cut."""
    assert table(HEADER, ROWS, 80)[0] == "NAME         PHASE    MODEL"
    assert table(HEADER, ROWS, 32) == [
        "NAME         PHASE    MODEL",
        "shop-helper  running  claude-so…",
        "bee          error    x",
    ]


def test_where_not_even_small_columns_fit_the_last_ones_are_left_out() -> None:
    """The name and the phase come first."""
    assert table(HEADER, ROWS, 20) == [
        "NAME         PHASE",
        "shop-helper  running",
        "bee          error",
    ]


@settings(deadline=None)
@given(st.lists(st.lists(st.text(max_size=60), min_size=3, max_size=3), max_size=5))
def test_whatever_stands_in_it_each_row_is_one_line_that_fits(rows: list[list[str]]) -> None:
    """Also with wide characters, line ends and controls."""
    lines = table(HEADER, rows, 40)
    assert len(lines) == len(rows) + 1
    for line in lines:
        assert line.isprintable()
        wide = sum(unicodedata.east_asian_width(one) in "WF" for one in line)
        narrow = sum(1 for one in line if not unicodedata.combining(one))
        assert narrow + wide <= 40


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain é😀", "plain é😀"),
        ("a\x1b[2Jb", "a\ufffd[2Jb"),
        ("a\r\nb\tc", "a  b c"),
        ("\u202eevil\x9b31m\u2028", "\ufffdevil\ufffd31m\ufffd"),
    ],
)
def test_outside_text_is_shown_on_one_line_and_does_nothing(text: str, shown: str) -> None:
    """No escape, no line end, no turned letters."""
    assert printable(text) == shown
