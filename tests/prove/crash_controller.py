"""The real controller with points at which it can kill itself, run as its own module.

The tests choose the point at any time through a small file that this process maps into its memory:
`kill|<point>|<nth>|<milliseconds later>`, or `trace` to write down every point that is passed.
Product code isn't changed: its classes are extended, an audit hook sees file changes, and two
methods of discord.py see what goes to Discord. Next door: crash_points.py names the points.
"""

from __future__ import annotations

import asyncio
import contextlib
import mmap
import os
import re
import signal
import sys
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from types import FrameType
from typing import Any

import discord
from discord.webhook.async_ import AsyncWebhookAdapter

from controller.app import run
from controller.runtime.engine import EngineRuntime
from controller.settings import load_settings
from controller.store import Store

SIZE = 256
TRAP, TRACE = "trap", "trace"  # files in the working folder
FORMS = ".forms"  # what was typed into unfinished forms, beside the bots' secrets
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT
ENGINE_METHODS = (
    *("pin_image", "create", "start", "stop", "restart", "remove", "remove_volume", "let_go"),
    *(
        "keep_images",
        "park",
        "unpark",
        "reseed",
        "remove_previous",
        "image_has",
        "rehearse",
        "execute",
        "save_state",
        "fill_state",
    ),
)
_A_SET = re.compile(r"\.[0-9a-f-]{36}\.\d+\.[0-9a-f]+\.tmp")  # former secrets, being kept
_REQUEST = re.compile(
    rb"(POST|PUT|DELETE) /v[\d.]+/([a-z]+)(?:/(create)|/[^/? ]+)?(?:/([a-z]+))?[? ]"
)


class Trap:
    """Knows the armed point, and kills the process there as a power cut would."""

    def __init__(self, folder: Path) -> None:
        with (folder / TRAP).open("r+b") as file:
            self._memory = mmap.mmap(file.fileno(), SIZE)
        self._trace = os.open(folder / TRACE, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._text = b""
        self._count = 0

    @property
    def armed(self) -> bool:
        return self._memory[0] != 0

    def wants(self, name: str) -> bool:
        """Whether that point could act now."""
        return self.armed and (self._memory[:5] == TRACE.encode() or name in self._wanted())

    def _wanted(self) -> str:
        return self._memory[:].rstrip(b"\0").decode()

    def __call__(self, name: str) -> None:
        """Called when the process passes this point."""
        if not self.armed:
            return
        text = self._memory[:]
        if text != self._text:
            self._text, self._count = text, 0
        what, *rest = self._wanted().split("|")
        if what == TRACE:
            os.write(self._trace, f"{name}\n".encode())
        elif rest[0] == name:
            self._count += 1
            if self._count == int(rest[1]):
                die(float(rest[2]) / 1000)


def die(seconds: float) -> None:
    """Send SIGKILL to ourselves: now, or a little later while the program goes on."""
    if seconds <= 0:
        os.kill(os.getpid(), signal.SIGKILL)

    def later() -> None:
        time.sleep(seconds)
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=later, daemon=True).start()


Method = Callable[..., Awaitable[Any]]


def watched(trap: Trap, original: Method, name: Callable[..., str]) -> Method:
    """The method with a point before it, one after it, and one shortly after it begins."""

    async def method(self: Any, *args: Any, **options: Any) -> Any:
        called = name(*args)
        trap(f"{called}:before")
        trap(f"{called}:during")
        result = await original(self, *args, **options)
        trap(f"{called}:after")
        return result

    return method


def extended(trap: Trap, base: type, prefix: str, methods: tuple[str, ...]) -> type:
    """A subclass with points around these methods."""

    def named(method: str) -> Callable[..., str]:
        return lambda *_: f"{prefix}.{method}"

    found = {m: watched(trap, getattr(base, m), named(m)) for m in methods}
    return type(f"Crashing{base.__name__}", (base,), found)


class Watched:
    """A transaction with points before each write: `store.<method>`; for a journal entry its kind.

    `passed` gets the names: what was written counts only once the transaction has committed.
    """

    def __init__(self, trap: Trap, write: Any, passed: list[str], part: str = "") -> None:
        self._trap, self._write, self._passed, self._part = trap, write, passed, part

    def __getattr__(self, method: str) -> Any:
        original = getattr(self._write, method)
        if not callable(original):  # the writer of one kind of rows
            return Watched(self._trap, original, self._passed, f"{method}.")

        async def watched_write(*args: Any, **options: Any) -> Any:
            name = args[0].kind.value if method == "append" else method
            name = f"store.{self._part}{name}"
            self._trap(f"{name}:before")
            self._trap(f"{name}:during")
            result = await original(*args, **options)
            self._passed.append(name)
            return result

        return watched_write


