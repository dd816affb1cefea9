"""What changes while somebody looks: the log under their eyes, a controller that goes and comes."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import Route, expect

from controller.domain.bot import Wish
from tests.dashboard.site import Visitor
from tests.manager.rig import ANN_ASKS, Rig, eventually

pytestmark = [pytest.mark.engine, pytest.mark.timeout(120)]


def write(rig: Rig, bot_id: str, first: int, last: int) -> None:
    rig.runtime.write_log(bot_id, "\n".join(f"line {n}" for n in range(first, last + 1)))


@pytest.mark.parametrize("device", ["desktop"])
async def test_a_log_follows_only_at_its_end(rig: Rig, ann: Visitor) -> None:
    """Whoever scrolled up stays where they read, is told of what is new, and gets there by a press.

    Each line comes once and in order, also across a pause and another run.
    """
    bot = await rig.running()
    await ann.sign_in()
    await ann.open(f"/bots/{bot.name}")
    log = ann.page.get_by_role("log")
    lines = log.locator(".line .text")
    write(rig, bot.id, 1, 100)
    await expect(lines).to_have_count(100)
    await expect(lines.last).to_be_in_viewport()
    await log.evaluate("e => { e.scrollTop = 0; }")
    await expect(ann.page.get_by_role("button", name="↓ End")).to_be_visible()
    write(rig, bot.id, 101, 142)
    await expect(ann.page.get_by_role("button", name="↓ 42 new")).to_be_visible()
    assert await log.evaluate("e => e.scrollTop") == 0
    await expect(lines.first).to_be_in_viewport()
    await ann.press("↓ 42 new")
    await expect(lines.last).to_be_in_viewport()
    await ann.press("Pause")
    write(rig, bot.id, 143, 145)
    await expect(ann.page.get_by_role("button", name="↓ 3 new")).to_be_visible()
    await expect(lines).to_have_count(142)
    await ann.press("Resume")
    await expect(lines).to_have_count(145)
    await ann.press("Restart")
    await expect(log.locator(".divider")).to_contain_text("started")
    write(rig, bot.id, 146, 150)
    await expect(lines).to_have_text([f"line {n}" for n in range(1, 151)])
    assert (ann.problems, await ann.reports()) == ([], [])


async def test_a_log_is_searched_copied_and_coloured(rig: Rig, ann: Visitor) -> None:
    """Only matching lines show, marked; a hostile line is text and nothing else."""
    bot = await rig.running()
    hostile = '<img src=x onerror="alert(1)"><b>bold</b>'
    for text in ("all is well", "ERROR: no stock", "WARNING: slow", hostile):
        rig.runtime.write_log(bot.id, text)
    await ann.sign_in()
    await ann.open(f"/bots/{bot.name}")
    log = ann.page.get_by_role("log")
    await expect(log.locator(".line.bad")).to_contain_text("ERROR: no stock")
    await expect(log.locator(".line.warn")).to_contain_text("WARNING: slow")
    await expect(log.locator(".text").last).to_have_text(hostile)
    assert await log.locator("img, b").count() == 0
    await ann.page.get_by_label("Search these lines").fill("STOCK")
    await expect(log.locator("mark")).to_have_text(["stock"])
    await expect(log.get_by_text("all is well")).to_be_hidden()
    async with ann.page.expect_download() as saved:
        await ann.press("File")
    path = await (await saved.value).path()
    assert [line.split(" ", 1)[1] for line in path.read_text().splitlines()] == ["ERROR: no stock"]
    await ann.page.get_by_label("Search these lines").fill("nothing like it")
    await ann.sees("No matching lines in the last 4 lines.")


async def test_a_controller_that_is_killed_and_comes_back(rig: Rig, ann: Visitor) -> None:
    """The page says that it reconnects, then that it is live, and shows what changed meanwhile."""
    bot = await rig.running()
    await ann.sign_in()
    link = ann.page.locator(".link")
    await expect(link).to_have_text("Live")
    await ann.site.close()
    await rig.kill()
    await expect(link).to_have_text("Reconnecting")
    await expect(ann.page.get_by_role("link", name=bot.name)).to_contain_text("running")
    await rig.open()
    rig.run()
    await rig.manager.lifecycle.stop(ANN_ASKS, bot)
    await ann.site.open()
    await expect(link).to_have_text("Live")
    await expect(ann.page.get_by_role("link", name=bot.name)).to_contain_text("stopped")
    assert (ann.problems, await ann.reports()) == ([], [])


async def test_a_connection_that_went_dead_is_opened_anew_and_a_stale_page_says_so(
    rig: Rig, ann: Visitor
) -> None:
    """A phone's network may lose it without a word to either end: no ping came for too long."""
    bot = await rig.running()
    await ann.page.clock.install()
    await ann.sign_in()
    link = ann.page.locator(".link")
    await expect(link).to_have_text("Live")
    streams = sum(url.endswith("/events") for url in ann.asked)
    await ann.page.clock.fast_forward(50_000)
    await eventually(lambda: sum(url.endswith("/events") for url in ann.asked) > streams)
    await expect(link).to_have_text("Live")
    await ann.site.close()
    await expect(link).to_have_text("Reconnecting")
    await ann.page.clock.fast_forward(11_000)
    await expect(link).to_have_text(re.compile(r"^Stale: last heard \d+ s ago$"))
    await expect(ann.page.get_by_role("link", name=bot.name)).to_contain_text("running")


