"""Forms of several pages: the earlier ones change nothing, the last one writes everything."""

from __future__ import annotations

import asyncio
import stat
import time
from collections.abc import Iterable

import pytest

from controller.domain.bot import Bot
from controller.domain.errors import BadInput, NotReady
from controller.domain.journal import Kind
from controller.domain.phase import Phase
from controller.vault.staging import FOLDER
from tests.manager.rich import WIDE
from tests.manager.rig import ANN_ASKS, Rig, eventually

FIRST, LAST = range(1, 6), range(6, 8)


def keys(numbers: Iterable[int], value: str = "value-of") -> dict[str, str]:
    return {f"key_{n}": f"{value}-{n}" for n in numbers}


@pytest.fixture
async def wide(rig: Rig) -> Rig:
    """An installation with a template whose form needs two pages."""
    rig.template(WIDE, "wide")
    await rig.restart()
    await eventually(lambda: rig.fleet.engine.reachable)
    return rig


async def started(rig: Rig) -> Bot:
    bot = await rig.create("wide")
    await rig.submit(bot, **keys(range(1, 7)))
    await rig.becomes(bot, Phase.RUNNING)
    return bot


def on_disk(rig: Rig, bot: Bot) -> dict[str, str]:
    home = rig.secrets / bot.id
    if not home.exists():
        return {}
    # Without those that are being written: they change their names.
    return {p.name: p.read_text() for p in home.iterdir() if not p.name.startswith(".")}


def staged(rig: Rig) -> list[str]:
    home = rig.secrets / FOLDER
    return [path.name for path in home.iterdir()] if home.exists() else []


async def test_an_earlier_page_changes_nothing_and_the_last_writes_all(wide: Rig) -> None:
    """The bot waits for both; then it has every value, and nothing stays of the form."""
    bot = await wide.create("wide")
    form = await wide.form(bot)
    done = await wide.fill_in(form, keys(FIRST), names=keys(FIRST), last=False)
    assert (done.complete, set(done.fingerprints)) == (False, set(keys(FIRST)))
    assert (on_disk(wide, bot), await wide.entries(Kind.SECRETS)) == ({}, [])
    assert wide.view(bot).phase is Phase.CREATED
    done = await wide.fill_in(form, {"key_6": "value-of-6"}, names=[*keys(LAST), "greeting"])
    assert (done.complete, set(done.fingerprints)) == (True, set(keys(range(1, 7))))
    await wide.becomes(bot, Phase.RUNNING)
    found = on_disk(wide, bot)
    assert {name: found[name] for name in keys(range(1, 7))} == keys(range(1, 7))
    assert set(found) == {*keys(range(1, 7)), "made_here"}
    assert staged(wide) == []
    with pytest.raises(NotReady):
        await wide.manager.credentials.form(ANN_ASKS, form)


@pytest.mark.parametrize("killed", [False, True])
async def test_an_abandoned_form_changes_nothing(wide: Rig, killed: bool) -> None:
    """Neither the files nor the run, also when the controller dies and another one starts."""
    bot = await started(wide)
    before, run = on_disk(wide, bot), wide.run_of(bot)
    form = await wide.form(bot, rotate=True)
    page = keys(FIRST, "another")
    await wide.fill_in(form, {**page, "greeting": "ahoy"}, names=[*page, "greeting"], last=False)
    if killed:
        await wide.restart()
    await wide.becomes(bot, Phase.RUNNING)
    await asyncio.sleep(0.02)
    await eventually(wide.at_rest)
    assert (on_disk(wide, bot), wide.run_of(bot)) == (before, run)
    assert wide.view(bot).bot.fields == {}
    assert (wide.view(bot).bot.run.owes, wide.view(bot).bot.run.log_floor) == (False, 0.0)


@pytest.mark.parametrize("killed", [False, True])
async def test_values_are_kept_for_the_form(wide: Rig, killed: bool) -> None:
    """Somebody who comes back needn't type them again, whichever controller runs by then."""
    bot = await wide.create("wide")
    form = await wide.form(bot)
    typed = {**keys(FIRST), "greeting": "ahoy"}
    await wide.fill_in(form, typed, names=typed, last=False)
    if killed:
        await wide.restart()
    asked = await wide.manager.credentials.form(ANN_ASKS, form)
    greeting = next(spec for spec in asked.inputs if spec.name == "greeting")
    assert asked.kept == set(keys(FIRST))
    assert asked.value_of(greeting) == "ahoy"  # type: ignore[arg-type]
    assert wide.manager.redact("said value-of-3") == "said [redacted]"
    await wide.fill_in(form, {"key_6": "value-of-6"})
    await wide.becomes(bot, Phase.RUNNING)
    assert on_disk(wide, bot)["key_1"] == "value-of-1"
    assert wide.view(bot).bot.fields == {"greeting": "ahoy"}


