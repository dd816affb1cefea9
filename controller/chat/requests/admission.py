"""Who asks, and from where: the one way in for every command, button and form.

What they may do is checked by the use-cases, not here.
"""

from __future__ import annotations

from collections import OrderedDict

import discord

from controller.chat.requests.members import Members
from controller.chat.requests.place import Place
from controller.chat.requests.request import REPLY_VIA, Request
from controller.domain.access import Principal, discord_user
from controller.domain.errors import Denied
from controller.fleet.journal import Caller
from controller.manager import Manager

REMEMBERED = 10_000  # interactions; Discord delivers one twice within seconds, if at all


class Admission:
    """Finds out who makes a request, and refuses those that come from elsewhere."""

    def __init__(self, manager: Manager, place: Place, members: Members) -> None:
        self._access = manager.access
        self._place = place
        self._members = members
        self._seen: OrderedDict[int, None] = OrderedDict()

    def is_new(self, interaction: discord.Interaction) -> bool:
        """Whether this interaction comes for the first time. Delivered twice, it acts once."""
        if interaction.id in self._seen:
            return False
        self._seen[interaction.id] = None
        if len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)
        return True

    async def admit(self, request: Request) -> None:
        """Note who asks; Denied where nobody may ask for that from there.

        A refusal is in the journal, but for suggestions: those are asked for at every keystroke.
        """
        way = request.way
        try:
            if way is None:
                raise Denied("This isn't available.")
            self._place.check(request.interaction, direct=way.direct)
            principal = await self._principal(request)
        except Denied as error:
            if request.typing:
                raise
            user = request.interaction.user
            caller = Caller(discord_user(user.id, user.name), request.id)
            await self._access.refuse(caller, request.name, None, error)
        if request.typing:
            assert way is not None
            self._may_be_helped(principal, request)
        reply_via = REPLY_VIA if way is not None and way.owed else ""
        request.admit(Caller(principal, request.id, reply_via))

    def _may_be_helped(self, principal: Principal, request: Request) -> None:
        """Suggestions go to whoever may do it to some bot: the name isn't complete yet."""
        assert request.way is not None
        if not self._access.may_anywhere(principal, request.way.act):
            raise Denied("This isn't available.")

    async def _principal(self, request: Request) -> Principal:
        user = request.interaction.user
        if request.interaction.guild_id is None:
            # A direct message says nothing about the server: ask it, also for an admin, who may
            # have left it, and never from memory.
            roles = await self._members.ask(user.id)
        else:
            roles = roles_of(user)
        return discord_user(user.id, user.name, roles)


def roles_of(user: discord.User | discord.Member) -> frozenset[int]:
    """The ids of the roles that Discord lists for a member, and @everyone's.

    `Member.roles` leaves out every role that discord.py hasn't heard of yet.
    """
    if not isinstance(user, discord.Member):
        return frozenset()
    return frozenset((user.guild.id, *user._roles))
