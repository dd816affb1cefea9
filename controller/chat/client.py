"""The Discord client: registers the commands, hands every interaction on.

It owns no background work; `app` does. So lifetimes are right, and a simulated Discord needn't wait
for that work.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
from collections.abc import Sequence

import discord

from controller.chat.command_tree import CommandTree, every_command
from controller.chat.commands.rooms import rooms_of
from controller.chat.footprint import INTENTS
from controller.chat.forms.secrets_form import FormsOffered
from controller.chat.handlers import handlers_of
from controller.chat.incidents.notices import Notices
from controller.chat.languages.command_names import CommandNames
from controller.chat.requests.admission import Admission
from controller.chat.requests.at_work import AtWork
from controller.chat.requests.command_links import CommandLinks, LinkingClient
from controller.chat.requests.late_answers import LateAnswers
from controller.chat.requests.members import Members
from controller.chat.requests.place import Place
from controller.chat.requests.router import Router
from controller.domain.errors import BadSetting
from controller.manager import Manager

log = logging.getLogger(__name__)
_SYNCED = "commands"
RATE_LIMIT_SECONDS = 30.0  # discord.py allows no less


# discord.py's own events: what each says about the connection.
_ONLINE = {"connect": True, "ready": True, "resumed": True, "disconnect": False}


class ControllerClient(LinkingClient):
    """The controller as Discord sees it."""

    def __init__(
        self,
        manager: Manager,
        place: Place,
        *,
        ready_timeout: float = 0.1,
        public_url: str = "",
        forms: FormsOffered = "both",
    ) -> None:
        super().__init__(
            intents=INTENTS,
            allowed_mentions=discord.AllowedMentions.none(),
            guild_ready_timeout=ready_timeout,
            max_messages=None,
            # A longer rate limit is raised instead of slept through: whoever asked decides.
            max_ratelimit_timeout=RATE_LIMIT_SECONDS,
        )
        self._is_online = False
        self.command_links = CommandLinks()
        self.connected = asyncio.Event()  # once it was, for the first time
        self.manager = manager
        self.place = place
        self.late_answers = LateAnswers(manager, self, place)
        self.at_work = AtWork()
        self.members = Members(self, place)
        admission = Admission(manager, place, self.members)
        rooms = rooms_of(manager, place.guild_id, forms)
        self.log_following = rooms.following
        self.notices = Notices(manager, self, place, self.members, self.connected)
        self.router = Router(admission, self.late_answers, handlers_of(rooms, manager))
        self.tree = CommandTree(self, admission, self.late_answers, self.at_work)
        self._guild = discord.Object(place.guild_id)
        for command in every_command(manager, rooms, public_url):
            self.tree.add_command(command, guild=self._guild)

    @property
    def is_online(self) -> bool:
        """Whether the gateway is connected now. discord.py's `is_ready` stays true without it."""
        return self._is_online and not self.is_closed()

    def dispatch(self, event: str, /, *args: object, **kwargs: object) -> None:
        """Note what happens to the connection.

        Dispatch nothing after the end: what discord.py still does would find no loop.
        """
        self._is_online = _ONLINE.get(event, self._is_online)
        if not self.is_closed():
            super().dispatch(event, *args, **kwargs)

    async def setup_hook(self) -> None:
        """Note who owns the application; register the commands if they changed."""
        application = self.application
        if application is not None:
            self.manager.access.set_owners(owners_of(application))
        await self._check_place()
        await self._sync()

    async def _check_place(self) -> None:
        try:
            await self.fetch_channel(self.place.channel_id)
        except (discord.Forbidden, discord.NotFound, discord.InvalidData) as error:
            raise BadSetting(
                f"This bot cannot see the channel {self.place.channel_id}.",
                hint="Check BOTMAKER_ADMIN_CHANNEL_ID, and that the bot may see that channel.",
            ) from error

    async def _sync(self) -> None:
        names = CommandNames()
        await self.tree.set_translator(names)
        try:
            await self._register(names)
        finally:
            await self.tree.set_translator(None)  # nothing of the names stays in memory

    async def _register(self, names: CommandNames) -> None:
        commands = self.tree.get_commands(guild=self._guild)
        payload = [await one.get_translated_payload(self.tree, names) for one in commands]
        text = json.dumps([self.application_id, self.place.guild_id, payload], sort_keys=True)
        digest = hashlib.sha256(text.encode()).hexdigest()
        try:
            if digest == await self.manager.notebook.recall(_SYNCED):
                known = await self.tree.fetch_commands(guild=self._guild)
                if {one.name for one in known} == {command.name for command in commands}:
                    self._learn(known, names)
                    return
            self._learn(await self.tree.sync(guild=self._guild), names)
        except (discord.Forbidden, discord.NotFound) as error:
            raise BadSetting(
                "Discord does not let this bot register commands in that server.",
                hint="Invite it with the link that `botmaker doctor` prints, "
                "and check BOTMAKER_GUILD_ID.",
            ) from error
        await self.manager.notebook.remember(_SYNCED, digest)

    def _learn(
        self, registered: Sequence[discord.app_commands.AppCommand], spoken: CommandNames
    ) -> None:
        names = [command.qualified_name for command in self.tree.walk_commands(guild=self._guild)]
        self.command_links.learn(
            names, {one.name: one.id for one in registered}, spoken.english(names)
        )

    async def on_interaction(self, interaction: discord.Interaction) -> None:
        """Handle buttons and forms; commands go through the tree."""
        self.at_work.note()
        await self.router(interaction)

    async def on_ready(self) -> None:
        """Log it. What is owed to people can be said now."""
        self.connected.set()
        self.late_answers.connected()
        log.info("connected to Discord as %s", self.user)


def owners_of(application: discord.AppInfo) -> list[int]:
    """Who owns the application: its owner; or the team's, and those who may change it.

    Not who was only invited, or may only read. A role that isn't known yet counts for nothing.
    """
    team = application.team
    if team is None:
        return [application.owner.id]
    found = [
        member.id
        for member in team.members
        if member.membership_state is discord.TeamMembershipState.accepted
        and member.role in {discord.TeamMemberRole.admin, discord.TeamMemberRole.developer}
    ]
    return list(dict.fromkeys([*([team.owner_id] if team.owner_id else []), *found]))
