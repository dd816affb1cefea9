"""Runs a program in a running container: starts it, reads its output, gives up in time. Blocking.

The engine can start such a program, but it can't end it. Whoever stops waiting hangs up, which
frees the thread; the program runs on until it ends or its container does.
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
from controller.runtime.faults import clean_reason, raise_for_status
from controller.runtime.frames import OutputEnd
from controller.runtime.observations import state_of
from controller.runtime.protocol import ProbeResult

OUTPUT_MAX = 16 << 10  # bytes
ANSWER_SECONDS = 5.0  # for each of the engine's own answers: to set up, and to tell the exit code
_PIECE = 64 << 10  # bytes read at once
_NO_SUCH_PROGRAM = 127

_Json = dict[str, Any]


def not_running() -> NotReady:
    """The error when the container in which to run a program isn't running."""
    return NotReady(
        "The bot isn't running.", hint="Start it, or wait until it runs.", code="not-running"
    )


def took_too_long(seconds: float) -> OutcomeUnknown:
    """The error when a program didn't end in time: it may still be running."""
    return OutcomeUnknown(
        f"It didn't finish within {seconds:g} seconds and may still be running inside the bot.",
        hint="Restart the bot to end it.",
        code="action-timeout",
    )


class Execution:
    """One run of one program. A thread calls it; any thread may give it up."""

    def __init__(self, command: tuple[str, ...], seconds: float) -> None:
        self._command = command
        self._seconds = seconds
        self._given_up = threading.Event()
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None

    def __call__(self, client: APIClient, inspected: _Json) -> ProbeResult:
        """Run the program in this inspected container and wait until it ends."""
        if state_of(inspected) is not ContainerState.RUNNING:
            raise not_running()
        deadline = time.monotonic() + self._seconds
        client.timeout = ANSWER_SECONDS  # type: ignore[assignment]  # requests takes floats
        exec_id = self._create(client, inspected["Id"])
        output = OutputEnd(OUTPUT_MAX)
        try:
            self._read_output(client, exec_id, output, deadline)
        except (Timeout, WireTimeout):
            pass  # the engine's word on whether the program ended is what counts
        except APIError as error:
            if error.status_code == HTTPStatus.CONFLICT:
                raise not_running() from error
            reason = clean_reason(error.explanation)
            if error.status_code != HTTPStatus.BAD_REQUEST or not reason.startswith("exec: "):
                raise
            # The program doesn't exist. Newer engines refuse it; older ones let it end with 126.
            return ProbeResult(exit_code=_NO_SUCH_PROGRAM, output=reason)
        exit_code = self._wait_for_exit_code(client, exec_id, deadline)
        return ProbeResult(exit_code=exit_code, output=output.text(), cut=output.cut)

    def give_up(self) -> None:
        """Free the thread that waits. The program itself can't be ended."""
        self._given_up.set()
        with self._lock, contextlib.suppress(OSError):
            if self._socket is not None:
                self._socket.shutdown(socket.SHUT_RDWR)

    def _create(self, client: APIClient, container: str) -> str:
        try:
            # Naming no user and no folder makes the engine use the container's own.
            created: _Json = client.exec_create(container, list(self._command))
        except APIError as error:
            if error.status_code != HTTPStatus.CONFLICT:
                raise
            raise not_running() from error
        return str(created["Id"])

    def _read_output(
        self, client: APIClient, exec_id: str, output: OutputEnd, deadline: float
    ) -> None:
        """Start the program and read its output until it ends or time is up."""
        url = f"{client.base_url}/v{client.api_version}/exec/{exec_id}/start"
        how = {"Detach": False, "Tty": False}
        with client.post(url, json=how, stream=True, timeout=ANSWER_SECONDS) as response:
            raise_for_status(response)
            sock = self._keep_socket(response)
            try:
                while (left := deadline - time.monotonic()) > 0 and not self._given_up.is_set():
                    sock.settimeout(left)
                    piece = response.raw.read1(_PIECE)
                    if not piece:
                        return
                    output.feed(piece)
            finally:
                with self._lock:
                    self._socket = None

    def _keep_socket(self, response: Response) -> socket.socket:
        """Keep the response's socket, to limit each wait and to hang up from another thread."""
        # The answer ends only when its socket does, so the connection no longer holds the socket.
        raw: Any = response.raw
        wire = raw._fp.fp.raw
        sock: socket.socket = getattr(wire, "_sock", wire)
        with self._lock:
            self._socket = sock
        if self._given_up.is_set():
            self.give_up()
        return sock

    def _wait_for_exit_code(self, client: APIClient, exec_id: str, deadline: float) -> int:
        """Return the exit code. A program may close its output and still run for a while."""
        pause = 0.01
        while True:
            try:
                state: _Json = client.exec_inspect(exec_id)
            except DockerNotFound as error:
                raise OutcomeUnknown(
                    "The bot's container was removed while the program ran."
                ) from error
            if not state["Running"] and state["ExitCode"] is not None:
                return int(state["ExitCode"])
            if time.monotonic() > deadline or self._given_up.wait(pause):
                raise took_too_long(self._seconds)
            pause = min(pause * 1.5, 0.25)
