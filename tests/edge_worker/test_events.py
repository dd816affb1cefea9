"""The journal arrives in D1: in order, each entry once, whatever happens on the way."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from tests.edge_worker.conftest import Site, ask
from tests.edge_worker.node import LocalWorker
from tests.edge_worker.wire import Instead, Wire
from tests.manager.rig import Rig

KILLS, KILLS_IN_FULL = 3, 20  # with --prove


@pytest.fixture
async def wire(worker: LocalWorker) -> AsyncIterator[Wire]:
    """A way to the Worker that can be broken."""
    async with Wire(worker.url) as found:
        yield found


@pytest.fixture
async def wired(tmp_path: Path, worker: LocalWorker, wire: Wire) -> AsyncIterator[Site]:
    """An installation behind it."""
    folder = tmp_path / "site"
    folder.mkdir()
    found = Site(Rig(folder), worker, worker.bindings["EDGE_KEYS"], wire.url)
    await found.begin()
    yield found
    await found.die()


async def whole(site: Site, numbers: list[int]) -> None:
    """Everything that was written down is in D1, once, with nothing between missing."""
    await site.drained()
    there = await site.in_d1()
    assert sorted(set(there)) == there
    assert there == list(range(there[0], await site.rig.store.newest() + 1))
    assert set(numbers) <= set(there)


async def test_what_happens_arrives_once_and_in_order(site: Site) -> None:
    """With its kind, its bot and its words; and the row says that all is synced."""
    numbers = await site.happen(3)
    await site.drained()
    rows = await site.worker.rows("SELECT * FROM events WHERE kind = 'health_check' ORDER BY seq")
    assert [row["seq"] for row in rows] == numbers
    assert {(row["type"], row["bot"]) for row in rows} == {("bot.crash", "shop")}
    assert '"shop crashed' in rows[0]["data"]
    row = await site.row()
    assert (row.failures, row.dead, row.lost, row.reason) == (0, 0, 0, "")


async def test_the_fleet_is_known_while_the_controller_is_away(site: Site) -> None:
    """With its age, for whoever has a token."""
    await site.rig.create(name="bee")
    await site.drained()
    await site.restart()
    await site.happen()
    await site.drained()
    await site.die()
    said = await ask(f"{site.worker.url}/status")
    assert (said.status, said.json["fleet"]["bots"][0]["name"]) == (200, "bee")
    assert 0 <= said.json["age_seconds"] < 60
    async with aiohttp.ClientSession() as session:
        async with session.get(f"{site.worker.url}/status") as answer:
            assert answer.status == 401
        async with session.get(f"{site.worker.url}/health") as answer:
            health = await answer.json()
    assert (answer.status, health["worker"], health["d1"]) == (200, "ok", "ok")
    assert (health["tunnel"], health["orchestrator"]) == ("down", "unknown")
    await site.begin()


async def test_trouble_on_the_way_loses_nothing_and_doubles_nothing(
    wired: Site, wire: Wire
) -> None:
    """429, 500, drops before and after the Worker took them, an answer that isn't its own."""
    wire.script = [
        Instead(500),
        Instead(drop=True),
        Instead(drop=True, passed=True),
        Instead(502, passed=True),
        Instead(200),
        Instead(429, {"Retry-After": "1"}),
    ]
    begun = time.monotonic()
    numbers = await wired.happen(250)
    await whole(wired, numbers)
    assert wire.script == []
    assert time.monotonic() - begun > 1.0, "Retry-After counts"


async def test_a_poison_event_becomes_a_dead_letter_and_blocks_nobody(site: Site) -> None:
    """What an older Worker rejects is told once; what came with it arrives."""
    text = site.worker.modules["intake.js"]
    site.worker.modules["intake.js"] = text.replace('"health_check", ', "")
    assert text != site.worker.modules["intake.js"]
    await site.worker.serve()
    await site.rig.create()
    (worse,) = await site.happen()
    await site.rig.create()
    row = await site.until(lambda found: found.dead == 1 and found.cursor > worse)
    await site.drained()
    there = await site.in_d1()
    assert worse not in there
    assert max(there) > worse > min(there)
    (letter,) = await site.rig.store.dead_letters("edge", 10)
    assert (letter.seq, row.dead) == (worse, 1)
    assert letter.reason == "the Worker rejected it: its kind isn't known"


