"""Turns the bytes of a log into whole lines, within bounds. Pure: bytes in, lines out.

The engine sends frames. Each has a header of 8 bytes, which names the pipe and the payload's
length, and a payload of one log entry: `timestamp SP text`. An entry holds at most 16 KiB; a longer
line comes as several entries, all with the timestamp of the first, and only the last one ends in a
newline.
"""

from __future__ import annotations

import re
import struct
from collections import deque
from collections.abc import Iterable
from dataclasses import replace
from typing import Literal

from controller.domain.events import LogLine, LogPart, LogQuery, last_state
from controller.runtime.observations import parse_time

Pipe = Literal["stdout", "stderr"]

TEXT_MAX = 1 << 20  # bytes of text in one answer
LINE_MAX = 256 << 10  # bytes; a longer line is cut and ends in "…"
LOOK_BACK = 5_000  # entries to search
SPARE = 8  # entries requested on top of those wanted: the oldest may be the rest of a cut line


class FrameSplitter:
    """Splits a stream of bytes, in whatever pieces it arrives, into the frames of both pipes."""

    def __init__(self) -> None:
        self._waiting = bytearray()
        self.waits = False  # whether frames were left because of a limit

    def feed(self, data: bytes) -> list[tuple[Pipe, bytes]]:
        """Take more bytes and return the frames that are now complete."""
        self.add(data)
        return self.take()

    def add(self, data: bytes) -> None:
        """Take more bytes. They wait for `take`."""
        self._waiting += data

    def take(self, limit: int | None = None) -> list[tuple[Pipe, bytes]]:
        """Return the oldest complete frames: all, or those that begin within `limit` bytes."""
        found: list[tuple[Pipe, bytes]] = []
        waiting, start, self.waits = self._waiting, 0, False
        while len(waiting) - start >= 8:
            kind, length = struct.unpack_from(">BxxxL", waiting, start)
            if len(waiting) - start - 8 < length:
                break
            if limit is not None and start >= limit:
                self.waits = True
                break
            payload = bytes(waiting[start + 8 : start + 8 + length])
            start += 8 + length
            found.append(("stderr" if kind == 2 else "stdout", payload))
        del waiting[:start]
        return found

    def drop_oldest(self, keep: int) -> int:
        """Drop the oldest lines without parsing them, until about `keep` bytes are left. Return how
        many lines these were."""
        if len(self._waiting) <= keep:
            return 0
        found = _LINE_END.search(self._waiting, len(self._waiting) - keep)
        end = found.end() if found else len(self._waiting)
        dropped = len(_LINE_END.findall(self._waiting, 0, end + _HEADER_SIGN))
        del self._waiting[:end]
        return max(1, dropped)


# Where a line's last frame ends and another frame begins. Within a frame a newline is always the
# last byte, and no length is so large that its bytes could look like this.
_LINE_END = re.compile(rb"\n(?=[\1\2]\0\0\0)")
_HEADER_SIGN = 4  # bytes of a header that are looked at


class OutputEnd:
    """Keeps the end of output that arrives in frames, both pipes mixed, in bounded memory."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._head = bytearray()
        self._left = 0  # bytes still missing from the current frame
        self._kept = bytearray()
        self.cut = False  # whether earlier output was dropped

    def feed(self, data: bytes) -> None:
        """Take more bytes, in whatever pieces the frames arrive."""
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
        """The text, with invalid bytes replaced and without its final newline."""
        return last_lines(bytes(self._kept), self._limit, cut=self.cut)


def last_lines(data: bytes, limit: int, *, cut: bool = False) -> str:
    """Decode the end of some text, at most that many bytes. `cut` says that more came before.

    A line that the limit would cut is dropped whole: redaction can't recognise half a secret. If
    everything is one long line, its second half stays.
    """
    if cut or len(data) > limit:
        data = data[-limit:]
        newline = data.find(b"\n", 0, limit // 2)
        data = data[newline + 1 if newline >= 0 else limit // 2 :]
    return data.decode("utf-8", "replace").removesuffix("\n").removesuffix("\r")


class LineJoiner:
    """Joins log entries into whole lines, each pipe by itself, and decodes only whole lines.

    Where the log has earlier entries, the first line of each pipe may be the rest of one. Whether
    it has is known only afterwards, hence `firsts`.
    """

    def __init__(self) -> None:
        self._open: dict[Pipe, tuple[float, bytearray]] = {}
        self.entries = 0
        self.firsts: dict[Pipe, LogLine] = {}

    def feed(self, pipe: Pipe, frame: bytes) -> LogLine | None:
        """Take an entry and return the line that it completes, if it completes one."""
        self.entries += 1
        stamp, _, text = frame.partition(b" ")
        at, line = self._open.pop(pipe, (0.0, bytearray()))
        if not line:
            at = parse_time(stamp.decode("ascii", "replace"))
        _extend(line, text)
        if text.endswith(b"\n"):
            return self._finish(at, pipe, line, ends=True)
        self._open[pipe] = (at, line)
        return None

    def cut(self) -> None:
        """What follows was dropped: forget the lines that are still open."""
        self._open.clear()

    def rest(self) -> list[LogLine]:
        """Return each pipe's last line, if the program ended or paused without a newline."""
        return [self._finish(at, pipe, line, ends=False) for pipe, (at, line) in self._open.items()]

    def _finish(self, at: float, pipe: Pipe, line: bytearray, *, ends: bool) -> LogLine:
        found = _decode_line(at, pipe, line, ends=ends)
        self.firsts.setdefault(pipe, found)
        return found


