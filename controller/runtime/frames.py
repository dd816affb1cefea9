"""Log bytes turned into whole lines. Pure: bytes in, lines out, bounded on the way.

The engine sends frames: a header of 8 bytes (which pipe, how long), then one entry of its log,
`timestamp SP text`. An entry is at most 16 KiB; a longer line comes as several, the last of which
ends in a newline, and all of which carry the timestamp of the first.
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Literal

from controller.domain.events import LogLine, LogQuery
from controller.runtime.inspection import parse_time

Pipe = Literal["stdout", "stderr"]

TEXT_MAX = 1 << 20  # bytes of text in one answer
LINE_MAX = 256 << 10  # bytes; a longer line ends in …
LOOK_BACK = 5_000  # entries that are looked through
SPARE = 8  # entries asked for beyond the wanted ones: the oldest may be the rest of a cut line


class Demux:
    """Cuts a stream of bytes, in whatever pieces it comes, into frames of one pipe each."""

    def __init__(self) -> None:
        self._waiting = bytearray()

    def feed(self, data: bytes) -> Iterator[tuple[Pipe, bytes]]:
        """The frames that are complete now."""
        self._waiting += data
        start = 0
        while len(self._waiting) - start >= 8:
            kind, length = struct.unpack_from(">BxxxL", self._waiting, start)
            if len(self._waiting) - start - 8 < length:
                break
            payload = bytes(self._waiting[start + 8 : start + 8 + length])
            start += 8 + length
            yield ("stderr" if kind == 2 else "stdout"), payload
        del self._waiting[:start]


class End:
    """Keeps the end of what comes in frames, of both pipes as they come, and never much more."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._head = bytearray()
        self._left = 0  # bytes of the frame that is just being read
        self._kept = bytearray()
        self.cut = False  # whether there was more before what is kept

    def feed(self, data: bytes) -> None:
        """Take bytes, in whatever pieces the frames come."""
        at = 0
        while at < len(data):
            if self._left:
                piece = data[at : at + self._left]
                self._left -= len(piece)
                self._kept += piece
            else:
                piece = data[at : at + 8 - len(self._head)]
                self._head += piece
                if len(self._head) == 8:
                    (self._left,) = struct.unpack_from(">L", self._head, 4)
                    self._head.clear()
            at += len(piece)
        if len(self._kept) > self._limit:
            self.cut = True
            del self._kept[: -self._limit]

    def text(self) -> str:
        """The text, bad bytes replaced, without the newline that ends it."""
        return end_of(bytes(self._kept), self._limit, cut=self.cut)


def end_of(data: bytes, limit: int, *, cut: bool = False) -> str:
    """The end of some text in at most that many bytes; `cut` says that there was more before.

    A line that the limit cuts through goes whole: half a secret is one that no redaction finds.
    Of text that is all one line the second half stays.
    """
    if cut or len(data) > limit:
        data = data[-limit:]
        newline = data.find(b"\n", 0, limit // 2)
        data = data[newline + 1 if newline >= 0 else limit // 2 :]
    return data.decode("utf-8", "replace").removesuffix("\n").removesuffix("\r")


class Joiner:
    """Joins frames into whole lines, each pipe by itself; decodes only what is whole."""

    def __init__(self) -> None:
        self._open: dict[Pipe, tuple[float, bytearray]] = {}
        self.entries = 0

    def feed(self, pipe: Pipe, frame: bytes) -> LogLine | None:
        """The line that this frame ends, if it ends one."""
        self.entries += 1
        stamp, _, text = frame.partition(b" ")
        at, line = self._open.pop(pipe, (0.0, bytearray()))
        if not line:
            at = parse_time(stamp.decode("ascii", "replace"))
        line += text[: max(0, LINE_MAX + 2 - len(line))]
        if text.endswith(b"\n"):
            return _finish(at, pipe, line)
        self._open[pipe] = (at, line)
        return None

    def rest(self) -> list[LogLine]:
        """The last line of each pipe, where the program ended or paused without a newline."""
        return [_finish(at, pipe, line) for pipe, (at, line) in self._open.items()]


class Tail:
    """Keeps the last lines that fit a query, never more than 1 MiB of text."""

    def __init__(self, query: LogQuery) -> None:
        self._query = query
        self._needle = query.grep.casefold()
        self._kept: deque[tuple[int, LogLine]] = deque()
        self._size = 0

    def add(self, line: LogLine) -> None:
        """Take a line if the query wants it, and let go of the oldest beyond the bound."""
        if not self._wants(line):
            return
        size = len(line.text.encode())
        self._kept.append((size, line))
        self._size += size
        while self._size > TEXT_MAX or len(self._kept) > LOOK_BACK:
            self._size -= self._kept.popleft()[0]

    def forget(self, line: LogLine) -> None:
        """Let go of this very line, if it is still kept."""
        for index, (size, kept) in enumerate(self._kept):
            if kept is line:
                self._size -= size
                del self._kept[index]
                return

    def lines(self) -> list[LogLine]:
        """What was kept, by time: the pipes are written apart, and order is lost between them."""
        count = max(0, self._query.lines)
        ordered = sorted((line for _, line in self._kept), key=lambda line: line.at)
        return ordered[-count:] if count else []

    def _wants(self, line: LogLine) -> bool:
        query = self._query
        return (
            query.stream in {"both", line.stream}
            and (not query.since or line.at >= query.since)
            and (not query.until or line.at <= query.until)
            and (not self._needle or self._needle in line.text.casefold())
        )


def entries_wanted(query: LogQuery) -> int:
    """How many of the last log entries the engine shall send for this query."""
    # The engine counts entries of both pipes before it leaves one out.
    filtered = query.grep or query.since or query.until or query.stream != "both"
    return (LOOK_BACK if filtered else max(0, min(query.lines, LOOK_BACK))) + SPARE


def read_lines(pieces: Iterable[bytes], query: LogQuery) -> list[LogLine]:
    """The lines that a query wants from the bytes of an answer to `entries_wanted` entries."""
    demux, joiner, tail = Demux(), Joiner(), Tail(query)
    first_pipe: Pipe | None = None
    oldest: LogLine | None = None
    for piece in pieces:
        for pipe, frame in demux.feed(piece):
            first_pipe = first_pipe or pipe
            line = joiner.feed(pipe, frame)
            if line is None:
                continue
            if oldest is None and pipe == first_pipe:
                oldest = line
            tail.add(line)
    for line in joiner.rest():
        tail.add(line)
    if oldest is not None and joiner.entries >= entries_wanted(query):
        tail.forget(oldest)  # there was more before it: it may be the rest of a line
    return tail.lines()


def _finish(at: float, pipe: Pipe, line: bytearray) -> LogLine:
    whole = bytes(line).removesuffix(b"\n").removesuffix(b"\r")
    text = whole[:LINE_MAX].decode("utf-8", "replace")
    return LogLine(at, pipe, text if len(whole) <= LINE_MAX else text + "…")
