"""What systemd is told, over a real socket: READY once it serves, life while it lives, STOPPING."""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from controller.service_manager import Expected, told
from controller.settings import service_manager


class Ear:
    """The socket that systemd listens on."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.setblocking(False)
        self.socket.bind(f"\0{address[1:]}" if address.startswith("@") else address)

    def heard(self) -> list[str]:
        """The lines that came since the last call."""
        found: list[str] = []
        while True:
            try:
                found += self.socket.recv(4096).decode().splitlines()
            except BlockingIOError:
                return found


@pytest.fixture(params=["a file", "an abstract name"])
def ear(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ear]:
    """Both kinds of address that systemd uses."""
    name = f"@botmaker-test-{secrets.token_hex(6)}"
    ear = Ear(name if request.param == "an abstract name" else str(tmp_path / "notify"))
    yield ear
    ear.socket.close()


async def hears(ear: Ear, line: str) -> list[str]:
    """Wait for a line; all that came until then."""
    found: list[str] = []
    async with asyncio.timeout(5):
        while line not in found:
            found += ear.heard()
            await asyncio.sleep(0.01)
    return found


async def test_ready_comes_once_it_serves_and_not_before(ear: Ear) -> None:
    """Until then a start that waits for Docker or Discord asks for more time."""
    serves: list[str] = []
    async with told(Expected(ear.address, 0.3)) as manager:
        manager.ready_when(lambda: bool(serves))
        before = await hears(ear, "EXTEND_TIMEOUT_USEC=30000000")
        await asyncio.sleep(0.4)
        before += ear.heard()
        assert "READY=1" not in before
        assert "WATCHDOG=1" not in before
        serves.append("now")
        await hears(ear, "READY=1")
        await hears(ear, "WATCHDOG=1")
    after = ear.heard()
    assert after[-2] == "STOPPING=1"
    assert "READY=1" not in after


async def test_signs_of_life_come_often_enough_and_end_with_the_event_loop(ear: Ear) -> None:
    """A loop that hangs sends none, which is how systemd notices."""
    async with told(Expected(ear.address, 0.3)) as manager:
        manager.ready_when(lambda: True)
        await hears(ear, "WATCHDOG=1")
        await asyncio.sleep(0.6)
        assert ear.heard().count("WATCHDOG=1") >= 4
        time.sleep(0.4)
        assert ear.heard() == []
        await hears(ear, "WATCHDOG=1")


async def test_a_stop_is_told_when_it_begins_and_life_until_it_has_ended(ear: Ear) -> None:
    """Draining may take a while, and must not look like a hang."""
    async with told(Expected(ear.address, 0.1)) as manager:
        manager.ready_when(lambda: True)
        await hears(ear, "READY=1")
        manager.stopping()
        await hears(ear, "STOPPING=1")
        await hears(ear, "WATCHDOG=1")
    assert "STOPPING=1" not in ear.heard()


async def test_a_stop_during_the_start_never_says_ready(ear: Ear) -> None:
    """As when somebody stops it while it waits for Docker."""
    async with told(Expected(ear.address)) as manager:
        manager.stopping()
        manager.ready_when(lambda: True)
        await asyncio.sleep(0.4)
    assert "READY=1" not in ear.heard()


@pytest.mark.parametrize("address", ["", "/absent/notify"])
async def test_without_a_listener_nothing_is_sent_and_nothing_fails(address: str) -> None:
    """Started by hand, or systemd's socket went away."""
    async with told(Expected(address, 0.1)) as manager:
        manager.ready_when(lambda: True)
        await asyncio.sleep(0.1)
        manager.stopping()


async def test_a_full_socket_holds_up_nobody(ear: Ear) -> None:
    """What doesn't fit is dropped: the next sign of life comes soon."""
    async with told(Expected(ear.address, 0.003)) as manager:
        manager.ready_when(lambda: True)
        longest, last = 0.0, time.monotonic()
        for _ in range(200):
            await asyncio.sleep(0.005)
            longest = max(longest, time.monotonic() - last)
            last = time.monotonic()
    assert longest < 1
    assert len(ear.heard()) < 400


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, Expected()),
        ({"NOTIFY_SOCKET": "/run/systemd/notify"}, Expected("/run/systemd/notify")),
        ({"NOTIFY_SOCKET": "@n", "WATCHDOG_USEC": "30000000"}, Expected("@n", 30.0)),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, Expected()),
        ({"NOTIFY_SOCKET": "@n", "WATCHDOG_USEC": "soon"}, Expected("@n")),
    ],
)
def test_what_systemd_asks_for_is_in_the_environment(
    given: dict[str, str], expected: Expected, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A watchdog that is meant for another process doesn't count."""
    for name in ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"):
        monkeypatch.delenv(name, raising=False)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    assert service_manager() == expected
    if "WATCHDOG_USEC" in given and "WATCHDOG_PID" in given:
        monkeypatch.setenv("WATCHDOG_PID", str(os.getpid()))
        assert service_manager().within == 30.0
