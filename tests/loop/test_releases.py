"""A change proves itself, or the release before it comes back: whatever is wrong with it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from controller.domain.bot import Bot
from controller.domain.journal import Kind
from controller.domain.observation import ContainerState
from controller.domain.phase import Phase
from controller.domain.release import Outcome, Release
from controller.runtime import ProbeResult
from tests.manager.rich import RICH
from tests.manager.rig import ANN_ASKS, Rig, eventually

QUICK = "\n[update]\nhealthy_for = 0.05\ndeadline = 1\n\n[providers.demo]\n"
PROVING = RICH.replace("\n[providers.demo]\n", QUICK, 1)


@pytest.fixture
async def proving(rig: Rig) -> Rig:
    """An installation whose rich bots prove themselves at once."""
    rig.template(PROVING, "rich")
    await rig.restart()
    return rig


async def slowly(rig: Rig, seconds: float) -> None:
    """A new controller, for whose rich bots it takes so long to prove themselves."""
    gate = f"healthy_for = {seconds}\ndeadline = {max(1, 2 * seconds)}"
    rig.template(PROVING.replace("healthy_for = 0.05\ndeadline = 1", gate), "rich")
    await rig.restart()


async def proven(rig: Rig) -> Bot:
    """A bot whose first release has proved itself."""
    bot = await rig.running("rich")
    await eventually(lambda: rig.view(bot).bot.release == 1, "it proves itself")
    return rig.view(bot).bot


async def settled(rig: Rig, bot: Bot, number: int) -> None:
    """Wait until that release is the one, and nothing is left of another."""
    await eventually(
        lambda: (rig.view(bot).bot.release, rig.view(bot).bot.candidate) == (number, 0),
        f"release {number} is the one",
    )
    await eventually(lambda: not rig.runtime.parked and rig.active(bot), "it runs alone")


async def releases(rig: Rig, bot: Bot) -> list[tuple[int, str, Outcome]]:
    """The bot's releases, oldest first."""
    found: list[Release] = await rig.store.releases(bot.id)
    return [(one.number, one.why, one.outcome) for one in found[::-1]]


# What works


async def test_a_change_that_works_becomes_the_current_release(proving: Rig) -> None:
    """With who, why and what; its former container goes once it has proved itself."""
    bot = await proven(proving)
    former = proving.runtime.containers[bot.id].seen.container_id
    await proving.edit(bot, greeting="ahoy")
    await settled(proving, bot, 2)
    held = proving.runtime.containers[bot.id]
    assert (held.seen.release, held.seen.container_id != former) == (2, True)
    assert await releases(proving, bot) == [
        (1, "create", Outcome.GOOD),
        (2, "settings", Outcome.GOOD),
    ]
    newest = (await proving.store.releases(bot.id))[0]
    assert newest.author.principal.name == "ann"
    assert newest.content.fields == {"greeting": "ahoy"}
    assert newest.content.image == held.seen.image
    assert '"id":"rich"' in newest.snapshot


async def test_what_it_replaces_is_parked_until_then(proving: Rig) -> None:
    """Stopped, disarmed, and never running beside it."""
    await slowly(proving, 0.5)
    bot = await proven(proving)
    await proving.edit(bot, greeting="ahoy")
    await eventually(lambda: proving.active(bot) and proving.runtime.parked)
    parked = proving.runtime.parked[bot.id].seen
    assert (parked.state, parked.armed) == (ContainerState.EXITED, False)
    assert proving.view(bot).bot.candidate == 2


async def test_new_secrets_are_a_release_in_the_same_container(proving: Rig) -> None:
    """A program that reads them again needs no new one."""
    bot = await proven(proving)
    before = proving.runtime.containers[bot.id].seen
    await proving.submit(bot, rotate=True, api_key="fake-provider-key-2")
    await eventually(lambda: proving.view(bot).bot.release == 2)
    after = proving.runtime.containers[bot.id].seen
    assert (after.container_id, after.started_at) == (before.container_id, before.started_at)
    assert (await releases(proving, bot))[-1] == (2, "secrets", Outcome.GOOD)
    (newest, *_) = await proving.store.releases(bot.id)
    assert newest.content.secret_set == 2


async def test_a_restart_for_a_new_template_is_a_release(proving: Rig) -> None:
    """Only when a person restarts it; an upgrade alone makes none."""
    bot = await proven(proving)
    proving.template(PROVING.replace("stop_timeout = 1", "stop_timeout = 2"), "rich")
    await proving.restart()
    await proving.becomes(bot, Phase.RUNNING)
    assert len(await releases(proving, bot)) == 1
    await proving.manager.lifecycle.restart(ANN_ASKS, bot)
    await settled(proving, bot, 2)
    assert (await releases(proving, bot))[-1] == (2, "template", Outcome.GOOD)


