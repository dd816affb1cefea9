"""An engine over ssh, with a stand-in for the program `ssh` that joins itself to a fake engine.
Next door: test_options.py has Docker's variables and contexts."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from controller.domain.errors import BadSetting, EngineUnavailable
from controller.runtime.engine import EngineRuntime
from controller.runtime.options import engine_options
from controller.runtime.ssh_transport import ssh_command
from tests.runtime.fakeengine import INSTANCE, FakeEngine

STANDIN = """#!{python}
import os, socket, sys, threading
with open({folder!r} + "/calls", "a") as calls:
    calls.write(f"{{os.getpid()}} {{' '.join(sys.argv[1:])}}\\n")
line = socket.socket(socket.AF_UNIX)
line.connect({engine!r})
def pump(read, write):
    while data := read(65536):
        write(data)
def answer():
    pump(line.recv, lambda data: os.write(1, data))
    os._exit(0)
threading.Thread(target=answer, daemon=True).start()
pump(lambda size: os.read(0, size), line.sendall)
"""


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeEngine]:
    """An engine, and an `ssh` on the PATH that leads to it."""
    with FakeEngine(tmp_path / "engine.sock") as engine:
        program = tmp_path / "bin" / "ssh"
        program.parent.mkdir()
        program.write_text(
            STANDIN.format(python=sys.executable, folder=str(tmp_path), engine=str(engine.path))
        )
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
        yield engine


def over_ssh() -> EngineRuntime:
    return EngineRuntime(INSTANCE, engine_options({"DOCKER_HOST": "ssh://ann@far.example:2222"}))


def begun(folder: Path) -> list[int]:
    """The ids of all ssh processes that were started."""
    lines = (folder / "calls").read_text().splitlines()
    assert {line.partition(" ")[2] for line in lines} == {" ".join(COMMAND[1:])}
    return [int(line.split()[0]) for line in lines]


COMMAND = [
    *("ssh", "-o", "BatchMode=yes", "-o", "ConnectTimeout=10", "-l", "ann", "-p", "2222"),
    *("--", "far.example", "docker", "system", "dial-stdio"),
]


def gone(pids: list[int]) -> bool:
    """Whether they have ended and were collected: one that nobody waited for stays."""
    return not any(Path(f"/proc/{pid}").exists() for pid in pids)


async def all_gone(pids: list[int]) -> None:
    deadline = time.monotonic() + 10
    while not gone(pids):
        assert time.monotonic() < deadline, pids
        await asyncio.sleep(0.02)


async def test_an_engine_is_reached_over_ssh(fake: FakeEngine, tmp_path: Path) -> None:
    """Over few processes, used again; the end of the runtime is theirs too."""
    runtime = over_ssh()
    fake.rules["/info"] = lambda exchange: exchange.answer(200, {})
    for _ in range(20):
        assert await runtime.list_containers() == []
        assert (await runtime.info()).version == "fake"
    pids = begun(tmp_path)
    assert len(pids) <= 12
    await runtime.close()
    await all_gone(pids)


async def test_lost_connections_leave_no_dead_process(fake: FakeEngine, tmp_path: Path) -> None:
    """A hundred of them: each process was waited for when its connection went."""
    runtime = over_ssh()
    fake.rules["/containers/json"] = lambda exchange: exchange.reset()
    for _ in range(25):
        with pytest.raises(EngineUnavailable):
            await runtime.list_containers()
    fake.rules.clear()
    assert await runtime.list_containers() == []
    pids = begun(tmp_path)
    assert len(pids) > 25
    assert sum(Path(f"/proc/{pid}").exists() for pid in pids) <= 12
    await runtime.close()
    await all_gone(pids)


async def test_an_event_stream_over_ssh_ends_with_its_process(
    fake: FakeEngine, tmp_path: Path
) -> None:
    """Though the engine never ends it."""
    runtime = over_ssh()
    feed = runtime.events()
    waiting = asyncio.ensure_future(anext(feed))
    while not fake.streams:
        await asyncio.sleep(0.02)
    await feed.aclose()
    waiting.cancel()
    await runtime.close()
    await all_gone(begun(tmp_path))


async def test_without_the_program_it_is_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Not that the engine is away."""
    monkeypatch.setenv("PATH", str(tmp_path))
    runtime = over_ssh()
    with pytest.raises(EngineUnavailable, match="ssh can't be started"):
        await runtime.info()
    await runtime.close()


async def test_a_refused_login_is_an_engine_that_does_not_answer(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Its own words are on stderr; the process is collected."""
    program = tmp_path / "ssh"
    program.write_text(f"#!/bin/sh\necho $$ >> {tmp_path}/pids\nexit 255\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    runtime = over_ssh()
    with pytest.raises(EngineUnavailable):
        await runtime.info()
    await runtime.close()
    await all_gone([int(line) for line in (tmp_path / "pids").read_text().split()])


def test_the_command_is_what_dockers_own_client_runs() -> None:
    """User and port are options, and nothing of the address can become one."""
    assert ssh_command("ssh://ann@far.example:2222") == COMMAND
    assert ssh_command("ssh://far")[-5:] == ["--", "far", "docker", "system", "dial-stdio"]


@pytest.mark.parametrize(
    "url",
    [
        *("ssh://", "ssh://ann@", "ssh://-oProxyCommand=x", "ssh://-l@far", "ssh://ann:pass@far"),
        *("ssh://far:port", "ssh://far/some/engine.sock", "ssh://far?x=1", "ssh://[::1"),
    ],
)
def test_an_address_that_ssh_cannot_use_is_refused(url: str) -> None:
    """Before anything starts, with what is right."""
    with pytest.raises(BadSetting, match="DOCKER_HOST") as caught:
        engine_options({"DOCKER_HOST": url})
    assert "ssh://user@host" in caught.value.hint
    assert "pass" not in caught.value.message.replace("password", "")