async def test_a_rotation_over_two_pages_is_one_restart(wide: Rig) -> None:
    """The second page left empty ends the form, and the bot restarts to read the first's value."""
    bot = await started(wide)
    run, restarts = wide.run_of(bot), wide.runtime.calls["restart"]
    form = await wide.form(bot, rotate=True)
    await wide.fill_in(form, {"key_1": "another-1"}, names=keys(FIRST), last=False)
    await asyncio.sleep(0.02)
    assert wide.run_of(bot) == run
    await wide.fill_in(form, {}, names=keys(LAST))
    await eventually(lambda: wide.at_rest() and wide.run_of(bot) != run, "it reads the new value")
    assert wide.runtime.calls["restart"] == restarts + 1
    assert on_disk(wide, bot)["key_1"] == "another-1"
    assert on_disk(wide, bot)["key_2"] == "value-of-2"


async def test_a_page_that_is_partly_wrong_keeps_the_right_values(wide: Rig) -> None:
    """Each wrong input is named, each right one is kept and named by its fingerprint."""
    bot = await wide.create("wide")
    form = await wide.form(bot)
    with pytest.raises(BadInput) as caught:
        await wide.fill_in(form, {**keys((1, 2)), "key_3": "no"}, names=keys((1, 2, 3)), last=False)
    assert "Key 3" in caught.value.message
    assert caught.value.message.count("Kept: ") == 2
    assert not any(value in str(caught.value) for value in keys((1, 2)).values())
    assert (await wide.manager.credentials.form(ANN_ASKS, form)).kept == {"key_1", "key_2"}
    assert on_disk(wide, bot) == {}


async def test_a_last_page_without_the_first_is_refused(wide: Rig) -> None:
    """What is missing is named; nothing is written, and what came is kept."""
    bot = await wide.create("wide")
    form = await wide.form(bot)
    with pytest.raises(BadInput) as caught:
        await wide.fill_in(form, keys(LAST), names=keys(LAST))
    assert caught.value.message == "Still missing: Key 1, Key 2, Key 3, Key 4, Key 5."
    assert on_disk(wide, bot) == {}
    await wide.fill_in(form, keys(FIRST), names=keys(FIRST))
    await wide.becomes(bot, Phase.RUNNING)
    assert on_disk(wide, bot)["key_7"] == "value-of-7"


async def test_what_waits_for_a_last_page_is_private_and_goes_with_the_bot(wide: Rig) -> None:
    """The controller's own file, of no bot and no container; a removal takes it too."""
    bot = await wide.create("wide")
    form = await wide.form(bot)
    await wide.fill_in(form, keys(FIRST), names=keys(FIRST), last=False)
    home = wide.secrets / FOLDER
    (file,) = home.iterdir()
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    for path in wide.data.glob("botmaker.db*"):
        assert b"value-of" not in path.read_bytes()
    await wide.manager.lifecycle.delete(ANN_ASKS, bot)
    await wide.gone(bot)
    assert staged(wide) == []


async def test_values_of_one_line_are_trimmed(wide: Rig) -> None:
    """A space or a line break that a phone added belongs to no key."""
    bot = await wide.create("wide")
    await wide.submit(bot, **{name: f" {value}\r\n" for name, value in keys(range(1, 7)).items()})
    assert on_disk(wide, bot)["key_4"] == "value-of-4"


async def test_a_form_that_expired_is_swept_at_the_next_start(wide: Rig) -> None:
    """Nobody can complete it: its values go, those of a form that can still be used stay."""
    bot = await wide.create("wide")
    forms = [await wide.form(bot) for _ in range(2)]
    for form in forms:
        await wide.fill_in(form, keys(FIRST), names=keys(FIRST), last=False)
    async with wide.store.transaction() as write:
        await write.use_form(forms[0], 1.0)
    await wide.restart()
    assert staged(wide) == [f"{bot.id}.{forms[1]}.json"]


async def test_a_commit_that_was_cut_short_is_finished_once_the_disk_allows_it(wide: Rig) -> None:
    """Killed after the form was used up; the next start can't write either. Nothing is lost: when
    the disk takes it, the bot has all of the new set, and its run reads it."""
    bot = await started(wide)
    run = wide.run_of(bot)
    form = await wide.form(bot, rotate=True)
    new = keys(range(1, 8), "newer-value")
    await wide.fill_in(form, new, names=new, last=False)
    async with wide.store.transaction() as write:
        assert await write.use_form(form, time.time())
    obstacle = wide.secrets / bot.id / "key_7"
    obstacle.unlink(missing_ok=True)
    obstacle.mkdir()
    await wide.restart()
    await wide.becomes(bot, Phase.RUNNING)
    await asyncio.sleep(0.2)
    assert staged(wide)
    obstacle.rmdir()
    await eventually(lambda: on_disk(wide, bot).items() >= new.items(), "it is written")
    await eventually(lambda: wide.run_of(bot) != run, "it is read")
    await eventually(lambda: not staged(wide))
    assert await wide.store.unsettled() == []
