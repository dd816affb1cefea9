"""`scripts/picture`: take the README's moving picture, and the documents' stills, from the demo.

A person in a headless browser uses a real demo. Each scene is shot only once the page shows its
words, so the pictures can't show what the demo doesn't do. The moving picture has its own clock:
how long the machine took is not in it.
"""

from __future__ import annotations

import io
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Locator, expect, sync_playwright

from tests.conftest import ROOT, engine_client, remove_everything_of
from tests.demo.conftest import QUIET, Demo, chromium
from tests.demo.person import Person

FOLDER = ROOT / "docs" / "screenshots"
WIDTH, HEIGHT = 960, 700  # of every picture
QUALITY = 82
# A message shows more beside a button that has the focus.
LEAVE_BUTTONS = (
    "document.activeElement.matches('button, a, article') && document.activeElement.blur()"
)
PATIENCE = 180_000  # milliseconds for a busy machine


class Film:
    """The frames so far, each with the milliseconds that it stays."""

    def __init__(self, person: Person) -> None:
        self._person = person
        self._frames: list[tuple[Image.Image, int]] = []

    def shoot(self, milliseconds: int, still: str = "") -> None:
        """Add what the page shows now, for so long; keep it as a still if that has a name."""
        self._person.page.mouse.move(WIDTH // 2, 4)  # no message is hovered over
        self._person.page.evaluate(LEAVE_BUTTONS)
        expect(self._person.page.locator("#demo-ended")).to_be_hidden()
        shot = self._person.page.screenshot(animations="disabled", caret="initial")
        image = Image.open(io.BytesIO(shot)).convert("RGB")
        if milliseconds:
            self._frames.append((image, milliseconds))
        if still:
            image.quantize(256).save(FOLDER / f"{still}.png", optimize=True)

    def shoot_while(self, where: Locator, words: str, milliseconds: int) -> None:
        """Add what the page shows while it says these words; fails if they are gone already."""
        self._person.sees(where, words, PATIENCE / 1000)
        self.shoot(milliseconds)
        assert words in where.inner_text(), f"“{words}” was too short to be shot; run this again"

    def save(self, file: Path) -> None:
        """Write the moving picture, which goes round."""
        (first, *others), times = zip(*self._frames, strict=True)
        first.save(
            *(file, "WEBP"),
            save_all=True,
            append_images=others,
            duration=list(times),
            loop=0,
            quality=QUALITY,
            method=4,
        )
        size = file.stat().st_size
        print(f"{file.relative_to(ROOT)}: {len(times)} frames, {sum(times) / 1000:g} s, {size:,} B")


def create(person: Person, film: Film) -> None:
    """`/bot create`, by the keyboard."""
    keyboard = person.page.keyboard
    person.page.get_by_placeholder("Message #bot-admin").click()
    film.shoot(700)
    keyboard.type("/bot cr")
    expect(person.page.locator(".command-entry.is-active")).to_be_visible()
    film.shoot(700)
    person.page.get_by_placeholder("Message #bot-admin").fill("")
    person.begin("/bot create")
    keyboard.type("shop-helper")
    film.shoot(700)
    keyboard.press("Enter")
    person.sees(person.newest(), "shop-helper — a new bot.")
    film.shoot(700)
    person.choose("Template", "Demo bot", person.newest())
    person.sees(person.newest(), "Its image is ready.")
    film.shoot(1200, still="create")
    private = person.messages.filter(has_text="Only you can see this").last
    person.press("Create", person.newest())
    person.sees(private, "is created. Enter its secrets")
    person.sees(person.card("shop-helper"), "created (waiting for secrets)")
    film.shoot(1500)


def enter_secrets(person: Person, film: Film) -> None:
    """The form; then the card follows the container by itself."""
    person.press("Enter secrets", person.card("shop-helper"))
    person.page.get_by_role("textbox", name="Demo API key").fill("a-key-for-the-demo")
    film.shoot(600)
    person.page.get_by_role("textbox", name="Demo channel token").fill("a-token-for-the-demo")
    film.shoot(1200, still="form")
    person.page.get_by_role("button", name="Submit").click()
    film.shoot_while(person.card("shop-helper"), "— starting", 1200)
    person.sees(person.card("shop-helper"), "— running", PATIENCE / 1000)
    person.sees(person.newest(), "fingerprint")
    film.shoot(1800, still="running")


def crash(person: Person, film: Film) -> None:
    """Another bot is told to crash; its card says why."""
    card = person.card("night-watch")
    person.create("night-watch", "Demo bot")
    person.press("Enter secrets", card)
    person.page.get_by_role("textbox", name="Demo API key").fill("a-key-for-the-demo")
    person.page.get_by_role("textbox", name="Demo channel token").fill("a-token-for-the-demo")
    person.page.get_by_role("combobox", name="Behaviour").click()
    person.page.get_by_role("option", name="crash", exact=True).click()
    film.shoot(1200)
    person.page.get_by_role("button", name="Submit").click()
    person.sees(card, "cannot reach the demo service", PATIENCE / 1000)
    person.page.mouse.move(WIDTH // 2, HEIGHT // 2)
    person.page.mouse.wheel(0, -50)  # from here on the page stays where it is
    card.evaluate("card => card.scrollIntoView({ block: 'start' })")
    expect(card).to_be_in_viewport(ratio=0.95)
    film.shoot(2800, still="crash")
    person.press("Logs", card)
    person.sees(person.newest(), "cannot reach the demo service", PATIENCE / 1000)
    film.shoot(0, still="logs")


def overview(person: Person, film: Film) -> None:
    """The list and the board."""
    person.enter("/bot list")
    person.sees(person.newest(), "2 bots: 1 ")
    film.shoot(0, still="list")
    person.enter("/fleet board")
    person.sees(person.newest(), "2 bots", PATIENCE / 1000)
    film.shoot(0, still="board")


def main() -> None:
    """Take all pictures. The demo's containers are removed at the end, also after a failure."""
    expect.set_options(timeout=PATIENCE)
    client = engine_client()
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        demo = Demo(Path(folder) / "demo", client)
        browser = playwright.chromium.launch(executable_path=chromium(), args=QUIET)
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}, color_scheme="dark")
        page.set_default_timeout(PATIENCE)
        person = Person(page, "desktop")
        film = Film(person)
        try:
            person.open(demo.start())
            create(person, film)
            enter_secrets(person, film)
            crash(person, film)
            overview(person, film)
            film.save(FOLDER / "tour.webp")
        finally:
            browser.close()
            if demo.process is not None:
                demo.interrupt()
                remove_everything_of(client, demo.instance)


if __name__ == "__main__":
    sys.exit(main())
