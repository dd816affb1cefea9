"""A program run inside a container that runs: started, read to its end, given up in time. Blocking.

The engine can start such a program and cannot end it. So whoever waits no longer hangs up, which
lets the thread go; the program itself goes on until it ends or its container does.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from http import HTTPStatus
from typing import Any

from docker import APIClient
from docker.errors import APIError
from docker.errors import NotFound as DockerNotFound
from requests import Response
from requests.exceptions import Timeout
from urllib3.exceptions import TimeoutError as WireTimeout

from controller.domain.errors import NotReady, OutcomeUnknown
from controller.domain.observation import ContainerState
from controller.runtime.faults import clean_reason
from controller.runtime.frames import End
from controller.runtime.inspection import state_of
from controller.runtime.protocol import ProbeResult
from controller.runtime.reading import raise_for_status

OUTPUT_MAX = 16 << 10  # bytes
ANSWER_SECONDS = 5.0  # for the engine's part: to set up, and to tell how it ended
_PIECE = 64 << 10
_NO_SUCH_PROGRAM = 127

_Json = dict[str, Any]


def not_running() -> NotReady:
    """The refusal to run something in a container that does not run."""
    return NotReady(
        "The bot does not run just now.", hint="Start it, or wait for it.", code="not-running"
    )


def took_too_long(seconds: float) -> OutcomeUnknown:
    """What is known of a program that did not end in time: nothing."""
    return OutcomeUnknown(
        f"It did not end within {seconds:g} seconds, and may still go on inside the bot.",
        hint="A restart of the bot ends it for certain.",
        code="action-timeout",
    )


class Execution:
    """One run of one program; called by a thread, given up from anywhere."""

    def __init__(self, command: tuple[str, ...], seconds: float) -> None:
        self._command = command
        self._seconds = seconds
        self._given_up = threading.Event()
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None

    def __call__(self, client: APIClient, seen: _Json) -> ProbeResult:
        """Run it in that inspected container, and wait for its end."""
        if state_of(seen) is not ContainerState.RUNNING:
            raise not_running()
        deadline = time.monotonic() + self._seconds
        client.timeout = ANSWER_SECONDS  # type: ignore[assignment]  # requests takes floats
        made = self._make(client, seen["Id"])
        end = End(OUTPUT_MAX)
        try:
            self._read(client, made, end, deadline)
        except (Timeout, WireTimeout):
            pass  # what the engine says of the program counts
        except APIError as error:
            if error.status_code == HTTPStatus.CONFLICT:
                raise not_running() from error
            reason = clean_reason(error.explanation)
            if error.status_code != HTTPStatus.BAD_REQUEST or not reason.startswith("exec: "):
                raise
            # A program that is not there: newer engines refuse what older ones let end with 126.
            return ProbeResult(exit_code=_NO_SUCH_PROGRAM, output=reason)
        exit_code = self._exit_code(client, made, deadline)
        return ProbeResult(exit_code=exit_code, output=end.text(), cut=end.cut)

    def give_up(self) -> None:
        """Let the thread go; the program cannot be ended."""
        self._given_up.set()
        with self._lock, contextlib.suppress(OSError):
            if self._socket is not None:
                self._socket.shutdown(socket.SHUT_RDWR)

    def _make(self, client: APIClient, container: str) -> str:
        try:
            # No user and no folder are named: those of the container are what it shall have.
            made: _Json = client.exec_create(container, list(self._command))
        except APIError as error:
            if error.status_code != HTTPStatus.CONFLICT:
                raise
            raise not_running() from error
        return str(made["Id"])

    def _read(self, client: APIClient, made: str, end: End, deadline: float) -> None:
        """Start it and take what it prints, until it ends or its time does."""
        url = f"{client.base_url}/v{client.api_version}/exec/{made}/start"
        how = {"Detach": False, "Tty": False}
        with client.post(url, json=how, stream=True, timeout=ANSWER_SECONDS) as response:
            raise_for_status(response)
            sock = self._hold(response)
            try:
                while (left := deadline - time.monotonic()) > 0 and not self._given_up.is_set():
                    sock.settimeout(left)
                    piece = response.raw.read1(_PIECE)
                    if not piece:
                        return
                    end.feed(piece)
            finally:
                with self._lock:
                    self._socket = None

    def _hold(self, response: Response) -> socket.socket:
        """Keep the socket, to bound each wait by what is left, and to hang up from outside."""
        # The connection has given it away by now: the answer has no end but the socket's.
        raw: Any = response.raw
        wire = raw._fp.fp.raw
        sock: socket.socket = getattr(wire, "_sock", wire)
        with self._lock:
            self._socket = sock
        if self._given_up.is_set():
            self.give_up()
        return sock

    def _exit_code(self, client: APIClient, made: str, deadline: float) -> int:
        """How it ended. It may go on for a while after it closed its output, and then counts."""
        pause = 0.01
        while True:
            try:
                state: _Json = client.exec_inspect(made)
            except DockerNotFound as error:
                raise OutcomeUnknown("The bot's container was removed meanwhile.") from error
            if not state["Running"] and state["ExitCode"] is not None:
                return int(state["ExitCode"])
            if time.monotonic() > deadline or self._given_up.wait(pause):
                raise took_too_long(self._seconds)
            pause = min(pause * 1.5, 0.25)