# What doesn't


async def refused_config(rig: Rig) -> None:
    rig.runtime.answer_rehearse = lambda *_: ProbeResult(exit_code=1, output="too loud")


async def missing_program(rig: Rig) -> None:
    """The engine refuses its start."""
    rig.runtime.absent.add("broken")


@pytest.mark.parametrize("tries", [1, 2])
async def test_an_edit_that_the_image_refuses_leaves_the_run_alone(
    proving: Rig, tries: int
) -> None:
    """The same run goes on, its settings are the former ones, and the card says why."""
    bot = await proven(proving)
    before = proving.runtime.containers[bot.id].seen
    config = (proving.secrets / bot.id / "channel_config").read_text()
    await refused_config(proving)
    for number in range(2, 2 + tries):
        await proving.edit(proving.view(bot).bot, greeting=f"ahoy-{number}")
        await eventually(lambda: proving.view(bot).bot.setback, "it is taken back")
        await settled(proving, bot, 1)
    view = proving.view(bot)
    assert proving.runtime.containers[bot.id].seen == before
    assert (view.phase, view.bot.problem, view.bot.fields) == (Phase.RUNNING, None, {})
    assert view.bot.setback is not None
    assert view.bot.setback.code == "config-refused"
    number = 1 + tries
    words = f"Release {number} was taken back: Rich bot refuses the bot's settings: too loud"
    assert view.bot.setback.message == words
    path = proving.secrets / bot.id / "channel_config"
    await eventually(lambda: path.read_text() == config, "what it reads is the former config")
    assert (await releases(proving, bot))[-1] == (number, "settings", Outcome.FAILED)
    told, *_ = await proving.entries(Kind.TAKEN_BACK, bot=bot)
    assert (told.data["number"], told.data["to"]) == (number, 1)


async def crashes(rig: Rig, bot: Bot) -> None:
    rig.runtime.crash(bot.id, 3)


async def never_well(rig: Rig, bot: Bot) -> None:
    rig.runtime.write_log(bot.id, "NO_MODEL")
    rig.loop.looker.signs.read_soon(bot.id)


async def fatal(rig: Rig, bot: Bot) -> None:
    rig.runtime.crash(bot.id, 78)


Harm = Callable[[Rig, Bot], Awaitable[None]]


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (crashes, "Its program ended and had to be started again. (exit 3)"),
        (never_well, "It wasn't healthy for 0.5 s within 1 s."),
        (fatal, "Stopped after exit 78: a configuration error."),
    ],
)
async def test_a_change_that_does_not_prove_itself_gives_way(
    proving: Rig, harm: Harm, words: str
) -> None:
    """The former container runs again, unchanged, with its restart policy."""
    await slowly(proving, 0.5)
    bot = await proven(proving)
    await proving.edit(bot, persona="I am kind.")
    await settled(proving, bot, 2)
    before = proving.runtime.containers[bot.id].seen
    seeds = dict(proving.runtime.seeded[bot.id])
    await proving.edit(bot, greeting="ahoy", persona="I am loud.")
    await eventually(lambda: proving.active(bot) and proving.runtime.parked)
    assert proving.runtime.seeded[bot.id]["SOUL.md"] == "I am loud."
    proving.runtime.write_log(bot.id, "it says this")
    await harm(proving, bot)
    await settled(proving, bot, 2)
    after = proving.runtime.containers[bot.id].seen
    assert after.container_id == before.container_id
    assert (after.armed, after.spec, after.release) == (True, before.spec, 2)
    view = proving.view(bot)
    await proving.becomes(bot, Phase.RUNNING)
    assert view.bot.setback is not None
    assert view.bot.setback.message == f"Release 3 was taken back: {words}"
    assert (view.crashes, view.bot.fields) == ((), {"persona": "I am kind."})
    assert proving.runtime.seeded[bot.id] == seeds
    assert await proving.entries(Kind.BY_HAND, bot=bot) == []
    (failed, *_) = await proving.store.releases(bot.id)
    assert failed.tail == ("it says this", *(["NO_MODEL"] if harm is never_well else []))


async def test_a_container_that_cannot_start_gives_way(proving: Rig) -> None:
    """What only the engine can refuse is taken back as well."""
    bot = await proven(proving)
    proving.template(
        PROVING.replace("stop_timeout = 1", 'stop_timeout = 1, init = false, command = ["broken"]'),
        "rich",
    )
    await proving.restart()
    await proving.becomes(bot, Phase.RUNNING)
    await missing_program(proving)
    await proving.manager.lifecycle.restart(ANN_ASKS, bot)
    await eventually(lambda: proving.view(bot).bot.setback)
    await settled(proving, bot, 1)
    view = proving.view(bot)
    assert (view.bot.setback.code if view.bot.setback else "") == "bad-spec"
    # A restart alone doesn't try that again: it's held to the template that works.
    await proving.manager.lifecycle.restart(ANN_ASKS, bot)
    await proving.becomes(bot, Phase.RUNNING)
    assert len(await releases(proving, bot)) == 2


