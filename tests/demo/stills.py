"""`scripts/picture stills`: what goes wrong, charts and followed logs, at desktop and phone width.

Each is shot in the same demo, once the page shows its words. Look at them before you commit them.
"""

from __future__ import annotations

import io
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Locator, Page, expect, sync_playwright

from tests.conftest import engine_client, remove_everything_of
from tests.demo.conftest import QUIET, Demo, chromium
from tests.demo.person import Person
from tests.demo.picture import FOLDER, HEIGHT, LEAVE_BUTTONS, PATIENCE, WIDTH

PHONE = {"width": 390, "height": 844}
DESKTOP = {"width": WIDTH, "height": HEIGHT}


def shoot(page: Page, name: str, where: Locator) -> None:
    """Shoot one message at both widths: `NAME.png` and `NAME-phone.png`."""
    at_rest(page)
    for size, suffix in ((DESKTOP, ""), (PHONE, "-phone")):
        page.set_viewport_size(size)  # type: ignore[arg-type]  # Playwright's own type
        page.wait_for_timeout(1500)
        handle = where.element_handle()
        page.wait_for_function(
            "message => message.getBoundingClientRect().right <= innerWidth", arg=handle
        )
        where.evaluate("message => message.scrollIntoView({ block: 'end' })")
        page.mouse.move(size["width"] // 2, 4)
        page.evaluate(LEAVE_BUTTONS)
        page.wait_for_timeout(300)
        shot = page.screenshot(animations="disabled", caret="initial")
        image = Image.open(io.BytesIO(shot)).convert("RGB")
        image.quantize(256).save(FOLDER / f"{name}{suffix}.png", optimize=True)
        print(f"{name}{suffix}.png")
    page.set_viewport_size(DESKTOP)  # type: ignore[arg-type]


def at_rest(page: Page) -> None:
    """Wait until nothing is under way: meanwhile the page dims its buttons."""
    expect(page.locator("#channel-message-list button:disabled")).to_have_count(0)


def made(person: Person, name: str, behaviour: str = "") -> None:
    """A bot that runs, with its secrets."""
    person.create(name, "Demo bot")
    person.press("Enter secrets", person.card(name))
    person.fill("Demo API key", "a-key-for-the-demo")
    person.fill("Demo channel token", "a-token-for-the-demo")
    if behaviour:
        person.page.get_by_role("combobox", name="Behaviour").click()
        person.page.get_by_role("option", name=behaviour, exact=True).click()
    person.page.get_by_role("button", name="Submit").click()


def scenes(person: Person) -> None:
    """One after the other; each bot's messages stay."""
    page, patience = person.page, PATIENCE / 1000
    person.enter("/bot create", "shop-helper")
    person.choose("Template", "Demo bot", person.newest())
    person.sees(person.newest(), "Its image is ready.")
    shoot(page, "create", person.newest())
    person.press("Create", person.newest())
    person.press("Enter secrets", person.card("shop-helper"))
    person.fill("Demo API key", "a-key-for-the-demo")
    person.fill("Demo channel token", "a-token-for-the-demo")
    page.get_by_role("button", name="Submit").click()
    person.sees(person.card("shop-helper"), "— running", patience)
    shoot(page, "card", person.card("shop-helper"))
    made(person, "night-watch", "crash")
    incident = person.messages.filter(has_text="night-watch").filter(has_text="Acknowledge").last
    person.sees(incident, "cannot reach the demo service", patience)
    shoot(page, "incident", incident)
    person.on_bot("/bot logs", "shop-helper")
    person.press("Follow", person.newest())
    person.sees(person.newest(), "following", patience)
    page.wait_for_timeout(6000)
    shoot(page, "follow", person.newest())
    page.wait_for_timeout(45_000)  # the sampler has looked a few times
    person.on_bot("/bot stats", "shop-helper")
    person.sees(person.newest(), "CPU", patience)
    page.wait_for_timeout(3000)
    shoot(page, "chart", person.newest())
    person.enter("/fleet board")
    person.sees(person.newest(), "2 bots", patience)
    shoot(page, "board", person.newest())


def main() -> None:
    """Take them. The demo's containers are removed at the end, also after a failure."""
    expect.set_options(timeout=PATIENCE / 3)
    client = engine_client()
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        demo = Demo(Path(folder) / "demo", client)
        browser = playwright.chromium.launch(executable_path=chromium(), args=QUIET)
        page = browser.new_page(viewport=DESKTOP, color_scheme="dark")  # type: ignore[arg-type]
        page.set_default_timeout(PATIENCE / 3)
        try:
            person = Person(page, "desktop")
            person.open(demo.start())
            scenes(person)
        finally:
            browser.close()
            if demo.process is not None:
                demo.interrupt()
                remove_everything_of(client, demo.instance)


if __name__ == "__main__":
    sys.exit(main())
