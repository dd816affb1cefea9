"""The demo's second address: the dashboard over the same bots, with real containers under it."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.demo.conftest import DEVICES, Demo
from tests.demo.person import Person

pytestmark = [pytest.mark.engine, pytest.mark.timeout(400)]
KEY = "api-key-of-bee-12345"
TOKEN = "channel-token-of-bee-67890"


def link_of_the_chat(person: Person) -> str:
    """What `/access web` answers, to one person alone."""
    person.begin("/access web")
    person.send()
    person.sees(person.newest(), "This signs you in once")
    found = person.newest().get_by_role("link", name="Sign in").get_attribute("href")
    assert found is not None
    return found


def create_bee(page: Page) -> None:
    """On the dashboard's one page."""
    page.get_by_role("link", name="New bot").click()
    page.get_by_text("Demo bot", exact=True).click()
    page.get_by_label("Name").fill("bee")
    page.get_by_label("Demo API key").fill(KEY)
    page.get_by_label("Demo channel token").fill(TOKEN)
    page.get_by_role("button", name="Create and start").click()


def test_the_chats_link_signs_in_and_both_show_the_same_bots(
    demo: Demo, person: Person, browser: Browser
) -> None:
    """A bot made in the dashboard has its card in the chat, and its log on both."""
    person.open(demo.start())
    link = link_of_the_chat(person)
    assert link.startswith(demo.dashboard + "login#")
    context = browser.new_context(**DEVICES["phone"])
    page = context.new_page()
    page.set_default_timeout(60_000)
    page.goto(link)
    expect(page.get_by_role("heading", name="Sign in as Ann?")).to_be_visible()
    page.get_by_role("button", name="Sign in").click()
    create_bee(page)
    expect(page.locator(".state .phase")).to_have_text("running")
    person.sees(person.card("bee"), "bee — running")
    first = demo.container()
    assert first["State"]["Running"]
    assert KEY not in str(first)
    log = page.get_by_role("log")
    expect(log).to_contain_text("secrets read: api_key channel_token")
    expect(log).to_contain_text("heartbeat 1")
    assert KEY not in page.content()
    page.get_by_role("button", name="Restart").click()
    expect(page.get_by_text("bee is running. Took")).to_be_visible()
    second = demo.container()
    assert second["State"]["StartedAt"] != first["State"]["StartedAt"]
    expect(log.locator(".divider")).to_contain_text("started")
    page.get_by_role("link", name="Settings").click()
    page.get_by_label("Type bee to delete it").fill("bee")
    page.get_by_role("button", name="Delete").click()
    expect(page.get_by_text("There are no bots yet.")).to_be_visible()
    assert (demo.containers(), demo.secret_files()) == ([], {})
    context.close()
    demo.interrupt()
    assert demo.left() == []
