"""A server: a container whose first process is systemd, with this machine's Docker engine."""

from __future__ import annotations

import asyncio
import platform
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import docker

from tests.conftest import ROOT, engine_socket

HERE = platform.freedesktop_os_release()["VERSION_CODENAME"]
# The releases that setup-server.sh is for, of this machine's own kind.
SUITES = [HERE, *{"bookworm": ["trixie"], "trixie": ["bookworm"]}.get(HERE, [])]
WHEELS = """
import sys
sys.path.insert(0, "images")
import controller_image, engine
client = engine.connect()
python = controller_image.python_of(client, sys.argv[1])
controller_image.fetch_wheels(python, client.version()["Arch"])
"""


def image_of(suite: str) -> str:
    """The image of that release."""
    return f"botmaker-server:{suite}"


def built(suite: str) -> None:
    """Make the image, and the wheels that fit it."""
    build = [sys.executable, "images/build.py", "server", "--if-missing", "--suite", suite]
    subprocess.run(build, cwd=ROOT, check=True)
    subprocess.run([sys.executable, "-c", WHEELS, image_of(suite)], cwd=ROOT, check=True)


class Machine:
    """The server, and what a person types there as root."""

    def __init__(self, engine: docker.APIClient, container: str) -> None:
        self.engine = engine
        self.id = container

    def run(self, *words: str) -> tuple[int, str]:
        """A command's status, and all that it says."""
        made = self.engine.exec_create(self.id, [*words], environment={"LC_ALL": "C.UTF-8"})
        said = self.engine.exec_start(made["Id"]).decode(errors="replace")
        return int(self.engine.exec_inspect(made["Id"])["ExitCode"]), said

    def sh(self, script: str) -> str:
        """What a shell says, which must end well."""
        status, said = self.run("/bin/bash", "-c", script)
        assert status == 0, f"{script}\n{said}\n{self.journal()}"
        return said.strip()

    async def does(self, script: str) -> str:
        """The same beside the event loop."""
        return await asyncio.to_thread(self.sh, script)

    async def until(self, check: Callable[[], Any], why: str, seconds: float = 60.0) -> None:
        """Wait until it is so."""
        deadline = time.monotonic() + seconds
        while not await asyncio.to_thread(check):
            assert time.monotonic() < deadline, f"{why}\n{self.journal()}"
            await asyncio.sleep(0.3)

    def journal(self) -> str:
        """The end of what the service said."""
        return self.run("journalctl", "-u", "botmaker", "-n", "60", "--no-pager")[1]

    def unit(self, key: str, name: str = "botmaker.service") -> str:
        """What systemd knows of a unit."""
        return self.run("systemctl", "show", "-P", key, name)[1].strip()

    def active(self, name: str = "botmaker.service") -> bool:
        """Whether the service counts as started."""
        return self.unit("ActiveState", name) == "active"


@contextmanager
def machine(engine: docker.APIClient, folder: Path, suite: str) -> Iterator[Machine]:
    """A server of that release that has booted, with this machine's engine. `folder` holds its
    /var/lib/botmaker, which the engine must find."""
    mounts = [
        docker.types.Mount("/var/run/docker.sock", engine_socket(), type="bind"),
        docker.types.Mount("/var/lib/botmaker", str(folder / "state"), type="bind"),
        docker.types.Mount("/in", str(folder / "in"), type="bind", read_only=True),
    ]
    with booted(engine, suite, mounts, ["SYS_ADMIN"]) as found:
        yield found


@contextmanager
def bare_machine(engine: docker.APIClient, suite: str) -> Iterator[Machine]:
    """A server of that release that has booted, without Docker, and may have one of its own."""
    mounts = [docker.types.Mount("/var/lib/docker", None, type="volume")]
    with booted(engine, suite, mounts, ["SYS_ADMIN", "NET_ADMIN"]) as found:
        yield found


@contextmanager
def booted(
    engine: docker.APIClient, suite: str, mounts: list[docker.types.Mount], caps: list[str]
) -> Iterator[Machine]:
    """A server with these mounts, and this checkout in /src."""
    source = docker.types.Mount("/src", str(ROOT), type="bind", read_only=True)
    made = engine.create_container(
        image_of(suite),
        name=f"botmaker-server-test-{uuid.uuid4().hex[:8]}",
        host_config=engine.create_host_config(
            mounts=[*mounts, source],
            cap_add=caps,
            security_opt=["seccomp=unconfined"],
            cgroupns="private",
            tmpfs={"/run": "", "/run/lock": "", "/tmp": "exec"},
        ),
    )["Id"]
    found = Machine(engine, made)
    try:
        engine.start(made)
        deadline = time.monotonic() + 60
        while (state := found.run("systemctl", "is-system-running")[1].strip()) not in (
            "running",
            "degraded",
        ):
            assert time.monotonic() < deadline, state
            time.sleep(0.3)
        # On a real machine systemd does this itself; without it credentials don't reach a service.
        found.sh("mount --make-rshared /")
        found.run("systemctl", "disable", "--now", "nginx", "caddy")
        found.sh("mkdir -p /var/log/nginx")  # the image has no logs, and not their folders either
        yield found
    finally:
        engine.remove_container(made, force=True, v=True)
