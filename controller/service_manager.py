"""Tells systemd how the controller is: it serves, it is alive, it is stopping (`sd_notify`).

The protocol is a datagram of `NAME=value` lines to a socket that systemd names. Started by anything
else there is no such socket, and nothing is sent.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

log = logging.getLogger(__name__)
LOOKS_EVERY = 0.25  # seconds between two looks at whether it serves
WAITS_ON = 30  # seconds that each sign of life before that gives a start
BEATS = 3  # signs of life in the time in which systemd expects one


@dataclass(frozen=True, slots=True)
class Expected:
    """What systemd asked for. `address` is its socket, empty: it doesn't listen; `within` is how
    many seconds may pass without a sign of life, 0: it doesn't ask for any."""

    address: str = ""
    within: float = 0.0


class ServiceManager:
    """The line to systemd. Losing it harms nobody: what can't be sent is dropped."""

    def __init__(self, expected: Expected) -> None:
        self._expected = expected
        self._serves: Callable[[], bool] = lambda: False
        self._stopping = False

    def ready_when(self, serves: Callable[[], bool]) -> None:
        """Say READY once this is true."""
        self._serves = serves

    def stopping(self) -> None:
        """Say that the stop has begun; once is enough."""
        if not self._stopping:
            self._stopping = True
            self._tell("STOPPING=1", "STATUS=Stopping; the bots run on")

    async def keep_telling(self) -> None:
        """Say READY when it serves, and from then on that the event loop is alive, until cancelled.

        A start takes as long as Docker or Discord are away: until then each sign of life asks for
        more time.
        """
        if not self._expected.address:
            return
        while not self._serves():
            self._tell(f"EXTEND_TIMEOUT_USEC={WAITS_ON * 1_000_000}", "STATUS=Starting")
            await asyncio.sleep(LOOKS_EVERY)
        if not self._stopping:
            self._tell("READY=1", "STATUS=Serving")
        while self._expected.within:
            self._tell("WATCHDOG=1")
            await asyncio.sleep(self._expected.within / BEATS)

    def _tell(self, *lines: str) -> None:
        address = self._expected.address
        if not address:
            return
        where = f"\0{address[1:]}" if address.startswith("@") else address
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as line:
            line.setblocking(False)
            try:
                line.sendto("\n".join(lines).encode(), where)
            except OSError as error:
                log.debug("systemd wasn't told %s: %s", lines[0], error)


@contextlib.asynccontextmanager
async def told(expected: Expected) -> AsyncIterator[ServiceManager]:
    """The line to systemd, with its signs of life, from the start to the end of the stop."""
    manager = ServiceManager(expected)
    telling = asyncio.create_task(manager.keep_telling(), name="service manager")
    try:
        yield manager
    finally:
        manager.stopping()
        telling.cancel()
        await asyncio.gather(telling, return_exceptions=True)
