"""A bot's log in Discord: what is shown, how one goes on from there, and that it cannot harm."""

from __future__ import annotations

import re
import time
from dataclasses import replace

import pytest
from simcord.results import InteractionResult

from controller.chat.logs.log_answers import PRESETS, preset_query
from controller.domain.events import LogQuery
from controller.domain.journal import Author
from controller.fleet.views import View
from controller.manager.logbook import LINES_MAX
from demo.world import World
from tests.chat.acting import (
    COMPONENT,
    KEY,
    TOKEN,
    Message,
    buttons_of,
    card,
    engine_of,
    forge,
    labels,
    picks,
    press,
    ready_bot,
    said,
)
from tests.chat.house import House

MENTION = re.compile(r"@(?:everyone|here)|<@[!&]?\d+>")


async def logs(world: World, **options: object) -> InteractionResult:
    """`/bot logs shop`."""
    return await world.admin.slash(world.channel, "bot logs", name="shop", **options)


def inside(text: str) -> str:
    """What stands in the one code block of a message, which nothing may break out of."""
    assert text.count("```") == 2, text
    before, block, after = text.split("```")
    assert after == ""
    assert "\n" not in before.rstrip("\n")
    return block.strip("\n")


def shown(text: str) -> list[str]:
    """The lines of the log in a message, without their times."""
    lines = [line for line in inside(text).split("\n") if not line.startswith("── ")]
    return [re.sub(r"^\d\d:\d\d:\d\d [! ] ", "", line) for line in lines]


def numbered(world: World, view: View, count: int) -> None:
    """Lines that are a moment apart, as a real program's are."""
    for number in range(count):
        engine_of(world).write_log(view.bot.id, f"line {number:03}")
        time.sleep(0.00001)


async def content(message: Message) -> str:
    """The text of the one file of a message."""
    (attachment,) = message.attachments
    return (await attachment.read()).decode()


async def test_a_snippet_has_the_newest_lines_in_order(world: World) -> None:
    """Fifty lines unless asked otherwise, newest last, private, with its buttons."""
    view = await ready_bot(world)
    numbered(world, view, 60)
    answer = await logs(world)
    text = said(answer)
    assert text.startswith("**shop** — 50 lines, times in UTC, `!` is stderr\n```")
    assert shown(text) == [f"line {n:03}" for n in range(10, 60)]
    assert answer.response is not None
    assert labels(answer.response) == ["Older", "Refresh", "Follow", "File"]


async def test_older_shows_what_came_before_and_no_line_twice(world: World) -> None:
    """Page by page to the beginning, which is said."""
    view = await ready_bot(world)
    numbered(world, view, 25)
    answer = await logs(world, lines=10)
    message = answer.response
    assert message is not None
    pages = [shown(message.content)]
    for _ in range(2):
        await world.admin.click(message, label="Older")
        pages.append(shown(message.content))
    found = [line for page in reversed(pages) for line in page]
    assert found == [f"line {n:03}" for n in range(25)]
    await world.admin.click(message, label="Older")
    assert message.content == "**shop** — Nothing older."
    assert labels(message) == ["Newer", "Refresh", "Follow", "File"]


async def test_newer_goes_the_same_way_back(world: World) -> None:
    """From the beginning to the newest lines, each once; then there is nothing newer, until there
    is."""
    view = await ready_bot(world)
    numbered(world, view, 35)
    answer = await logs(world, lines=10)
    message = answer.response
    assert message is not None
    assert "Newer" not in labels(message)
    for _ in range(4):
        await world.admin.click(message, label="Older")
    assert message.content == "**shop** — Nothing older."
    found = []
    while "Newer" in labels(message):
        await world.admin.click(message, label="Newer")
        found += shown(message.content)
    assert found == [f"line {n:03}" for n in range(35)]
    await world.admin.click(message, label="Older")
    assert shown(message.content) == [f"line {n:03}" for n in range(20, 30)]


