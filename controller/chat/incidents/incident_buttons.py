"""The buttons under an incident, and what those of its own do."""

from __future__ import annotations

import discord

from controller.chat.languages import say
from controller.chat.requests.buttons import Button, button
from controller.chat.requests.request import Request
from controller.domain.acts import INCIDENT_ACKNOWLEDGE, INCIDENT_MUTE
from controller.domain.errors import BadInput
from controller.domain.incident import Incident, Trouble
from controller.fleet.views import View
from controller.manager import Manager

HOUR = "3600"
UNTIL_OVER = "over"
_AFTER_A_CHANGE = {Trouble.DOWN, Trouble.LOOPING, Trouble.CRASHED, Trouble.UNHEALTHY}


def incident_buttons(incident: Incident, view: View | None) -> list[Button]:
    """What can be done about it now."""
    if incident.is_over:
        return []
    number, found = str(incident.id), []
    if view is not None:
        found = [
            button(say("Logs"), "logs", view.bot.id),
            button(say("Restart"), "restart", view.bot.id),
        ]
        changed = bool(incident.changes) and incident.trouble in _AFTER_A_CHANGE
        if changed and view.bot.release > 1:
            found.append(button(say("Roll back"), "goback", view.bot.id))
    if not incident.acknowledged_at:
        primary = discord.ButtonStyle.primary
        found.append(button(say("Acknowledge"), "acknowledge", number, style=primary))
    if not incident.muted_until:
        found.append(button(say("Mute 1 h"), "mute", number, HOUR))
        found.append(button(say("Mute until it's over"), "mute", number, UNTIL_OVER))
    return found


class IncidentPresses:
    """What the buttons of incidents do."""

    def __init__(self, manager: Manager) -> None:
        self._access = manager.access
        self._incidents = manager.incidents

    async def acknowledge(self, request: Request) -> None:
        """Look after it."""
        await self._access.require(request.caller, INCIDENT_ACKNOWLEDGE)
        number = _number(request)
        await request.acknowledge()
        await self._incidents.acknowledge(request.caller, number)
        await request.reply(say("You look after it. It's announced again only if it gets worse."))

    async def mute(self, request: Request) -> None:
        """Hear no more of it for an hour, or until it's over."""
        await self._access.require(request.caller, INCIDENT_MUTE)
        number = _number(request)
        asked = request.arguments[1] if len(request.arguments) > 1 else ""
        if asked not in {HOUR, UNTIL_OVER}:
            raise _damaged()
        await request.acknowledge()
        seconds = None if asked == UNTIL_OVER else float(asked)
        await self._incidents.mute(request.caller, number, seconds)
        how_long = say("until it's over") if seconds is None else say("for an hour")
        await request.reply(
            say("Muted {how_long}. Its message is still kept up to date.", how_long=how_long)
        )


def _number(request: Request) -> int:
    number = request.arguments[0]
    if not (number.isascii() and number.isdecimal() and len(number) < 16):
        raise _damaged()
    return int(number)


def _damaged() -> BadInput:
    return BadInput("That button is damaged.", hint="/fleet incidents shows what is wrong.")
