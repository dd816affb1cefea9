"""Whatever Discord does, the work is done and whoever asked is told the outcome exactly once.
Next door: discord_acts.py sends seven requests at once and checks; test_discord_ends.py kills."""

from __future__ import annotations

from collections.abc import AsyncIterator

import docker
import pytest
import pytest_asyncio

from tests.process.process import eventually, open_place, said
from tests.prove.discord_acts import ACTS, CALLBACK, FINAL, Scene, Trouble, closed
from tests.prove.tally import Tally

pytestmark = [
    pytest.mark.engine,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.timeout(300),
]
COUNTED = "discord faults"
PAGE = "<html>slow down</html>"  # a proxy's answer, without Discord's header and JSON


def callback(name: str, *, late: bool, **how: object) -> Trouble:
    return Trouble(f"acknowledgement: {name}", "POST", CALLBACK, how, late)


def edit(name: str, *, late: bool, **how: object) -> Trouble:
    return Trouble(f"final edit: {name}", "PATCH", FINAL, how, late)


# The short form uses the first ones of each table.
CALLBACKS = [
    callback("taken, but said to have failed", status=500, after=True, times=ACTS, late=False),
    callback("lost before Discord took it", drop=True, late=True),
    callback("taken, its answer lost", drop_after=True, late=False),
    callback("unknown interaction", status=404, code=10062, late=True),
    callback("500 once", status=500, times=ACTS, late=False),
    callback("502 for good", status=502, late=True),
    callback("503 for good", status=503, late=True),
    callback("429, a short wait", status=429, retry_after=0.2, times=ACTS, late=False),
    callback("429, a long wait", status=429, retry_after=900, late=True),
    callback("429 by a proxy", status=429, text=PAGE, late=True),
    callback("expired token", status=401, code=50027, late=True),
    callback("taken, answered after four seconds", delay=4.0, late=False),
]
EDITS = [
    edit("expired token", status=401, code=50027, late=True),
    edit("taken, its answer lost", drop_after=True, late=False),
    edit("429, a short wait", status=429, retry_after=0.2, times=ACTS, late=False),
    edit("lost before Discord took it", drop=True, late=True),
    edit("message deleted", status=404, code=10008, late=True),
    edit("unknown webhook", status=404, code=10015, late=True),
    edit("502 once", status=502, times=ACTS, late=False),
    edit("500 for good", status=500, late=True),
    edit("503 for good", status=503, late=True),
    edit("429, a long wait", status=429, retry_after=900, late=True),
    edit("429 by a proxy", status=429, text=PAGE, late=True),
    edit("taken, but said to have failed", status=500, after=True, late=False),
]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def scene(
    tmp_path_factory: pytest.TempPathFactory, docker_client: docker.APIClient, demo_image: str
) -> AsyncIterator[Scene]:
    """Four bots and a controller, for all tests of this file."""
    folder = tmp_path_factory.mktemp("scene")
    async with open_place(folder, docker_client) as place:
        found = Scene(place)
        await found.furnish()
        yield found


async def _all(scene: Scene, tally: Tally, troubles: list[Trouble], short: int) -> None:
    for trouble in troubles[: tally.pick(short, len(troubles))]:
        try:
            await scene.round(trouble)
        except AssertionError as error:
            tally.lost[COUNTED] += 1
            error.add_note(f"the fault: {trouble.name}")
            raise
        tally.tried[COUNTED] += ACTS


async def test_no_trouble_with_an_acknowledgement_stops_the_work(
    scene: Scene, tally: Tally
) -> None:
    """Seven requests at once under each fault of the first answer."""
    await _all(scene, tally, CALLBACKS, short=1)


async def test_no_trouble_with_a_final_edit_leaves_anybody_untold(
    scene: Scene, tally: Tally
) -> None:
    """Seven requests at once under each fault of the last words."""
    await _all(scene, tally, EDITS, short=1)


async def test_who_takes_no_direct_message_is_told_in_the_admin_channel(
    scene: Scene, tally: Tally
) -> None:
    """The message has the person's name, and pings nobody else."""
    place = scene.place
    before = len(scene.late())
    with closed(place), place.world.fault("PATCH", FINAL, status=401, code=50027):
        await place.ann.slash("bot restart", name="three")
        await eventually(lambda: len(scene.late()) > before)
    message = [m for m in place.cards if "About your request" in m.content][-1]
    assert message.content.startswith(f"<@{place.ann.id}> ")
    assert "**restart** on **three**" in message.content
    assert "running" in message.content
    assert message.allowed_mentions == {"parse": [], "users": [place.ann.id]}
    tally.tried[COUNTED] += 1


