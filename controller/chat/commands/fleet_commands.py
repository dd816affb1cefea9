"""`/fleet …`: the installation as a whole."""

from __future__ import annotations

import discord
from discord import app_commands

from controller.chat.commands.alert_commands import AlertCommands
from controller.chat.commands.closed import CLOSED
from controller.chat.commands.digest_commands import DigestCommands
from controller.chat.commands.rooms import Rooms
from controller.chat.commands.with_request import with_request
from controller.chat.incidents.incident_words import one_line
from controller.chat.languages import number, say
from controller.chat.requests.request import Request
from controller.manager import Manager
from controller.manager.backups import BackupOrder
from controller.manager.history import Choice
from controller.manager.incidents import Wanted

_WHOLE = 20_000  # characters: a remedy is never cut


class FleetCommands(app_commands.Group):
    """The installation as a whole."""

    def __init__(self, manager: Manager, rooms: Rooms) -> None:
        super().__init__(
            name="fleet",
            description="All bots together, and BotMaker itself",
            default_permissions=CLOSED,
        )
        self._past = rooms.past
        self._looks = rooms.fleet
        self._updates = rooms.fleet_updates
        self._orphans = rooms.orphans
        self._manager = manager
        self.add_command(AlertCommands(manager))
        self.add_command(DigestCommands(manager))

    @app_commands.command(description="What is wrong now, and what was")
    @with_request
    async def incidents(self, request: Request) -> None:
        """The open ones first, then the last that are over."""
        found, _ = await self._manager.incidents.listed(request.caller, Wanted())
        found.sort(key=lambda one: (one.is_over, -one.id))
        await request.reply("\n".join(map(one_line, found)) or say("Nothing has gone wrong yet."))

    @app_commands.command(description="How the fleet is, and which bots need attention")
    @with_request
    async def status(self, request: Request) -> None:
        """Counts, the engine, and the bots in trouble."""
        await self._looks.status(request)

    @app_commands.command(description="One live message here with all bots, the worst first")
    @app_commands.describe(remove="Take it away instead")
    @with_request
    async def board(self, request: Request, remove: bool = False) -> None:
        """Put up this channel's board, or take it down."""
        await request.acknowledge()
        channel_id = request.interaction.channel_id
        assert channel_id is not None  # a command of a server
        if remove:
            await self._manager.boards.take_down(request.caller, channel_id)
            await request.reply(say("This channel's board is gone."))
            return
        await self._manager.boards.put_up(request.caller, channel_id)
        await request.reply(
            say(
                "The board stands below. It follows every change, and comes anew when other "
                "messages have pushed it out of sight."
            )
        )

    @app_commands.command(description="What happened to all bots and to grants")
    @app_commands.describe(who="Only what this person asked for", refusals="Also what was refused")
    @with_request
    async def history(
        self,
        request: Request,
        who: discord.Member | discord.User | None = None,
        refusals: bool = False,
    ) -> None:
        """What happened to everything, in pages."""
        choice = Choice(by=str(who.id) if who else "", refusals=refusals)
        await self._past.show(request, None, choice)

    @app_commands.command(description="What belongs to no bot any more")
    @with_request
    async def orphans(self, request: Request) -> None:
        """What is left over, with its age and size, and a button that removes it."""
        await self._orphans.show(request)

    @app_commands.command(description="Back everything up, as BotMaker's settings say")
    @with_request
    async def backup(self, request: Request) -> None:
        """One encrypted file in the backup folder on BotMaker's machine."""
        await request.acknowledge()
        made = await self._manager.backups.write(request.caller, BackupOrder())
        size = f"{number(made.size / 1e6, 1)} MB"
        await request.reply(
            say(
                "Backed up: `{name}`, {size}, on BotMaker's machine.",
                name=made.path.name,
                size=size,
            )
        )

    @app_commands.command(description="Which bots' images have newer versions")
    @with_request
    async def updates(self, request: Request) -> None:
        """Check, and offer to update."""
        await self._updates.show(request)

    @app_commands.command(description="Check everything that BotMaker needs")
    @with_request
    async def doctor(self, request: Request) -> None:
        """Every check with its remedy."""
        await self._looks.doctor(request)
