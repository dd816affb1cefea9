"""`/bot list`: pages, filters, a file, and each bot opened by a pick."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from typing import Any

import pytest
from simcord.results import ResponseMessage

from controller.chat.commands.bot_list import PAGE, Filter
from controller.chat.words.fleet_words import list_page, table
from controller.domain.bot import Bot, Wish
from controller.domain.phase import Phase
from controller.fleet.views import EngineState, View
from demo.world import World
from tests.chat.acting import (
    COMPONENT,
    engine_of,
    forge,
    labels,
    make,
    newcomer,
    picks,
    press,
    ready_bot,
    said,
    until_phase,
)

UP = EngineState(True, 1.0, "")
BOT = Bot(id="b", name="shop", template="echo", provider="", model="", channel="")


async def listed(world: World, person: Any = None, **options: str) -> ResponseMessage:
    """The answer to `/bot list`."""
    answer = await (person or world.admin).slash(world.channel, "bot list", **options)
    said(answer)
    assert answer.response is not None
    found: ResponseMessage = answer.response
    return found


async def picked(world: World, message: ResponseMessage, label: str, person: Any = None) -> Any:
    """What somebody gets who picks this."""
    return await (person or world.admin).select(
        message, values=[picks(message)[label]], custom_id=_select_of(message, label)
    )


def _select_of(message: ResponseMessage, label: str) -> str:
    rows = [part for row in message.components for part in row["components"]]
    selects = [part for part in rows if part["type"] == 3]
    found = [s for s in selects if label in {option["label"] for option in s["options"]}]
    return str(found[0]["custom_id"])


async def fleet(world: World, count: int) -> None:
    """That many bots, without asking for them in Discord one by one."""
    shown = world.application.installation.tools.fleet
    for number in range(count):
        bot = replace(BOT, id=f"id-{number:02}", name=f"bot-{number:02}", wish=Wish.STOP)
        shown.show_bot(bot)


async def test_a_long_list_has_pages_and_each_says_which_it_is(world: World) -> None:
    """Next and Previous lead through all of them, ten at a time."""
    await fleet(world, 2 * PAGE + 3)
    message = await listed(world)
    assert "23 bots: 23 stopped (page 1 of 3)" in message.content
    assert message.content.count("**bot-") == PAGE
    assert labels(message) == ["Next", "Refresh", "File"]
    for expected in ("page 2 of 3", "page 3 of 3"):
        await world.admin.click(message, label="Next")
        assert expected in message.content
    assert "**bot-22**" in message.content
    assert labels(message) == ["Previous", "Refresh", "File"]
    await world.admin.click(message, label="Previous")
    assert "page 2 of 3" in message.content


async def test_a_page_that_is_gone_is_the_last_one_and_a_filter_begins_anew(world: World) -> None:
    """Neither is an empty page."""
    await fleet(world, 2 * PAGE)
    shown = world.application.installation.tools.fleet
    shown.show_bot(replace(BOT, id="other", name="another", template="handy"))
    message = await listed(world)
    assert "page 1 of 3" in message.content
    await world.admin.click(message, label="Next")
    assert "page 2 of 3" in message.content
    await picked(world, message, "Template echo")
    assert "page 1 of 2" in message.content
    await world.admin.click(message, label="Next")
    assert "page 2 of 2" in message.content
    for number in range(PAGE, 2 * PAGE):
        shown.forget(f"id-{number:02}")
    await world.admin.click(message, label="Refresh")
    assert message.content.count("**bot-") == PAGE


async def test_a_bot_opens_by_a_pick_with_all_that_can_be_done_to_it(world: World) -> None:
    """Beside the list, which stays."""
    await ready_bot(world)
    message = await listed(world)
    opened = await picked(world, message, "shop")
    assert "🟢 **shop** — running" in said(opened)
    assert labels(opened.response) == ["Logs", "Restart", "Settings", "Stop"]
    assert "Delete" in picks(opened.response)
    assert "**shop**" in message.content


async def test_the_list_is_narrowed_by_a_pick_and_says_to_what(world: World) -> None:
    """Counts stand beside each choice; all bots come back by the same select."""
    await ready_bot(world)
    await make(world, "late", template="handy")
    message = await listed(world)
    assert {"All bots", "Running", "Created", "Template echo", "Template handy"} <= set(
        picks(message)
    )
    await picked(world, message, "Running")
    assert "**shop**" in message.content
    assert "late" not in message.content
    assert "(in the phase running)" in message.content
    await picked(world, message, "All bots")
    assert "**late**" in message.content
    await picked(world, message, "Template handy")
    assert "shop" not in message.content


async def test_the_command_narrows_by_template_and_text(world: World) -> None:
    """A template by its title; a text in a name, whatever its case."""
    await ready_bot(world)
    await make(world, "late", template="handy")
    assert "shop" not in (await listed(world, template="Handy bot")).content
    found = await listed(world, text="SHO")
    assert "**shop**" in found.content
    assert "late" not in found.content
    assert (await listed(world, text="`nothing`")).content.startswith(
        "No bot is called like “\\`nothing"
    )


async def test_the_worst_come_first(world: World) -> None:
    """Whatever their names."""
    good = await ready_bot(world, "aaa")
    bad = await ready_bot(world, "zzz")
    engine_of(world).crash(bad.bot.id, 78)
    await until_phase(world, "zzz", Phase.ERROR)
    text = (await listed(world)).content
    assert text.index("**zzz**") < text.index(f"**{good.bot.name}**")


async def test_somebody_with_one_bot_is_shown_that_one_and_its_filter_counts_no_other(
    world: World,
) -> None:
    """Also by somebody else's button, and in the file."""
    await ready_bot(world)
    await make(world, "secret-project", template="handy")
    bob = newcomer(world, "bob")
    await world.admin.slash(world.channel, "access grant", who=bob, role="viewer", bot="shop")
    message = await listed(world, bob)
    every = [message.content, *picks(message)]
    assert not any("secret" in words or "handy" in words for words in every)
    forged = forge(world, bob, world.channel, COMPONENT, press("listfile:0:-:-:secret"), message)
    await world.env.settle()
    assert forged.response is not None
    (file,) = forged.response.attachments
    assert "secret" not in (await file.read()).decode()


