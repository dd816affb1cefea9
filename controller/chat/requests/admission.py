"""May this person do this, here, now? Asked at every command, button and modal submit.

Rights come from the controller's own records (`manager.access`), never from Discord's permissions.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

import discord

from controller.chat.requests.rules import RULES
from controller.domain.access import Person
from controller.domain.errors import Denied
from controller.domain.roles import Role
from controller.manager import Manager
from controller.manager.audit import Asker

REMEMBERED = 10_000  # interactions; Discord re-delivers within seconds, if at all


@dataclass(frozen=True, slots=True)
class Place:
    """The one guild and the one channel that BotMaker serves."""

    guild_id: int
    channel_id: int


class Gate:
    """Admits or refuses."""

    def __init__(self, manager: Manager, place: Place) -> None:
        self._manager = manager
        self._place = place
        self._seen: OrderedDict[int, None] = OrderedDict()

    def first_sight(self, interaction: discord.Interaction) -> bool:
        """Whether this interaction is new. Discord may deliver one twice; it acts once."""
        if interaction.id in self._seen:
            return False
        self._seen[interaction.id] = None
        if len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)
        return True

    async def admit(self, interaction: discord.Interaction, act: str, bot_id: str = "") -> Asker:
        """Who asks, if they may; else Denied, in words that say what is missing.

        What was refused is in the audit, but for suggestions, asked for at every key stroke.
        """
        try:
            return await self._admit(interaction, act, bot_id)
        except Denied as error:
            if interaction.type is not discord.InteractionType.autocomplete:
                user = interaction.user
                view = self._manager.fleet.get(bot_id)
                asker = Asker(Person(user.id, name=user.name), str(interaction.id))
                bot = view.bot if view else None
                await self._manager.audit.refused(asker, act, bot, error.message)
            raise

    async def _admit(self, interaction: discord.Interaction, act: str, bot_id: str) -> Asker:
        rule = RULES.get(act)
        if rule is None:
            raise Denied("This is not open to anybody.")
        direct = interaction.guild_id is None
        if direct and not rule.direct:
            raise Denied("This does not work in a direct message.", hint=self._where())
        if not direct:
            self._check_place(interaction)
        person = await self._person(interaction, direct=direct)
        # A name that is still being typed names no bot: whoever may do it to one is helped.
        typing = interaction.type is discord.InteractionType.autocomplete
        if (rule.any_bot or typing) and self.has_anywhere(person, rule.role):
            return Asker(person, str(interaction.id))
        self._manager.access.require(person, rule.role, rule.what, bot_id)
        return Asker(person, str(interaction.id))

    def has_anywhere(self, person: Person, role: Role) -> bool:
        """Whether the person has that role for at least one bot."""
        access = self._manager.access
        return any(access.role_of(person, view.bot.id) >= role for view in self._manager.fleet)

    def visible(self, person: Person, bot_id: str) -> bool:
        """Whether the person may see that bot at all."""
        return self._manager.access.role_of(person, bot_id) >= Role.VIEWER

    def _check_place(self, interaction: discord.Interaction) -> None:
        if interaction.guild_id != self._place.guild_id:
            raise Denied("BotMaker serves another server.")
        channel = interaction.channel
        parent = getattr(channel, "parent_id", None)
        if self._place.channel_id not in (interaction.channel_id, parent):
            raise Denied("BotMaker is used in its admin channel only.", hint=self._where())

    def _where(self) -> str:
        return f"Use it in <#{self._place.channel_id}>."

    async def _person(self, interaction: discord.Interaction, *, direct: bool) -> Person:
        user = interaction.user
        held = user.roles if isinstance(user, discord.Member) else ()
        roles = frozenset(role.id for role in held)
        person = Person(user.id, roles, user.name)
        if direct and self._manager.access.role_of(person) < Role.ADMIN:
            # A direct message carries no roles: ask the guild, so that one taken away counts.
            roles = await self._roles_of(interaction.client, user.id)
            person = Person(user.id, roles, user.name)
        return person

    async def _roles_of(self, client: discord.Client, user_id: int) -> frozenset[int]:
        try:
            member = await client.http.get_member(self._place.guild_id, user_id)
        except discord.NotFound:
            return frozenset()
        # @everyone has the server's id, and is listed for nobody.
        return frozenset(map(int, (self._place.guild_id, *member["roles"])))
