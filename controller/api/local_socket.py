"""The way from the console script to the controller that runs: a socket in the data folder.

Only who may enter that folder reaches it. It answers `GET /story?name=NAME` and
`GET /health`, which the image's health check asks.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from controller.api.callers import ConsoleUsers
from controller.api.problems import error_of
from controller.api.server import Connected, add_api, health
from controller.api.table import PREFIX
from controller.domain.disk_words import reason, starting
from controller.domain.errors import ControllerError, NotFound, NotReady
from controller.manager import Manager

SOCKET = "console.sock"
ANSWER_SECONDS = 5.0  # for a story
OPERATION_SECONDS = 330.0  # an action may take 300


async def serve_console(manager: Manager, connected: Connected, data_dir: Path) -> None:
    """Serve until cancelled. Raises BadSetting when the socket can't be created."""

    async def state(_: web.Request) -> web.Response:
        return web.json_response(health(manager, connected))

    async def story(request: web.Request) -> web.Response:
        name = request.query.get("name", "")
        view = next((view for view in manager.bots if view.bot.name == name), None)
        if view is None:
            return web.Response(status=404)
        lines = [str(line) for line in manager.stories.of(view.bot.id)]
        return web.Response(text="\n".join(lines) + "\n")

    app = web.Application()
    app.add_routes([web.get("/story", story), web.get("/health", state)])
    add_api(app, manager, ConsoleUsers())
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        with (
            starting(
                f"The console's socket {data_dir / SOCKET} can't be created",
                "Remove what is in its place, or set BOTMAKER_DATA_DIR to another folder.",
            ),
            _short(data_dir) as folder,
        ):
            path = f"{folder}/{SOCKET}"
            with suppress(FileNotFoundError):
                os.unlink(path)  # noqa: PTH108 - left by a controller that died; the lock is ours
            await web.UnixSite(runner, path).start()
            os.chmod(path, 0o600)  # noqa: PTH101 - the path only exists in this process
        await asyncio.Event().wait()
    finally:
        await runner.cleanup()


async def read_story(data_dir: Path, name: str) -> str:
    """A bot's story, from the controller that runs on this data folder.

    Raises NotReady when none runs, NotFound when it has no such bot.
    """
    async with _asked(data_dir, "GET", "/story", {"name": name}) as answer:
        if answer.status == 200:
            return await answer.text()
        raise NotFound(f"There is no bot called {name}.", hint="`botmaker list` shows all bots.")


async def ask_controller(data_dir: Path, method: str, path: str, body: object = None) -> Any:
    """Ask the controller that runs on this data folder for an operation; the answer's JSON.

    Raises NotReady when none runs, and what it answers as a problem as an error of that code.
    """
    asked = _asked(data_dir, method, PREFIX + path, body=body, seconds=OPERATION_SECONDS)
    async with asked as answer:
        text = await answer.read()
        found: Any = json.loads(text) if text else {}
        if answer.status < 400:
            return found
        raise error_of(found)


@asynccontextmanager
async def _asked(
    data_dir: Path,
    method: str,
    path: str,
    params: Mapping[str, str] | None = None,
    body: object = None,
    seconds: float = ANSWER_SECONDS,
) -> AsyncIterator[aiohttp.ClientResponse]:
    """An answer of the controller's; NotReady when it can't be had."""
    try:
        with _short(data_dir) as folder:
            connector = aiohttp.UnixConnector(f"{folder}/{SOCKET}")
            limit = aiohttp.ClientTimeout(total=seconds)
            async with (
                aiohttp.ClientSession(connector=connector, timeout=limit) as session,
                session.request(
                    method, f"http://console{path}", params=params, json=body
                ) as answer,
            ):
                yield answer
    except (FileNotFoundError, ConnectionError, aiohttp.ClientConnectorError) as error:
        raise _nobody_there() from error
    except (OSError, aiohttp.ClientError) as error:
        what = (reason(error) if isinstance(error, OSError) else "") or "it doesn't answer"
        raise NotReady(
            f"The controller on {data_dir} can't be asked: {what}.",
            hint="Run this as the user that the controller runs as; if that's so, restart it.",
        ) from error


def _nobody_there() -> ControllerError:
    return NotReady(
        "No controller runs on this data folder, and only a running one can be asked that.",
        hint="Start it with `botmaker run`, or set BOTMAKER_DATA_DIR.",
    )


@contextmanager
def _short(folder: Path) -> Iterator[str]:
    """The folder under a short name: a socket's path may have some hundred characters at most."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{handle}"
    finally:
        os.close(handle)
