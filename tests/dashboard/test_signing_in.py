"""Signing in: by a link, once, by a press; and what a person reads when a link is over."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser, expect

from controller.domain.roles import Role
from controller.manager.web_sessions import LINK_SECONDS
from tests.api.client import session_of
from tests.dashboard.site import PHONE, Site, Visitor, grant, visitor
from tests.manager.rig import ANN_ASKS, BEN_ASKS, Rig

pytestmark = [pytest.mark.engine, pytest.mark.timeout(120)]


async def test_a_link_is_used_by_a_press_and_leaves_no_trace(ann: Visitor) -> None:
    """Looking at it, also many times and without a browser, uses nothing up."""
    link = await ann.site.link()
    code = link.rpartition("#")[2]
    for _ in range(2):  # a preview, and a reload
        answer = await ann.page.request.get(link)
        assert answer.status == 200
        await ann.page.goto("about:blank")
        await ann.goto(link)
        await ann.sees("Sign in as ann?")
    assert code not in ann.page.url
    await ann.press("Sign in")
    await expect(ann.page.get_by_role("heading", name="Fleet")).to_be_visible()
    assert await ann.holds(code) == []
    await ann.page.go_back()
    assert code not in ann.page.url
    assert (ann.problems, await ann.reports()) == ([], [])


async def test_a_used_link_says_so(ann: Visitor, browser: Browser) -> None:
    """To whoever opens it second, with what to do."""
    link = await ann.site.link()
    await ann.goto(link)
    await ann.press("Sign in")
    await expect(ann.page.get_by_role("heading", name="Fleet")).to_be_visible()
    other = await visitor(await browser.new_context(**PHONE), ann.site)
    await other.goto(link)
    await expect(other.page.get_by_role("heading", name="This link is over")).to_be_visible()
    await other.sees("It was already used, or its five minutes have passed.")
    await other.sees("Type /access web in Discord for a new link.")
    await other.page.context.close()


async def test_a_link_that_expires_under_the_finger_says_so(rig: Rig, ann: Visitor) -> None:
    """The page was open, the five minutes passed, then it was pressed."""
    await ann.goto(await ann.site.link())
    await ann.sees("Sign in as ann?")
    sessions = rig.manager.web_sessions
    now = sessions._clock()
    sessions._clock = lambda: now + LINK_SECONDS + 1
    await ann.press("Sign in")
    await expect(ann.page.get_by_role("heading", name="This link is over")).to_be_visible()
    assert await sessions.listed(ANN_ASKS) == []


async def test_whoever_is_not_signed_in_is_told_how_and_comes_back(
    rig: Rig, ann: Visitor, site: Site
) -> None:
    """A deep link from a card leads to its bot, after signing in, also in another tab."""
    bot = await rig.running()
    await ann.open(f"/bots/{bot.id}/history")
    await expect(ann.page.get_by_role("heading", name="Sign in to BotMaker")).to_be_visible()
    second = await visitor(ann.page.context, site)
    await second.goto(await site.link())
    await second.press("Sign in")
    for tab in (second, ann):  # the first tab notices by itself
        await expect(tab.page.get_by_role("heading", name=bot.name)).to_be_visible()
        await expect(tab.page.get_by_role("link", name="History").last).to_have_attribute(
            "aria-current", "page"
        )


async def test_a_session_that_is_ended_closes_the_page(rig: Rig, ann: Visitor) -> None:
    """At once, without a press: nothing of the fleet stays on the screen."""
    bot = await rig.running()
    await ann.sign_in()
    await ann.sees(bot.name)
    (session,) = await rig.manager.web_sessions.listed(ANN_ASKS)
    await rig.manager.web_sessions.end(ANN_ASKS, session.id)
    await ann.sees("You were signed out.")
    assert bot.name not in await ann.page.content()


async def test_a_session_is_ended_by_a_second_press_and_not_by_the_first(
    rig: Rig, ann: Visitor
) -> None:
    """So it is with grants and tokens: what goes by mistake isn't given back by a press."""
    await grant(rig, Role.VIEWER)
    await session_of(rig, BEN_ASKS)
    await ann.sign_in()
    await ann.open("/access")
    row = (
        ann.page.get_by_role("list", name="Sessions").get_by_role("listitem").filter(has_text="ben")
    )
    await row.get_by_role("button", name="End", exact=True).click()
    again = row.get_by_role("button", name="Really end?")
    await expect(again).to_be_visible()
    assert len(await rig.manager.web_sessions.listed(ANN_ASKS)) == 2
    await again.click()
    await expect(row).to_have_count(0)
    (left,) = await rig.manager.web_sessions.listed(ANN_ASKS)
    assert left.user_name == "ann"


async def test_signing_out_ends_the_session(rig: Rig, ann: Visitor) -> None:
    """On the server as well."""
    await ann.sign_in()
    await ann.press("Sign out")
    await expect(ann.page.get_by_role("heading", name="Sign in to BotMaker")).to_be_visible()
    assert await rig.manager.web_sessions.listed(ANN_ASKS) == []


async def test_a_viewer_is_offered_nothing_they_may_not_do(rig: Rig, ann: Visitor) -> None:
    """No button, no box, no page; and an address typed by hand says which role it needs."""
    bot = await rig.running()
    await grant(rig, Role.VIEWER)
    ben = ann
    await ben.sign_in(BEN_ASKS)
    page = ben.page
    await expect(page.get_by_role("link", name=bot.name)).to_be_visible()
    assert await page.get_by_role("checkbox").count() == 0
    menu = page.get_by_role("navigation", name="Pages").get_by_role("link")
    assert await menu.all_inner_texts() == ["Fleet"]
    assert await page.get_by_role("link", name="New bot").count() == 0
    await page.get_by_role("link", name=bot.name).click()
    await expect(page.get_by_role("heading", name=bot.name)).to_be_visible()
    tabs = page.get_by_role("navigation", name="Parts of this bot").get_by_role("link")
    assert await tabs.all_inner_texts() == ["Log", "History", "Releases", "Secrets", "Actions"]
    for word in ("Start", "Stop", "Restart"):
        assert await page.get_by_role("button", name=word, exact=True).count() == 0
    await grant(rig, Role.OPERATOR)  # what they may do now shows on the page that is open
    await expect(page.get_by_role("button", name="Restart", exact=True)).to_be_visible()
    await grant(rig, Role.VIEWER)
    await expect(page.get_by_role("button", name="Restart", exact=True)).to_have_count(0)
    await page.get_by_role("link", name="Secrets").click()
    await ben.sees("An admin can replace them.")
    assert await page.locator("main input").count() == 0
    await ben.open("/create")
    await ben.sees("This needs the role admin; you are viewer.")
    await ben.open(f"/bots/{bot.name}/settings")
    await expect(page.get_by_role("log")).to_be_visible()  # its log instead
    assert (ben.problems, await ben.reports()) == ([], [])
