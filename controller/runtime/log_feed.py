"""An engine's log as a stream: a thread of its own, ended from outside."""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace

from docker import APIClient
from requests import Response

from controller.domain.errors import ControllerError, EngineUnavailable
from controller.domain.events import LogBatch, LogLine
from controller.runtime.calls import Calls
from controller.runtime.creation import require_container
from controller.runtime.event_feed import HEADER_SECONDS, KEEP_ALIVE
from controller.runtime.faults import CAUGHT, raise_for_status, translate
from controller.runtime.frames import LOOK_BACK, SPARE, FrameSplitter, LineJoiner, Pipe
from controller.runtime.log_body import LogBody, WholeBody
from controller.runtime.log_budget import LogBudget
from controller.runtime.log_mailbox import LogMailbox
from controller.runtime.log_reading import MARGIN

_log = logging.getLogger(__name__)
TAIL = LOOK_BACK + SPARE  # entries: what a log begins with is read whatever it takes
KEPT = 256 << 10  # bytes that wait for their turn; of a flood, the newest
GATHER_SECONDS = 0.02  # in which more comes: a flood is taken in large pieces, not line by line


class LogFeed(AsyncIterator[LogBatch]):
    """Keeps the contract of `Runtime.follow`. A cancelled wait doesn't end it; `aclose` does."""

    def __init__(
        self, calls: Calls, budget: LogBudget, instance: str, bot_id: str, since: float
    ) -> None:
        self._calls = calls
        self._budget = budget
        self._instance = instance
        self._bot_id = bot_id
        self._since = since
        self._lock = threading.Lock()
        self._closed = False
        self._socket: socket.socket | None = None
        self._mailbox: LogMailbox | None = None

    def __aiter__(self) -> LogFeed:
        return self

    async def __anext__(self) -> LogBatch:
        """Return what is complete. Ends after a close and at the log's end."""
        if self._mailbox is None:
            self._mailbox = LogMailbox()
            threading.Thread(target=self._run, name="engine-log", daemon=True).start()
        batch = None if self._closed else await self._mailbox.take()
        if batch is None or self._closed:
            raise StopAsyncIteration
        return batch

    async def aclose(self) -> None:
        """End the stream, its thread and any waiting `anext`."""
        self.close()

    def close(self) -> None:
        """Do what `aclose` does, from any thread."""
        self._closed = True
        if self._mailbox is not None:
            self._mailbox.finish()  # before the thread finds its connection broken
        with self._lock, suppress(OSError):
            if self._socket is not None:
                self._socket.shutdown(socket.SHUT_RDWR)

    def _run(self) -> None:
        assert self._mailbox is not None
        try:
            self._follow(self._mailbox)
            self._mailbox.finish()
        except ControllerError as error:
            self._mailbox.finish(error)
        except CAUGHT as error:
            self._mailbox.finish(translate(error, write=False))
        except Exception:  # noqa: BLE001 - whoever follows would wait for ever
            _log.exception("a log: its stream failed")
            self._mailbox.finish(EngineUnavailable("The log can't be followed any further."))

    def _follow(self, mailbox: LogMailbox) -> None:
        client = self._calls.connect(HEADER_SECONDS)
        try:
            found = require_container(client, self._instance, self._bot_id)
            mailbox.container = found["Id"]
            with self._ask(client, found["Id"]) as response:
                body = self._body(response)
                try:
                    _Reading(self._budget, mailbox, self._since).run(body)
                finally:
                    with self._lock:
                        self._socket = None
        finally:
            self._calls.release(client)

    def _ask(self, client: APIClient, container_id: str) -> Response:
        # With a tail the cost doesn't depend on the log's size.
        params: dict[str, str | int] = {"stdout": 1, "stderr": 1, "timestamps": 1, "follow": 1}
        params["tail"] = TAIL
        if self._since:
            params["since"] = f"{max(0.0, self._since - MARGIN):.6f}"
        url = f"{client.base_url}/v{client.api_version}/containers/{container_id}/logs"
        response = client.get(url, params=params, stream=True, timeout=HEADER_SECONDS)
        raise_for_status(response)
        return response

    def _body(self, response: Response) -> LogBody | WholeBody:
        """Keep the socket, to hang up from another thread. From now on silence is no error."""
        sock = getattr(response.raw.connection, "sock", None)
        if sock is None:
            return WholeBody(response)  # all of it is here already: the program has ended
        if sock.family in {socket.AF_INET, socket.AF_INET6}:
            for option, value in KEEP_ALIVE:
                sock.setsockopt(*option, value)
        with self._lock:
            self._socket = sock
            closed = self._closed
        if closed:
            self.close()
        return LogBody(response, sock)


class _Reading:
    """Reads one answer: whole lines into the mailbox, as many as the budget allows."""

    def __init__(self, budget: LogBudget, mailbox: LogMailbox, since: float) -> None:
        self._budget = budget
        self._mailbox = mailbox
        self._since = since
        self._frames, self._joiner = FrameSplitter(), LineJoiner()
        self._begun: set[Pipe] = set()

    def run(self, body: LogBody | WholeBody) -> None:
        """Read until the log ends."""
        while (data := body.read(GATHER_SECONDS if self._frames.waits else None)) is not None:
            self._frames.add(data)
            begins = self._joiner.entries < TAIL
            if not begins:
                self._drop()
            self._parse(None if begins else self._budget.left())
            time.sleep(GATHER_SECONDS)
        self._parse(None)
        self._put(self._joiner.rest())

    def _drop(self) -> None:
        dropped = self._frames.drop_oldest(KEPT)
        if dropped:
            self._joiner.cut()
            self._begun.clear()
            self._mailbox.skip(dropped)

    def _parse(self, limit: int | None) -> None:
        lines, size = [], 0
        for pipe, frame in self._frames.take(limit):
            size += len(frame)
            line = self._joiner.feed(pipe, frame)
            if line is None:
                continue
            if pipe not in self._begun:  # it may be the rest of a line that began before
                self._begun.add(pipe)
                line = replace(line, begins=False)
            lines.append(line)
        self._budget.use(size)
        self._put(lines)

    def _put(self, lines: list[LogLine]) -> None:
        wanted = [line for line in lines if line.at >= self._since]
        if wanted:
            self._mailbox.put(wanted)
