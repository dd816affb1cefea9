"""A card as Discord gets it: what can be pressed in which phase, and never more than it takes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.chat.cards.card_layout import COLOURS, card_layout, quote, removed_layout
from controller.chat.cards.card_words import CAUSES_COUNT, card, removed_card
from controller.chat.languages.dictionary import LANGUAGES
from controller.chat.requests.card_buttons import answer_buttons
from controller.chat.requests.layouts import Layout, raw
from controller.domain.bot import Bot, Crash, Problem, Wish
from controller.domain.observation import ContainerState, Health, Observation, World
from controller.domain.phase import Phase
from controller.fleet.views import ByHand, View
from tests.chat.spoken import in_language
from tests.loopback import checks
from tests.loopback.world import Message, User, read_text, walk_components

NOW = 1_700_000_000.0
BOT = Bot(
    id="0b8f4f4e-1a52-4c3e-9d0f-5f1f8a1f8a1f",
    name="shop",
    template="echo",
    provider="anthropic",
    model="claude",
    channel="telegram",
    release=2,
)
# What breaks messages: markup, mentions, fences, what renders wide, and very long words.
NASTY = [
    "```",
    "@everyone",
    "<@&1>",
    "](x)",
    "# ",
    "\n",
    "\u202e",
    "\x00",
    "😀",
    "_*~|`<>",
    "a" * 900,
]
HOSTILE = st.lists(st.sampled_from(NASTY) | st.text(max_size=9), max_size=9).map("".join)


def shown(view: View, memory: int = 0) -> Layout:
    """The bot's card."""
    return card_layout(view, card(view, memory, now=NOW))


def sent(layout: Layout) -> Message:
    """The card as the simulated Discord takes it, after the limits that Discord's own has."""
    message = Message(1, 2, User(3, "botmaker", bot=True), components=raw(layout))
    message.flags = checks.V2_FLAG
    checks.message(message)
    return message


def addresses(layout: Layout) -> dict[str, str]:
    """Everything that can be pressed or picked, and where it leads."""
    found: dict[str, str] = {}
    for part in walk_components(raw(layout)):
        if part["type"] == 2:
            found[part["label"]] = part["custom_id"]
        for option in part.get("options", ()):
            found.setdefault(f"More: {option['label']}", option["value"])
    return found


@st.composite
def views(draw: st.DrawFn) -> View:
    """Bots in any state, with texts of any kind from outside."""
    texts = st.lists(HOSTILE, max_size=4).map(lambda found: tuple(found * 4))
    problem = Problem(draw(st.sampled_from(["config-refused", "crash-loop", "x"])), "", "", NOW)
    problem = replace(problem, message=draw(HOSTILE), hint=draw(HOSTILE))
    world = World(
        container=Observation(
            container_id="c" * 64,
            state=draw(st.sampled_from(ContainerState)),
            health=draw(st.sampled_from(Health)),
            probe_output=draw(HOSTILE),
            error=draw(HOSTILE),
        ),
        missing=("api_key",) * draw(st.integers(0, 30)),
        degraded=draw(texts),
    )
    bot = replace(
        BOT,
        name=draw(st.from_regex(r"[a-z][a-z0-9-]{0,39}", fullmatch=True)),
        model=draw(HOSTILE),
        provider=draw(HOSTILE),
        wish=draw(st.sampled_from(Wish)),
        problem=draw(st.none() | st.just(problem)),
        setback=draw(st.none() | st.just(problem)),
    )
    crash = Crash(NOW - 5, draw(st.sampled_from([None, 1, 78, 137])), draw(st.booleans()))
    return View(
        bot,
        world,
        seen=True,
        held_up=draw(HOSTILE),
        crashes=(crash,),
        phase=draw(st.sampled_from(Phase)),
        since=NOW,
        tail=draw(texts),
        by_hand=draw(st.none() | st.just(ByHand("stopped", NOW))),
    )


@settings(max_examples=60, deadline=None)
@given(views(), st.sampled_from([0, 256 * 1024**2]), st.sampled_from(["en", *LANGUAGES]))
def test_no_card_is_more_than_discord_takes(view: View, memory: int, language: str) -> None:
    """In every language: at most 40 components, 4,000 characters, ids of 100, none of them twice.

    Outside text pings nobody and doesn't end the block that a log stands in.
    """
    message = sent(in_language(language, lambda: shown(view, memory)))
    assert f"**{view.bot.name}**" in message.content
    parts: list[dict[str, Any]] = list(message.walk())
    assert all(1 <= len(part["components"]) <= 5 for part in parts if part["type"] == 1)
    assert all(part["content"] for part in parts if part["type"] == 10)
    assert all(len(part["options"]) <= 25 for part in parts if part["type"] == 3)
    assert message.content.count("```") in {0, 2}
    assert "@everyone" not in message.content


MORE = [
    *("Logs", "Settings", "Secrets", "Actions", "History", "Releases"),
    *("Snapshots", "Clone", "Delete"),
]