async def test_newer_shows_each_line_of_one_moment_once(world: World) -> None:
    """A page may end in the middle of what was printed at once."""
    view = await ready_bot(world)
    engine_of(world).write_log(view.bot.id, "\n".join(f"{n}" for n in range(35)))
    held = engine_of(world).containers[view.bot.id]
    lines = [replace(line, at=held.log[0].at) for line in held.log]
    held.log.clear()
    held.log.extend(lines)
    answer = await logs(world, lines=10)
    message = answer.response
    assert message is not None
    for _ in range(4):
        await world.admin.click(message, label="Older")
    found = []
    while "Newer" in labels(message):
        await world.admin.click(message, label="Newer")
        found += shown(message.content)
    assert found == [f"{n}" for n in range(35)]


async def test_where_another_day_begins_its_date_stands(world: World) -> None:
    """In the block, above the line: a time alone says nothing the day after."""
    view = await ready_bot(world)
    engine_of(world).write_log(view.bot.id, "\n".join(f"{n}" for n in range(3)))
    held = engine_of(world).containers[view.bot.id]
    days = 1_795_830_000.0, 1_795_830_001.0, 1_795_930_000.0
    lines = [replace(line, at=at) for line, at in zip(held.log, days, strict=True)]
    held.log.clear()
    held.log.extend(lines)
    answer = await logs(world)
    assert answer.response is not None
    assert inside(answer.response.content).split("\n") == [
        "── Sat 28 Nov 2026 ──", "01:40:00   0", "01:40:01   1",
        "── Sun 29 Nov 2026 ──", "05:26:40   2",
    ]  # fmt: skip


async def test_refresh_edits_the_snippet_in_place(world: World) -> None:
    """No second message; the new line is there."""
    view = await ready_bot(world)
    numbered(world, view, 3)
    answer = await logs(world, lines=2)
    assert answer.response is not None
    engine_of(world).write_log(view.bot.id, "brand new")
    pressed = await world.admin.click(answer.response, label="Refresh")
    assert shown(answer.response.content) == ["line 002", "brand new"]
    assert pressed.followups == []


async def test_the_file_has_up_to_a_thousand_lines(world: World) -> None:
    """As an attachment of its own, named after the bot."""
    view = await ready_bot(world)
    numbered(world, view, 1100)
    answer = await logs(world)
    assert answer.response is not None
    pressed = await world.admin.click(answer.response, label="File")
    assert "the newest 1000 lines as a file." in said(pressed)
    assert pressed.response is not None
    assert pressed.response.attachments[0].filename == "shop.log"
    lines = (await content(pressed.response)).splitlines()
    assert len(lines) == 1000
    assert lines[-1].endswith("line 1099")


async def test_grep_since_stream_and_lines_choose(world: World) -> None:
    """Each option alone and together; the buttons keep what was chosen."""
    view = await ready_bot(world)
    engine = engine_of(world)
    engine.write_log(view.bot.id, "Apple one\nbanana\nAPPLE two")
    engine.write_log(view.bot.id, "apple on stderr", "stderr")
    assert shown(said(await logs(world, grep="apple"))) == [
        "Apple one",
        "APPLE two",
        "apple on stderr",
    ]
    assert shown(said(await logs(world, stream="stderr"))) == ["apple on stderr"]
    assert "! apple on stderr" in said(await logs(world))
    assert shown(said(await logs(world, grep="apple", lines=1))) == ["apple on stderr"]
    assert len(shown(said(await logs(world, since="10m")))) == 4
    chosen = await logs(world, grep="apple", stream="stdout", lines=1)
    assert chosen.response is not None
    engine.write_log(view.bot.id, "apple three\ncherry")
    await world.admin.click(chosen.response, label="Refresh")
    assert shown(chosen.response.content) == ["apple three"]
    await world.admin.click(chosen.response, label="Older")
    assert shown(chosen.response.content) == ["APPLE two"]


async def test_grep_is_plain_text_and_may_hold_what_ids_are_made_of(world: World) -> None:
    """No pattern, and a colon in it survives the buttons."""
    view = await ready_bot(world)
    engine_of(world).write_log(view.bot.id, "a:b:c (x)*\nother")
    answer = await logs(world, grep="a:b:c (x)*")
    assert shown(said(answer)) == ["a:b:c (x)*"]
    assert answer.response is not None
    await world.admin.click(answer.response, label="Refresh")
    assert shown(answer.response.content) == ["a:b:c (x)*"]