async def test_an_event_that_is_odd_or_too_large_is_told_without_its_details(site: Site) -> None:
    """Nothing in an entry can hold up those behind it."""
    odd = await site.happen(1, exit_code={"no": "number"})
    large = await site.happen(
        1, more={str(n): {str(m): "é" * 900 for m in range(45)} for n in range(45)}
    )
    await whole(site, odd + large)
    rows = await site.worker.rows("SELECT seq, data FROM events WHERE data LIKE '%cut%'")
    assert {row["seq"] for row in rows} == {*odd, *large}


async def test_d1_away_and_back(site: Site) -> None:
    """Events wait, the row says why, and then they drain."""
    await site.drained()
    await site.worker.serve(d1=False)
    numbers = await site.happen(120)
    await site.until(lambda found: found.reason == "it answered 503")
    await site.worker.serve()
    await whole(site, numbers)


async def test_a_day_offline_and_then_drained(site: Site) -> None:
    """Nobody listens; a few thousand entries later the Worker is back."""
    await site.drained()
    await site.worker.kill()
    numbers = await site.happen(3000)
    row = await site.until(lambda found: found.failures > 2)
    assert row.reason == "it can't be reached"
    await site.worker.open()
    await whole(site, numbers)


async def test_a_clock_that_is_ten_minutes_off_is_named(wired: Site, wire: Wire) -> None:
    """In the row that `botmaker edge status` shows; once it is set, events go on by themselves."""
    await wired.drained()
    wired.skew = 600.0
    numbers = await wired.happen(2)
    row = await wired.until(lambda found: found.failures > 0)
    assert row.reason.startswith("this machine's clock and the Worker's are ")
    assert 595 <= int(row.reason.split()[-3]) <= 605
    wired.skew = 0.0
    await whole(wired, numbers)


async def test_another_key_stops_it_and_says_so(site: Site) -> None:
    """No retry would help; with the right key the next start goes on where it was."""
    await site.drained()
    good, site.key = site.key, "whsec_" + "A" * 44
    (site.rig.folder / "edge.keys").write_text("whsec_" + "A" * 43 + "=")
    numbers = await site.happen(2)
    row = await site.until(lambda found: found.stopped)
    assert row.reason == "it doesn't take our signature: the two keys differ"
    site.key = good
    await site.restart()
    await whole(site, numbers)


async def test_a_call_that_was_overheard_is_refused(wired: Site, wire: Wire) -> None:
    """Sent again as it was, or to another route: neither counts."""
    await wired.happen()
    await wired.drained()
    method, path, body, headers = next(one for one in wire.taken if one[1] == "/internal/events")
    async with aiohttp.ClientSession() as session:
        for target, wanted in (
            (path, (409, "call-repeated")),
            ("/internal/wishes", (401, "not-signed")),
        ):
            url = wired.worker.url + target
            async with session.request(method, url, data=body, headers=headers) as answer:
                assert (answer.status, (await answer.json())["code"]) == wanted


@pytest.mark.timeout(300)
async def test_kills_of_either_side_at_any_moment_lose_nothing(
    wired: Site, wire: Wire, pytestconfig: pytest.Config
) -> None:
    """The controller dies after the Worker took a batch and before it knows; so does the Worker."""
    numbers: list[int] = []
    for number in range(KILLS_IN_FULL if pytestconfig.getoption("--prove") else KILLS):
        died = asyncio.Event()

        async def die(died: asyncio.Event = died) -> None:
            assert wired._work is not None
            wired._work.cancel()  # in the middle of its POST, which has arrived
            died.set()

        wire.script = [Instead(after=die, drop=True)]
        numbers += await wired.happen(130)
        await asyncio.wait_for(died.wait(), 20)
        await wired.die()
        if number % 2:
            await wired.worker.kill()
            await wired.worker.open()
        await wired.begin()
    await whole(wired, numbers)


async def test_the_cron_forgets_what_is_old(site: Site) -> None:
    """Events of more than 30 days, ids of calls that no longer count."""
    await site.happen(2)
    await site.drained()
    old = int(time.time()) - 31 * 86_400
    await site.worker.rows("UPDATE events SET received_at = ? WHERE seq = 1", old)
    await site.worker.rows("UPDATE calls SET until = ?", old)
    said = await site.worker.ask(do="cron")
    assert said["outcome"] == "ok"
    assert 1 not in await site.in_d1()
    assert await site.worker.rows("SELECT * FROM calls WHERE until = ?", old) == []
