"""A bot's releases in the dashboard: which there were, how they ended, and going back to one."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from controller.runtime import ProbeResult
from tests.dashboard.site import Visitor
from tests.loop.test_releases import PROVING, settled
from tests.manager.rig import Rig, eventually

pytestmark = [pytest.mark.engine, pytest.mark.timeout(120)]


@pytest.mark.parametrize("device", ["phone", "desktop"])
async def test_releases_are_listed_and_one_is_gone_back_to(rig: Rig, ann: Visitor) -> None:
    """The current one, a former good one with its button, and one that failed with its reason."""
    rig.template(PROVING, "rich")
    await ann.site.close()
    await rig.restart()
    await ann.site.open()
    bot = await rig.running("rich")
    await settled(rig, bot, 1)
    await rig.edit(bot, greeting="ahoy")
    await settled(rig, bot, 2)
    rig.runtime.answer_rehearse = lambda *_: ProbeResult(exit_code=1, output="too curt")
    await rig.edit(rig.view(bot).bot, greeting="no")
    await eventually(lambda: rig.view(bot).bot.setback)
    rig.runtime.answer_rehearse = lambda *_: ProbeResult(exit_code=0, output="")
    await ann.sign_in()
    await ann.open(f"/bots/{bot.name}/releases")
    rows = ann.page.locator(".releases > li")
    await expect(rows).to_have_count(3)
    await expect(rows.nth(0)).to_contain_text("too curt")
    await expect(rows.nth(0)).to_contain_text("failed")
    await expect(rows.nth(1)).to_contain_text("current")
    await expect(ann.page.get_by_role("button", name="Roll back")).to_have_count(1)
    await ann.press("Roll back to 1")
    await ann.sees("Its secrets and its own data stay as they are.")
    await settled(rig, bot, 4)
    assert rig.view(bot).bot.fields == {}
    await expect(rows.nth(0)).to_contain_text("rollback")
    await expect(rows.nth(0)).to_contain_text("current")
    assert (ann.problems, await ann.reports()) == ([], [])
