"""Look at the fleet as a whole, by command or by a button: its status, and the doctor."""

from __future__ import annotations

from dataclasses import replace

import discord

import controller
from controller.chat.footprint import missing_permissions
from controller.chat.languages import say, told
from controller.chat.requests.buttons import button, row
from controller.chat.requests.request import Request
from controller.chat.requests.selects import Option, select
from controller.chat.words.bot_words import SIGNS
from controller.chat.words.fleet_words import fleet_status, worst_first
from controller.chat.words.text import plain
from controller.domain.acts import FLEET_DOCTOR
from controller.manager import Manager
from controller.manager.doctor import Finding, worded

_WHOLE = 20_000  # characters: a remedy is never cut
EVERYTHING = "all"  # in place of a bot, in the ids of what is about the whole fleet


class FleetLooks:
    """Answers about all bots together, and about BotMaker itself."""

    def __init__(self, manager: Manager) -> None:
        self._manager = manager

    async def status(self, request: Request) -> None:
        """Counts, the engine, and the bots in trouble, each to be opened. No engine call."""
        manager = self._manager
        views = await manager.bots.status(request.caller)
        text = fleet_status(
            manager.bots.engine,
            views,
            manager.started_at,
            controller.__version__,
            manager.bots.memory_limit,
            now=manager.bots.engine_time(),
        )
        bad = worst_first(view for view in views if view.phase.bad)
        options = [
            Option(
                view.bot.name,
                ("show", view.bot.id),
                told(view.phase.value),
                emoji=SIGNS[view.phase],
            )
            for view in bad
        ]
        refresh = button(say("Refresh"), "status", EVERYTHING)
        await request.reply(text, view=row([select(say("Open a bot"), "bad", options), refresh]))

    async def status_again(self, request: Request) -> None:
        """The same by a button: in place of the answer that has it."""
        await self._manager.bots.status(request.caller)  # whoever may not has no answer changed
        await request.acknowledge_in_place()
        await self.status(request)

    async def doctor(self, request: Request) -> None:
        """Every check with its remedy."""
        await request.acknowledge()
        await self._examine(request)

    async def doctor_again(self, request: Request) -> None:
        """The same by a button: in place of the answer that has it."""
        await self._manager.access.require(request.caller, FLEET_DOCTOR)
        await request.acknowledge_in_place()
        await self._examine(request)

    async def _examine(self, request: Request) -> None:
        findings = await self._manager.doctor.examine(request.caller)
        findings.append(_permissions(request.interaction.app_permissions))
        findings.sort(key=lambda found: found.ok is not False)  # what needs somebody comes first
        lines = [plain(line, _WHOLE) for line in worded([*map(_told, findings)])]
        again = row([button(say("Run again"), "doctor", EVERYTHING)])
        await request.reply("\n".join(lines), view=again)


def _told(found: Finding) -> Finding:
    """The finding in the reader's language."""
    message, remedy = told(found.message), told(found.remedy)
    return replace(found, subject=told(found.subject), message=message, remedy=remedy)


def _permissions(has: discord.Permissions) -> Finding:
    missing = missing_permissions(has)
    if not missing:
        return Finding("permissions", True, say("all that are needed in this channel"))
    remedy = say("Give them to BotMaker's role in this channel's settings.")
    return Finding(
        "permissions", False, say("missing: {missing}", missing=", ".join(missing)), remedy
    )
