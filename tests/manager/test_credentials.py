"""Secrets on their way in: forms, checks, rotation, and what never shows a value."""

from __future__ import annotations

import asyncio
import stat
import time
from collections.abc import Iterable
from dataclasses import replace

import pytest

from controller.domain.access import Grant
from controller.domain.bot import Bot, Wish
from controller.domain.errors import (
    BadInput,
    ControllerError,
    Denied,
    NotFound,
    NotReady,
    StorageTrouble,
)
from controller.domain.journal import Kind
from controller.domain.phase import Phase
from controller.domain.roles import Role
from controller.manager.submission import Sequel
from controller.store import Form
from tests.manager.rich import WIDE
from tests.manager.rig import ANN, ANN_ASKS, API_KEY, BEN, BEN_ASKS, SECRETS, Rig, eventually

NEW_KEY = "fake-provider-key-2"


def keys(numbers: Iterable[int]) -> dict[str, str]:
    return {f"key_{n}": f"value-of-{n}" for n in numbers}


async def wide(rig: Rig) -> Bot:
    rig.template(WIDE, "wide")
    await rig.restart()
    return await rig.create("wide")


async def test_values_are_written_private_and_answered_by_fingerprints(rig: Rig) -> None:
    """Folder 0700, files 0600 of the bot's uid; the answer shows no part of a value."""
    bot = await rig.create()
    form = await rig.form(bot)
    done = await rig.fill_in(form, SECRETS)
    assert set(done.fingerprints) == set(SECRETS)
    assert not any(value in str(done) for value in SECRETS.values())
    home = rig.secrets / bot.id
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    for name, value in SECRETS.items():
        assert (home / name).read_text() == value
        assert stat.S_IMODE((home / name).stat().st_mode) == 0o600
    assert await rig.manager.credentials.fingerprints_of(ANN_ASKS, bot) == done.fingerprints


async def test_a_form_is_used_once(rig: Rig) -> None:
    """The second submit is refused and changes nothing."""
    bot = await rig.create()
    form = await rig.form(bot)
    await rig.fill_in(form, SECRETS)
    with pytest.raises(NotReady) as caught:
        await rig.fill_in(form, SECRETS | {"api_key": NEW_KEY})
    assert caught.value.code == "form-used"
    assert (rig.secrets / bot.id / "api_key").read_text() == API_KEY


async def test_two_submits_at_once_are_one(rig: Rig) -> None:
    """A double click writes once; the other is told that the form was used."""
    bot = await rig.create()
    form = await rig.form(bot)
    done = await asyncio.gather(
        *(rig.fill_in(form, SECRETS) for _ in range(4)), return_exceptions=True
    )
    refused = [one for one in done if isinstance(one, ControllerError)]
    assert [one.code for one in refused] == ["form-used"] * 3


@pytest.mark.parametrize("admin", [True, False])
async def test_a_form_is_for_one_person(rig: Rig, admin: bool) -> None:
    """Somebody else, admin or not, is refused and learns nothing."""
    bot = await rig.create()
    if admin:
        everything = Grant("user", int(BEN.id), Role.ADMIN)
        await rig.manager.access.grant(ANN_ASKS, everything)
    form = await rig.form(bot)
    with pytest.raises(Denied):
        await rig.manager.credentials.form(BEN_ASKS, form)
    with pytest.raises(Denied):
        await rig.manager.credentials.submit(BEN_ASKS, form, SECRETS, SECRETS, last=True)
    assert rig.secrets_on_disk() == set()


async def test_a_form_ends_after_a_day(rig: Rig) -> None:
    """An expired form is refused."""
    bot = await rig.create()
    late = Form("f" * 24, bot.id, int(ANN.id), False, time.time() - 1)
    async with rig.store.transaction() as write:
        await write.add_form(late)
    with pytest.raises(NotReady) as caught:
        await rig.manager.credentials.form(ANN_ASKS, late.id)
    assert caught.value.code == "form-expired"


async def test_the_form_of_a_removed_bot_is_gone(rig: Rig) -> None:
    """Neither an unknown form nor one of a bot on its way out is opened."""
    bot = await rig.create()
    form = await rig.form(bot)
    await rig.manager.lifecycle.delete(ANN_ASKS, bot)
    for form_id in (form, "nothing"):
        with pytest.raises(NotFound):
            await rig.manager.credentials.form(ANN_ASKS, form_id)


async def test_no_form_is_given_for_a_bot_that_is_gone(rig: Rig) -> None:
    """Removed between the command and the form: a sentence, not a crash."""
    bot = await rig.create()
    await rig.manager.lifecycle.delete(ANN_ASKS, bot)
    with pytest.raises(NotFound):
        await rig.form(bot)


