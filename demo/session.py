"""One session of the demo: BotMaker on a simulated Discord, served as a page on this machine."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path

import click
from simcord.backend.errors import SetupError

from controller.domain.bot import Wish
from controller.domain.errors import ControllerError
from controller.log import set_up
from controller.manager import Installation
from controller.vault import Redactor
from demo.folder import Folder
from demo.page import LivePreview
from demo.stand_in import stand_in
from demo.world import World, close_dms, simulated

REMOVE_SECONDS = 30.0
LAST_LOOK_SECONDS = 0.7  # an open page polls twice a second, so it still shows the end
TEMPLATES = Path(__file__).parent / "templates"
# What to do about a failed start. The demo reads no settings, so the usual hints don't apply.
REMEDIES = {
    "data-dir-locked": "Another demo is using the folder {folder}. "
    "End that one, or give this one another folder with --folder.",
    "bad-setting": "{error.message} The demo needs a Docker engine and a folder it can write to.",
}
WELCOME = """\
**Welcome!** This page is a simulated Discord; BotMaker and the containers it creates are real.
**1.** Type `/bot create`, enter a name and press Enter; choose *Demo bot* and press **Create**.
**2.** Press **Enter secrets**. Any 8 letters will do as a key; \
*Behaviour* can make a bot misbehave: `crash`, `hang`, `flood`, `hostile` …
**3.** Watch its message follow the container, press its buttons \
and try `/bot logs`, `/bot show`, `/bot do`, `/fleet status`, `/bot delete`.
**4.** The template *Demo bot on Telegram* has its token checked: `refuse-me` is refused.
**5.** At the top you can be **Ben**, who may only look: see what BotMaker shows and refuses him.
**6.** `/access web` signs you in to the dashboard: the same bots, in a page of its own."""


async def nobody(_: World) -> None:
    """Do nothing: people come through the page."""


async def serve(
    folder: Path,
    port: int = 0,
    *,
    dashboard_port: int = 0,
    keep: bool = False,
    log_level: str = "WARNING",
    opening: Sequence[str] = (WELCOME,),
    visit: Callable[[World], Awaitable[None]] = nobody,
) -> None:
    """Serve the page until it is closed or the process is told to stop; then remove the bots.

    What it prints at the end is one line. `opening` is what the channel begins with. A `visit` is
    made to the world besides the page, for the tests.
    """
    redactor, changed, signals = Redactor(), asyncio.Event(), asyncio.Queue[None]()
    set_up(log_level, "text", redactor)
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, signals.put_nowait, None)
    place = Folder(folder)
    place.make()
    async with (
        stand_in() as services,
        simulated(
            folder,
            published=changed.set,
            redactor=redactor,
            opening=opening,
            live_checks=services,
            templates_dir=TEMPLATES,
            http_listen=f"127.0.0.1:{dashboard_port or free_port()}",
            api=True,
        ) as world,
    ):
        house = world.application.installation
        close_dms(world.env)  # the page shows only one channel: the form's button must come there
        async with LivePreview(world.env, world.channel, world.viewers, port) as preview:
            _say_where(preview.url, world.dashboard_url, house, keep=keep)
            async with asyncio.TaskGroup() as group:
                following = group.create_task(preview.follow(changed))
                await visit(world)
                await _first(preview.wait_closed(), signals.get(), asyncio.shield(world.background))
                if keep:
                    click.echo(f"\nEnded. Bots left running: {_names(house) or 'none'}.")
                else:
                    await _remove(house, signals)
                following.cancel()
        left = _names(house)
    if not left:
        place.remove()


async def _first(*ends: Awaitable[object]) -> None:
    """Wait for one of them; raises its error, if it ended with one."""
    tasks = [asyncio.ensure_future(end) for end in ends]
    done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    for task in done:
        task.result()


def free_port() -> int:
    """A port of this machine's that nobody uses now."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return int(held.getsockname()[1])


def _say_where(url: str, dashboard: str, house: Installation, *, keep: bool) -> None:
    click.echo(f"\nBotMaker's demo is ready. Open this address in a browser:\n\n    {url}\n")
    click.echo(
        "The dashboard shows the same bots. Type /access web in the page above for a link that "
        f"signs you in:\n\n    {dashboard}/\n"
    )
    kept = [view.bot.name for view in house.tools.fleet if view.bot.wish is not Wish.REMOVE]
    if kept:
        click.echo(f"It continues with the bots from an earlier run: {', '.join(sorted(kept))}.")
    click.echo("Ctrl-C ends it" + (" and keeps its bots." if keep else " and removes its bots."))
    sys.stdout.flush()


async def _remove(house: Installation, signals: asyncio.Queue[None]) -> None:
    """Remove every bot; a second Ctrl-C quits at once. Says in one line what happened."""
    names = _names(house)
    if not names:
        click.echo("\nEnded. There were no bots to remove.")
        return
    click.echo(f"\nRemoving {names} (Ctrl-C again quits at once) … ", nl=False)
    sys.stdout.flush()
    await _first(_remove_all(house), signals.get())
    left = _names(house)
    if left:
        click.echo(f"not removed yet: {left}. The next demo with this folder removes them.")
        return
    await asyncio.sleep(LAST_LOOK_SECONDS)
    click.echo("removed, with all data and secrets.")


async def _remove_all(house: Installation) -> None:
    fleet = house.tools.fleet
    bots = [view.bot.id for view in fleet]
    for bot_id in bots:
        await house.tools.wishes.change(bot_id, lambda bot: replace(bot, wish=Wish.REMOVE))
    await asyncio.gather(
        *(
            house.tools.fleet.wait_for(bot_id, lambda view: view is None, REMOVE_SECONDS)
            for bot_id in bots
        )
    )
    # A bot's last message comes after its removal: wait for that too.
    notebook = house.manager.notebook
    while {card.bot_id for card in await notebook.cards()} & {*bots}:  # noqa: ASYNC110
        await asyncio.sleep(0.1)


def _names(house: Installation) -> str:
    return ", ".join(sorted(view.bot.name for view in house.tools.fleet))


@click.command()
@click.option("--port", default=0, help="The port on 127.0.0.1; 0 picks a free one.")
@click.option("--dashboard-port", default=0, help="The same for the dashboard.")
@click.option("--folder", type=click.Path(path_type=Path), default=Path("data/demo"))
@click.option("--keep", is_flag=True, help="Leave the bots running at the end.")
@click.option("--log-level", default="WARNING", help="INFO also shows refused commands.")
def run(port: int, dashboard_port: int, folder: Path, *, keep: bool, log_level: str) -> None:
    """Serve the demo."""
    os.umask(0o077)
    try:
        asyncio.run(
            serve(folder, port, dashboard_port=dashboard_port, keep=keep, log_level=log_level)
        )
    except KeyboardInterrupt:  # between the loop's own signal handlers; click's status would be 1
        click.echo("\nEnded.")
    except (ControllerError, SetupError, OSError) as error:
        code = getattr(error, "code", "")
        sys.exit("demo: " + REMEDIES.get(code, "{error}").format(error=error, folder=folder))
