"""A process that has imported the controller and forks, so that the tests' thousand starts of it
don't import it a thousand times (1.5 s of a core each).

What it forks has arguments, environment, folder and files of its own, is a process of its own and
ends like one. It differs from a start from nothing in `/proc/<pid>/environ` and `cmdline`, and in
that every module is there already: what those are about starts from nothing (`Controller.fresh`),
as the demo, the README's commands and the image do.
"""

from __future__ import annotations

import array
import asyncio
import atexit
import contextlib
import fcntl
import gc
import importlib
import json
import os
import pkgutil
import runpy
import selectors
import signal
import socket
import subprocess
import sys
import termios
from collections.abc import Mapping, Sequence
from io import TextIOWrapper
from pathlib import Path

ROOT = Path(__file__).parents[2]
PIPE = asyncio.subprocess.PIPE
# Read by the interpreter or a library as it is loaded: a fork comes too late for them.
OF_THE_INTERPRETER = ("PYTHON", "LC_", "LANG", "LD_", "MALLOC_", "SSL_", "TZ")
_MESSAGE = 1 << 17
_PID = 10  # digits: how it ended can follow in the pipe before the id is read


class Forked:
    """A process of the fork server, with what the tests use of `asyncio.subprocess.Process`."""

    def __init__(self, pid: int, status: int) -> None:
        self.pid = pid
        self.stdout: asyncio.StreamReader | None = None
        self.stderr: asyncio.StreamReader | None = None
        self._status: int | None = status  # the end of a pipe that says how it ended
        self._returncode: int | None = None

    @property
    def returncode(self) -> int | None:
        """How it ended: its status, or minus the signal; None while it runs."""
        if self._status is not None:
            with contextlib.suppress(BlockingIOError):
                told = os.read(self._status, 64)
                os.close(self._status)
                self._status = None
                self._returncode = int(told or "-9")
        return self._returncode

    async def wait(self) -> int:
        """Wait for its end."""
        while (ended := self.returncode) is None:
            assert self._status is not None
            told = asyncio.Event()
            loop = asyncio.get_running_loop()
            loop.add_reader(self._status, told.set)
            try:
                await told.wait()
            finally:
                loop.remove_reader(self._status)
        return ended

    async def communicate(self) -> tuple[bytes, bytes]:
        """Everything that it writes, until its end."""

        async def all_of(stream: asyncio.StreamReader | None) -> bytes:
            return await stream.read() if stream is not None else b""

        out, err = await asyncio.gather(all_of(self.stdout), all_of(self.stderr))
        await self.wait()
        return out, err

    def send_signal(self, number: int) -> None:
        """Send it a signal; ProcessLookupError if it has ended."""
        if self.returncode is not None:
            raise ProcessLookupError
        os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


class _Server:
    """This test process's fork server; it ends with it."""

    def __init__(self) -> None:
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        for end in (self._socket, theirs):
            for size in (socket.SO_SNDBUF, socket.SO_RCVBUF):
                end.setsockopt(socket.SOL_SOCKET, size, 2 * _MESSAGE)
        kept = {k: v for k, v in os.environ.items() if k in {"PATH", "HOME"}}
        command = [sys.executable, "-m", "tests.process.fork_server", str(theirs.fileno())]
        self._process = subprocess.Popen(
            command, cwd=ROOT, env=kept, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL
        )
        theirs.close()
        atexit.register(self.close)

    def close(self) -> None:
        self._socket.close()
        self._process.wait(10)

    async def start(self, job: bytes, files: Sequence[int]) -> tuple[int, int]:
        """The new process's id, and the pipe that will say how it ended."""
        status, theirs = os.pipe()
        rights = array.array("i", [*files, theirs])
        sent = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)]
        await asyncio.to_thread(self._socket.sendmsg, [job], sent)
        os.close(theirs)
        pid = int(await asyncio.to_thread(os.read, status, _PID))
        os.set_blocking(status, False)
        return pid, status


def comes_too_late(env: Mapping[str, str]) -> bool:
    """Whether a variable is for the interpreter itself: such a process must start from nothing."""
    found = {name: text for name, text in env.items() if name.startswith(OF_THE_INTERPRETER)}
    return found not in ({}, {"PYTHONPATH": str(ROOT)})


_server: _Server | None = None


