"""How much of followed logs is read, and HTTP's chunks. No engine, no clock of the machine."""

from __future__ import annotations

import pytest
from requests.exceptions import ChunkedEncodingError

from controller.runtime.frames import FrameSplitter
from controller.runtime.log_body import Chunks
from controller.runtime.log_budget import Allowance, LogBudget
from tests.runtime.test_log_feed import entry


def test_all_share_one_allowance_and_each_has_a_little_of_its_own() -> None:
    """What one takes the other hasn't; a debt is paid before anything is left."""
    now = [0.0]
    together = Allowance(1000, 2000, lambda: now[0])
    first, second = (LogBudget(together, Allowance(10, 50, lambda: now[0])) for _ in range(2))
    assert first.left() == 2000
    first.use(2550)  # 50 of its own
    assert first.left() == 0
    assert second.left() == 50
    second.use(30)
    assert second.left() == 20
    now[0] += 0.4  # 400 for all, who owe 500
    assert (first.left(), second.left()) == (4, 24)
    now[0] += 0.2
    assert (first.left(), second.left()) == (100, 100)
    now[0] += 1000
    assert first.left() == 2000


def test_a_debt_is_bounded() -> None:
    """A long beginning doesn't silence everybody for minutes."""
    now = [0.0]
    together = Allowance(100, 100, lambda: now[0])
    together.use(1_000_000)
    now[0] += 1.5
    assert together.left() == 50


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_chunks_are_taken_apart_however_they_arrive(size: int) -> None:
    """Also with extensions, and up to the last one."""
    data = b"5\r\nhello\r\n1;a=b\r\n \r\nA\r\nwide\r\nworl\r\n0\r\n\r\n"
    chunks = Chunks()
    found = b"".join(chunks.feed(data[at : at + size]) for at in range(0, len(data), size))
    assert found == b"hello wide\r\nworl"
    assert chunks.over


def test_what_is_no_chunk_is_an_error() -> None:
    """Not content."""
    with pytest.raises(ChunkedEncodingError):
        Chunks().feed(b"hello\r\n")


def test_what_is_dropped_ends_with_a_line_whatever_its_text_looks_like() -> None:
    """Lines are counted without being parsed; lengths that look like a newline don't count."""
    frames = FrameSplitter()
    for number in range(300):  # among them lengths whose last byte is a newline's
        frames.add(entry("\r\x01\0\0\0" + "x" * number + "\n", 1))
    frames.add(entry("part of one", 2))
    frames.add(entry(" and the rest\n", 2, pipe=2))
    dropped = frames.drop_oldest(2000)
    kept = frames.take()
    assert dropped + sum(frame.endswith(b"\n") for _, frame in kept) == 301
    assert 1500 < sum(len(frame) + 8 for _, frame in kept) <= 2000
    assert kept[-1][1].endswith(b"and the rest\n")
    assert frames.drop_oldest(2000) == 0


def test_a_limit_leaves_whole_frames() -> None:
    """They come next time."""
    frames = FrameSplitter()
    for number in range(10):
        frames.add(entry(f"{number}\n", 1))
    found = frames.take(100)
    assert frames.waits
    assert 0 < len(found) < 10
    found += frames.take()
    assert not frames.waits
    assert [frame[-2:-1] for _, frame in found] == [b"%d" % n for n in range(10)]
