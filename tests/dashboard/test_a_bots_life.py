"""A bot's life in the dashboard: created with its secrets, edited, deleted; many restarted."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from controller.domain.observation import Health
from controller.domain.phase import Phase
from tests.dashboard.site import Visitor
from tests.manager.rig import ANN_ASKS, Rig, eventually

pytestmark = [pytest.mark.engine, pytest.mark.timeout(120)]
# Each once, by turns: test_main_path.py has both widths, test_for_everybody.py every page in both.
WIDE = pytest.mark.parametrize("device", ["desktop"])
KEY = "canary-api-key-5417"
TOKEN = "canary-channel-token-9263"


async def fill(who: Visitor, label: str, value: str) -> None:
    await who.page.get_by_label(label).fill(value)


async def test_create_with_secrets_until_it_runs(rig: Rig, ann: Visitor) -> None:
    """What can't be used is said beside its box; no secret is anywhere afterwards."""
    await ann.sign_in()
    await ann.go("New bot")
    await ann.page.get_by_text("Plain bot").click()
    await fill(ann, "Name", "Shop Helper")
    await fill(ann, "API key", KEY)
    await fill(ann, "Channel token", "short")
    box = ann.page.get_by_label("Channel token")
    assert await box.get_attribute("type") == "password"
    assert await box.get_attribute("autocomplete") == "new-password"
    await ann.press("Create and start")
    wrong = ann.page.locator(".field", has=box).locator(".wrong")
    await expect(wrong).to_contain_text("This doesn't look right")
    await expect(box).to_be_focused()
    await fill(ann, "Channel token", TOKEN)
    await ann.press("Create and start")
    name = ann.page.locator(".field", has=ann.page.get_by_label("Name"))
    await expect(name.locator(".wrong")).to_contain_text("Try shop-helper.")
    assert len(rig.fleet) == 0
    await fill(ann, "Name", "shop-helper")
    await ann.press("Create and start")
    await expect(ann.page.get_by_role("heading", name="shop-helper")).to_be_visible()
    await expect(ann.page.locator(".state .phase")).to_have_text("running")
    (view,) = rig.fleet
    await rig.becomes(view.bot, Phase.RUNNING)
    assert (rig.secrets / view.bot.id / "channel_token").read_text() == TOKEN
    await ann.go("Secrets")
    await expect(ann.page.get_by_role("listitem").filter(has_text="API key")).to_be_visible()
    assert await ann.holds(KEY, TOKEN) == []
    await ann.page.go_back()
    await ann.page.go_back()
    await ann.sees("Lower-case letters, digits and dashes")
    assert await ann.holds(KEY, TOKEN) == []
    assert (ann.problems, await ann.reports()) == ([], [])


async def test_what_the_controller_refuses_stands_beside_its_box(rig: Rig, ann: Visitor) -> None:
    """Also when the bot exists by then: it is not created twice."""
    other = await rig.running()
    await rig.submit(other, rotate=True, channel_token=TOKEN)
    rig.template(
        (rig.templates / "plain.toml")
        .read_text()
        .replace('label = "Channel token"', 'label = "Channel token"\nunique = true')
    )
    await ann.site.close()
    await rig.restart()
    await ann.site.open()
    await ann.sign_in()
    await ann.open("/create")
    await ann.page.get_by_text("Plain bot").click()
    await fill(ann, "Name", "second")
    await fill(ann, "API key", KEY)
    await fill(ann, "Channel token", TOKEN)
    await ann.press("Create and start")
    field = ann.page.locator(".field", has=ann.page.get_by_label("Channel token"))
    await expect(field.locator(".wrong")).to_have_text(
        f"The Channel token is already used by {other.name}."
    )
    await ann.sees("second is created and waits.")
    await fill(ann, "Channel token", "canary-of-its-own-1")
    await ann.press("Create and start")
    await expect(ann.page.get_by_role("heading", name="second")).to_be_visible()
    assert sorted(view.bot.name for view in rig.fleet) == sorted([other.name, "second"])


async def test_a_draft_survives_a_sign_in_without_its_secrets(rig: Rig, ann: Visitor) -> None:
    """What was typed is there again; the secrets are not."""
    await ann.sign_in()
    await ann.open("/create")
    await ann.page.get_by_text("Plain bot").click()
    await fill(ann, "Name", "drafted")
    await fill(ann, "API key", KEY)
    (session,) = await rig.manager.web_sessions.listed(ANN_ASKS)
    await rig.manager.web_sessions.end(ANN_ASKS, session.id)
    await ann.sees("You were signed out.")
    assert await ann.holds(KEY) == []
    await ann.goto(await ann.site.link())
    await ann.press("Sign in")
    await expect(ann.page.get_by_label("Name")).to_have_value("drafted")
    await expect(ann.page.get_by_role("radio", name="Plain bot")).to_be_checked()
    await expect(ann.page.get_by_label("API key")).to_have_value("")


