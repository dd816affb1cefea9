"""A stranger types every command of the README, in a fresh clone of this very tree.

In the short form the clone borrows the packages of this environment; in full (`make prove`) it sets
itself up. The long commands get an argument that keeps them to a part of their work.
Next door: ../docs/test_readme.py checks that no command is missing here.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import subprocess
import sys
import sysconfig
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import docker
import pytest

from tests.conftest import ROOT, remove_everything_of
from tests.loopback import LoopbackDiscord
from tests.process.process import free_port
from tests.prove.tally import Tally

pytestmark = [pytest.mark.engine, pytest.mark.timeout(1200)]

SET_UP_SECONDS = 900  # a first `make`, with everything to download
INTERRUPTED = (0, 130, -signal.SIGINT)  # a shell calls the last one 130


class Stranger:
    """Somebody at a shell, who knows nothing but the README."""

    def __init__(self, folder: Path, repository: Path) -> None:
        self.folder = folder
        self.clone = folder / "botmaker"
        # And what this run of make was told: its arguments would go on to every make below it.
        ours = ("PYTEST_", "BOTMAKER_", "VIRTUAL_ENV", "PYTHONPATH", "MAKE", "MFLAGS", "ARGS")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
        self.env = kept | {"REPOSITORY": str(repository)}

    def types(self, command: str, within: Path | None = None, **env: str) -> str:
        """Type a command and wait for its end; returns what it printed. It must succeed."""
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=within or self.clone,
            env=self.env | env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=SET_UP_SECONDS,
            check=False,
        )
        assert done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout}"
        return done.stdout

    @contextlib.asynccontextmanager
    async def starts(self, command: str, **env: str) -> AsyncIterator[asyncio.subprocess.Process]:
        """Start a command that goes on until Ctrl-C; nothing of it is left at the end."""
        process = await asyncio.create_subprocess_exec(
            *("bash", "-c", command),
            cwd=self.clone,
            env=self.env | env,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()


async def read_until(process: asyncio.subprocess.Process, words: str) -> str:
    """What it prints, up to and with the line that has these words."""
    assert process.stdout is not None
    said = ""
    while words not in said:
        line = await asyncio.wait_for(process.stdout.readline(), SET_UP_SECONDS)
        assert line, f"it ended: {said}"
        said += line.decode()
    return said


async def press_ctrl_c(process: asyncio.subprocess.Process) -> str:
    """As a terminal does: to the whole group. Returns what it still printed."""
    os.killpg(process.pid, signal.SIGINT)
    out, _ = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode in INTERRUPTED, (process.returncode, out.decode())
    return out.decode()


def borrow_packages(clone: Path) -> None:
    """Let the clone use the packages of this environment, as if `scripts/setup` had been here."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", clone / ".venv"], check=True)
    packages = next((clone / ".venv").glob("lib/python*/site-packages"))
    (packages / "borrowed.pth").write_text(f"{clone}\n{sysconfig.get_path('purelib')}\n")
    for name, called in (
        ("pytest", "pytest:console_main"),
        ("botmaker", "controller.__main__:main"),
    ):
        module, _, function = called.partition(":")
        script = clone / ".venv/bin" / name
        script.write_text(
            f"#!{clone}/.venv/bin/python\nimport sys\nfrom {module} import {function}\n"
            f"sys.exit({function}())\n"
        )
        script.chmod(0o755)
    wanted = re.search(r"^wanted\(\) .*$", (clone / "scripts/setup").read_text(), re.MULTILINE)
    assert wanted is not None
    stamp = f"{wanted[0]}; wanted >.venv/botmaker-stamp"
    subprocess.run(["bash", "-c", stamp], cwd=clone, check=True)


@pytest.fixture(scope="module")
def stranger(
    tmp_path_factory: pytest.TempPathFactory,
    docker_client: docker.APIClient,
    demo_image: str,
    tally: Tally,
) -> Iterator[Stranger]:
    """Somebody who has typed the first two lines of the quick start."""
    folder = tmp_path_factory.mktemp("stranger")
    repository = folder / "repository.git"
    git = ["git", f"--git-dir={repository}", f"--work-tree={ROOT}"]
    who = ["-c", "user.name=T", "-c", "user.email=t@example.test"]
    for words in (["init", "-q"], ["add", "-A"], [*who, "commit", "-q", "-m", "as it is"]):
        subprocess.run([*git, *words], check=True, cwd=ROOT)
    found = Stranger(folder, repository)
    found.types('git clone "$REPOSITORY" botmaker', within=folder)
    assert found.types("cd botmaker && pwd", within=folder).strip() == str(found.clone)
    if not tally.full:
        borrow_packages(found.clone)
    yield found
    for database in found.clone.rglob("botmaker.db"):
        remove_everything_of(docker_client, _instance(database))


