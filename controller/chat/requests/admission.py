"""Who asks, and from where: the one way in for every command, button and form."""

from __future__ import annotations

from collections import OrderedDict

import discord

from controller.chat.requests.place import Place
from controller.chat.requests.request import Request
from controller.chat.requests.rights import Rights
from controller.chat.requests.ways import Way
from controller.domain.access import Person
from controller.domain.acts import Scope
from controller.domain.errors import Denied
from controller.manager import Manager
from controller.manager.audit import Asker

REMEMBERED = 10_000  # interactions; Discord delivers one twice within seconds, if at all


class Admission:
    """Admits requests or refuses them."""

    def __init__(self, manager: Manager, place: Place) -> None:
        self._fleet = manager.fleet
        self._audit = manager.audit
        self._place = place
        self._seen: OrderedDict[int, None] = OrderedDict()
        self.rights = Rights(manager)

    def is_new(self, interaction: discord.Interaction) -> bool:
        """Whether this interaction comes for the first time. Delivered twice, it acts once."""
        if interaction.id in self._seen:
            return False
        self._seen[interaction.id] = None
        if len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)
        return True

    async def admit(self, request: Request) -> None:
        """Find out who asks; Denied says what's missing.

        Refusals are audited, except of suggestions: those are asked for at every keystroke.
        """
        try:
            await self._admit(request)
        except Denied as error:
            if not request.typing:
                user = request.interaction.user
                asker = Asker(Person(user.id, name=user.name), request.id)
                view = self._fleet.get(self._bot_id(request)) if request.way else None
                bot = view.bot if view else None
                await self._audit.refused(asker, request.name, bot, error.message)
            raise

    async def _admit(self, request: Request) -> None:
        way = request.way
        if way is None:
            raise Denied("This isn't available.")
        self._place.check(request.interaction, direct=way.direct)
        person = await self._person(request)
        # Until the use-cases check this themselves:
        self.rights.check(person, way.act, self._bot_id(request), typing=request.typing)
        request.admit(Asker(person, request.id))

    def _bot_id(self, request: Request) -> str:
        """The bot that is asked about; empty for none, and for one that doesn't exist."""
        way = request.way
        if way is None or way.act.scope is not Scope.BOT or way.by_form:
            return ""
        if _is_press(way):
            return request.arguments[0]
        name = request.option("name").strip().lower()
        return next((view.bot.id for view in self._fleet if view.bot.name == name), "")

    async def _person(self, request: Request) -> Person:
        user = request.interaction.user
        held = user.roles if isinstance(user, discord.Member) else ()
        person = Person(user.id, frozenset(role.id for role in held), user.name)
        if request.interaction.guild_id is None and not self.rights.is_admin(person):
            # A direct message carries no roles. Ask the guild: a role may be gone by now.
            roles = await self._roles_of(request.interaction.client, user.id)
            person = Person(user.id, roles, user.name)
        return person

    async def _roles_of(self, client: discord.Client, user_id: int) -> frozenset[int]:
        try:
            member = await client.http.get_member(self._place.guild_id, user_id)
        except discord.NotFound:
            return frozenset()
        # Discord lists @everyone for nobody; its id is the guild's.
        return frozenset(map(int, (self._place.guild_id, *member["roles"])))


def _is_press(way: Way) -> bool:
    return way.name.startswith(("button ", "modal "))
