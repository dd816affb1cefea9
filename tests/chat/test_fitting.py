"""Nothing is cut in silence: what doesn't fit into a message is counted, and is in a file."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import discord
from hypothesis import example, given
from hypothesis import strategies as st

from controller.catalog import FieldSpec
from controller.chat.commands.suggestions import suggest_titled
from controller.chat.forms import modals
from controller.chat.forms.pages import settings_pages
from controller.chat.forms.secrets_form import receipt
from controller.chat.forms.settings_form import page_buttons
from controller.chat.requests.custom_ids import keyed, named_by, parse, short
from controller.chat.words import bot_words
from controller.chat.words.fitting import distinct, fit
from controller.chat.words.fleet_words import fleet_status
from controller.domain.access import Grant
from controller.domain.bot import Bot, Problem, Wish
from controller.domain.names import new_bot_id
from controller.domain.observation import World as Seen
from controller.domain.phase import Phase
from controller.domain.roles import Role
from controller.fleet.views import EngineState, View
from controller.manager.credentials import Submitted
from controller.manager.submission import Sequel
from demo.world import World
from tests.chat.acting import make, newcomer, said

UP = EngineState(True, 1.0, "")
names = st.from_regex(r"[a-z][a-z0-9_]{0,62}", fullmatch=True)


def bot_of(**changes: Any) -> Bot:
    """A bot of these tests."""
    plain = Bot(id=new_bot_id(), name="x", template="t", provider="p", model="m", channel="")
    return replace(plain, **changes)


@given(st.lists(st.text(st.characters(exclude_characters="\n\r"), max_size=300), max_size=60))
def test_what_does_not_fit_is_counted_and_all_of_it_is_in_the_file(lines: list[str]) -> None:
    """The first lines are kept whole; kept and missing ones together are all."""
    text = "\n".join(lines)
    found = fit(text)
    assert len(found.text) <= 2000
    if len(text) <= 2000:
        assert (found.text, found.whole) == (text, "")
        return
    kept, note = found.text.split("\n")[:-1], found.text.split("\n")[-1]
    number = re.fullmatch(r"… and (\d+) more: see the file\.", note)
    assert number is not None
    assert len(kept) + int(number[1]) == len(text.split("\n"))
    assert kept == text.split("\n")[: len(kept)]
    assert found.whole


def test_the_file_reads_as_the_message_would() -> None:
    """No escapes, and real times."""
    whole = fit("\n".join(["**api\\_key** \\[x\\] <t:86400:R>"] * 90)).whole
    assert whole.startswith("api_key [x] 1970-01-02 00:00:00 UTC\n")


async def test_thirty_grants_are_all_in_the_answer(world: World) -> None:
    """As lines, and the rest in a file."""
    access = world.application.manager.access
    async with world.application.installation.tools.store.transaction() as write:
        for number in range(60):
            await write.save_grant(Grant("user", 10**17 + number, Role.VIEWER))
    await access.load()
    answer = await world.admin.slash(world.channel, "access list")
    text = said(answer)
    more = re.search(r"and (\d+) more: see the file", text)
    assert more is not None
    assert answer.response is not None
    (file,) = answer.response.attachments
    assert text.count("viewer") + int(more[1]) == 60 + 1  # "Nobody else has access."
    assert "answer.txt" in str(file)


async def test_many_grants_for_single_bots_leave_the_commands_in_sight(world: World) -> None:
    """The table of commands comes before the list of bots."""
    eve = newcomer(world, "eve")
    store = world.application.installation.tools.store
    for number in range(3):
        view = await make(world, f"bot-{number}")
        async with store.transaction() as write:
            await write.save_grant(Grant("user", eve.id, Role.OPERATOR, view.bot.id))
    await world.application.manager.access.load()
    text = said(await world.admin.slash(world.channel, "access test", who=eve))
    assert text.index("/access test") < text.index("For **bot-0** alone")


def test_every_bot_in_trouble_is_counted() -> None:
    """The status names the worst first and says how many more there are."""
    problem = Problem("crash-loop", "It crashed. " * 30, "Look. " * 20, 1.0)
    views = [
        View(bot_of(name=f"b{n}", wish=Wish.RUN, problem=problem), phase=Phase.ERROR, since=1.0)
        for n in range(40)
    ]
    found = fit(fleet_status(UP, views, 1.0, "1", now=1.0))
    more = re.search(r"and (\d+) more: see the file", found.text)
    assert more is not None
    assert found.text.count("— gave up after 5 crashes") + int(more[1]) == 40
    assert "b39 — gave up after 5 crashes" in found.whole


def test_the_warning_about_exposed_secrets_survives_many_long_settings() -> None:
    """Warnings and fingerprints come before what may be long."""
    fields = {f"field_{n}": "v" * 100 for n in range(40)}
    world = Seen(degraded=tuple(f"{n} of its services refuses the key " * 8 for n in range(9)))
    view = View(bot_of(fields=fields), world, phase=Phase.UNHEALTHY, since=1.0, seen=True)
    prints = {f"secret_{n}": "ab12-cd34" for n in range(12)}
    warning = bot_words.exposure(["API key"])
    found = fit(bot_words.show(view, UP, prints, warning=warning, now=1.0))
    assert warning in found.text
    quiet = replace(view, world=Seen())
    found = fit(bot_words.show(quiet, UP, prints, warning=warning, now=1.0))
    assert all(f"secret_{n} `ab12-cd34`" in found.text for n in range(12))
    assert "field_39: v" in found.whole


def test_a_receipt_of_four_checked_secrets_and_its_outcome_fit() -> None:
    """Whatever services say, how it went and every fingerprint can be read."""
    notes = tuple(f"Discord says {n}: " + "*_[x](y)" * 40 for n in range(8))
    done = Submitted(
        bot_of(), {f"key_{n}": "ab12-cd34" for n in range(4)}, True, Sequel.STARTS, notes
    )
    found = fit("🟢 **x** — running\n" + receipt(done))
    assert found.text.startswith("🟢 **x** — running\n")
    assert all(f"`key_{n}` stored" in found.text for n in range(4))
    assert "Discord says 7" in found.whole


@given(names)
@example("a" * 63)
def test_every_name_fits_into_a_custom_id_and_comes_back(name: str) -> None:
    """Of fields, actions and pages; ids that carry a longer name from before still work."""
    for action in ("edit", "do"):
        for key in (name, f"field-{name}"):
            custom_id = keyed(action, new_bot_id(), key)
            assert len(custom_id) <= 100
            assert named_by(parse(custom_id)[1][1], ["other", key, "z" * 63]) == key
            assert named_by(key, ["other", key]) == key


def test_a_name_that_is_none_of_these_stays_as_it_is() -> None:
    """A forged key is refused by whoever looks it up."""
    assert named_by("~0123456789ab", ["a", "b"]) == "~0123456789ab"
    assert short("a" * 63) != short("a" * 62 + "b")


def field(name: str, label: str) -> FieldSpec:
    """A long text among the settings."""
    return FieldSpec(name=name, label=label, multiline=True, env=name.upper())


@given(st.lists(st.sampled_from(["A" * 44, "A" * 44 + "B", "Short", "Short"]), max_size=8))
def test_pages_have_distinct_titles_in_every_place(labels: list[str]) -> None:
    """In the modal's title, beside a long name; on the buttons; in the suggestions."""
    pages = settings_pages([field(f"f{n}", label) for n, label in enumerate(labels)])
    titles = [page.title for page in pages]
    assert len(set(titles)) == len(titles)
    assert all(len(title) <= 40 for title in titles)
    row = page_buttons(bot_of(), pages)
    shown = [str(getattr(item, "label", "")) for item in row.children] if row else []
    assert len(set(shown)) == len(shown)
    offered = suggest_titled("", {f"v{n}" * 9: label for n, label in enumerate(labels * 2)})
    assert len({choice.name for choice in offered}) == len(offered)
    assert all(len(choice.name) <= 100 for choice in offered)


@given(st.lists(st.text(max_size=60), max_size=5), st.integers(20, 45))
def test_titles_are_distinct_after_the_cut(titles: list[str], limit: int) -> None:
    """And each of them fits."""
    found = distinct(titles, limit)
    assert len(set(found)) == len(found) == len(titles)
    assert all(len(title) <= limit for title in found)


def test_two_inputs_of_a_modal_never_look_the_same() -> None:
    """Their labels differ only after Discord's limit."""
    boxes = [modals.Box(field(f"f{n}", "The token of the account"))
             for n in range(2)]  # fmt: skip
    shown = modals.modal("T", ("edit", "b", "k"), boxes)
    texts = [item.text for item in shown.children if isinstance(item, discord.ui.Label)]
    assert len(set(texts)) == 2