@pytest.mark.parametrize("phase", [phase for phase in Phase if phase is not Phase.REMOVING])
def test_more_offers_the_rest_in_every_phase_but_the_last(phase: Phase) -> None:
    """Delete stands at the end; a bot that gave up can be stopped from there."""
    found = addresses(shown(View(BOT, seen=True, phase=phase, since=NOW)))
    expected = [*MORE[:-1], *(["Stop"] if phase is Phase.ERROR else []), MORE[-1]]
    more = [label.removeprefix("More: ") for label in found if label.startswith("More: ")]
    assert more == expected
    assert all(value.split(":")[1] == BOT.id for value in found.values())


def test_a_bot_that_goes_or_is_gone_has_nothing_to_press() -> None:
    """Its last words only."""
    assert addresses(shown(View(BOT, seen=True, phase=Phase.REMOVING))) == {}
    gone = removed_layout(removed_card("shop"))
    assert addresses(gone) == {}
    assert "🗑️ **shop** — removed" in read_text("", raw(gone))


def test_a_card_has_the_colour_of_its_phase() -> None:
    """Red is only for what failed."""
    for phase in Phase:
        (box,) = raw(shown(View(BOT, seen=True, phase=phase)))
        assert box["accent_color"] == COLOURS[phase]
    red = {phase for phase in Phase if COLOURS[phase] == COLOURS[Phase.ERROR]}
    assert red == {Phase.ERROR, Phase.CRASH_LOOPING}


@pytest.mark.parametrize(
    ("problem", "crash", "fix"),
    [
        ("config-refused", None, "Open settings"),
        ("fatal-exit", 78, "Open settings"),
        ("fatal-exit", 1, "Roll back"),
        ("crash-loop", 1, "Roll back"),
        ("image-missing", None, None),
    ],
)
def test_the_fix_stands_beside_its_reason(problem: str, crash: int | None, fix: str | None) -> None:
    """And not a second time below."""
    bot = replace(BOT, problem=Problem(problem, "It broke.", "Mend it.", NOW))
    crashes = (Crash(NOW - 1, crash),) if crash else ()
    view = View(bot, seen=True, crashes=crashes, phase=Phase.ERROR, since=NOW)
    sections = [part for part in walk_components(raw(shown(view))) if part["type"] == 9]
    assert [part["accessory"]["label"] for part in sections] == ([fix] if fix else [])
    if fix:
        assert "It broke" in sections[0]["components"][0]["content"]
    assert "Try again" in addresses(shown(view))


def test_each_line_of_a_reason_is_quoted_and_the_first_reasons_stay() -> None:
    """Of more than fit, those that count most."""
    signs = tuple(f"Sign {number}." for number in range(CAUSES_COUNT + 2))
    bot = replace(BOT, problem=Problem("fatal-exit", "It broke.", "Mend it.", NOW))
    view = View(bot, World(degraded=signs), seen=True, phase=Phase.ERROR, since=NOW)
    text = sent(shown(view)).content
    assert "It broke" in text
    assert signs[-1] not in text
    assert quote("one\ntwo") == "> one\n> two"


def test_a_missing_secret_can_be_replaced_beside_the_words_that_name_it() -> None:
    """Also of a bot that still runs."""
    view = View(BOT, World(missing=("api_key",)), seen=True, phase=Phase.ERROR, since=NOW)
    (section,) = [part for part in walk_components(raw(shown(view))) if part["type"] == 9]
    assert "api_key" in section["components"][0]["content"]
    assert section["accessory"]["custom_id"] == f"rotate:{BOT.id}"


def test_nothing_is_rolled_back_where_there_is_one_release() -> None:
    """There is nothing to go back to."""
    bot = replace(BOT, release=1, problem=Problem("crash-loop", "Gave up.", "", NOW))
    view = View(bot, seen=True, crashes=(Crash(NOW, 1),), phase=Phase.ERROR, since=NOW)
    assert "Roll back" not in addresses(shown(view))
    assert "gave up after 1 crash" in sent(shown(view)).content


def test_an_answer_about_a_bot_in_trouble_offers_what_mends_it_first() -> None:
    """And nothing where the bot is well or gone; never Stop."""
    refused = replace(BOT, problem=Problem("config-refused", "It broke.", "Mend it.", NOW))
    bad = View(refused, seen=True, phase=Phase.ERROR, since=NOW)
    found = [button.label for button in answer_buttons(bad, now=NOW)]
    assert found == ["Open settings", "Try again", "Logs"]
    unhealthy = View(BOT, seen=True, phase=Phase.UNHEALTHY, since=NOW)
    found = [button.label for button in answer_buttons(unhealthy, now=NOW)]
    assert found == ["Logs", "Restart", "Settings"]
    assert answer_buttons(View(BOT, phase=Phase.RUNNING), now=NOW) == []
    assert answer_buttons(None, now=NOW) == []
