"""What an engine takes with it is one incident, however many bots that are.

A private engine, stopped and started. Three bots in the short form (make test), thirty in full
(make prove).
"""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest

from tests.prove.engine_fixtures import engine
from tests.prove.engine_shop import open_shop, running_anew
from tests.prove.private_engine import PrivateEngine
from tests.prove.tally import Tally

__all__ = ["engine"]
pytestmark = [pytest.mark.engine, pytest.mark.timeout(240)]
INCIDENT = re.compile(r"^(?:🔴|🟠|⚠️|✅|⚫) \*\*[^*\n]+ [^*\n]+\*\*")
TOLD_WITHIN = 5.0  # seconds


async def test_an_engines_restart_is_one_message_that_pings_once_and_closes(
    engine: PrivateEngine, tmp_path: Path, tally: Tally
) -> None:
    """Told within five seconds, closed in the same message; none about any bot that ended with it,
    also not when it's back and they have had time to be told of."""
    async with open_shop(engine, tmp_path) as shop:
        names = [f"bot-{number}" for number in range(tally.pick(3, 30))]
        ids = await shop.bots(*names)
        asked = await shop.place.ann.slash("fleet alerts me")
        await asked.until(lambda i: i.message is not None and "Pinged" in i.text)
        former = {bot_id: shop.run_of(bot_id) for bot_id in ids}
        await asyncio.to_thread(engine.stop)
        told = await shop.place.channel_says("Docker stopped answering", TOLD_WITHIN)
        assert f"{len(ids)} bots can't be looked after meanwhile" in told.content
        await asyncio.to_thread(engine.start)
        closed = await shop.place.channel_says("Docker answers again", 15)
        assert closed.id == told.id
        await running_anew(shop, former, 30)
        await asyncio.sleep(tally.pick(1, 15))
        messages = [m for m in shop.place.cards if INCIDENT.match(m.content)]
        assert [m.id for m in messages] == [told.id], [m.content for m in messages]
        assert shop.place.controller.rows("SELECT count(*) FROM incident") == [(1,)]
        pinged = shop.place.controller.rows("SELECT announced, pinged FROM incident")
        assert pinged == [(1, f'["user:{shop.place.ann.id}"]')]


async def test_trouble_whose_events_were_lost_is_told_by_the_next_list(
    engine: PrivateEngine, tmp_path: Path
) -> None:
    """Within 30 s: the door lets no events through, so only the list of every 15 s can tell."""
    async with open_shop(engine, tmp_path, through_door=True) as shop:
        (bot_id,) = await shop.bots("one")
        former = {bot_id: shop.run_of(bot_id)}
        shop.door.drop_events()
        name = f"botmaker-{bot_id}"
        await asyncio.to_thread(engine.client.remove_container, name, force=True)
        await shop.place.channel_says("one was removed outside BotMaker", 30)
        await running_anew(shop, former)
