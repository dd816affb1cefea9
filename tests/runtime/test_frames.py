"""Log bytes turned into lines, whatever pieces they come in."""

from __future__ import annotations

import struct
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.domain.events import LogLine, LogQuery
from controller.runtime.frames import (
    LINE_MAX,
    LOOK_BACK,
    SPARE,
    TEXT_MAX,
    FrameSplitter,
    LogTail,
    OutputEnd,
    Pipe,
    count_entries_wanted,
    last_lines,
    read_lines,
)
from controller.runtime.observations import parse_time

MANY = LogQuery(lines=1000)
PIPES: list[Pipe] = ["stdout", "stderr"]


def stamp(second: int) -> str:
    return f"2026-11-21T03:{second // 60:02}:{second % 60:02}.000000001Z"


def frame(pipe: Pipe, second: int, text: bytes) -> bytes:
    payload = stamp(second).encode() + b" " + text
    return struct.pack(">BxxxL", 2 if pipe == "stderr" else 1, len(payload)) + payload


def cut(data: bytes, sizes: list[int]) -> Iterator[bytes]:
    for size in sizes:
        yield data[:size]
        data = data[size:]
    yield data


@given(
    st.lists(
        st.tuples(st.sampled_from(PIPES), st.text(st.characters(blacklist_characters="\n\r")))
    ),
    st.lists(st.integers(0, 40)),
)
def test_lines_do_not_depend_on_how_the_bytes_are_cut(
    lines: list[tuple[Pipe, str]], sizes: list[int]
) -> None:
    """Whatever pieces the socket gives, the same whole lines come out."""
    lines = [(pipe, text.encode(errors="replace").decode()) for pipe, text in lines]
    data = b"".join(
        frame(pipe, number, text.encode() + b"\n") for number, (pipe, text) in enumerate(lines)
    )
    found = read_lines(cut(data, sizes), MANY)
    assert [(line.stream, line.text) for line in found] == lines[-1000:]


@given(st.binary(max_size=200).filter(lambda b: b"\n" not in b), st.lists(st.integers(0, 30)))
def test_a_line_in_many_frames_is_one_line(text: bytes, cuts: list[int]) -> None:
    """Frames of one line are joined before they are decoded, so no character is ever torn."""
    pieces = list(cut(text, cuts))
    pieces[-1] += b"\n"
    data = b"".join(frame("stdout", 5, piece) for piece in pieces)
    (line,) = read_lines([data], LogQuery(lines=len(pieces) + 1))
    last_state = text.rstrip(b"\r").split(b"\r")[-1]
    assert line.text == last_state.decode("utf-8", "replace")
    assert line.at == parse_time(stamp(5))


@given(st.binary(max_size=300))
def test_rubbish_never_raises(data: bytes) -> None:
    """Bytes that are no log make lines or nothing."""
    read_lines([data], MANY)


def test_pipes_that_interleave_inside_a_line_do_not_mix() -> None:
    """Each pipe is joined by itself, and the lines are sorted by the engine's time."""
    data = (
        frame("stdout", 1, b"hel")
        + frame("stderr", 3, b"oops\n")
        + frame("stdout", 1, b"lo\n")
        + frame("stdout", 2, b"next\r\n")
    )
    assert [(line.stream, line.text) for line in read_lines([data], MANY)] == [
        ("stdout", "hello"),
        ("stdout", "next"),
        ("stderr", "oops"),
    ]


def test_a_last_line_without_a_newline_is_told() -> None:
    """A prompt, or the last words of a program that died."""
    data = frame("stdout", 1, b"one\n") + frame("stderr", 2, b"bye")
    assert [line.text for line in read_lines([data], MANY)] == ["one", "bye"]


def test_the_rest_of_a_cut_line_says_that_it_has_no_beginning() -> None:
    """Where the engine sent as much as was asked for, the oldest may have lost its beginning, on
    each pipe and also where it has no end yet."""
    query = LogQuery(lines=3)
    wanted = count_entries_wanted(query)
    other = frame("stderr", 1, b"rest too\n")
    long = [frame("stdout", 1, b"x" * 9) for _ in range(wanted - 2)]
    whole = other + b"".join(long) + frame("stdout", 1, b"end\n")
    part = read_lines([whole], query)
    assert [line.begins for line in part] == [False, False]
    assert part.more
    endless = read_lines([other, *long, frame("stdout", 1, b"x")], query)
    assert [(line.begins, line.ends) for line in endless] == [(False, True), (False, False)]
    fewer = read_lines([b"".join(long) + frame("stdout", 1, b"end\n")], query)
    assert [line.begins for line in fewer] == [True]
    assert not fewer.more


