"""New secrets that don't work give way to the former ones, which are kept sealed until then."""

from __future__ import annotations

import stat
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from controller.domain.bot import Bot, Wish
from controller.domain.phase import Phase
from controller.domain.release import Outcome
from controller.domain.run import PRESENT
from controller.runtime import ProbeResult
from tests.loop.test_releases import (
    crashes,
    fatal,
    never_well,
    proven,
    releases,
    settled,
    slowly,
)
from tests.manager.rich import WIDE
from tests.manager.rig import API_KEY, Rig, eventually

WRONG = "fake-provider-key-wrong"
BACK = "Its former secrets are used again."
Harm = Callable[[Rig, Bot], Awaitable[None]]


def kept(rig: Rig) -> list[Path]:
    """The sets that are kept sealed."""
    folder = rig.data / "sets"
    return sorted(folder.iterdir()) if folder.exists() else []


def key_of(rig: Rig, bot: Bot) -> str:
    """The key that the bot's program can read."""
    return (rig.secrets / bot.id / "api_key").read_text()


async def rotated(rig: Rig, bot: Bot) -> None:
    """The bot reads a wrong key, which has yet to prove itself."""
    await rig.submit(bot, rotate=True, api_key=WRONG)
    await eventually(lambda: rig.view(bot).bot.candidate and not rig.view(bot).bot.run.owes)
    assert key_of(rig, bot) == WRONG


async def is_back(rig: Rig, bot: Bot, number: int) -> None:
    """Wait until the former key is used again, and nothing is left of the wrong one."""
    await eventually(lambda: rig.view(bot).bot.setback, "it is taken back")
    await settled(rig, bot, number)
    await eventually(lambda: not rig.view(bot).bot.run.owes and not kept(rig), "a new run reads it")
    await rig.becomes(bot, Phase.RUNNING)
    row = rig.view(bot).bot
    assert (key_of(rig, bot), row.secret_set, row.problem) == (API_KEY, 1, None)


@pytest.mark.parametrize("harm", [crashes, never_well, fatal])
async def test_a_key_that_does_not_work_gives_way_to_the_former_one(rig: Rig, harm: Harm) -> None:
    """In the same container, whose run is another one; the card says so, and no value."""
    await slowly(rig, 0.4)
    bot = await proven(rig)
    before = rig.runtime.containers[bot.id].seen
    await rotated(rig, bot)
    (file,) = kept(rig)
    assert (stat.S_IMODE(file.stat().st_mode), API_KEY.encode() in file.read_bytes()) == (
        0o600,
        False,
    )
    run = rig.run_of(bot)
    await harm(rig, bot)
    await is_back(rig, bot, 1)
    after = rig.runtime.containers[bot.id].seen
    assert (after.container_id, after.started_at != run) == (before.container_id, True)
    setback = rig.view(bot).bot.setback
    assert setback is not None
    assert setback.message.startswith("Release 2 was taken back: ")
    assert setback.message.endswith(BACK)
    assert WRONG not in setback.message
    assert (await releases(rig, bot))[-1] == (2, "secrets", Outcome.FAILED)
    config = (rig.secrets / bot.id / "channel_config").read_text()
    assert API_KEY in config
    assert WRONG not in config


async def test_a_key_that_works_destroys_the_former_one(rig: Rig) -> None:
    """Without a new container or run: the program reads it by itself."""
    await slowly(rig, 0.1)
    bot = await proven(rig)
    await rotated(rig, bot)
    assert kept(rig)
    await settled(rig, bot, 2)
    await eventually(lambda: not kept(rig))
    assert (key_of(rig, bot), rig.view(bot).bot.secret_set) == (WRONG, 2)


async def test_a_second_try_still_comes_back_to_the_set_that_worked(rig: Rig) -> None:
    """Two wrong keys in a row: neither is something to come back to."""
    await slowly(rig, 0.5)
    bot = await proven(rig)
    await rotated(rig, bot)
    await rig.submit(bot, rotate=True, api_key=f"{WRONG}-again")
    await eventually(lambda: rig.view(bot).bot.candidate == 3 and not rig.view(bot).bot.run.owes)
    assert len(kept(rig)) == 1
    await never_well(rig, bot)
    await is_back(rig, bot, 1)