async def test_a_change_of_a_stopped_bot_is_tried_at_its_start(proving: Rig) -> None:
    """Nothing ran that could come back: it stays as it is, and says what is wrong."""
    bot = await proven(proving)
    await proving.manager.lifecycle.stop(ANN_ASKS, bot)
    await proving.edit(proving.view(bot).bot, greeting="ahoy")
    await refused_config(proving)
    await proving.manager.lifecycle.start(ANN_ASKS, bot)
    view = await proving.becomes(bot, Phase.ERROR)
    assert (view.bot.release, view.bot.candidate, view.bot.fields) == (1, 2, {"greeting": "ahoy"})
    proving.runtime.answer_rehearse = lambda *_: ProbeResult(exit_code=0, output="")
    await proving.manager.lifecycle.restart(ANN_ASKS, bot)
    await settled(proving, bot, 2)


async def test_a_second_change_replaces_one_that_is_being_tried(proving: Rig) -> None:
    """The container that works stays parked until one of them has proved itself."""
    await slowly(proving, 0.5)
    bot = await proven(proving)
    first = proving.runtime.containers[bot.id].seen.container_id
    for greeting in ("ahoy", "moin"):
        await proving.edit(proving.view(bot).bot, greeting=greeting)
        await eventually(lambda: proving.active(bot) and proving.runtime.parked)
    assert proving.runtime.parked[bot.id].seen.container_id == first
    await settled(proving, bot, 3)
    assert [outcome for *_, outcome in await releases(proving, bot)] == [
        *(Outcome.GOOD, Outcome.REPLACED, Outcome.GOOD)
    ]
    assert proving.view(bot).bot.fields == {"greeting": "moin"}


async def test_a_stop_and_a_deletion_leave_nothing_running(proving: Rig) -> None:
    """Also what is parked ends with its bot."""
    await slowly(proving, 30)
    bot = await proving.running("rich")
    await proving.house.tools.wishes.change(
        bot.id, lambda now: replace(now, release=1, candidate=0)
    )
    await proving.edit(proving.view(bot).bot, greeting="ahoy")
    await eventually(lambda: proving.active(bot) and proving.runtime.parked)
    await proving.manager.lifecycle.stop(ANN_ASKS, bot)
    await proving.becomes(bot, Phase.STOPPED)
    assert list(proving.runtime.parked) == [bot.id]
    await proving.manager.lifecycle.delete(ANN_ASKS, bot)
    await proving.gone(bot)
    assert proving.runtime.parked == {}


async def test_an_engine_that_restarts_during_a_trial_decides_nothing(proving: Rig) -> None:
    """Its absence isn't held against the change, which goes on and proves itself."""
    await slowly(proving, 0.3)
    bot = await proven(proving)
    await proving.edit(bot, greeting="ahoy")
    await eventually(lambda: proving.active(bot) and proving.runtime.parked)
    proving.runtime.go_away()
    await eventually(lambda: not proving.fleet.engine.reachable, "it's missed", 20)
    proving.runtime.come_back()
    await settled(proving, bot, 2)
    assert proving.view(bot).crashes == ()
    assert (await releases(proving, bot))[-1] == (2, "settings", Outcome.GOOD)


async def test_a_controller_that_dies_between_two_steps_is_followed_by_one_that_goes_on(
    proving: Rig,
) -> None:
    """Killed after each write of a change that works, and of one that doesn't."""
    await slowly(proving, 0.2)
    bot = await proven(proving)
    for nth, bad in [(n, bad) for bad in (False, True) for n in range(1, 6)]:
        await asyncio.sleep(0)
        await tried(proving, bot, nth, bad=bad)


async def tried(rig: Rig, bot: Bot, nth: int, *, bad: bool) -> None:
    """One change, whose controller dies after its n-th write."""
    del nth
    good = rig.view(bot).bot
    await rig.edit(good, greeting=f"hello-{good.release}-{bad}")
    await eventually(lambda: rig.runtime.parked)
    await rig.restart()
    if bad:
        await eventually(lambda: rig.active(bot))
        rig.runtime.crash(bot.id, 3)
    await eventually(lambda: not rig.view(bot).bot.candidate)
    await settled(rig, bot, rig.view(bot).bot.release)
    now = rig.view(bot).bot
    assert (now.fields == good.fields) is bad