async def test_a_grep_too_long_for_a_button_works_with_every_button(world: World) -> None:
    """Discord's ids end at a hundred characters: what does not fit is kept beside them."""
    view = await ready_bot(world)
    engine = engine_of(world)
    needle = "x" * 100
    for line in (f"1 {needle}", "nothing", f"2 {needle}"):
        engine.write_log(view.bot.id, line)
    answer = await logs(world, grep=needle, lines=1)
    message = answer.response
    assert message is not None
    assert shown(message.content) == [f"2 {needle}"]
    assert labels(message) == ["Older", "Refresh", "Follow", "File"]
    assert all(len(button["custom_id"]) <= 100 for button in buttons_of(message))
    engine.write_log(view.bot.id, f"3 {needle}\nnothing")
    await world.admin.click(message, label="Refresh")
    assert shown(message.content) == [f"3 {needle}"]
    await world.admin.click(message, label="Older")
    assert shown(message.content) == [f"2 {needle}"]
    pressed = await world.admin.click(message, label="File")
    assert pressed.response is not None
    assert len((await content(pressed.response)).splitlines()) == 3


async def test_a_long_grep_that_is_forgotten_is_asked_for_again(house: House) -> None:
    """After a new start of the controller the button says so, and shows no other lines."""
    async with house.controller() as world:
        view = await ready_bot(world)
        engine_of(world).write_log(view.bot.id, "y" * 40 + "\nnothing")
        answer = await logs(world, grep="y" * 40)
        assert answer.response is not None
        refresh = buttons_of(answer.response)[1]["custom_id"]
    async with house.controller() as world:
        scrap = await world.admin.send(world.channel, "scrap")
        pressed = forge(world, world.admin, world.channel, COMPONENT, press(refresh), scrap)
        await world.env.settle()
        (beside,) = pressed.followups
        assert "This button's search was forgotten." in beside.content
        assert "/bot logs" in beside.content


async def test_a_grep_that_looks_like_a_kept_one_is_searched_for_as_it_is(world: World) -> None:
    """Nobody reads another's search by typing its key."""
    view = await ready_bot(world)
    engine_of(world).write_log(view.bot.id, "~0123456789ab\nother")
    answer = await logs(world, grep="~0123456789ab")
    assert answer.response is not None
    await world.admin.click(answer.response, label="Refresh")
    assert shown(answer.response.content) == ["~0123456789ab"]


BAD_OPTIONS: list[tuple[dict[str, object], str]] = [
    ({"since": "yesterday"}, "`since` must be a time back from now, such as 10m.\nUse a number"),
    ({"since": "10"}, "`since` must be a time back from now"),
    ({"since": "-5m"}, "`since` must be a time back from now"),
    ({"lines": 0}, "`lines` must be from 1 to 1000.\nLeave it out for 50."),
    ({"lines": 1001}, "`lines` must be from 1 to 1000."),
    ({"lines": -1}, "`lines` must be from 1 to 1000."),
]


async def test_bad_options_are_refused_with_the_right_form(world: World) -> None:
    """The answer shows what could be typed."""
    await ready_bot(world)
    for options, words in BAD_OPTIONS:
        assert words in said(await logs(world, **options))


async def test_an_empty_log_is_said_to_be_empty(world: World) -> None:
    """Nothing to show is no error, and no empty file comes."""
    await ready_bot(world)
    answer = await logs(world)
    assert said(answer) == "**shop** — Its log is empty."
    assert answer.response is not None
    assert labels(answer.response) == ["Refresh", "Follow", "File"]
    pressed = await world.admin.click(answer.response, label="File")
    assert said(pressed) == "**shop** — Its log is empty."
    assert said(await logs(world, grep="apple")) == "**shop** — No matching lines."


