"""An installation in memory with its dashboard on a port that stays, and browsers that open it."""

from __future__ import annotations

import asyncio
import contextlib
import json
from pathlib import Path
from typing import Any

from playwright.async_api import BrowserContext, Error, Page, expect

from controller.api import KeyHolders, serve
from controller.api.request_rates import Limits
from controller.domain.roles import Role
from controller.fleet.journal import Caller
from tests.api.client import GENEROUS, Members, free_port
from tests.demo.person import NETWORK_CHANGED
from tests.manager.rig import ANN_ASKS, Rig

PATIENCE_MS = 20_000
# What a browser says by itself about a server that is away or refuses; we see both on the page.
NETWORK = ("Failed to load resource", "net::ERR_")
WATCH_POLICY = """
window.policyReports = [];
addEventListener("securitypolicyviolation", (report) => {
  policyReports.push(`${report.violatedDirective} ${report.blockedURI}`);
});
"""
PHONE: dict[str, Any] = {
    "viewport": {"width": 390, "height": 844},
    "has_touch": True,
    "is_mobile": True,
    "device_scale_factor": 2,
}
DESKTOP: dict[str, Any] = {"viewport": {"width": 1280, "height": 800}}
DEVICES = {"phone": PHONE, "desktop": DESKTOP}


class Site:
    """The dashboard of an installation. Its controller may be killed and come back."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.members = Members()
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._server: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Serve the present controller."""
        manager, listen = self.rig.manager, f"127.0.0.1:{self.port}"
        callers = KeyHolders(manager, self.members)
        self._server = asyncio.create_task(
            serve(manager, lambda: True, listen, callers, Limits(GENEROUS)), name="dashboard"
        )
        for _ in range(400):
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", self.port)
                writer.close()
                return
            await asyncio.sleep(0.01)
        raise AssertionError("the dashboard isn't served")

    async def close(self) -> None:
        """Serve no longer."""
        if self._server is None:
            return
        self._server.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._server
        self._server = None

    async def link(self, who: Caller = ANN_ASKS) -> str:
        """A fresh link that signs this person in, as `/access web` gives it."""
        code = await self.rig.manager.web_sessions.invite(who)
        return f"{self.url}/login#{code}"


class Visitor:
    """Somebody with a browser. Finds things by the words on the page."""

    def __init__(self, page: Page, site: Site) -> None:
        self.page = page
        self.site = site
        self.problems: list[str] = []
        self.asked: list[str] = []  # addresses of all requests
        page.set_default_timeout(PATIENCE_MS)
        expect.set_options(timeout=PATIENCE_MS)
        page.on("pageerror", lambda error: self.problems.append(str(error)))
        page.on("console", self._note)
        page.on("request", lambda request: self.asked.append(request.url))
        self._lost: list[str] = []
        page.on("requestfailed", lambda request: self._lost.append(str(request.failure)))

    def _note(self, message: Any) -> None:
        if any(words in message.text for words in NETWORK):
            self._lost.append(message.text)
        elif message.type in {"error", "warning"}:
            self.problems.append(message.text)

    async def goto(self, address: str) -> None:
        """Go to an address; again if the browser itself lost one of its files."""
        while True:
            self._lost.clear()
            with contextlib.suppress(Error, AssertionError):
                await self.page.goto(address)
                await expect(self.page.locator("h1").first).to_be_visible()
                return
            if not any(NETWORK_CHANGED in reason for reason in self._lost):
                seen = await self.page.content()
                raise AssertionError(
                    f"{address} shows nothing: {self._lost} {self.problems} {self.asked} {seen}"
                )

    async def sign_in(self, who: Caller = ANN_ASKS) -> None:
        """By a fresh link, through its page."""
        await self.goto(await self.site.link(who))
        await self.page.get_by_role("button", name="Sign in").click()
        await expect(self.page.get_by_role("heading", name="Fleet")).to_be_visible()

    async def open(self, path: str) -> None:
        """Go to a page by its address."""
        await self.goto(self.site.url + path)

    async def press(self, name: str) -> None:
        """Press a button."""
        await self.page.get_by_role("button", name=name, exact=True).click()

    async def go(self, name: str) -> None:
        """Follow a link."""
        await self.page.get_by_role("link", name=name, exact=True).click()

    async def sees(self, text: str) -> None:
        """Wait until the page shows this."""
        await expect(self.page.get_by_text(text).first).to_be_visible()

    async def reports(self) -> list[str]:
        """What the browser refused because of the page's policy, since it was loaded."""
        found: list[str] = await self.page.evaluate("window.policyReports")
        return found

    async def holds(self, *secrets: str) -> list[str]:
        """Where one of these texts is: document, boxes, storage, cookies, addresses."""
        page = self.page
        places = {
            "document": await page.content(),
            "boxes": await page.evaluate(
                "[...document.querySelectorAll('input, textarea')].map((e) => e.value).join('\\n')"
            ),
            "storage": await page.evaluate(
                "JSON.stringify([{...localStorage}, {...sessionStorage}, history.state])"
            ),
            "addresses": "\n".join([page.url, *self.asked]),
            "cookies": json.dumps([dict(c) for c in await page.context.cookies()]),
        }
        return [name for name, text in places.items() if any(one in text for one in secrets)]

    async def take_picture(self, folder: Path, name: str) -> None:
        """A picture of what is in the window."""
        await self.page.screenshot(path=folder / f"{name}.png")


async def visitor(context: BrowserContext, site: Site) -> Visitor:
    """Somebody new in this browser."""
    page = await context.new_page()
    await page.add_init_script(WATCH_POLICY)
    return Visitor(page, site)


async def grant(rig: Rig, role: Role, user: int = 2) -> None:
    """Give a person a role for all bots."""
    from controller.domain.access import Grant

    await rig.manager.access.grant(ANN_ASKS, Grant("user", user, role))
