"""The body of an engine's answer that doesn't end, read in large pieces.

An engine sends a followed log line by line, each as a chunk of HTTP, and urllib3 takes as long for
each of these chunks as the rest of the way to the reader. Here all that has come is taken at once.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from typing import Any

from requests import Response
from requests.exceptions import ChunkedEncodingError

PIECE = 256 << 10  # bytes read at once
CHUNK_MAX = 8 << 20  # bytes; engines send no such chunk


class Chunks:
    """Takes HTTP's chunks apart: bytes in, in whatever pieces, and the content out."""

    def __init__(self) -> None:
        self._rest = b""
        self.over = False  # whether the last chunk was seen

    def feed(self, data: bytes) -> bytes:
        """Take more bytes and return the content of the chunks that are now complete."""
        buffer, at = self._rest + data, 0
        found: list[bytes] = []
        while not self.over:
            line = buffer.find(b"\r\n", at)
            if line < 0:
                break
            begin, size = line + 2, _size(buffer[at:line])
            if not size:
                self.over = True
            elif len(buffer) < begin + size + 2:
                break
            else:
                found.append(buffer[begin : begin + size])
                at = begin + size + 2
        self._rest = buffer[at:]
        if len(self._rest) > CHUNK_MAX:
            raise ChunkedEncodingError("a chunk is too large")
        return b"".join(found)


def _size(line: bytes) -> int:
    try:
        return int(line.partition(b";")[0], 16)
    except ValueError:
        raise ChunkedEncodingError("a chunk has no size") from None


class LogBody:
    """The body of an answer over this socket. Nothing else may read it."""

    def __init__(self, response: Response, sock: socket.socket) -> None:
        self._sock = sock
        self._chunks = Chunks() if response.raw.chunked else None
        self._first = _buffered(response, sock)

    def read(self, seconds: float | None) -> bytes | None:
        """What has come; empty if nothing came within `seconds`; None at the end.

        Raises ChunkedEncodingError if the connection broke before, and OSError.
        """
        if self._chunks is not None and self._chunks.over:
            return None
        data, self._first = self._first, b""
        if not data:
            self._sock.settimeout(seconds)
            try:
                data = self._sock.recv(PIECE)
            except TimeoutError:
                return b""
        if self._chunks is None:
            return data or None
        if not data:
            raise ChunkedEncodingError("the answer broke off")
        return self._chunks.feed(data)


class WholeBody:
    """The same for an answer whose socket can't be had: it's read as requests reads it."""

    def __init__(self, response: Response) -> None:
        self._pieces: Iterator[bytes] = response.iter_content(PIECE)

    def read(self, seconds: float | None) -> bytes | None:
        """The next piece; None at the end."""
        del seconds  # it waits as long as it takes
        return next(self._pieces, None)


def _buffered(response: Response, sock: socket.socket) -> bytes:
    """What was read of the body together with its headers."""
    raw: Any = response.raw
    file = raw._fp.fp
    sock.settimeout(0.001)  # where nothing was, it tries to read
    with contextlib.suppress(TimeoutError):
        found = len(file.peek(1))
        return bytes(file.read1(found)) if found else b""
    return b""