async def start(
    *words: str,
    cwd: Path,
    env: Mapping[str, str],
    stdout: object,
    stderr: object,
    module: str = "controller",
    terminal: bool = False,
) -> Forked:
    """Run `python -m <module> <words>`; the outputs are files, or PIPE.

    `terminal`: the output is a terminal, which it reads as well, and which is its own.
    """
    global _server  # noqa: PLW0603 - one for each test process, made when first asked for
    assert not comes_too_late(env)
    _server = _server or _Server()
    job = {"module": module, "words": words, "cwd": str(cwd), "env": dict(env)}
    job["terminal"] = terminal
    ours: list[int | None] = []
    files: list[int] = []
    for wanted in (stdout, stderr):
        if wanted == PIPE:
            read, write = os.pipe()
            ours.append(read)
            files.append(write)
        else:
            ours.append(None)
            number = wanted if isinstance(wanted, int) else wanted.fileno()  # type: ignore[attr-defined]
            files.append(os.dup(number))
    pid, status = await _server.start(json.dumps(job).encode(), files)
    for file in files:
        os.close(file)
    made = Forked(pid, status)
    made.stdout, made.stderr = [await _reader(end) if end is not None else None for end in ours]
    return made


async def _reader(end: int) -> asyncio.StreamReader:
    stream = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(stream)
    file = os.fdopen(end, "rb", buffering=0)
    await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, file)
    return stream


# What follows runs in the fork server.


def _everything_of(package: str) -> None:
    found = importlib.import_module(package)
    for info in pkgutil.walk_packages(found.__path__, f"{package}."):
        if not info.name.endswith("__main__") and ".images" not in info.name:
            importlib.import_module(info.name)


def _serve(control: socket.socket) -> dict[str, object] | None:
    """Fork for every request; the job in the new process, None at the tests' end."""
    waiting: dict[int, tuple[int, int]] = {}  # pidfd: the process, and where its end is told
    with selectors.DefaultSelector() as ready:
        ready.register(control, selectors.EVENT_READ)
        while True:
            for key, _ in ready.select():
                if key.fileobj is control:
                    job, files, _, _ = socket.recv_fds(control, _MESSAGE, 4)
                    if not job:
                        return None
                    pid = os.fork()
                    if pid == 0:
                        _take(files[:-1])
                        return dict(json.loads(job))
                    os.write(files[-1], str(pid).rjust(_PID).encode())
                    for file in files[:-1]:
                        os.close(file)
                    watched = os.pidfd_open(pid)
                    waiting[watched] = (pid, files[-1])
                    ready.register(watched, selectors.EVENT_READ)
                else:
                    ready.unregister(key.fd)
                    pid, told = waiting.pop(key.fd)
                    os.close(key.fd)
                    ended = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
                    with contextlib.suppress(BrokenPipeError):
                        os.write(told, str(ended).encode())
                    os.close(told)


def _take(files: Sequence[int]) -> None:
    """In the new process: these are its output and its errors, and it has no other file."""
    os.dup2(files[0], 1)
    os.dup2(files[1], 2)
    os.closerange(3, 1024)


def _become(job: dict[str, object]) -> None:
    env, words, module = job["env"], job["words"], job["module"]
    if job["terminal"]:
        os.setsid()
        os.dup2(1, 0)
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
        sys.stdin = open(0, encoding=sys.stdin.encoding, closefd=False)  # noqa: SIM115
    assert isinstance(env, dict)
    assert isinstance(words, list)
    os.environ.clear()
    os.environ.update(env)
    os.chdir(str(job["cwd"]))
    sys.argv = ["botmaker", *words]
    for name, number in (("stdout", 1), ("stderr", 2)):
        opened = os.fdopen(number, "wb", buffering=0 if number == 2 else -1, closefd=False)
        old: TextIOWrapper = getattr(sys, name)
        made = TextIOWrapper(
            opened, old.encoding, old.errors, line_buffering=number == 2, write_through=number == 2
        )
        setattr(sys, name, made)
        setattr(sys, f"__{name}__", made)
    runpy.run_module(str(module), run_name="__main__", alter_sys=True)


def main() -> None:
    """Import everything, then fork until the tests end."""
    _everything_of("controller")
    importlib.import_module("tests.prove.crash_points")
    gc.collect()
    gc.freeze()
    with socket.socket(fileno=int(sys.argv[1])) as control:
        job = _serve(control)
        if job is not None:
            control.detach()
    if job is not None:
        gc.unfreeze()
        _become(job)


if __name__ == "__main__":
    main()
