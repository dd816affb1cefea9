"""The proofs' own Docker engine: it can be stopped, killed, frozen or filled up alone.

It has its own network and mount namespace (one in the host's network namespace took the shared
docker0 away), and its own data-root, exec-root, pid file and socket. Root only.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import docker
from docker.errors import APIError, DockerException
from requests.exceptions import RequestException

PATIENCE = 60.0  # seconds for a start; 1 to 2 are usual
CGROUPS = Path("/sys/fs/cgroup")


def needs_root() -> None:
    """Fail with a sentence if namespaces can't be created."""
    if os.geteuid() != 0:
        raise RuntimeError(
            "The engine faults need root: they run a private dockerd in namespaces of its own. "
            "Run `sudo make prove`, or leave out all that needs Docker with --no-engine."
        )
    absent = [tool for tool in ("dockerd", "unshare", "nsenter") if shutil.which(tool) is None]
    if absent:
        raise RuntimeError(f"The engine faults need {', '.join(absent)} on the PATH.")


def wait_until(check: Callable[[], Any], seconds: float, what: str) -> Any:
    """Poll until the check returns something true, and return that."""
    deadline = time.monotonic() + seconds
    while not (found := check()):
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not within {seconds:g} s")
        time.sleep(0.02)
    return found


class PrivateEngine:
    """One dockerd: `start`, `stop`, `kill`, `freeze`, `thaw`; `remove` leaves nothing behind."""

    def __init__(self, *, data_size: str = "") -> None:
        """With `data_size` (such as "48m") its data-root is a tmpfs of that size."""
        needs_root()
        self.folder = Path(tempfile.mkdtemp(prefix="bm-engine-"))  # socket paths: 108 bytes at most
        self.folder.chmod(0o755)
        self.socket = self.folder / "docker.sock"
        self.data = self.folder / "data"
        self.live_restore = False
        self.client = docker.APIClient(base_url=self.url, version="1.41", timeout=30)
        self._daemon: subprocess.Popen[bytes] | None = None
        self._mounts: list[Path] = []
        self.data.mkdir()
        (self.folder / "daemon.json").write_text("{}")
        # This process keeps the namespaces open and outlives each dockerd. So a restarted one finds
        # the same interfaces and mounts, as after a service restart.
        self._holder = subprocess.Popen(
            ["unshare", "--net", "--mount", "--propagation", "private", "sleep", "infinity"],
            start_new_session=True,
        )
        try:
            wait_until(self._inside, 5, "namespaces")
            self._in("ip", "link", "set", "lo", "up")
            if data_size:
                self._in("mount", "-t", "tmpfs", "-o", f"size={data_size}", "none", str(self.data))
        except BaseException:
            self.remove()
            raise

    @property
    def url(self) -> str:
        """The value for DOCKER_HOST."""
        return f"unix://{self.socket}"

    @property
    def log(self) -> str:
        """What the daemons wrote."""
        return (self.folder / "log").read_text(errors="replace")

    @property
    def running(self) -> bool:
        """Whether the daemon's process exists, frozen or not."""
        return self._daemon is not None and self._daemon.poll() is None

    def start(self, *, live_restore: bool = False, wait: bool = True) -> float:
        """Start it; returns how many seconds it took to answer."""
        assert not self.running
        self.live_restore = live_restore
        # A killed one leaves its pid files behind. containerd's would be believed: where pid 1
        # reaps late (in many containers), the dead process still has a number.
        for left in ("dockerd.pid", "exec/containerd/containerd.pid"):
            (self.folder / left).unlink(missing_ok=True)
        options = [
            f"--data-root={self.data}",
            f"--exec-root={self.folder}/exec",
            f"--pidfile={self.folder}/dockerd.pid",
            f"--host={self.url}",
            f"--config-file={self.folder}/daemon.json",
            f"--live-restore={'true' if live_restore else 'false'}",
        ]
        with (self.folder / "log").open("ab") as log:
            self._daemon = subprocess.Popen(
                [*self._enter, "dockerd", *options],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        return self.wait() if wait else 0.0

    def wait(self) -> float:
        """Wait until it answers; returns how many seconds that took."""
        began = time.monotonic()
        try:
            wait_until(self._answers, PATIENCE, "the private engine's start")
        except AssertionError as error:
            error.add_note(self.log[-2000:])
            raise
        return time.monotonic() - began

    def stop(self) -> None:
        """Send SIGTERM, as a service manager does; returns when it has ended."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Send SIGKILL, as the kernel's out-of-memory killer does."""
        self._end(signal.SIGKILL)

    def freeze(self) -> None:
        """Send SIGSTOP: it accepts connections and answers nothing."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Send SIGCONT."""
        self._signal(signal.SIGCONT)

    def ensure(self, *, live_restore: bool = False) -> None:
        """Make it answer, in this mode, whatever was done to it before."""
        if self.running:
            self.thaw()
            if self.live_restore == live_restore:
                self.wait()
                return
            self.stop()
        self.start(live_restore=live_restore)

    def load(self, image: str, source: docker.APIClient) -> None:
        """Copy an image from another engine, through `docker save` and `docker load`."""
        self.client.load_image(b"".join(source.get_image(image)))
        self.client.inspect_image(image)

    def fill(self) -> None:
        """Fill its data-root (a tmpfs) to the last byte."""
        self._in("sh", "-c", f"cat /dev/zero > {self.data}/filler 2>/dev/null; true")

    def unfill(self) -> None:
        """Free that space again."""
        self._in("rm", "-f", f"{self.data}/filler")

    def remove(self) -> None:
        """End it with all shims and containers, and remove all traces."""
        containers: list[str] = []
        with contextlib.suppress(OSError):
            containers = [entry.name for entry in (self.data / "containers").iterdir()]
        if self.running:
            self.thaw()
            with contextlib.suppress(DockerException, RequestException, AssertionError):
                rows = self.client.containers(all=True)
                containers += [row["Id"] for row in rows]
                for row in rows:
                    with contextlib.suppress(APIError):
                        self.client.remove_container(row["Id"], force=True, v=True)
                self.stop()
        self.client.close()
        for _ in range(3):  # a process that is just starting is found the next time
            for pid in self._family():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.1)
        if self._daemon is not None:
            self._daemon.wait(10)
        self._holder.kill()  # the last process: with it the namespaces go, and all their mounts
        self._holder.wait(10)
        for name in set(containers):
            for left in CGROUPS.glob(f"**/docker/{name}"):
                with contextlib.suppress(OSError):
                    left.rmdir()
        wait_until(self._swept, 10, f"removing {self.folder}")

    def leftovers(self) -> list[str]:
        """What `remove` should have removed but didn't."""
        found = [f"process {pid}" for pid in self._family()]
        found += [
            line for line in Path("/proc/mounts").read_text().splitlines() if self._ours(line)
        ]
        return found + ([str(self.folder)] if self.folder.exists() else [])

    # Inside.

    @property
    def _enter(self) -> list[str]:
        return ["nsenter", f"--target={self._holder.pid}", "--net", "--mount"]

    def _in(self, *words: str) -> None:
        subprocess.run([*self._enter, *words], check=True)

    def _inside(self) -> bool:
        mine = Path("/proc/self/ns/mnt").readlink()
        return Path(f"/proc/{self._holder.pid}/ns/mnt").readlink() != mine and (
            Path(f"/proc/{self._holder.pid}/comm").read_text().strip() == "sleep"
        )

    def _ours(self, text: str) -> bool:
        return f"{self.folder}/" in text or text.endswith(str(self.folder))

    def _answers(self) -> bool:
        if not self.running:
            raise AssertionError("the private engine ended at its start")
        with socket.socket(socket.AF_UNIX) as line, contextlib.suppress(OSError):
            line.settimeout(2)
            line.connect(str(self.socket))
            line.sendall(b"GET /_ping HTTP/1.0\r\n\r\n")
            return b" 200 " in line.recv(64)
        return False

    def _end(self, number: signal.Signals) -> None:
        assert self._daemon is not None
        self._signal(number)
        self._daemon.wait(40)
        if number is signal.SIGKILL:  # the kernel tells its containerd, which ends a moment later
            wait_until(
                lambda: not self._named("containerd/containerd.toml"), 10, "containerd's end"
            )

    def _signal(self, number: signal.Signals) -> None:
        assert self._daemon is not None
        # nsenter execs dockerd, so this is its pid.
        self._daemon.send_signal(number)

    def _named(self, part: str = "") -> list[int]:
        """Processes with one of our paths in their command line."""
        found = []
        for home in Path("/proc").iterdir():
            if home.name.isdigit() and int(home.name) != os.getpid():
                with contextlib.suppress(OSError):
                    words = (home / "cmdline").read_bytes().decode(errors="replace")
                    if f"{self.folder}/" in words and part in words:
                        found.append(int(home.name))
        return found

    def _family(self) -> list[int]:
        """The daemon, its containerd, the shims, and everything that runs under them."""
        children: dict[int, list[int]] = {}
        for parent, pid in _parents():
            children.setdefault(parent, []).append(pid)
        known = {os.getpid()}
        waiting = [pid for pid in self._named() if _program(pid) in _PROGRAMS]
        found = []
        while waiting:
            pid = waiting.pop()
            if pid not in known:
                known.add(pid)
                found.append(pid)
                waiting += children.get(pid, [])
        return found

    def _swept(self) -> bool:
        shutil.rmtree(self.folder, ignore_errors=True)
        return not self.folder.exists()


_PROGRAMS = {"dockerd", "containerd", "containerd-shim", "runc", "docker-proxy", "docker-init"}


def _program(pid: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/comm").read_text().strip()
    return ""


def _parents() -> Iterator[tuple[int, int]]:
    for home in Path("/proc").iterdir():
        if home.name.isdigit():
            with contextlib.suppress(OSError, ValueError, IndexError):
                stat = (home / "stat").read_text()
                yield int(stat.rpartition(")")[2].split()[1]), int(home.name)
