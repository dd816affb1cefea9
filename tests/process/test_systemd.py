"""What systemd is told by the real controller; tests/test_service_manager.py has the rest."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import engine_socket
from tests.process.process import Place, eventually

pytestmark = pytest.mark.engine


class Heard:
    """The lines that came to systemd's socket so far."""

    def __init__(self, path: Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.setblocking(False)
        self.socket.bind(str(path))
        self.lines: list[str] = []

    def has(self, line: str) -> bool:
        """Whether it has come by now."""
        while True:
            try:
                self.lines += self.socket.recv(4096).decode().splitlines()
            except BlockingIOError:
                return line in self.lines


@pytest.fixture
def heard(idle: Place, tmp_path: Path) -> Iterator[Heard]:
    """A systemd that started the controller and asks for signs of life."""
    heard = Heard(tmp_path / "notify")
    idle.controller.env |= {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "600000"}
    yield heard
    heard.socket.close()


async def test_it_is_ready_once_docker_and_discord_answer_and_tells_its_end(
    idle: Place, heard: Heard, tmp_path: Path
) -> None:
    """Until then it asks for more time. Killed it says nothing, which is how systemd notices."""
    controller, door = idle.controller, tmp_path / "docker.sock"
    controller.env["DOCKER_HOST"] = f"unix://{door}"
    await controller.launch("--wait")
    await eventually(lambda: "waiting for the engine" in controller.log, 30)
    await asyncio.sleep(0.5)
    assert heard.has("EXTEND_TIMEOUT_USEC=30000000")
    assert not heard.has("READY=1")
    door.symlink_to(engine_socket())
    await eventually(lambda: heard.has("READY=1"), 30)
    assert (await controller.health())["discord"] == {"connected": True}
    assert idle.world.gateway.sessions == 1
    await eventually(lambda: heard.has("WATCHDOG=1"))
    assert not heard.has("STOPPING=1")
    await controller.stop()
    assert heard.has("STOPPING=1")


async def test_a_start_that_cannot_work_is_never_ready(idle: Place, heard: Heard) -> None:
    """It ends with status 78, which the unit doesn't try again."""
    idle.controller.env["BOTMAKER_DISCORD_TOKEN"] = "quite.wrong.token"
    await idle.controller.launch()
    await eventually(lambda: not idle.controller.running, 30)
    assert idle.controller.returncode == 78
    assert not heard.has("READY=1")
