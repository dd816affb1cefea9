"""The way that a person goes: sign in by the chat's link, see the fleet, open a bot, restart it."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from controller.domain.phase import Phase
from tests.dashboard.site import Visitor
from tests.manager.rig import Rig

pytestmark = [pytest.mark.engine, pytest.mark.timeout(120)]
BOTH = pytest.mark.parametrize("device", ["phone", "desktop"])


@BOTH
async def test_from_the_link_to_a_restart(rig: Rig, ann: Visitor) -> None:
    """Each step in the words of the page and in the state of the world."""
    bot = await rig.running()
    await ann.goto(await ann.site.link())
    await ann.sees("Sign in as ann?")
    await ann.press("Sign in")
    row = ann.page.get_by_role("link", name=bot.name)
    await expect(row).to_contain_text("running")
    await expect(ann.page.locator(".link")).to_have_text("Live")
    await row.click()
    await expect(ann.page.get_by_role("heading", name=bot.name)).to_be_visible()
    before = rig.run_of(bot)
    await ann.press("Restart")
    await ann.sees(f"{bot.name} is running. Took")
    assert rig.run_of(bot) != before
    await rig.becomes(bot, Phase.RUNNING)
    assert (ann.problems, await ann.reports()) == ([], [])