async def test_a_search_says_how_far_it_looked_and_goes_on(world: World) -> None:
    """An early word behind more lines than one search looks through is found by Older."""
    view = await ready_bot(world)
    engine_of(world).write_log(view.bot.id, "the early word")
    time.sleep(0.001)
    for number in range(6500):
        engine_of(world).write_log(view.bot.id, f"line {number}")
    answer = await logs(world, grep="EARLY")
    message = answer.response
    assert message is not None
    assert "No matching lines in what I looked through (5000 lines, back to " in message.content
    assert "**Older** looks further back." in message.content
    assert labels(message) == ["Older", "Refresh", "Follow", "File"]
    await world.admin.click(message, label="Older")
    assert shown(message.content) == ["the early word"]
    await world.admin.click(message, label="Older")
    assert message.content == "**shop** — Nothing older that matches."


async def test_older_reaches_every_line_also_those_of_one_moment(world: World) -> None:
    """1,493 lines older than what was shown first, all printed at once: page by page, each once."""
    view = await ready_bot(world)
    engine_of(world).write_log(view.bot.id, "\n".join(f"{n}" for n in range(1593)))
    held = engine_of(world).containers[view.bot.id]
    moment = held.log[0].at
    lines = [replace(line, at=moment + number // 700) for number, line in enumerate(held.log)]
    held.log.clear()
    held.log.extend(lines)
    answer = await logs(world, lines=100)
    message = answer.response
    assert message is not None
    found = shown(message.content)
    for _ in range(20):
        await world.admin.click(message, label="Older")
        if "```" not in message.content:
            break
        found = [*shown(message.content), *found]
    assert message.content == "**shop** — Nothing older."
    assert found == [f"{n}" for n in range(1593)]


async def test_a_log_that_is_hidden_is_not_said_to_be_empty(world: World) -> None:
    """Lines from before the secrets changed exist, and aren't shown."""
    view = await ready_bot(world)
    engine_of(world).write_log(view.bot.id, "old")
    wishes = world.application.installation.tools.wishes
    later = time.time() + 1
    await wishes.change(
        view.bot.id, lambda bot: replace(bot, run=bot.run.hide_log(later)), by=Author()
    )
    assert said(await logs(world)) == (
        "**shop** — No lines since its secrets changed; older ones are hidden."
    )


HOSTILE = {
    "fence": "``` ```` `````` @everyone",
    "fence at the end": "broken ``",
    "mentions": "<@123456789012345678> <@&123456789012345678> @everyone @here <#12345678901234567>",
    "escape codes": "\x1b[31mred\x1b[0m \x1b]0;title\x07 \x1b[2J",
    "bidi": "user\u202egnp.exe\u2066 \u200f\ufeff\u2028next",
    "controls": "bell\x07 back\x08 nul\x00 del\x7f c1\x9b31m",
    "markdown": "**bold** [click](https://evil.example) # head\n> quote ||spoiler||",
    "keys": "sk-ant-" + "a1B2" * 10 + " ghp_" + "a" * 36 + " AKIA" + "A" * 16,
    "a bot's own secrets": f"key={KEY} token={TOKEN}",
    "url with a password": "postgres://user:hunter2secret@db/x",
    "long": "y" * 5000,
    "long and fenced": "`" * 5000,
    "long and full of mentions": "@" * 5000,
    "wide": "👩‍👩‍👧‍👦" * 400,
    "lone surrogate replaced": "\ufffd" * 10,
    "only spaces": " " * 30,
}


async def test_hostile_lines_stay_in_their_block(world: World) -> None:
    """No break-out, no live mention, no control character, no secret, not too long."""
    view = await ready_bot(world)
    for line in HOSTILE.values():
        engine_of(world).containers[view.bot.id].log.clear()
        engine_of(world).write_log(view.bot.id, "before\n" + line + "\nafter")
        await harmless(await logs(world))


async def harmless(answer: InteractionResult) -> None:
    """Whatever was in the log, this is what of it may be read."""
    text = said(answer)
    block = inside(text)
    assert "after" in block
    assert MENTION.search(text) is None
    for character in text:
        assert character in "\n\u200b" or character.isprintable(), repr(character)
    for secret in (KEY, TOKEN, "a1B2" * 5, "AKIA" + "A" * 16, "hunter2secret", "ghp_aaaa"):
        assert secret not in text
    assert answer.response is not None
    for attachment in answer.response.attachments:
        whole = (await attachment.read()).decode()
        assert KEY not in whole
        assert "\x1b" not in whole


async def test_what_does_not_fit_comes_as_a_file_beside_the_newest_lines(world: World) -> None:
    """The message says how much of it is here; the file has all of it, once."""
    view = await ready_bot(world)
    for number in range(200):
        engine_of(world).write_log(view.bot.id, f"{number:03} " + "z" * 20)
    answer = await logs(world, lines=200)
    text = said(answer)
    count = len(shown(text))
    assert 0 < count < 200
    assert (
        f"**shop** — 200 lines, times in UTC, `!` is stderr; showing the last {count} lines" in text
    )
    assert shown(text)[-1].startswith("199 ")
    assert answer.response is not None
    assert len((await content(answer.response)).splitlines()) == 200


async def test_many_short_lines_never_make_a_message_too_long(world: World) -> None:
    """Discord refuses 2,001 characters, however many lines they are."""
    view = await ready_bot(world)
    for text in (" ", "x", "xx", "x" * 5, "`", "@"):
        for _ in range(300):
            engine_of(world).write_log(view.bot.id, text)
        answer = await logs(world, lines=300)
        assert len(said(answer)) > 1500
        assert answer.response is not None
        assert len((await content(answer.response)).splitlines()) == 300


async def test_the_logs_button_is_the_command_without_options(world: World) -> None:
    """From the card, private to whoever pressed."""
    view = await ready_bot(world)
    numbered(world, view, 2)
    data = press(f"logs:{view.bot.id}")
    pressed = forge(world, world.admin, world.channel, COMPONENT, data, card(world, "shop"))
    await world.env.settle()
    assert shown(said(pressed)) == ["line 000", "line 001"]


async def test_a_refresh_without_an_engine_keeps_the_snippet(world: World) -> None:
    """What is on the screen stays; the reason comes beside it."""
    view = await ready_bot(world)
    numbered(world, view, 2)
    answer = await logs(world)
    assert answer.response is not None
    before = answer.response.content
    engine_of(world).go_away()
    pressed = await world.admin.click(answer.response, label="Refresh")
    assert answer.response.content == before
    assert labels(answer.response) == ["Older", "Refresh", "Follow", "File"]
    (beside,) = pressed.followups
    assert beside.ephemeral
    assert "Can't reach Docker" in beside.content


async def test_a_preset_is_picked_and_resolved_at_that_moment(world: World) -> None:
    """Errors only, and back to the newest lines, in the same message."""
    view = await ready_bot(world)
    for text in ("fine", "an Error here", "fine again"):
        engine_of(world).write_log(view.bot.id, text)
    answer = await logs(world)
    message = answer.response
    assert message is not None
    where = picks(message)
    assert set(where) == set(PRESETS.values())
    await world.admin.select(message, values=[where["Lines with “error”"]], custom_id="pick:logs")
    assert shown(message.content) == ["an Error here"]
    for label in ("The last 10 minutes", "Since its last start", "The newest lines"):
        await world.admin.select(message, values=[where[label]], custom_id="pick:logs")
        assert shown(message.content) == ["fine", "an Error here", "fine again"]


@pytest.mark.parametrize(
    ("name", "query"),
    [
        ("new", LogQuery()),
        ("errors", LogQuery(grep="error")),
        ("recent", LogQuery(lines=LINES_MAX, since=400.0)),
        ("run", LogQuery(lines=LINES_MAX, since=900.0)),
    ],
)
def test_a_preset_means_the_same_as_its_words(name: str, query: LogQuery) -> None:
    """By the engine's clock, which the log's times are of."""
    assert preset_query(name, now=1000.0, started=900.0) == query


async def test_a_preset_that_does_not_exist_is_refused_in_words(world: World) -> None:
    """Anybody can forge an id."""
    view = await ready_bot(world)
    answer = await logs(world)
    data = press(f"preset:{view.bot.id}:nosuch")
    forged = forge(world, world.admin, world.channel, COMPONENT, data, answer.response)
    await world.env.settle()
    assert "That button is damaged." in said(forged)