def _instance(database: Path) -> str:
    import sqlite3

    with contextlib.closing(sqlite3.connect(database)) as opened:
        query = "SELECT value FROM installation WHERE key = 'instance'"
        return str(opened.execute(query).fetchone()[0])


async def clones(stranger: Stranger) -> None:
    """The whole tree is there, without anything that belongs to one machine."""
    there = {path.name for path in stranger.clone.iterdir()}
    assert {"README.md", "Makefile", "controller", "demo", "docs"} <= there
    assert not {".env", "data"} & there


async def tries_the_demo(stranger: Stranger) -> None:
    """Both pages answer at the addresses that it prints, and Ctrl-C leaves nothing."""
    async with stranger.starts("make demo") as process:
        said = await read_until(process, "Ctrl-C ends it and removes its bots.")
        addresses = re.findall(r"http://127\.0\.0\.1:\S+", said)
        titles = (b"<title>BotMaker demo</title>", b"<title>BotMaker</title>")
        for address, title in zip(addresses, titles, strict=True):
            with await asyncio.to_thread(urllib.request.urlopen, address, timeout=20) as answer:
                assert answer.status == 200
                assert title in answer.read()
        end = await press_ctrl_c(process)
    assert "no bots to remove" in end
    assert "Traceback" not in end


async def runs_the_tests(stranger: Stranger) -> None:
    """The real target, on one module."""
    said = stranger.types("make test", ARGS="tests/domain/test_letters.py")
    assert re.search(r"=+ \d+ passed.* in [\d.]+s", said), said


async def runs_the_bench(stranger: Stranger) -> None:
    """The real target, on one part. Whether an aim is met on a busy machine is bench's own word."""
    said = stranger.types("make bench || true", ARGS="--only redaction")
    assert "measuring: redaction" in said
    assert "Traceback" not in said
    assert re.search(r"redact.*\d", said), said


async def runs_the_proofs(stranger: Stranger) -> None:
    """The real target, on one proof; it ends with its table and its verdict."""
    said = stranger.types("make prove", ARGS=f"-k {A_PROOF}")
    assert "All proofs hold." in said


async def runs_it_for_real(stranger: Stranger) -> None:
    """`init` asks for the token and writes what `make run` needs, against a Discord on this
    machine."""
    async with LoopbackDiscord() as world:
        env = {
            "BOTMAKER_DISCORD_API_URL": world.api_url,
            "BOTMAKER_DISCORD_GATEWAY_URL": world.gateway_url,
            "BOTMAKER_HTTP_LISTEN": f"127.0.0.1:{free_port()}",
        }
        async with stranger.starts(".venv/bin/botmaker init", **env) as process:
            answers = f"{world.token}\n1\n1\n".encode()  # the first server, the first channel
            out, _ = await asyncio.wait_for(process.communicate(answers), 60)
        said = out.decode()
        assert world.token not in said
        assert "oauth2/authorize" in said
        assert process.returncode == 0, said
        async with stranger.starts("make run", **env) as process:
            await world.wait_ready(timeout=120)
            end = await press_ctrl_c(process)
        assert "Traceback" not in end


A_PROOF = "test_the_same_seed_gives_the_same_rubbish"
RUNS: dict[str, Callable[[Stranger], Awaitable[None]]] = {
    'git clone "$REPOSITORY" botmaker': clones,
    "cd botmaker": clones,
    "make demo": tries_the_demo,
    "make test": runs_the_tests,
    "make bench": runs_the_bench,
    "make prove": runs_the_proofs,
    ".venv/bin/botmaker init": runs_it_for_real,
    "make run": runs_it_for_real,
}


@pytest.mark.parametrize("run", dict.fromkeys(RUNS.values()), ids=lambda run: run.__name__)
async def test_a_stranger_types_the_commands_of_the_readme(
    stranger: Stranger, run: Callable[[Stranger], Awaitable[None]]
) -> None:
    """In a fresh clone; each does what the README says of it."""
    await run(stranger)
