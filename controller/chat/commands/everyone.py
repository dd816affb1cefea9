"""A role for everybody in the server: given only after a question, because it's rarely meant."""

from __future__ import annotations

import time

import discord

from controller.chat.languages import say, told
from controller.chat.requests.buttons import button, row
from controller.chat.requests.custom_ids import deadline_in
from controller.chat.requests.request import Request
from controller.domain.access import Grant
from controller.domain.acts import ACCESS_GRANT
from controller.domain.errors import BadInput, NotReady
from controller.domain.roles import Role
from controller.manager import Manager

CONFIRM_SECONDS = 300.0


class Grants:
    """Asks before a role goes to @everyone, and gives it by a red button."""

    def __init__(self, manager: Manager, guild_id: int) -> None:
        self._access = manager.access
        self._guild_id = guild_id

    async def ask(self, request: Request, role: Role) -> None:
        """Ask; nothing is given yet."""
        await self._access.require(request.caller, ACCESS_GRANT)
        may = (
            say("do everything") if role is Role.ADMIN else say("start, stop and restart every bot")
        )
        text = say(
            "Make **everybody in this server** {role}? All of them could then {may}, "
            "also people who join later. The button works for five minutes.",
            role=told(role.word),
            may=may,
        )
        deadline = str(int(time.time() + CONFIRM_SECONDS))
        danger = discord.ButtonStyle.danger
        label = say("Make everybody {role}", role=told(role.word))
        await request.reply(
            text, view=row([button(label, "everyone", role.word, deadline, style=danger)])
        )

    async def give(self, request: Request) -> None:
        """Give it, by the red button."""
        await self._access.require(request.caller, ACCESS_GRANT)
        role = Role.parse(request.arguments[0])
        if deadline_in(request.arguments) < time.time():
            raise NotReady("That button has expired.", hint="Use /access grant again.")
        if role is None:
            raise BadInput("That button is damaged.", hint="Use /access grant again.")
        await request.acknowledge_in_place()
        # The id of @everyone is the server's.
        await self._access.grant(request.caller, Grant("role", self._guild_id, role))
        await request.reply(
            say("✅ Everybody in this server is {role} for all bots.", role=told(role.word))
        )
