"""The controller's end of the console's socket, in the data folder: the API without a token.

Only who may enter that folder reaches it. Beside the API it answers `GET /story?name=NAME`, with
`&form=json` for programs, and `GET /health`, which the image's health check asks. The other end is
`cli/controller_client.py`.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path

from aiohttp import web

from controller.api.callers import ConsoleUsers
from controller.api.request_rates import Pace
from controller.api.server import Connected, add_api, health, runner_of
from controller.api.stamps import stamp
from controller.domain.disk_words import starting
from controller.manager import Manager

SOCKET = "control.sock"


async def serve_console(
    manager: Manager,
    connected: Connected,
    data_dir: Path,
    opened: Callable[[], None] = lambda: None,
) -> None:
    """Serve until cancelled. Raises BadSetting when the socket can't be created.

    `opened` is called once it serves.
    """

    async def state(_: web.Request) -> web.Response:
        return web.json_response(health(manager, connected))

    async def story(request: web.Request) -> web.Response:
        name = request.query.get("name", "")
        view = next((view for view in manager.bots if view.bot.name == name), None)
        if view is None:
            return web.Response(status=404)
        lines = manager.stories.of(view.bot.id)
        if request.query.get("form") == "json":
            return web.json_response([{**asdict(line), "at": stamp(line.at)} for line in lines])
        return web.Response(text="".join(f"{line}\n" for line in lines))

    app = web.Application()
    app.add_routes([web.get("/story", story), web.get("/health", state)])
    add_api(app, manager, ConsoleUsers())
    runner = runner_of(app, Pace())
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
        opened()
        await asyncio.Event().wait()
    finally:
        await runner.cleanup()


@contextmanager
def _short(folder: Path) -> Iterator[str]:
    """The folder under a short name: a socket's path may have some hundred characters at most."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{handle}"
    finally:
        os.close(handle)