@pytest.mark.parametrize(
    ("query", "entries"),
    [
        (LogQuery(lines=50), 50 + SPARE),
        (LogQuery(lines=10**9), LOOK_BACK + SPARE),
        (LogQuery(lines=-1), SPARE),
        (LogQuery(grep="x"), LOOK_BACK + SPARE),
        (LogQuery(since=1.0), LOOK_BACK + SPARE),
        (LogQuery(until=1.0), LOOK_BACK + SPARE),
        (LogQuery(stream="stderr"), LOOK_BACK + SPARE),
    ],
)
def test_the_engine_is_always_asked_for_a_bounded_tail(query: LogQuery, entries: int) -> None:
    """Never for a whole log; filters look further back."""
    assert count_entries_wanted(query) == entries


def test_an_answer_never_holds_more_than_its_bound() -> None:
    """The newest that fit into 1 MiB are kept."""
    tail = LogTail(LogQuery(lines=LOOK_BACK))
    for number in range(300):
        tail.add(LogLine(float(number), "stdout", "ä" * 4096))
    lines = tail.part(more=False)
    assert lines.more
    assert lines.full
    assert sum(len(line.text.encode()) for line in lines) <= TEXT_MAX
    assert len(lines) == TEXT_MAX // 8192
    assert lines[-1].at == 299.0


def test_an_endless_line_is_cut_and_says_so() -> None:
    """A program that never prints a newline costs a bounded piece of memory."""
    data = [frame("stdout", 1, b"x" * 16384) for _ in range(40)] + [frame("stdout", 1, b"\n")]
    (line,) = read_lines(data, MANY)
    assert line.text == "x" * LINE_MAX + "…"
    exact = [frame("stdout", 1, b"x" * LINE_MAX), frame("stdout", 1, b"\n")]
    assert read_lines(exact, MANY)[0].text == "x" * LINE_MAX


def test_a_frame_that_is_not_complete_waits() -> None:
    """Half a header or half a payload is nothing yet."""
    splitter = FrameSplitter()
    data = frame("stderr", 1, b"x\n")
    assert list(splitter.feed(data[:5])) == []
    assert list(splitter.feed(data[5:12])) == []
    assert [pipe for pipe, _ in splitter.feed(data[12:])] == ["stderr"]


# The end of what a program inside printed


def framed(*pieces: bytes) -> bytes:
    return b"".join(struct.pack(">BxxxL", 1, len(piece)) + piece for piece in pieces)


@given(st.lists(st.binary(max_size=60)), st.lists(st.integers(0, 40)))
def test_the_end_does_not_depend_on_how_the_bytes_are_cut(
    pieces: list[bytes], sizes: list[int]
) -> None:
    """Whatever pieces the socket gives, in the middle of a header too, the same text comes out."""
    end = OutputEnd(1 << 20)
    for part in cut(framed(*pieces), sizes):
        end.feed(part)
    assert end.text() == last_lines(b"".join(pieces), 1 << 20)


def test_a_flood_is_let_go_of_while_it_comes() -> None:
    """Of 64 MiB, in frames and in one, no more than the limit and a piece are ever kept."""
    end, line = OutputEnd(100), b"0123456789" * 3200 + b"\n"
    for _ in range(1000):
        end.feed(framed(line))
        assert len(end._kept) <= 100
    end.feed(struct.pack(">BxxxL", 1, 4_000_000_000))
    for _ in range(1000):
        end.feed(line)
        assert len(end._kept) <= 100
    end.feed(b"tail\n")
    assert end.text() == "5678901234567890123456789012345678901234567890123456789\ntail"[-49:]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", ""),
        (b"plain\n", "plain"),
        (b"two\nlines\r\n", "two\nlines"),
        (b"a\xffb\0\x1b[0m", "a\ufffdb\0\x1b[0m"),
        (b"x" * 20, "x" * 20),
        (b"a-secret-here\nand lines\nafter\n", "and lines\nafter"),
        (b"a-secret-that-is-all-one-line", "l-one-line"),
        (b"a-secret-here-and-on\nafter\n", "-on\nafter"),
    ],
)
def test_a_line_that_the_bound_cuts_goes_whole(data: bytes, expected: str) -> None:
    """Half a secret is one that no redaction finds; text that fits is not touched."""
    assert last_lines(data, 20) == expected