async def test_a_flood_is_bounded_and_what_is_missing_is_said(rig: Rig, ann: Visitor) -> None:
    """The page keeps the last 5,000 lines; how many never came stands between the others."""
    bot = await rig.running()
    await ann.sign_in()
    await ann.open(f"/bots/{bot.name}")
    log = ann.page.get_by_role("log")
    lines = log.locator(".line .text")
    for first in range(1, 5201, 400):
        write(rig, bot.id, first, first + 399)
        await expect(lines.last).to_have_text(f"line {first + 399}")
    await expect(lines).to_have_count(5000)
    await expect(lines.first).to_have_text("line 201")
    text = "x" * 2000
    rig.runtime.write_log(bot.id, "\n".join(f"{number} {text}" for number in range(2000)))
    await expect(log.locator(".divider.gap").first).to_have_text(
        re.compile(r"^[\d,]+ lines left out$")
    )


async def test_an_order_whose_answer_is_lost_is_carried_out_once(rig: Rig, ann: Visitor) -> None:
    """The server goes away between the order and its answer; the page finds out how it ended."""
    bot = await rig.running()
    await ann.sign_in()
    await ann.open(f"/bots/{bot.name}")

    async def lose(route: Route) -> None:
        await route.fetch()  # it arrives, and is carried out
        await route.abort("connectionreset")

    await ann.page.route("**/stop", lose, times=1)
    await ann.press("Stop")
    await ann.sees(f"{bot.name} is stopped. Took")
    await eventually(lambda: rig.view(bot).bot.wish is Wish.STOP)
    asked = [e for e in await rig.history(bot) if e.entry.data.get("act") == "bot.stop"]
    assert len(asked) == 1


async def test_offline_and_online_again(rig: Rig, ann: Visitor) -> None:
    """It says so, offers what it knew, and goes on by itself when the network is back."""
    bot = await rig.running()
    await ann.sign_in()
    await ann.open(f"/bots/{bot.name}")
    link, lines = ann.page.locator(".link"), ann.page.get_by_role("log").locator(".line .text")
    write(rig, bot.id, 1, 3)
    await expect(lines).to_have_count(3)
    await ann.page.context.set_offline(True)
    await ann.site.close()  # what is offline hears nothing from us either
    await expect(link).to_have_text("Reconnecting")
    await ann.press("Stop")
    await ann.site.open()
    write(rig, bot.id, 4, 6)
    assert rig.active(bot)
    await ann.page.context.set_offline(False)
    await expect(link).to_have_text("Live")
    await ann.sees(f"{bot.name} is stopped.")
    await expect(lines).to_have_text([f"line {n}" for n in range(1, 7)])


async def test_a_file_that_is_lost_on_the_way_is_asked_for_again(rig: Rig, ann: Visitor) -> None:
    """The page doesn't stay empty, and the link that it was opened by is not used up."""
    lost: list[str] = []

    async def lose(route: Route) -> None:
        lost.append(route.request.url)
        await route.abort("connectionreset")

    for name in ("app.js", "words.js"):
        await ann.page.route(f"**/{name}", lose, times=1)
    await ann.page.goto(await ann.site.link())
    await ann.sees("Sign in as ann?")
    assert len(lost) == 2
