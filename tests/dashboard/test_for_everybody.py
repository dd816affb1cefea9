"""The dashboard for everybody: WCAG AA by axe-core, keyboard, touch, motion; and its policy."""

from __future__ import annotations

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, expect

from controller.domain.observation import Health
from controller.domain.roles import Role
from tests.dashboard.site import DEVICES, Site, Visitor, grant, visitor
from tests.manager.rig import Rig

pytestmark = [pytest.mark.engine, pytest.mark.timeout(240)]
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
CONTRAST = {"runOnly": {"type": "rule", "values": ["color-contrast"]}}
SMALL = """
() => [...document.querySelectorAll('a, button, select, input, summary')]
  .filter((e) => e.checkVisibility() && !e.closest('.unseen, .skip') && e.type !== 'radio')
  .map((e) => ({ e: e.type === 'checkbox' ? e.closest('label') ?? e : e }))
  .map(({ e }) => ({ what: e.textContent || e.name, box: e.getBoundingClientRect() }))
  .filter(({ box }) => box.height < 44 || box.width < 24)
  .map(({ what, box }) => `${what}: ${box.width}×${box.height}`)
"""


async def world(rig: Rig) -> list[str]:
    """Bots in many phases, with logs; the addresses of all pages."""
    good, ill = await rig.running(), await rig.running("demo")
    rig.runtime.set_health(ill.id, Health.UNHEALTHY, "no heartbeat")
    waits = await rig.create()
    for text in ("all is well", "ERROR: no stock", "WARNING: slow", "DEBUG: cache"):
        rig.runtime.write_log(good.id, text)
    await grant(rig, Role.VIEWER)
    parts = ["log", "history", "releases", "settings", "secrets", "actions"]
    return [
        *("/", "/create", "/access", "/doctor", "/history"),
        *(f"/bots/{good.name}/{part}" for part in parts),
        *(f"/bots/{ill.name}/{part}" for part in ("log", "settings", "actions")),
        f"/bots/{waits.name}/secrets",
        "/bots/nobody",
    ]


@pytest.mark.parametrize("device", ["phone", "desktop"])
async def test_every_page_passes_axe(rig: Rig, browser: Browser, site: Site, device: str) -> None:
    """Names, roles, contrast, structure, at both widths, light and dark; and no policy report.

    Colours are the same at both: dark is looked at on the phone only.
    """
    context = await browser.new_context(**DEVICES[device])
    someone = await visitor(context, site)
    paths = await world(rig)
    wrong: dict[str, object] = {}
    await someone.goto(await site.link())
    wrong |= await violations(someone, "/login", device)
    await someone.press("Sign in")
    await expect(someone.page.get_by_role("heading", name="Fleet")).to_be_visible()
    for path in paths:
        await someone.open(path)
        await expect(someone.page.get_by_text("Loading…")).to_have_count(0)
        wrong |= await violations(someone, path, device)
        assert await someone.reports() == []
        width = await someone.page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert width <= 0, f"{path} scrolls sideways"
        if device == "phone":
            assert await someone.page.evaluate(SMALL) == [], path
    assert wrong == {}
    assert someone.problems == []
    await context.close()


async def violations(who: Visitor, path: str, device: str) -> dict[str, object]:
    """What axe-core finds wrong on the page: in light everything, in dark the contrast, which is
    all that differs."""
    found: list[str] = []
    schemes = {"light": RULES, "dark": CONTRAST} if device == "phone" else {"light": RULES}
    for scheme, rules in schemes.items():
        await who.page.emulate_media(color_scheme=scheme)
        results = await Axe().run(who.page, options=rules)
        found += [
            f"{scheme}: {one['id']}: {node['target']} {node['failureSummary'][:200]}"
            for one in results.response["violations"]
            for node in one["nodes"]
        ]
    return {path: found} if found else {}


async def test_the_keyboard_reaches_everything_and_the_focus_shows(rig: Rig, ann: Visitor) -> None:
    """From the top: past the menu by the first link, into a bot, and to its restart."""
    bot = await rig.running()
    await ann.sign_in()
    keyboard, page = ann.page.keyboard, ann.page
    await page.evaluate("document.activeElement.blur()")
    await keyboard.press("Tab")
    await expect(page.get_by_role("link", name="Skip to the page")).to_be_focused()
    for _ in range(30):
        await keyboard.press("Tab")
        if await page.evaluate("document.activeElement.closest('.bot > a') !== null"):
            break
    outline = await page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"
    await keyboard.press("Enter")
    await expect(page.get_by_role("heading", name=bot.name)).to_be_visible()
    before = rig.run_of(bot)
    for _ in range(30):
        await keyboard.press("Tab")
        if await page.evaluate("document.activeElement.textContent") == "Restart":
            break
    await keyboard.press("Enter")
    await ann.sees(f"{bot.name} is running. Took")
    assert rig.run_of(bot) != before
    said = page.locator("#said")
    await expect(said).to_have_text(f"{bot.name} is running.")
    await expect(said).to_have_attribute("aria-live", "polite")


async def test_nothing_moves_for_whoever_asked_for_that(
    rig: Rig, browser: Browser, site: Site
) -> None:
    """Reduced motion: not even the sign of what is starting turns."""
    bot = await rig.running("demo")
    rig.runtime.set_health(bot.id, Health.STARTING)
    for motion, names in (("no-preference", {"turn"}), ("reduce", {"none"})):
        context = await browser.new_context(**DEVICES["phone"], reduced_motion=motion)
        someone = await visitor(context, site)
        await someone.sign_in()
        sign = someone.page.locator(".bot .sign.busy")
        await expect(sign).to_be_visible()
        assert {await sign.evaluate("e => getComputedStyle(e).animationName")} == names
        await context.close()


async def test_the_policy_is_in_force(ann: Visitor) -> None:
    """What an attacker would try is refused by the browser, and reported: silence means peace."""
    await ann.goto(await ann.site.link())
    refused = await ann.page.evaluate(
        """async () => {
          const tries = {
            html: () => { document.body.innerHTML = '<b>x</b>'; },
            url: () => { document.createElement('script').src = 'https://evil.example/x.js'; },
            elsewhere: () => fetch('https://evil.example/'),
          };
          const found = [];
          for (const [name, attempt] of Object.entries(tries)) {
            try { await attempt(); } catch { found.push(name); }
          }
          return found;
        }"""
    )
    assert refused == ["html", "url", "elsewhere"]
    reports = " ".join(await ann.reports())
    assert "require-trusted-types-for" in reports
    assert "connect-src" in reports