async def test_a_late_answer_whose_own_sending_was_lost_stands_once(
    scene: Scene, tally: Tally
) -> None:
    """Twice Discord took the direct message without confirming it, and then was away."""
    place, before = scene.place, len(scene.late())
    dm = rf"^/channels/{place.ann.dm_channel_id}/messages$"
    with (
        place.world.fault("PATCH", FINAL, status=404, code=10008),
        place.world.fault("POST", dm, drop_after=True, times=2) as lost,
        place.world.fault("POST", dm, status=503, times=1) as refused,
    ):
        await place.ann.slash("bot restart", name="three")
        await eventually(lambda: refused.hits)
        await eventually(lambda: not place.controller.owed())
    assert (lost.hits, refused.hits) == (2, 1)
    assert len(scene.late()) == before + 1
    tally.tried[COUNTED] += 3


REFUSED = [
    {"status": 500},
    {"status": 404, "code": 10003},  # no such channel
    {"status": 503},
    {"status": 429, "retry_after": 0.3},
    {"drop": True},
    {"status": 403, "code": 50013},  # no permission
    {"status": 403, "code": 50001},  # no access
]


async def test_a_public_message_that_discord_refuses_is_true_once_it_is_allowed(
    scene: Scene, tally: Tally
) -> None:
    """New messages and edits are refused in each way; the work goes on meanwhile. What isn't
    permitted is tried again after a minute."""
    place = scene.place
    where = rf"^/channels/{place.world.admin_channel_id}/messages"
    for number, how in enumerate(REFUSED[: tally.pick(1, len(REFUSED))]):
        name = f"card-{number}"
        with place.world.fault("*", where, **how) as fault:
            await place.create(name)
            await said(await place.ann.slash("bot stop", name="one"), "stopped")
            assert await place.world.reached(lambda fault=fault: fault.hits > 1, 5)
        soon = 150 if how.get("status") == 403 else 20
        await place.card_says(name, "waiting for secrets", soon)
        await place.card_says("one", "stopped", soon)
        assert len([m for m in place.cards if m.content.startswith(f"⚪ **{name}**")]) == 1
        await said(await place.ann.slash("bot start", name="one"), "running")
        await place.card_says("one", "running", 20)
        tally.tried[COUNTED] += 2


async def test_a_request_that_comes_late_is_done_and_answered_by_other_ways(
    scene: Scene, tally: Tally
) -> None:
    """The gateway was away longer than Discord waits, but the replayed press still counts."""
    place, before = scene.place, len(scene.late())
    place.world.answer_window = 0.4
    with place.world.gateway.paused():
        await place.world.gateway.drop()
        asked = await place.ann.slash("bot stop", name="one", wait=False)
        assert not await place.world.reached(lambda: asked.answered, 0.6)
    await eventually(lambda: len(scene.late()) == before + 1)
    place.world.answer_window = 3.0
    await place.world.deliver_again(asked)  # and a second time, which nobody is told about
    await said(await place.ann.slash("bot start", name="one"), "running")
    assert len(scene.late()) == before + 1
    assert set(asked.callbacks) == {404}
    tally.tried[COUNTED] += 2


async def test_a_gateway_that_breaks_in_the_middle_of_a_request_changes_nothing(
    scene: Scene, tally: Tally
) -> None:
    """Cut, closed, told to reconnect, its session forgotten: the outcome is still told."""
    place = scene.place
    gateway = place.world.gateway
    breaks = [
        gateway.drop,
        lambda: gateway.close(1000),
        gateway.request_reconnect,
        lambda: gateway.close(4000),
        lambda: gateway.close(4009),
        lambda: gateway.invalidate(resumable=True),
        gateway.invalidate,
    ]
    before = len(scene.late())
    for cut in breaks[: tally.pick(2, len(breaks))]:
        since = place.controller.started_at(place.controller.bot_id("three"))
        asked = await place.ann.slash("bot restart", name="three")
        await cut()
        await said(asked, "running")
        assert place.controller.started_at(place.controller.bot_id("three")) > since
        await place.world.until(lambda world: world.gateway.connected, 15)
        await said(await place.ann.slash("bot show", name="three"), "running")
        tally.tried[COUNTED] += 1
    assert len(scene.late()) == before
    assert not place.controller.trouble()