async def test_settings_and_secrets_come_back_together(rig: Rig) -> None:
    """A former container is parked beside the sealed set: both are used again."""
    await slowly(rig, 0.5)
    bot = await proven(rig)
    before = rig.runtime.containers[bot.id].seen.container_id
    await rig.edit(bot, greeting="ahoy")
    await eventually(lambda: rig.active(bot) and rig.runtime.parked)
    await rig.submit(bot, rotate=True, api_key=WRONG)
    await eventually(lambda: rig.view(bot).bot.candidate == 3 and not rig.view(bot).bot.run.owes)
    await eventually(lambda: rig.active(bot) and rig.runtime.parked)
    await crashes(rig, bot)
    await is_back(rig, bot, 1)
    assert rig.runtime.containers[bot.id].seen.container_id == before
    assert rig.view(bot).bot.fields == {}


async def test_a_controller_that_dies_meanwhile_is_followed_by_one_that_knows(rig: Rig) -> None:
    """Also when the row was taken back and the files weren't yet."""
    await slowly(rig, 0.5)
    bot = await proven(rig)
    await rotated(rig, bot)
    await rig.kill()
    await rig.open()
    assert len(kept(rig)) == 1
    assert API_KEY not in rig.manager.redact(f"it used {API_KEY}")
    await rig.house.tools.wishes.change(
        bot.id, lambda now: replace(now, candidate=0, secret_set=1, run=now.run.end(PRESENT))
    )
    await rig.restart()
    await eventually(lambda: key_of(rig, bot) == API_KEY and not kept(rig), "the key is back")
    await settled(rig, bot, 1)


async def test_what_a_kill_left_of_a_set_that_nobody_waits_for_goes(rig: Rig) -> None:
    """The new set had proved itself; so had half of a file nobody to belong to."""
    await slowly(rig, 0.5)
    bot = await proven(rig)
    await rotated(rig, bot)
    (file,) = kept(rig)
    await rig.kill()
    file.with_name(f".{file.name}.0011223344556677.tmp").write_bytes(b"half")
    await rig.open()
    assert kept(rig) == [file]
    await rig.house.tools.wishes.change(bot.id, lambda now: replace(now, release=2, candidate=0))
    await rig.restart()
    assert kept(rig) == []
    assert key_of(rig, bot) == WRONG


async def test_a_bot_that_is_deleted_meanwhile_leaves_no_set(rig: Rig) -> None:
    """Nothing is left of it, sealed or not."""
    await slowly(rig, 5)
    bot = await rig.running("rich")
    await rig.house.tools.wishes.change(bot.id, lambda now: replace(now, release=1, candidate=0))
    await rotated(rig, bot)
    assert kept(rig)
    await rig.house.tools.wishes.change(bot.id, lambda now: replace(now, wish=Wish.REMOVE))
    await rig.gone(bot)
    assert kept(rig) == []


async def test_a_secret_that_only_the_failed_set_had_goes_with_it(rig: Rig) -> None:
    """The former set is back as it was, not mixed with the other."""
    rig.template(f"{WIDE}\n[update]\nhealthy_for = 0.4\ndeadline = 2\n", "wide")
    await rig.restart()
    bot = await rig.create("wide")
    form = await rig.form(bot)
    await rig.fill_in(form, {f"key_{n}": f"value-of-{n}" for n in range(1, 7)})
    await eventually(lambda: rig.view(bot).bot.release == 1)
    await rig.submit(bot, rotate=True, key_7="value-of-7", key_1="another-1")
    await eventually(lambda: rig.active(bot) and rig.view(bot).bot.candidate)
    await eventually(lambda: not rig.view(bot).bot.run.owes)
    home = rig.secrets / bot.id
    assert (home / "key_7").exists()
    await crashes(rig, bot)
    await eventually(lambda: rig.view(bot).bot.setback and not kept(rig))
    await settled(rig, bot, 1)
    assert not (home / "key_7").exists()
    assert (home / "key_1").read_text() == "value-of-1"


async def test_crashes_from_before_a_rotation_do_not_count_against_it(rig: Rig) -> None:
    """The engine had started the program again; the new key then proves itself."""
    await slowly(rig, 0.3)
    bot = await proven(rig)
    await crashes(rig, bot)
    await eventually(lambda: rig.runtime.containers[bot.id].seen.restart_count == 1)
    await rig.becomes(bot, Phase.RUNNING)
    rig.runtime.answer_execute = lambda *_: ProbeResult(exit_code=0, output="")
    await rotated(rig, bot)
    await settled(rig, bot, 2)
    assert rig.view(bot).bot.setback is None
