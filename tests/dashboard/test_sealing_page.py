"""The page that seals without a network: from a file, in a real browser, into a bot that runs."""

from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, expect

from controller.domain.phase import Phase
from tests.dashboard.site import DEVICES, Visitor
from tests.dashboard.test_for_everybody import RULES, SMALL
from tests.manager.rig import ANN_ASKS, SECRETS, Rig

pytestmark = [pytest.mark.engine, pytest.mark.timeout(120)]


async def test_a_secret_is_sealed_offline_and_the_bot_runs_on_it(
    rig: Rig, browser: Browser, ann: Visitor, tmp_path: Path
) -> None:
    """Saved from the dashboard, opened as a file: no request leaves it, and the value stays in no
    box. What it made is taken by the form."""
    bot = await rig.create()
    await ann.sign_in()
    async with ann.page.expect_download() as saved:
        await ann.page.evaluate("location.href = '/seal.html'")
    file = tmp_path / "seal.html"
    await (await saved.value).save_as(file)

    sealed = rig.manager.credentials.sealed
    context = await browser.new_context(**DEVICES["phone"], offline=True)
    page = await context.new_page()
    asked, said = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    await page.goto(file.as_uri())
    await page.get_by_label("Address").fill("sealto1.nonsense")
    await expect(page.get_by_role("alert")).to_contain_text("isn’t the address of a bot")
    await page.get_by_label("Address").fill((await sealed.address(ANN_ASKS, bot)).code)
    await expect(page.get_by_text(f"For {bot.name}")).to_contain_text(sealed.fingerprint)
    texts = {}
    for name, value in SECRETS.items():
        await page.get_by_label("Name of the secret").fill(name)
        await page.get_by_label("The secret", exact=True).fill(value)
        await page.get_by_role("button", name="Seal it").click()
        box = page.get_by_label("Enter this text")
        await expect(box).to_be_visible()
        texts[name] = await box.input_value()
        assert await page.get_by_label("The secret", exact=True).input_value() == ""
        assert value not in await page.content()
    assert await page.evaluate(SMALL) == []
    assert await page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    found = await Axe().run(page, options=RULES)
    assert found.response["violations"] == []
    assert (asked, said) == ([file.as_uri()], [])
    await context.close()

    await rig.submit(bot, **texts)
    await rig.becomes(bot, Phase.RUNNING)
    assert {n: (rig.secrets / bot.id / n).read_text() for n in SECRETS} == SECRETS


def test_the_page_runs_its_own_script_and_style_and_nothing_else() -> None:
    """Its policy names them by their hashes, so a page that somebody added to does nothing."""
    text = Path("controller/api/web/seal.html").read_text(encoding="utf-8")
    for tag, kind in (("script", "script-src"), ("style", "style-src")):
        (own,) = re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(own.encode()).digest()).decode()
        assert f"{kind} 'sha256-{digest}'" in text
    assert "default-src 'none'" in text