async def test_every_wrong_input_is_named_and_no_value_repeated(rig: Rig) -> None:
    """Both labels, no part of what was typed, nothing written, and the form is still open."""
    bot = await rig.create()
    form = await rig.form(bot)
    typed = {"api_key": "short", "channel_token": "has a space in it"}
    with pytest.raises(BadInput) as caught:
        await rig.fill_in(form, typed)
    assert "API key" in caught.value.message
    assert "Channel token" in caught.value.message
    assert not any(value in str(caught.value) for value in typed.values())
    assert rig.secrets_on_disk() == set()
    await rig.fill_in(form, SECRETS)
    await rig.becomes(bot, Phase.RUNNING)


async def test_the_journal_names_secrets_and_never_holds_a_value(rig: Rig) -> None:
    """One request a submit, with its outcome; the database file holds no value at all."""
    bot = await rig.create()
    form = await rig.form(bot)
    with pytest.raises(BadInput):
        await rig.fill_in(form, {"api_key": "sh-rt"})
    await rig.fill_in(form, SECRETS)
    ends = [e.data for e in await rig.entries(Kind.OUTCOME, bot=bot)]
    assert [(end["result"], end.get("names"), end.get("code")) for end in ends[:2]] == [
        ("done", ["api_key", "channel_token"], None),
        ("refused", None, "bad-secret"),
    ]
    (written,) = await rig.entries(Kind.SECRETS, bot=bot)
    assert written.data == {"names": ["api_key", "channel_token"]}
    for file in rig.data.glob("botmaker.db*"):
        assert not any(value.encode() in file.read_bytes() for value in SECRETS.values())


async def test_a_rotation_keeps_what_is_left_empty_and_restarts_the_bot(rig: Rig) -> None:
    """The new value is there, the other is the old one, and a new run reads them."""
    bot = await rig.running()
    run = rig.run_of(bot)
    form = await rig.form(bot, rotate=True)
    values = {"api_key": NEW_KEY, "channel_token": ""}
    done = await rig.fill_in(form, values)
    assert set(done.fingerprints) == {"api_key"}
    assert done.sequel is Sequel.RESTARTS
    await eventually(lambda: rig.at_rest() and rig.run_of(bot) != run)
    home = rig.secrets / bot.id
    assert (home / "api_key").read_text() == NEW_KEY
    assert (home / "channel_token").read_text() == SECRETS["channel_token"]
    assert rig.view(bot).crashes == ()


async def test_an_empty_rotation_changes_nothing_and_says_so(rig: Rig) -> None:
    """The run goes on and the form may be used again."""
    bot = await rig.running()
    run = rig.run_of(bot)
    form = await rig.form(bot, rotate=True)
    with pytest.raises(BadInput, match="nothing was changed"):
        await rig.fill_in(form, {})
    assert rig.run_of(bot) == run
    await rig.fill_in(form, {"api_key": NEW_KEY})


async def test_a_rotation_of_a_stopped_bot_leaves_it_stopped(rig: Rig) -> None:
    """New values are no order to start."""
    bot = await rig.running()
    view = await rig.manager.lifecycle.stop(ANN_ASKS, bot)
    assert view is not None
    form = await rig.form(view.bot, rotate=True)
    done = await rig.fill_in(form, {"api_key": NEW_KEY})
    assert done.sequel is Sequel.STOPPED
    await asyncio.sleep(0.05)
    assert not rig.active(bot)


async def test_a_form_asks_for_what_people_know_and_nothing_else(rig: Rig) -> None:
    """A secret that is made here isn't asked for; with the last value the bot runs and has it."""
    bot = await wide(rig)
    form = await rig.form(bot)
    asked = await rig.manager.credentials.form(ANN_ASKS, form)
    assert [spec.name for spec in asked.inputs] == [*keys(range(1, 8)), "greeting"]
    done = await rig.fill_in(form, keys(range(1, 7)))
    await rig.becomes(bot, Phase.RUNNING)
    names = {path.name for path in (rig.secrets / bot.id).iterdir()}
    assert names == {*keys(range(1, 7)), "made_here"}
    assert set(done.fingerprints) == set(keys(range(1, 7)))


async def test_a_full_disk_leaves_the_form_open(rig: Rig) -> None:
    """A write that failed is said, and the same form works once there is room."""
    bot = await rig.create()
    form = await rig.form(bot)
    (rig.secrets / bot.id).write_text("in the way")
    with pytest.raises(ControllerError) as caught:
        await rig.fill_in(form, SECRETS)
    assert caught.value.hint
    (rig.secrets / bot.id).unlink()
    await rig.fill_in(form, SECRETS)
    await rig.becomes(bot, Phase.RUNNING)


