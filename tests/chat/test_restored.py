"""After a restore: why the bots stay stopped is told once, and one button starts all of them."""

from __future__ import annotations

import time
from dataclasses import replace

from controller.domain.bot import RESTORED, Problem
from controller.domain.phase import Phase
from tests.chat.acting import labels, public, ready_bot, said, until_phase, until_public
from tests.chat.house import House

WHY = Problem(RESTORED, "Restored from a backup of yesterday.", "Check the old one.", time.time())


async def test_restored_bots_are_started_together_by_whoever_may(house: House) -> None:
    """The message has the reason; the press asks first, and another start tells nothing again."""
    async with house.controller() as world:
        view = await ready_bot(world)
        wishes = world.application.installation.tools.wishes
        await wishes.change(view.bot.id, lambda now: replace(now, problem=WHY))
        await until_phase(world, "shop", Phase.ERROR)
    async with house.controller() as world:
        told = await until_public(world, "restored bot")
        assert told.content.startswith("⏸️ **1 restored bot** not started yet: shop.")
        assert "Restored from a backup of yesterday." in told.content
        assert labels(told) == ["Start all restored"]
    async with house.controller() as world:
        told = await until_public(world, "restored bot")
        asked = await world.admin.click(told, label="Start all restored")
        assert said(asked).startswith("Start **1 bot**?")
        assert asked.response is not None
        await world.admin.click(asked.response, label="Start 1 bot")
        await until_phase(world, "shop", Phase.RUNNING)
        assert len([m for m in public(world) if "restored bot" in m.content]) == 1
