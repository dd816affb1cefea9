"""`/fleet alerts …`: who is pinged by incidents, for which bots, and when not."""

from __future__ import annotations

import discord
from discord import app_commands

from controller.chat.commands.closed import CLOSED
from controller.chat.commands.suggestions import Choices, suggest
from controller.chat.commands.with_request import with_request
from controller.chat.incidents.incident_words import alert_line
from controller.chat.languages import say
from controller.chat.requests.request import Request
from controller.domain.acts import ALERTS_GIVE, ALERTS_OWN, BOT_SHOW, Act
from controller.domain.announcing import Alert, hours_of, zone_of
from controller.domain.errors import BadInput
from controller.manager import Manager

Who = discord.Member | discord.User | discord.Role
_ROLE_HINT = (
    "Discord pings a role only if “Allow anyone to @mention this role” is on in its settings."
)


class AlertCommands(app_commands.Group):
    """Who is pinged."""

    def __init__(self, manager: Manager) -> None:
        super().__init__(
            name="alerts", description="Who is pinged by incidents", default_permissions=CLOSED
        )
        self._manager = manager

    @app_commands.command(name="list", description="Who is pinged, and when not")
    @with_request
    async def list_alerts(self, request: Request) -> None:
        """Everybody who is pinged."""
        found = await self._manager.incidents.alerts(request.caller)
        if not found:
            await request.reply(say("Nobody is pinged. `/fleet alerts me` pings you."))
            return
        bots = self._manager.bots
        names = {view.bot.id: view.bot.name for view in bots}
        lines = [alert_line(one, names.get(one.bot_id, "")) for one in found]
        await request.reply("\n".join(lines))

    @app_commands.command(description="Ping me when something is wrong")
    @app_commands.describe(
        bot="For this bot only",
        quiet="When not, like 22:00-07:00",
        zone="The time zone of that, like Europe/Berlin",
        off="No longer",
    )
    @with_request
    async def me(
        self,
        request: Request,
        bot: str | None = None,
        quiet: str = "",
        zone: str = "UTC",
        off: bool = False,
    ) -> None:
        """Ping whoever asks."""
        alert = await self._alert(request, ALERTS_OWN, "user", request.person, bot, quiet, zone)
        await self._manager.incidents.set_own_alert(request.caller, alert, on=not off)
        await request.reply(_done(alert, bot, on=not off))

    @app_commands.command(description="Ping a person or a role")
    @app_commands.describe(
        who="A person or a Discord role",
        bot="For this bot only",
        quiet="When not, like 22:00-07:00",
        zone="The time zone of that, like Europe/Berlin",
        off="No longer",
    )
    @with_request
    async def give(
        self,
        request: Request,
        who: Who,
        bot: str | None = None,
        quiet: str = "",
        zone: str = "UTC",
        off: bool = False,
    ) -> None:
        """Ping a person or a role. Never everybody."""
        role = who if isinstance(who, discord.Role) else None
        if role is not None and role.is_default():
            raise BadInput(
                "Everybody can't be pinged.", hint="Choose a role, or people.", code="not-everyone"
            )
        kind = "role" if role is not None else "user"
        alert = await self._alert(request, ALERTS_GIVE, kind, who.id, bot, quiet, zone)
        await self._manager.incidents.give_alert(request.caller, alert, on=not off)
        hint = (
            f"\n{say(_ROLE_HINT)}" if role is not None and not role.mentionable and not off else ""
        )
        await request.reply(_done(alert, bot, on=not off) + hint)

    @me.autocomplete("bot")
    @give.autocomplete("bot")
    @with_request
    async def names(self, request: Request, typed: str) -> Choices:
        """The bots that the person may see."""
        shown = self._manager.bots.visible(request.caller.principal)
        return suggest(typed, (view.bot.name for view in shown))

    async def _alert(
        self,
        request: Request,
        act: Act,
        kind: str,
        subject: int,
        bot: str | None,
        quiet: str,
        zone: str,
    ) -> Alert:
        await self._manager.access.require(request.caller, act)
        found = await self._manager.bots.named(request.caller, BOT_SHOW, bot) if bot else None
        begins, ends = hours_of(quiet)
        return Alert(
            kind="role" if kind == "role" else "user",
            subject=subject,
            bot_id=found.bot.id if found else "",
            quiet_from=begins,
            quiet_to=ends,
            zone=zone_of(zone),
        )


def _done(alert: Alert, bot: str | None, *, on: bool) -> str:
    sign = say("🔔 Pinged when something goes wrong") if on else say("🔕 No longer pinged")
    return f"{sign}: {alert_line(alert, bot.strip().lower() if bot else '')}."