def crashing_store(trap: Trap) -> type[Store]:
    """The store with points in its transactions, and one for each write after the commit."""

    class CrashingStore(Store):
        @contextlib.asynccontextmanager
        async def transaction(self) -> AsyncIterator[Any]:
            passed: list[str] = []
            async with super().transaction() as write:
                yield Watched(trap, write, passed)
            for name in passed:
                trap(f"{name}:after")

    return CrashingStore


class Files:
    """Audit hook for every change in a folder below data and secrets, and every engine request."""

    def __init__(self, trap: Trap, data: Path, secrets: Path) -> None:
        self._trap = trap
        self._places = {
            str(data / "files"): "files",
            str(data / "sets"): "sets",
            str(data / "snapshots"): "snapshots",
            str(secrets): "vault",
        }

    def __call__(self, event: str, args: tuple[Any, ...]) -> None:
        if not self._trap.armed:
            return
        if event == "http.client.send":
            self._sent(args[1])
            return
        name = self._name(event, args)
        if name:
            self._trap(f"{name}:before")
            if self._trap.wants(f"{name}:after"):
                self._once_done(f"{name}:after")

    def _sent(self, data: Any) -> None:
        found = _REQUEST.match(data) if isinstance(data, bytes) else None
        if found:
            method, kind, create, action = (
                part.decode() if part else "" for part in found.groups()
            )
            self._trap(f"engine.{method}-{kind}-{create or action or 'one'}:before")

    def _name(self, event: str, args: tuple[Any, ...]) -> str:
        match event:
            case "open" if isinstance(args[2], int) and args[2] & WRITES:
                path, folder = args[0], -1
            case "os.rename":
                path, folder = args[1], args[3]
            case "os.remove" | "os.rmdir":
                path, folder = args[0], args[1]
            case "os.mkdir":
                path, folder = args[0], args[2]
            case _:
                return ""
        if isinstance(path, os.PathLike):
            path = os.fspath(path)
        if not isinstance(path, str):
            return ""
        verb = "write" if event == "open" else event.removeprefix("os.")
        if verb == "write" and path.startswith(".") and path.endswith(".tmp"):
            # The hook doesn't know the folder, but only the vault and its staging do this.
            kept = "sets.write" if _A_SET.fullmatch(path) else "vault.write"
            return "forms.write" if ".json." in path else kept
        if folder >= 0:
            path = os.path.join(os.readlink(f"/proc/self/fd/{folder}"), path)
        found = [kind for root, kind in self._places.items() if path.startswith(f"{root}/")]
        if found == ["vault"] and f"/{FORMS}" in path:
            found = ["forms"]
        return f"{found[0]}.{verb}" if found else ""

    def _once_done(self, name: str) -> None:
        # The hook runs before the act, so whatever this thread does next comes after it.
        def profile(frame: FrameType, event: str, _: Any) -> None:
            if frame.f_code.co_filename != __file__:
                sys.setprofile(None)
                self._trap(name)

        sys.setprofile(profile)


def discord_name(admin_channel: str) -> Callable[..., str]:
    """A name for a request to Discord, by what it does."""

    def name(route: Any, *_: Any) -> str:
        path, method = str(route.path), str(route.method)
        if "/callback" in path:
            return "discord.answer"
        if "/webhooks/" in path:
            return "discord.complete" if method == "PATCH" else f"discord.webhook-{method}"
        if path.endswith("/messages") and method == "POST":
            return "discord.post" if str(route.channel_id) == admin_channel else "discord.dm"
        if "/messages/" in path and method == "PATCH":
            return "discord.edit"
        return f"discord.{method}-{path.rsplit('/', 1)[-1].strip('{}')}"

    return name


def main() -> None:
    """Run the controller as `botmaker run` does."""
    trap = Trap(Path.cwd())
    settings = load_settings()
    name = discord_name(str(settings.admin_channel_id))
    for owner in (discord.http.HTTPClient, AsyncWebhookAdapter):
        owner.request = watched(trap, owner.request, name)  # type: ignore[method-assign]
    sys.addaudithook(Files(trap, settings.data_dir.absolute(), settings.secrets_dir.absolute()))
    work = run(
        settings,
        store_type=crashing_store(trap),
        engine_type=extended(trap, EngineRuntime, "runtime", ENGINE_METHODS),
    )
    asyncio.run(work)


if __name__ == "__main__":
    main()
