"""The controller ends while an answer is owed: the next one says it, once.
Next door: test_discord_faults.py has the faults that a running controller outlives."""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator
from typing import Any

import docker
import pytest
import pytest_asyncio

from tests.loopback import Invocation, Message
from tests.process.process import Place, eventually, open_place
from tests.prove.discord_acts import CALLBACK, FINAL, LATE
from tests.prove.tally import Tally

pytestmark = [
    pytest.mark.engine,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.timeout(120),
]
COUNTED = "discord faults"
ENDS = [signal.SIGKILL, signal.SIGTERM]
WORDS = "**shop** — running"
DIRECT = r"^/(users/@me/channels|channels/\d+/messages)$"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def place(
    tmp_path_factory: pytest.TempPathFactory, docker_client: docker.APIClient, demo_image: str
) -> AsyncIterator[Place]:
    """A place with a running bot; each test ends the controller and starts it again."""
    async with open_place(tmp_path_factory.mktemp("ends"), docker_client) as found:
        await found.bot("shop")
        yield found


def late(place: Place) -> list[Message]:
    """Every answer that came another way than through its interaction."""
    return [m for m in [*place.ann.dms, *place.cards] if LATE in m.content]


def last_end(place: Place) -> dict[str, Any] | None:
    """How the newest restart ended, by the journal; None if it hasn't."""
    return place.controller.ends("bot.restart")[-1]


async def settled(place: Place) -> None:
    """Wait until no answer is owed and every request has ended."""
    await eventually(lambda: not place.controller.owed())
    assert not place.controller.unended()


async def told_once(place: Place, tally: Tally, inv: Invocation, before: int) -> str:
    """Check that one late answer came, and no more after another restart; returns its text."""
    await settled(place)
    if tally.full:
        await place.controller.restart()
        await place.ann.slash("bot list")
    assert len(late(place)) == before + 1
    newest = max(late(place), key=lambda message: message.id)
    assert WORDS in newest.content
    assert WORDS not in inv.text
    return newest.content


async def test_a_controller_that_ends_while_it_tries_to_answer_is_answered_for(
    place: Place, tally: Tally
) -> None:
    """The work was done but Discord didn't take the answer: after a kill or stop it still comes."""
    for how in ENDS[: tally.pick(1, 2)]:
        before = len(late(place))
        with place.world.fault("PATCH", FINAL, status=503) as fault:
            inv = await place.ann.slash("bot restart", name="shop")
            await eventually(lambda fault=fault: fault.hits)
            assert last_end(place) == {"result": "done", "phase": "running"}
            await place.controller.end(how)
        await place.controller.start()
        assert "restarted before it could answer" in await told_once(place, tally, inv, before)
        tally.tried[COUNTED] += 1


async def test_a_controller_killed_in_the_middle_of_the_work_is_answered_for(
    place: Place, tally: Tally
) -> None:
    """A request that had begun is finished, ended in the journal, and its asker is told."""
    bot_id, before = place.controller.bot_id("shop"), len(late(place))
    since, count = place.controller.started_at(bot_id), len(place.controller.ends("bot.restart"))
    inv = await place.ann.slash("bot restart", name="shop")
    await eventually(lambda: len(place.controller.ends("bot.restart")) > count)
    await place.controller.kill()
    assert last_end(place) is None
    await place.controller.start()
    await eventually(lambda: (place.controller.started_at_or_none(bot_id) or "") > since)
    await told_once(place, tally, inv, before)
    assert last_end(place) == {"result": "cut-short"}
    tally.tried[COUNTED] += 1


async def test_words_that_wait_for_discord_outlive_a_kill(place: Place, tally: Tally) -> None:
    """Discord took neither the answer nor the direct message; the next controller sends them."""
    before = len(late(place))
    with (
        place.world.fault("POST", CALLBACK, status=404, code=10062),
        place.world.fault("POST", DIRECT, status=503) as away,
    ):
        inv = await place.ann.slash("bot restart", name="shop", wait=False)
        await eventually(lambda: away.hits)
        await place.controller.kill()
    await place.controller.start()
    assert "before it could answer" not in await told_once(place, tally, inv, before)
    tally.tried[COUNTED] += 1


async def test_a_late_answer_that_discord_took_is_not_said_again_after_a_kill(
    place: Place, tally: Tally
) -> None:
    """Discord took the direct message, but the confirmation was lost: there is no second one."""
    before = len(late(place))
    with (
        place.world.fault("PATCH", FINAL, status=401, code=50027),
        place.world.fault("POST", rf"/{place.ann.dm_channel_id}/", drop_after=True) as lost,
    ):
        inv = await place.ann.slash("bot restart", name="shop")
        await eventually(lambda: lost.hits)
        await place.controller.kill()
    await place.controller.start()
    await told_once(place, tally, inv, before)
    tally.tried[COUNTED] += 1


async def test_a_discord_that_takes_nothing_for_a_while_hears_all_of_it_afterwards(
    place: Place, tally: Tally
) -> None:
    """Every request fails, from the acknowledgement to the card; then it is back."""
    controller, before = place.controller, len(late(place))
    since = controller.started_at(controller.bot_id("shop"))
    card = await place.card_says("shop", "running")
    how = {"status": 503} if tally.full else {"drop": True}  # discord.py retries it for long
    with place.world.fault("*", r"^/(interactions|webhooks|channels|users)", **how):
        inv = await place.ann.slash("bot restart", name="shop", wait=False)
        await eventually(controller.owed, 15)
        await eventually(lambda: controller.owed() not in ([], [None]), 15)
        assert controller.started_at(controller.bot_id("shop")) > since
        assert len(late(place)) == before
    await eventually(lambda: len(late(place)) > before, 25)
    await told_once(place, tally, inv, before)
    await place.card_says("shop", "running", 25)
    assert place.cards.count(card) == 1
    tally.tried[COUNTED] += 5
