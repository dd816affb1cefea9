"""`/bot update`, `/bot rollback`, `/bot releases`, and what people read of a change that failed."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest
from simcord.results import InteractionResult

from controller.chat.words.text import plain
from controller.domain.bot import Bot
from controller.domain.image_version import ImageVersion
from controller.domain.phase import Phase
from controller.runtime import ProbeResult
from demo.world import World
from tests.chat.acting import (
    engine_of,
    fill,
    labels,
    make,
    public,
    said,
    until_card,
    until_phase,
    until_public,
)
from tests.chat.handy import HANDY
from tests.chat.test_actions import SECRET

QUICK = (
    HANDY.replace('id = "handy"', 'id = "quick"')
    + '\n[validation]\ncommand = ["tool", "check"]\n[update]\nhealthy_for = 0\n'
    + '[[files]]\npath = "/etc/quick/quick.json"\nformat = "json"\n'
)


@pytest.fixture
def templates(templates: Path) -> Path:
    """The templates of these tests, and one whose bots prove themselves at once."""
    (templates / "quick.toml").write_text(QUICK)
    return templates


def now(world: World) -> Bot:
    """The bot as it is."""
    return world.application.installation.tools.fleet.named("shop").bot


async def is_release(world: World, number: int) -> None:
    """Wait until that release has proved itself."""
    end = time.monotonic() + 10
    while (now(world).release, now(world).candidate) != (number, 0):
        assert time.monotonic() < end, now(world)
        await asyncio.sleep(0.01)


async def quick(world: World) -> None:
    """A running bot whose releases prove themselves at once."""
    await make(world, "shop", "quick")
    assert "running" in said(await fill(world, {"api_key": SECRET}))
    await until_phase(world, "shop", Phase.RUNNING)
    await is_release(world, 1)


def sent(world: World) -> list[str]:
    """All that was sent to Discord, as text."""
    return [str(request) for request in world.env.http_requests]


async def test_an_update_is_shown_then_made_by_its_button(world: World) -> None:
    """Nothing happens before the press; the answer is private."""
    await quick(world)
    nothing = await world.admin.slash(world.channel, "bot update", name="shop")
    assert said(nothing) == "**shop** is up to date."
    engine = engine_of(world)
    before = now(world).image
    engine.versions[before] = ImageVersion(version="1.4 @everyone")
    engine.rebuild("echo:1")
    engine.versions[engine.image("echo:1") or ""] = ImageVersion(version="1.5", revision="c0ffee")
    engine.pullable.add("echo:1")
    shown = await world.admin.slash(world.channel, "bot update", name="shop")
    text = said(shown)
    assert any("shop** — getting its image: 100 %" in one for one in sent(world))
    old, new = before[7:19], (engine.image("echo:1") or "")[7:19]
    assert text.startswith("**shop** — an update would change this:")
    assert f"image: `{old}` → `{new}` (`echo:1`)" in text
    versions = (
        f"image version: {plain('1.4 @everyone')} → {plain('1.5')}\nimage revision: none → c0ffee"
    )
    assert versions in text
    assert now(world).release == 1
    assert shown.response is not None
    assert labels(shown.response) == ["Update shop"]
    done = await world.admin.click(shown.response, label="Update shop")
    assert said(done).endswith(versions)
    await is_release(world, 2)
    assert now(world).image == engine.image("echo:1")


async def test_what_was_taken_back_before_is_said_before_anybody_tries_it_again(
    world: World,
) -> None:
    """With the reason of then."""
    await quick(world)
    engine_of(world).rebuild("echo:1")
    engine_of(world).answer_rehearse = lambda *_: ProbeResult(exit_code=1, output="too new")
    shown = await world.admin.slash(world.channel, "bot update", name="shop")
    await world.admin.click(shown.response, label="Update shop")
    end = time.monotonic() + 5
    while now(world).setback is None:
        assert time.monotonic() < end
        await asyncio.sleep(0.01)
    again = said(await world.admin.slash(world.channel, "bot update", name="shop"))
    assert "⚠️ The same was taken back before: " in again
    assert "too new" in again


async def test_newer_images_are_offered_for_all_bots(world: World) -> None:
    """Nothing is updated before the press; what came of it is told by the next look."""
    await quick(world)
    none = await world.admin.slash(world.channel, "fleet updates")
    assert said(none) == "No newer images."
    engine_of(world).rebuild("echo:1")
    shown = await world.admin.slash(world.channel, "fleet updates")
    assert said(shown).startswith("1 bot can be updated:\n**shop** `")
    assert "(`echo:1`)" in said(shown)
    assert now(world).release == 1
    assert shown.response is not None
    begun = await world.admin.click(shown.response, label="Update 1 bot")
    assert said(begun).startswith("Updating 1 bot, one at a time, **shop** first.")
    await is_release(world, 2)
    end = time.monotonic() + 5
    while "🟢 1 of 1 bot updated." not in (text := said(await looked(world))):
        assert time.monotonic() < end, text


async def looked(world: World) -> InteractionResult:
    """Another look at what can be updated."""
    return await world.admin.slash(world.channel, "fleet updates")


async def test_what_a_check_on_schedule_found_is_told_once(world: World) -> None:
    """In the admin channel, with the button; not again for the same."""
    await quick(world)
    engine_of(world).rebuild("echo:1")
    checks = world.application.manager.update_checks
    checks._every = 0.02
    work = asyncio.create_task(checks.run())
    told = await until_public(world, "can be updated")
    await asyncio.sleep(0.2)
    work.cancel()
    assert labels(told) == ["Update 1 bot"]
    # And the next controller, which has only the notebook, tells it no more.
    found = await checks.known()
    assert await world.application.manager.notebook.recall("update-notice") == found.mark
    assert len([m for m in public(world) if "can be updated" in m.content]) == 1


async def test_a_rollback_goes_back_and_the_list_tells_of_both(world: World) -> None:
    """In one tap, with what it doesn't undo."""
    await quick(world)
    engine_of(world).rebuild("echo:1")
    shown = await world.admin.slash(world.channel, "bot update", name="shop")
    assert shown.response is not None
    await world.admin.click(shown.response, label="Update shop")
    await is_release(world, 2)
    back = await world.admin.slash(world.channel, "bot rollback", name="shop")
    assert said(back).endswith("Its secrets and its own data stay as they are.")
    await is_release(world, 3)
    lines = said(await world.admin.slash(world.channel, "bot releases", name="shop")).splitlines()
    assert lines[0] == "**shop** — releases, newest first"
    assert [line.split()[0] for line in lines[1:]] == ["**3**", "**2**", "**1**"]
    assert "(current)" in lines[1]
    assert "rollback by" in lines[1]
    wrong = await world.admin.slash(world.channel, "bot rollback", name="shop", release="nine")
    assert "A release is a number." in said(wrong)


async def test_a_change_that_fails_is_told_on_the_card_while_the_bot_runs(world: World) -> None:
    """Until somebody acts; the history tells of it too."""
    await quick(world)
    engine_of(world).answer_rehearse = lambda *_: ProbeResult(exit_code=1, output="too curt")
    shown = await world.admin.slash(world.channel, "bot edit", name="shop")
    await world.admin.submit_modal(shown, {"tone": ["curt"]})
    card = await until_card(world, "shop", "Release 2 was taken back")
    assert "— running" in card.content
    assert "too curt" in card.content
    past = said(await world.admin.slash(world.channel, "bot history", name="shop"))
    assert "**release 2 taken back**, release 1 runs again" in past
    await world.admin.slash(world.channel, "bot restart", name="shop")
    end = time.monotonic() + 5
    while "taken back" in (await until_card(world, "shop", "running")).content:
        assert time.monotonic() < end
        await asyncio.sleep(0.05)
