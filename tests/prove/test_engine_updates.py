"""An update whose engine ends in its middle: at the end exactly one container runs, the right one.

A private engine, killed once in the short form (make test), stopped and killed twice in full
(make prove).
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.loop.test_releases_engine import form
from tests.process.process import BRISK, eventually
from tests.prove.crash_inside import UPDATE
from tests.prove.engine_fixtures import engine, left_out
from tests.prove.engine_shop import Shop, open_shop
from tests.prove.private_engine import PrivateEngine
from tests.prove.tally import Tally

__all__ = ["engine"]
pytestmark = [pytest.mark.engine, pytest.mark.timeout(180)]
PROOF = BRISK.replace('id = "brisk"', 'id = "proof"', 1) + UPDATE.replace("0.3", "2")
WITHIN = 60.0  # seconds, on a busy machine


def newer_image(engine: PrivateEngine, ref: str) -> str:
    """Give the image's name to another one; its id."""
    made = engine.client.create_container(ref)
    repository, _, tag = ref.rpartition(":")
    engine.client.commit(made["Id"], repository, tag, changes=["LABEL test.newer=yes"])
    engine.client.remove_container(made["Id"])
    return str(engine.client.inspect_image(ref)["Id"])


def containers(engine: PrivateEngine, bot_id: str) -> dict[str, dict[str, Any]]:
    """Every container of the bot, by what follows its name."""
    rows = engine.client.containers(all=True, filters={"label": f"botmaker.bot-id={bot_id}"})
    found = [engine.client.inspect_container(row["Id"]) for row in rows]
    return {one["Name"].partition(bot_id)[2]: one for one in found}


async def one_bot(shop: Shop, folder: Path) -> str:
    """A bot whose first release has proved itself."""
    (folder / "place" / "templates" / "proof.toml").write_text(PROOF)
    await shop.place.controller.stop()
    await shop.place.controller.start()
    await shop.place.create("one", template="proof")
    await shop.place.submit(await shop.place.open_form("one"))
    await shop.place.card_says("one", "— running")
    await eventually(lambda: release(shop) == (1, 0), WITHIN)
    return shop.place.controller.bot_id("one")


def release(shop: Shop) -> tuple[int, int]:
    """The present release, and the one that is tried."""
    (row,) = shop.place.controller.rows("SELECT current_release, candidate_release FROM bot")
    return row[0], row[1]


@pytest.mark.parametrize("how", ["kill", "stop"])
@pytest.mark.parametrize("moment", ["parked", "tried"])
async def test_an_update_outlives_its_engine(
    engine: PrivateEngine, tmp_path: Path, tally: Tally, demo_image: str, how: str, moment: str
) -> None:
    """The newer image runs, alone, with limits, mounts, labels and network as before."""
    if (how, moment) != ("kill", "parked") and left_out(tally):
        return
    async with open_shop(engine, tmp_path) as shop:
        bot_id = await one_bot(shop, tmp_path)
        before = containers(engine, bot_id)[""]
        newer = newer_image(engine, demo_image)
        shown = await shop.place.ann.slash("bot update", name="one")
        await shown.until(lambda i: i.message is not None and "would change" in i.text)
        await shop.place.ann.click(shown, label="Update one", wait=False)
        wanted = {"-previous"} if moment == "parked" else {"", "-previous"}
        await eventually(lambda: wanted <= set(containers(engine, bot_id)), WITHIN)
        await asyncio.to_thread(getattr(engine, how))
        await asyncio.to_thread(engine.start)
        await eventually(lambda: release(shop) == (2, 0), WITHIN)
        await eventually(lambda: set(containers(engine, bot_id)) == {""}, WITHIN)
        after = containers(engine, bot_id)[""]
        assert after["State"]["Running"]
        assert after["Image"] == newer != before["Image"]
        assert form(after) == form(before)
        shop.nothing_false("one")
        tally.tried["engine faults"] += 1
