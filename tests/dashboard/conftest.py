"""A dashboard over an installation in memory, and a visitor with a browser."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from playwright.async_api import Browser, async_playwright

from tests.api.conftest import api, rig
from tests.dashboard.site import DEVICES, Site, Visitor, visitor
from tests.demo.conftest import QUIET, chromium
from tests.manager.conftest import pytest_runtest_makereport
from tests.manager.rig import Rig

__all__ = ["api", "pytest_runtest_makereport", "rig"]


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    """This machine's Chromium; the test fails if there is none."""
    async with async_playwright() as playwright:
        opened = await playwright.chromium.launch(executable_path=chromium(), args=QUIET)
        yield opened
        await opened.close()


@pytest.fixture
async def site(rig: Rig) -> AsyncIterator[Site]:
    """The dashboard of the installation."""
    site = Site(rig)
    await site.open()
    yield site
    await site.close()


@pytest.fixture
def device() -> str:
    """What the visitor looks through. Parametrize a test with `device` to use others."""
    return "phone"


@pytest.fixture
async def ann(browser: Browser, site: Site, device: str) -> AsyncIterator[Visitor]:
    """Somebody with a browser who isn't signed in yet."""
    options: dict[str, Any] = DEVICES[device]
    context = await browser.new_context(**options)
    yield await visitor(context, site)
    await context.close()