def _extend(line: bytearray, text: bytes) -> None:
    """Add to a line, in bounded memory. Of a progress bar only its last state is kept."""
    line += text
    if len(line) > LINE_MAX + 2:
        state = line.rstrip(b"\r\n").rfind(b"\r")
        if state > 0:
            del line[:state]  # the \r stays: something was before
        del line[LINE_MAX + 2 :]


class LogTail:
    """Keeps the last lines that match a query, never more than 1 MiB of text."""

    def __init__(self, query: LogQuery) -> None:
        self._query = query
        self._needle = query.grep.casefold()
        self._kept: deque[tuple[int, LogLine]] = deque()
        self._size = 0
        self._dropped = False
        self._oldest = 0.0

    def add(self, line: LogLine) -> None:
        """Keep a line if it matches, and drop the oldest ones beyond the bounds."""
        self._oldest = min(self._oldest or line.at, line.at)
        if not self._matches(line):
            return
        size = len(line.text.encode())
        self._kept.append((size, line))
        self._size += size
        while self._size > TEXT_MAX or len(self._kept) > LOOK_BACK:
            self._size -= self._kept.popleft()[0]
            self._dropped = True

    def part(self, *, more: bool, firsts: Iterable[LogLine] = ()) -> LogPart:
        """Return what was kept, by time: the two pipes don't arrive in the order of writing.

        `more` says that the log has earlier entries; `firsts` are the lines that may then lack
        their beginning.
        """
        query = self._query
        headless = {id(line) for line in firsts} if more else set()
        lines = sorted(
            (
                replace(line, begins=False) if id(line) in headless else line
                for _, line in self._kept
            ),
            key=lambda line: line.at,
        )
        chosen = lines[-query.lines :] if query.lines > 0 else []
        if self._dropped or len(chosen) < len(lines):
            looked_to = chosen[0].at if chosen else query.until
            return LogPart(chosen, more=True, looked_to=looked_to, full=self._dropped)
        return LogPart(chosen, more=more, looked_to=self._oldest)

    def _matches(self, line: LogLine) -> bool:
        query = self._query
        return (
            query.stream in {"both", line.stream}
            and (not query.since or line.at >= query.since)
            and (not query.until or line.at <= query.until)
            and (not self._needle or self._needle in line.text.casefold())
        )


def count_entries_wanted(query: LogQuery) -> int:
    """How many of the last log entries to request from the engine for this query."""
    # The engine counts the entries of both pipes, even if only one pipe is wanted.
    filtered = query.grep or query.since or query.until or query.stream != "both"
    return (LOOK_BACK if filtered else max(0, min(query.lines, LOOK_BACK))) + SPARE


def read_lines(pieces: Iterable[bytes], query: LogQuery, entries: int | None = None) -> LogPart:
    """Return the lines a query wants, from an answer to a request for that many entries.

    Without a number, for `count_entries_wanted` entries.
    """
    splitter, joiner, tail = FrameSplitter(), LineJoiner(), LogTail(query)
    for piece in pieces:
        for pipe, frame in splitter.feed(piece):
            line = joiner.feed(pipe, frame)
            if line is not None:
                tail.add(line)
    for line in joiner.rest():
        tail.add(line)
    wanted = count_entries_wanted(query) if entries is None else entries
    return tail.part(more=joiner.entries >= wanted, firsts=joiner.firsts.values())


def _decode_line(at: float, pipe: Pipe, line: bytearray, *, ends: bool) -> LogLine:
    state, begins = last_state(bytes(line).removesuffix(b"\n"))
    cut = len(state) > LINE_MAX
    text = state[:LINE_MAX].decode("utf-8", "replace")
    return LogLine(at, pipe, text + "…" if cut else text, begins=begins, ends=ends and not cut)
