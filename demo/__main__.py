"""`make demo`: BotMaker on a simulated Discord, served as a page on this machine."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
from simcord.backend.errors import SetupError

from controller.domain.bot import Wish
from controller.domain.errors import ControllerError
from controller.log import set_up
from controller.vault import Redactor
from demo.world import World, close_dms, simulated


async def _refresh(preview: Any, changed: asyncio.Event) -> None:
    """Publish the page when a public message changed; wait while somebody's action is under way."""
    while True:
        await changed.wait()
        changed.clear()
        try:
            await preview.refresh()
        except SetupError:
            await asyncio.sleep(0.1)
            changed.set()


async def _remove_everything(world: World) -> None:
    manager = world.application.manager
    for view in manager.fleet:
        await manager.wishes.change(view.bot.id, lambda bot: replace(bot, wish=Wish.REMOVE))
    for view in manager.fleet:
        await manager.fleet.wait(view.bot.id, lambda left: left is None, 30)


async def serve(folder: Path, port: int, *, keep: bool) -> None:
    """Serve the page until it is closed or the process is told to end."""
    changed, ended = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ended.set)
    async with simulated(folder, published=changed.set) as world:
        close_dms(world.env)  # the page shows one channel: the form's button comes there
        viewers = [world.admin]
        preview = world.env.preview(world.channel, viewers=viewers, layout="channel", port=port)
        async with preview:
            click.echo(f"\nBotMaker's demo is at\n\n    {preview.url}\n")
            click.echo("Type /bot create in the page. Ctrl-C ends it and removes its bots.")
            sys.stdout.flush()
            work = [
                asyncio.create_task(_refresh(preview, changed)),
                asyncio.create_task(preview.wait_closed()),
                asyncio.create_task(ended.wait()),
                world.background,
            ]
            await asyncio.wait(work[1:], return_when=asyncio.FIRST_COMPLETED)
            for task in work[:3]:
                task.cancel()
            await asyncio.gather(*work[:3], return_exceptions=True)
            if not keep:
                click.echo("Removing the demo's bots.")
                await _remove_everything(world)


@click.command()
@click.option("--port", default=0, help="Which port on 127.0.0.1; 0 takes a free one.")
@click.option("--folder", type=click.Path(path_type=Path), default=Path("data/demo"))
@click.option("--keep", is_flag=True, help="Leave the bots running at the end.")
def main(port: int, folder: Path, *, keep: bool) -> None:
    """Serve the demo."""
    os.umask(0o077)
    set_up("WARNING", "text", Redactor())
    try:
        with contextlib.suppress(KeyboardInterrupt):
            asyncio.run(serve(folder, port, keep=keep))
    except ControllerError as error:
        sys.exit(f"demo: {error}")


if __name__ == "__main__":
    main()