async def test_secrets_are_replaced_and_leave_with_the_page(rig: Rig, ann: Visitor) -> None:
    """A new fingerprint shows; what was typed and not sent is gone when the page is left."""
    bot = await rig.running()
    await ann.sign_in()
    await ann.open(f"/bots/{bot.name}/secrets")
    row = ann.page.get_by_role("listitem").filter(has_text="API key")
    before = await row.locator("code").inner_text()
    await fill(ann, "API key", KEY)
    await ann.press("Store")
    await ann.sees("Stored. Restarting to load them…")
    await expect(row.locator("code")).not_to_have_text(before)
    assert (rig.secrets / bot.id / "api_key").read_text() == KEY
    assert await ann.holds(KEY) == []
    await fill(ann, "API key", TOKEN)
    await ann.page.evaluate("dispatchEvent(new PageTransitionEvent('pagehide', {persisted: true}))")
    assert await ann.holds(TOKEN) == []


@WIDE
async def test_edit_with_errors_and_a_change_by_somebody_else(rig: Rig, ann: Visitor) -> None:
    """A wrong value is refused beside its box; a stale page overwrites nothing."""
    bot = await rig.running("demo")
    await ann.sign_in()
    await ann.open(f"/bots/{bot.name}/settings")
    await fill(ann, "Seconds between heartbeats", "often")
    await ann.press("Save")
    box = ann.page.get_by_label("Seconds between heartbeats")
    wrong = ann.page.locator(".field", has=box).locator(".wrong")
    await expect(wrong).to_contain_text("“Seconds between heartbeats” doesn't look right")
    await expect(box).to_be_focused()
    await fill(ann, "Seconds between heartbeats", "7")
    await ann.press("Save")
    await ann.sees("Saved. Restarting to load them…")
    await eventually(lambda: rig.view(bot).bot.fields.get("interval") == "7")
    await rig.edit(bot, interval="9")
    await fill(ann, "Seconds between heartbeats", "11")
    await ann.press("Save")
    await ann.sees("Somebody else changed these settings meanwhile.")
    assert rig.view(bot).bot.fields["interval"] == "9"
    await ann.press("Show theirs")
    await expect(box).to_have_value("9")


async def test_delete_by_typing_the_name(rig: Rig, ann: Visitor) -> None:
    """Not by a press alone; afterwards nothing is left of it."""
    bot = await rig.running()
    await ann.sign_in()
    await ann.open(f"/bots/{bot.name}/settings")
    delete = ann.page.get_by_role("button", name="Delete", exact=True)
    await expect(delete).to_be_disabled()
    await fill(ann, f"Type {bot.name} to delete it", "bot")
    await expect(delete).to_be_disabled()
    await fill(ann, f"Type {bot.name} to delete it", bot.name)
    await delete.click()
    await expect(ann.page.get_by_role("heading", name="Fleet")).to_be_visible()
    await ann.sees("There are no bots yet.")
    await rig.gone(bot)


@WIDE
async def test_many_are_restarted_at_once_and_the_worst_comes_first(rig: Rig, ann: Visitor) -> None:
    """Only those that are chosen; the list, its counts and its filter follow the world."""
    bots = [await rig.running() for _ in range(3)]
    ill = await rig.running("demo")
    await ann.sign_in()
    names = ann.page.locator(".bot .name")
    await expect(names).to_have_count(4)
    rig.runtime.set_health(ill.id, Health.UNHEALTHY, "no heartbeat")
    await expect(names.first).to_have_text(ill.name)
    await ann.sees("Its health check fails: no heartbeat")
    before = [rig.run_of(bot) for bot in bots]
    for bot in bots[:2]:
        await ann.page.get_by_role("checkbox", name=f"Choose {bot.name}").check()
    await ann.press("Restart")
    await ann.sees("Restarted 2 bots.")
    after = [rig.run_of(bot) for bot in bots]
    changed = [old != new for old, new in zip(before, after, strict=True)]
    assert changed == [True, True, False]
    waits = await rig.create()
    for bot in (bots[0], waits):
        await ann.page.get_by_role("checkbox", name=f"Choose {bot.name}").check()
    await ann.page.get_by_role("button", name="Start", exact=True).click()
    await ann.sees(f"Started 1 bot. Not: {waits.name}: {waits.name} has no secrets yet")
    rig.fleet.show_held_up(waits.id, "Docker is busy.")
    await ann.sees("Held up, and tried again: Docker is busy.")
    await rig.manager.lifecycle.delete(ANN_ASKS, waits)
    await rig.gone(waits)
    await ann.page.get_by_role("button", name="unhealthy 1").click()
    await expect(names).to_have_count(1)
    await ann.page.get_by_role("button", name="All 4").click()
    await ann.page.get_by_label("Search bots").fill(bots[2].name)
    await expect(names).to_have_text([bots[2].name])