async def test_a_write_that_fails_reopens_the_same_form_with_what_was_typed(rig: Rig) -> None:
    """The form opens and its values pass, only the last step fails. Nothing is typed twice."""
    bot = await rig.create()
    form = await rig.form(bot)
    blocked = rig.secrets / bot.id / "channel_token"
    blocked.mkdir(parents=True)
    with pytest.raises(StorageTrouble):
        await rig.fill_in(form, SECRETS)
    assert list((rig.secrets / bot.id).iterdir()) == [blocked], "the other wasn't written either"
    assert not rig.view(bot).bot.run.owes
    page = await rig.manager.credentials.form(ANN_ASKS, form)
    assert page.staged.secrets == SECRETS
    with pytest.raises(StorageTrouble):
        await rig.fill_in(form, {})
    blocked.rmdir()
    done = await rig.fill_in(form, {})
    assert set(done.fingerprints) == set(SECRETS)
    await rig.becomes(bot, Phase.RUNNING)
    assert (rig.secrets / bot.id / "api_key").read_text() == API_KEY


async def test_a_refused_value_of_a_first_form_changes_nothing_of_a_bot_with_a_container(
    rig: Rig,
) -> None:
    """One of its secrets is gone, the form asks for it; a wrong one beside a good new one."""
    bot = await rig.running()
    run = rig.run_of(bot)
    (rig.secrets / bot.id / "channel_token").unlink()
    rig.poke(bot)
    await eventually(lambda: rig.view(bot).world.missing)
    form = await rig.form(bot)
    before = rig.view(bot).bot
    with pytest.raises(BadInput) as caught:
        await rig.fill_in(form, {"api_key": NEW_KEY, "channel_token": "has a space"})
    assert caught.value.message.endswith("The bot was not changed.")
    rig.poke(bot)
    await asyncio.sleep(0.05)
    assert rig.view(bot).bot == before
    assert rig.run_of(bot) == run
    assert {path.name for path in (rig.secrets / bot.id).iterdir()} == {"api_key"}
    assert (rig.secrets / bot.id / "api_key").read_text() == API_KEY
    await rig.restart()
    assert (rig.secrets / bot.id / "api_key").read_text() == API_KEY


async def test_secrets_that_come_during_a_removal_do_not_outlive_the_bot(rig: Rig) -> None:
    """Whichever is faster, nothing of the bot stays on the disk."""
    for turn in range(40):
        bot = await rig.create()
        await rig.becomes(bot, Phase.CREATED)
        form = await rig.form(bot)
        submit = asyncio.create_task(rig.fill_in(form, SECRETS))
        await asyncio.sleep(turn * 0.0001)
        await rig.house.tools.wishes.change(bot.id, lambda now: replace(now, wish=Wish.REMOVE))
        await asyncio.gather(submit, return_exceptions=True)
        await rig.gone(bot)
    assert rig.secrets_on_disk() == set()


async def test_a_new_controller_knows_the_old_values(rig: Rig) -> None:
    """After a restart of the controller a log that repeats a key is still redacted."""
    bot = await rig.running()
    await rig.restart()
    assert API_KEY not in rig.manager.redact(f"key={API_KEY}")
    await rig.manager.lifecycle.delete(ANN_ASKS, bot)
    await rig.gone(bot)
    assert rig.manager.redact(API_KEY) == API_KEY


ADDRESSED = """
schema = 1
id = "addressed"
title = "A bot that needs an address"
image = { ref = "example/plain:1", pull = "never" }
run = { user = "1000:1000" }
[[secrets]]
name = "api_key"
label = "Key"
[[fields]]
name = "address"
label = "Address"
required = true
"""


async def test_a_bot_is_not_tried_before_the_fields_of_its_form_are_kept(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    """However often one looks meanwhile: its secrets are never there without them."""
    rig.template(ADDRESSED, "addressed")
    await rig.restart()

    async def look(bot: Bot) -> None:
        while True:
            rig.poke(bot)
            await asyncio.sleep(0)

    for _ in range(10):
        bot = await rig.create("addressed")
        looking = asyncio.create_task(look(bot))
        await rig.submit(bot, api_key=API_KEY, address="here")
        await rig.becomes(bot, Phase.RUNNING)
        looking.cancel()
    assert "failed" not in caplog.text


async def test_a_first_form_that_replaces_a_value_hides_the_older_log_too(rig: Rig) -> None:
    """The bot ran already, from another form: what it printed of the old value is not shown."""
    bot = await rig.create()
    unused = await rig.form(bot)
    await rig.submit(bot)
    await rig.becomes(bot, Phase.RUNNING)
    before = time.time()
    await rig.fill_in(unused, {**SECRETS, "api_key": NEW_KEY})
    assert rig.view(bot).bot.run.log_floor >= before


async def test_a_made_secret_that_cannot_be_used_is_made_anew(rig: Rig) -> None:
    """Nobody could type it: sending the form as it is mends it."""
    bot = await wide(rig)
    await rig.submit(bot, **keys(range(1, 8)))
    await rig.becomes(bot, Phase.RUNNING)
    made = rig.secrets / bot.id / "made_here"
    old = made.read_text()
    made.chmod(0o644)
    await rig.submit(bot, rotate=True, **keys(range(1, 8)))
    assert made.read_text() != old
    assert stat.S_IMODE(made.stat().st_mode) == 0o600
