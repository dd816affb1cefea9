"""Newer images: what is offered, what isn't, and bots that are updated one at a time."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import replace

import pytest

from controller.domain.bot import Bot
from controller.domain.errors import Conflict, NotReady
from controller.domain.release import Outcome
from controller.manager.update_checks import FAILURES_MOST
from controller.runtime import ProbeResult
from tests.loop.test_releases import PROVING, proven
from tests.manager.rig import ANN_ASKS, Rig, eventually

IMAGE = "example/plain:1"


@pytest.fixture
async def proving(rig: Rig) -> Rig:
    """An installation whose rich bots prove themselves at once."""
    rig.template(PROVING, "rich")
    await rig.restart()
    return rig


async def three(rig: Rig) -> list[Bot]:
    """Three bots, after which their image's name means another one."""
    bots = []
    for number in range(3):
        bot = await rig.create("rich")
        await rig.submit(
            bot, api_key=f"fake-provider-key-{number}", channel_token=f"fake-token-{number}"
        )
        await eventually(lambda bot=bot: rig.view(bot).bot.release == 1)  # type: ignore[misc]
        bots.append(rig.view(bot).bot)
    rig.runtime.rebuild(IMAGE)
    return bots


async def rolled(rig: Rig) -> str:
    """Wait for the end of the updates; the bot that ended them, if one did."""
    checks = rig.manager.update_checks
    await eventually(lambda: checks._rollout and not checks._rollout.running, seconds=10)
    found = (await checks.known()).rollout
    assert found is not None
    return found.failed


async def test_bots_are_updated_one_at_a_time(proving: Rig) -> None:
    """In order, the first as a canary; each is a release of its own, by whoever approved."""
    bots = await three(proving)
    found = await proving.manager.update_checks.find(ANN_ASKS)
    assert [offer.bot.name for offer in found.offers] == [bot.name for bot in bots]
    assert {offer.image for offer in found.offers} == {proving.runtime.image(IMAGE)}
    begun = await proving.manager.update_checks.approve(ANN_ASKS, found.mark)
    assert begun.names == tuple(bot.name for bot in bots)
    with pytest.raises(NotReady) as caught:
        await proving.manager.update_checks.approve(ANN_ASKS, found.mark)
    assert caught.value.code == "update-running"
    assert await rolled(proving) == ""
    began = []
    for bot in bots:
        newest = (await proving.store.releases(bot.id))[0]
        assert (newest.why, newest.outcome) == ("update", Outcome.GOOD)
        assert newest.author.principal.name == "ann"
        began.append((newest.at, newest.ended_at))
    assert all(end <= begin for (_, end), (begin, _) in itertools.pairwise(began))
    assert not (await proving.manager.update_checks.find(ANN_ASKS)).offers


async def test_the_first_failure_ends_it_and_is_not_offered_again(proving: Rig) -> None:
    """The others are never touched, and the one that failed runs as it was."""
    bots = await three(proving)
    found = await proving.manager.update_checks.find(ANN_ASKS)
    proving.runtime.answer_rehearse = lambda *_: ProbeResult(exit_code=1, output="too new")
    runs = [proving.run_of(bot) for bot in bots]
    await proving.manager.update_checks.approve(ANN_ASKS, found.mark)
    assert await rolled(proving) == bots[0].name
    assert [proving.run_of(bot) for bot in bots] == runs
    assert len(await proving.store.releases(bots[1].id)) == 1
    found = await proving.manager.update_checks.find(ANN_ASKS)
    assert found.offers == ()
    assert found.rollout is not None
    assert "too new" in found.rollout.why
    proving.runtime.rebuild(IMAGE)
    assert len((await proving.manager.update_checks.find(ANN_ASKS)).offers) == 3


async def test_what_is_approved_is_what_was_shown(proving: Rig) -> None:
    """Something else by now is nothing that anybody approved."""
    bot = await proven(proving)
    with pytest.raises(NotReady) as caught:
        await proving.manager.update_checks.approve(ANN_ASKS, "")
    assert caught.value.code == "up-to-date"
    proving.runtime.rebuild(IMAGE)
    mark = (await proving.manager.update_checks.find(ANN_ASKS)).mark
    proving.runtime.rebuild(IMAGE)
    await proving.manager.update_checks.find(ANN_ASKS)
    with pytest.raises(Conflict):
        await proving.manager.update_checks.approve(ANN_ASKS, mark)
    assert proving.view(bot).bot.candidate == 0


async def test_bots_that_are_held_or_stopped_are_not_offered(proving: Rig) -> None:
    """Somebody decided what they run; a stopped one couldn't prove anything."""
    bots = await three(proving)
    await proving.manager.lifecycle.stop(ANN_ASKS, bots[0])
    text = proving.house.tools.blueprints.snapshot(bots[1])
    wishes = proving.house.tools.wishes
    await wishes.change(bots[1].id, lambda now: replace(now, held=text))
    await eventually(lambda: proving.view(bots[1]).bot.release == 2)
    found = await proving.manager.update_checks.find(ANN_ASKS)
    assert [offer.bot.name for offer in found.offers] == [bots[2].name]


async def test_checks_that_learn_nothing_wait_for_a_person(proving: Rig) -> None:
    """Three in a row; what is asked by hand begins anew."""
    await proven(proving)
    proving.runtime.images.discard(IMAGE)
    checks = proving.manager.update_checks
    for _ in range(FAILURES_MOST):
        found = await checks.find(ANN_ASKS)
        assert (found.offers, found.silent) == ((), (IMAGE,))
    assert (await checks.known()).paused
    proving.runtime.images.add(IMAGE)
    assert not (await checks.find(ANN_ASKS)).paused


async def test_one_silent_registry_keeps_no_other_images_news_back(proving: Rig) -> None:
    """What could be learnt is offered, and what not is said. No registry is asked about an image
    that was built here."""
    gone = PROVING.replace('"rich"', '"gone"').replace(IMAGE, "example/absent:1")
    proving.template(gone.replace('pull = "never"', 'pull = "missing"'), "gone")
    proving.template(PROVING.replace('pull = "never"', 'pull = "missing"'), "rich")
    await proving.restart()
    proving.runtime.images.add("example/absent:1")
    bot, other = await proven(proving), await proving.create("gone")
    await proving.submit(other, api_key="fake-provider-key-9", channel_token="fake-token-9")
    await eventually(lambda: proving.view(other).bot.release == 1)
    proving.runtime.images.discard("example/absent:1")
    proving.runtime.rebuild(IMAGE)
    found = await proving.manager.update_checks.find(ANN_ASKS)
    assert found.silent == ("example/absent:1",)
    assert [offer.bot.name for offer in found.offers] == [proving.view(bot).bot.name]


async def test_checks_on_schedule_are_told(proving: Rig) -> None:
    """Whoever listens hears of each."""
    await proven(proving)
    proving.runtime.rebuild(IMAGE)
    checks = proving.manager.update_checks
    checks._every = 0.01
    heard = asyncio.Event()
    with checks.hearing(heard.set):
        work = asyncio.create_task(checks.run())
        await asyncio.wait_for(heard.wait(), 5)
        work.cancel()
    assert len((await checks.known()).offers) == 1
