"""An engine's log as a stream: a thread of its own, ended from outside."""

from __future__ import annotations

import logging
import socket
import threading
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
from controller.runtime.log_mailbox import LogMailbox
from controller.runtime.log_reading import MARGIN, PIECE

_log = logging.getLogger(__name__)


class LogFeed(AsyncIterator[LogBatch]):
    """Keeps the contract of `Runtime.follow`. A cancelled wait doesn't end it; `aclose` does."""

    def __init__(self, calls: Calls, instance: str, bot_id: str, since: float) -> None:
        self._calls = calls
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
                self._keep_socket(response)
                try:
                    self._deliver(response, mailbox)
                finally:
                    with self._lock:
                        self._socket = None
        finally:
            self._calls.release(client)

    def _ask(self, client: APIClient, container_id: str) -> Response:
        # With a tail the cost doesn't depend on the log's size.
        params: dict[str, str | int] = {"stdout": 1, "stderr": 1, "timestamps": 1, "follow": 1}
        params["tail"] = LOOK_BACK + SPARE
        if self._since:
            params["since"] = f"{max(0.0, self._since - MARGIN):.6f}"
        url = f"{client.base_url}/v{client.api_version}/containers/{container_id}/logs"
        response = client.get(url, params=params, stream=True, timeout=HEADER_SECONDS)
        raise_for_status(response)
        return response

    def _keep_socket(self, response: Response) -> None:
        """Keep the socket, to hang up from another thread. From now on silence is no error."""
        sock = getattr(response.raw.connection, "sock", None)
        if sock is None:
            return  # all of it is here already: the program has ended
        sock.settimeout(None)
        if sock.family in {socket.AF_INET, socket.AF_INET6}:
            for option, value in KEEP_ALIVE:
                sock.setsockopt(*option, value)
        with self._lock:
            self._socket = sock
            closed = self._closed
        if closed:
            self.close()

    def _deliver(self, response: Response, mailbox: LogMailbox) -> None:
        splitter, joiner = FrameSplitter(), LineJoiner()
        begun: set[Pipe] = set()
        for piece in response.iter_content(PIECE):
            lines = []
            for pipe, frame in splitter.feed(piece):
                line = joiner.feed(pipe, frame)
                if line is None:
                    continue
                if pipe not in begun:  # it may be the rest of a line that began before the tail
                    begun.add(pipe)
                    line = replace(line, begins=False)
                lines.append(line)
            self._put(mailbox, lines)
        self._put(mailbox, joiner.rest())

    def _put(self, mailbox: LogMailbox, lines: list[LogLine]) -> None:
        wanted = [line for line in lines if line.at >= self._since]
        if wanted:
            mailbox.put(wanted)
