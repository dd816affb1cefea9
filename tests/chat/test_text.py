"""The functions that make outside text harmless, with text that nobody would think of."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from controller.chat.words.limits import MESSAGE_MAX
from controller.chat.words.text import code_block, newest_fitting, plain

MENTION = re.compile(r"@(?:everyone|here|[!&]?\d{17,20})")
nasty = st.text(
    st.one_of(st.sampled_from("`@<>!&*_~|#[]()\n\r\u2028\x85 123456789"), st.characters())
)
mentions = st.lists(
    st.sampled_from(
        [
            "@everyone",
            "@here",
            "<@123456789012345678>",
            "<@&123456789012345678>",
            "`",
            "\\",
            "*",
            " ",
        ]
    )
).map("".join)
lines = st.lists(nasty.map(lambda text: " ".join(text.splitlines())), max_size=60)
rooms = st.integers(20, MESSAGE_MAX)


@given(st.one_of(nasty, mentions))
def test_a_code_block_is_closed_by_its_own_fence_alone(text: str) -> None:
    """Neither inside nor where inside and fence meet."""
    block = code_block(text)
    assert block.startswith("```\n")
    assert block.endswith("\n```")
    assert "``" not in block[3:-3]


@given(st.one_of(nasty, mentions))
def test_a_code_block_holds_no_live_mention(text: str) -> None:
    """Every sign that could begin one is followed by something else."""
    assert MENTION.search(code_block(text)) is None


@given(lines, rooms)
def test_the_newest_lines_never_exceed_the_room(text: list[str], room: int) -> None:
    """Fenced, with every replacement made, and in their order."""
    kept, fits = newest_fitting(text, room)
    assert len(code_block("\n".join(kept))) <= room
    if fits:
        assert kept == text
    elif len(kept) > 1 or (kept and not kept[0].endswith("…")):
        assert kept == text[len(text) - len(kept) :]


@given(st.lists(st.text("x`@", min_size=1, max_size=30), min_size=1, max_size=80), rooms)
def test_what_would_fit_is_not_left_out(text: list[str], room: int) -> None:
    """The room is used: one line more than what is kept would be too much."""
    kept, fits = newest_fitting(text, room)
    if not fits and kept == text[len(text) - len(kept) :]:
        more = text[len(text) - len(kept) - 1 :]
        assert len(code_block("\n".join(more))) > room - 2
    assert fits == (kept == text)


@given(st.integers(30, MESSAGE_MAX), st.sampled_from("x`@👩"))
def test_a_line_that_is_too_long_is_cut_and_marked(room: int, character: str) -> None:
    """Its beginning is shown, as much as fits."""
    kept, fits = newest_fitting([character * 6000], room)
    assert not fits
    assert kept[0].endswith("…")
    assert len(kept[0]) > 2
    assert len(code_block(kept[0])) <= room


@given(st.one_of(nasty, mentions))
def test_plain_text_is_one_line_without_a_mention(text: str) -> None:
    """Whatever it was, it stands between our own words."""
    line = plain(text)
    assert len(line.splitlines()) <= 1
    assert MENTION.search(line) is None


@given(nasty, st.integers(2, 100))
def test_plain_text_is_bounded_before_it_is_escaped(text: str, limit: int) -> None:
    """Escaping at most doubles it, and adds one to a mention."""
    assert len(plain(text, limit)) <= 3 * limit
