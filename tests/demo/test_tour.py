"""A tour of the demo on a phone and a desktop's width, in a channel with 200 messages in it."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.demo.conftest import DEVICES, Demo
from tests.demo.person import Person

pytestmark = [pytest.mark.engine, pytest.mark.timeout(600)]

# Commands that are refused, sent by Ann, once there is a bot bee. Each with what she reads.
REFUSED = (
    ("/bot show", ("nobody",), "There is no bot of that name."),
    ("/bot create", ("A bad name",), "A bot's name can only have"),
    ("/bot do", ("bee", "dance"), "bee has no action of that name."),
    ("/bot history", ("nobody",), "There is no bot of that name."),
)


@pytest.mark.parametrize("device", ["phone"])
def test_a_tour_by_keyboard_in_a_full_channel(demo: Demo, person: Person) -> None:
    """Enter sends; every answer is in view, refusals too; `starting` is seen; it ends in a line."""
    person.open(demo.start("tests.demo.crowded"))
    person.sees_newest("BotMaker is ready.")

    person.create("bee", "Demo bot")
    person.sees(person.card("bee"), "bee — created (waiting for secrets)")
    person.take_picture("created")
    person.press("Enter secrets", person.newest())
    person.fill("Demo API key", "api-key-of-bee")
    person.fill("Demo channel token", "channel-token-of-bee")
    person.take_picture("form")
    person.page.get_by_role("button", name="Submit").click()
    person.sees(person.card("bee"), "bee — starting")
    person.take_picture("starting")
    person.sees(person.card("bee"), "bee — running")
    person.sees_newest("stored, fingerprint")

    for number, (command, values, words) in enumerate(REFUSED):
        if number == len(REFUSED) // 2:  # the same page, as wide as a desktop's
            person.page.set_viewport_size(DEVICES["desktop"]["viewport"])
        person.enter(command, *values)
        person.sees_newest("❌")
        person.sees_newest(words)
    person.take_picture("refused")

    person.press("Logs", person.card("bee"))
    person.sees_newest("secrets read: api_key channel_token")
    person.enter("/bot list")
    person.sees_newest("bee")

    sideways = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
    for size in DEVICES.values():
        person.page.set_viewport_size(size["viewport"])
        assert not person.page.evaluate(sideways)
    expect(person.page.get_by_text("SimCord").filter(visible=True)).to_have_count(0)
    assert person.problems == []
    person.press("Restart", person.card("bee"))  # it still runs when Ctrl-C comes
    person.sees(person.card("bee"), "bee — starting")
    status, out, err = demo.interrupt()
    assert (status, err) == (0, "")
    said = "Removing bee (Ctrl-C again quits at once) … removed, with all data and secrets."
    assert out.strip() == said
    assert demo.left() == []


def test_a_bot_says_what_it_is_told_to_and_a_watcher_may_only_look(
    demo: Demo, person: Person
) -> None:
    """`/bot do` runs the demo bot's actions. Ben sees the bot and is refused in words."""
    person.open(demo.start())
    person.create("bee", "Demo bot")
    person.press("Enter secrets", person.card("bee"))
    person.fill("Demo API key", "api-key-of-bee")
    person.fill("Demo channel token", "channel-token-of-bee")
    person.page.get_by_role("button", name="Submit").click()
    person.sees(person.card("bee"), "bee — running")

    person.enter("/bot do", "bee", "status")
    person.sees_newest("behaviour: steady")
    person.enter("/bot do", "bee", "say")
    person.fill("What should it say?", "Hello, Workshop!")
    person.page.get_by_role("button", name="Submit").click()
    person.sees_newest("It says it in its log")
    demo.waits_for_line("says: Hello, Workshop!")
    person.press("Logs", person.card("bee"))
    person.sees_newest("says: Hello, Workshop!")

    person.page.get_by_label("Viewing as").select_option(label="Ben")
    person.sees_newest("bee — running")
    person.enter("/bot stop", "bee")
    person.sees_newest("Stopping a bot needs the role operator; you are viewer.")
    person.take_picture("watcher")
    person.press("Logs", person.card("bee"))
    person.sees_newest("says: Hello, Workshop!")
    assert demo.container()["State"]["Running"]


def test_a_refused_token_is_told_and_another_one_is_taken(demo: Demo, person: Person) -> None:
    """The stand-in for Telegram refuses the first; the form opens again and takes the second."""
    person.open(demo.start())
    person.create("tele", "Demo bot on Telegram")
    person.press("Enter secrets", person.card("tele"))
    person.fill("Demo API key", "api-key-of-tele")
    person.fill("Telegram bot token", "refuse-me")
    person.page.get_by_role("button", name="Submit").click()
    person.sees_newest("Telegram doesn't accept it.")
    person.take_picture("token-refused")
    assert demo.containers() == []
    person.press("Enter secrets", person.newest())
    person.fill("Demo API key", "api-key-of-tele")
    person.fill("Telegram bot token", "token-of-tele")
    person.page.get_by_role("button", name="Submit").click()
    person.sees_newest("Telegram accepts it: the bot @workshop_bot.")
    person.sees(person.card("tele"), "tele — running")
