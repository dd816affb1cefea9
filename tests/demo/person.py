"""What a person does on the demo's page: types a command, picks, presses, fills in, reads."""

from __future__ import annotations

import contextlib
import os
import re
import time
from pathlib import Path

from playwright.sync_api import Error, Locator, Page, Route, expect

PATIENCE_SECONDS = 60.0  # for each step: a machine may be busy with other tests
_UNREAD_FONTS = re.compile("/fonts/noto-sans-(sc|arabic|hebrew|devanagari)-")  # 19 MB
_ENDS_IN_VIEW = """message => {
  const [inner, outer] = [message, message.closest("#channel-timeline")]
    .map((element) => element.getBoundingClientRect());
  return inner.bottom > outer.top && inner.bottom <= outer.bottom && outer.bottom <= innerHeight;
}"""
# Chromium aborts its requests when a network interface comes or goes, as other tests' containers
# make happen.
NETWORK_CHANGED = "ERR_NETWORK_CHANGED"


def _fetch(route: Route) -> None:
    """Fetch it with Playwright's own client, which nothing interrupts."""
    with contextlib.suppress(Error):  # the page has been closed
        try:
            response = route.fetch(timeout=2 * PATIENCE_SECONDS * 1000)
        except Error:
            route.abort()
        else:
            route.fulfill(response=response)


class Person:
    """Somebody who uses the page. Finds everything by the text on it."""

    def __init__(self, page: Page, device: str = "desktop") -> None:
        self.page = page
        self._device = device
        self.messages = page.locator("#channel-message-list > article")
        self.problems: list[str] = []
        self._aborted: list[str] = []
        page.route("**/api/**", _fetch)  # not the files: megabytes of fonts are slow this way
        page.route(_UNREAD_FONTS, lambda route: route.abort())
        page.on("pageerror", lambda error: self.problems.append(str(error)))
        page.on("requestfailed", lambda request: self._aborted.append(str(request.failure)))

    def open(self, url: str) -> None:
        """Go to the address, as if for the first time; again if the browser lost a file."""
        while True:
            self._aborted.clear()
            self.page.goto("about:blank")
            with contextlib.suppress(Error):  # noted as aborted, or the messages don't appear
                self.page.goto(url)
            if not any(NETWORK_CHANGED in reason for reason in self._aborted):
                break
        expect(self.messages.first).to_be_visible()

    def begin(self, command: str) -> None:
        """Type a slash command and choose it from the list."""
        self._composer.click()
        self.page.keyboard.type(command, delay=20)
        entry = self.page.locator(".command-entry.is-active", has_text=command)
        expect(entry).to_be_visible()
        self.page.keyboard.press("Enter")
        expect(self.page.locator(".command-chip", has_text=command)).to_be_visible()

    def suggestion(self, value: str) -> Locator:
        """One of the suggestions for the option that is being typed."""
        return self.page.locator(".command-suggestion").get_by_text(value, exact=True)

    def pick(self, value: str) -> None:
        """Choose a suggestion."""
        self.suggestion(value).click()

    def send(self) -> None:
        """Send the command, and wait for the page to be ready for the next."""
        self.page.get_by_role("button", name="Send").click()
        self.sees_an_empty_composer()

    def enter(self, command: str, *values: str) -> None:
        """Send a command with the keyboard only: its options in order, then Enter."""
        self.begin(command)
        for number, value in enumerate(values):
            if number:
                self.page.keyboard.press("Tab")
            self.page.keyboard.type(value, delay=20)
        self.page.keyboard.press("Enter")
        self.sees_an_empty_composer()

    def sees_an_empty_composer(self) -> None:
        """Wait until nothing is left of the command, and SimCord doesn't doubt its outcome."""
        expect(self.page.locator(".command-chip")).to_have_count(0)
        expect(self._composer).to_have_value("")
        expect(self.page.locator("#action-status")).to_have_text("Action completed")
        expect(self.page.locator("#demo-ended")).to_be_hidden()

    @property
    def _composer(self) -> Locator:
        return self.page.get_by_placeholder("Message #bot-admin")

    def on_bot(self, command: str, name: str) -> None:
        """Send a command that takes only a bot's name."""
        self.begin(command)
        self.pick(name)
        self.send()

    def fill(self, label: str, value: str) -> None:
        """Fill in a box of the open form."""
        self.page.get_by_role("textbox", name=label).fill(value)

    def create(self, name: str, template: str) -> None:
        """Send `/bot create` with a name, choose a template, and press Create."""
        self.enter("/bot create", name)
        self.sees(self.newest(), f"{name} — a new bot.")
        self.choose("Template", template, self.newest())
        self.sees(self.newest(), f"{template}:")
        self.press("Create", self.newest())
        private = self.messages.filter(has_text="Only you can see this").last
        self.sees(private, "is created. Enter its secrets")
        self.sees(self.card(name), "created (waiting for secrets)")

    def choose(self, select: str, option: str, within: Locator) -> None:
        """Choose an option of a select under a message."""
        within.get_by_role("combobox", name=select).click()
        self.page.get_by_role("option", name=option).first.click()

    def press(self, label: str, within: Locator) -> None:
        """Press a button under a message."""
        within.get_by_role("button", name=label, exact=True).click()

    def card(self, name: str) -> Locator:
        """The card of a bot: it says since when."""
        return (
            self.messages.filter(has_text=f"{name} —")
            .filter(has_text=re.compile("created|started|stopped|changed"))
            .filter(has_not_text="Only you can see this")
        )

    def newest(self) -> Locator:
        """The last message."""
        return self.messages.last

    def sees_newest(self, text: str, seconds: float = PATIENCE_SECONDS) -> None:
        """Wait until the last message shows this text, and its end is within the window."""
        self.sees(self.newest(), text, seconds)
        end = time.monotonic() + seconds
        while not self.newest().evaluate(_ENDS_IN_VIEW):
            assert time.monotonic() < end, f"{text!r} is outside the window"
            self.page.wait_for_timeout(100)

    def sees(self, where: Locator, text: str, seconds: float = PATIENCE_SECONDS) -> None:
        """Wait until it shows this text."""
        expect(where).to_contain_text(text, timeout=seconds * 1000)

    def take_picture(self, name: str) -> None:
        """Save a screenshot if BOTMAKER_SCREENSHOTS names a folder for them."""
        folder = os.environ.get("BOTMAKER_SCREENSHOTS")
        if not folder:
            return
        self.page.wait_for_timeout(600)  # scrolling and fonts come to rest
        self.page.screenshot(path=Path(folder) / f"{self._device}-{name}.png")