@pytest.mark.parametrize(
    "custom_id", ["list:x:-:-:", "list:0", "list:0:asleep:-:", "list:-:-:-:-:-:-", "relist:²:-:-:"]
)
async def test_a_forged_page_is_refused_in_words(world: World, custom_id: str) -> None:
    """No incident."""
    message = await listed(world)
    forged = forge(world, world.admin, world.channel, COMPONENT, press(custom_id), message)
    await world.env.settle()
    assert "That button is damaged." in forged.response.content  # type: ignore[union-attr]


def test_a_list_of_long_names_fits_into_a_message() -> None:
    """What a bot is made of goes first; no bot does."""
    bots = [
        replace(BOT, name=f"{'n' * 37}-{n:02}", model="m_" * 60, provider="p") for n in range(PAGE)
    ]
    views = [View(bot, phase=Phase.RUNNING, since=1_700_000_000.0) for bot in bots]
    text = list_page(
        views, views, UP, page=(1, 100), only=["in the phase running", "called like “" + "x" * 30]
    )
    assert len(text) <= 2000
    assert all(f"**{bot.name}**" in text for bot in bots)


def test_the_file_is_a_table_that_phones_open_and_no_formula() -> None:
    """Commas, a heading, UTF-8; a spreadsheet computes nothing."""
    hostile = replace(BOT, model='=HYPERLINK("x")', provider="a,b")
    rows = list(csv.reader(io.StringIO(table([View(hostile, phase=Phase.STOPPED)]))))
    assert rows == [
        ["name", "phase", "template", "provider", "model", "channel"],
        ["shop", "stopped", "echo", "a,b", '\'=HYPERLINK("x")', ""],
    ]


def test_a_filter_looks_at_what_a_bot_is_called_and_made_of() -> None:
    """And at nothing else of it."""
    view = View(replace(BOT, model="claude", fields={"secret": "hidden"}), phase=Phase.RUNNING)
    assert Filter(text="CLAU").takes(view)
    assert not Filter(text="hidden").takes(view)
    assert not Filter(template="other").takes(view)
    assert not Filter(phase=Phase.STOPPED).takes(view)
