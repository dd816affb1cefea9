"""An engine that answers badly: slow, forgetful, contradictory, failing, full.

These run only in full (make prove). Next door: test_engine_faults.py, where the engine is away.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace
from pathlib import Path

import docker
import pytest
from docker.errors import APIError

from tests.process.process import eventually, said
from tests.prove.engine_door import Answer
from tests.prove.engine_fixtures import engine, left_out, private_engine
from tests.prove.engine_shop import IN_TIME, Shop, open_shop, running_anew
from tests.prove.private_engine import PrivateEngine
from tests.prove.tally import Tally

__all__ = ["engine"]
pytestmark = [pytest.mark.engine, pytest.mark.timeout(120)]


async def _gone(shop: Shop, name: str) -> None:
    """Ann deletes the bot, and nothing of it is left."""
    asked = await shop.place.ann.slash("bot delete", name=name)
    await shop.place.ann.click(asked, label=f"Delete {name}")
    await shop.place.card_says(name, "removed", 20)
    await eventually(shop.place.controller.nothing_left, 20)


async def test_a_slow_engine_makes_nothing_wrong(
    engine: PrivateEngine, tmp_path: Path, tally: Tally
) -> None:
    """With 300 ms before each answer a bot lives its whole life; commands are answered in 3 s."""
    if left_out(tally):
        return
    async with open_shop(engine, tmp_path, through_door=True) as shop:
        shop.door.delay = 0.3
        (bot,) = await shop.bots("one")
        former = shop.run_of(bot)
        await shop.asks("one", words="one")
        await shop.place.ann.slash("bot restart", name="one")
        await running_anew(shop, {bot: former}, 15)
        await shop.place.ann.slash("bot stop", name="one")
        await shop.place.card_says("one", "— stopped")
        shop.nothing_false("one")
        await _gone(shop, "one")
        tally.tried["engine faults"] += 1


async def test_what_happened_while_no_events_came_is_known_afterwards(
    engine: PrivateEngine, tmp_path: Path, tally: Tally
) -> None:
    """The stream breaks. Meanwhile one bot's container is removed, another stopped, and a third
    makes more events than the engine remembers. Within 5 s of its return all three run."""
    if left_out(tally):
        return
    async with open_shop(engine, tmp_path, through_door=True) as shop:
        one, two, three = await shop.bots("one", "two", "three")
        former = {bot: shop.run_of(bot) for bot in (one, two, three)}
        await eventually(lambda: shop.door.streams == 1)
        shop.door.drop_events()
        await eventually(lambda: shop.door.streams == 0)

        def in_the_gap() -> None:
            engine.client.remove_container(f"botmaker-{one}", force=True)
            engine.client.stop(f"botmaker-{two}", timeout=0)
            for _ in range(135):  # 270 events
                # The regular listing may unpause it first; either way it makes its events.
                with contextlib.suppress(APIError):
                    engine.client.pause(f"botmaker-{three}")
                with contextlib.suppress(APIError):
                    engine.client.unpause(f"botmaker-{three}")

        await asyncio.to_thread(in_the_gap)
        shop.door.deaf = False
        await eventually(lambda: shop.door.streams == 1, 6)
        await running_anew(shop, {bot: former[bot] for bot in (one, two)}, 5)
        assert shop.run_of(three) == former[three]
        for name in ("one", "two", "three"):
            await shop.place.card_says(name, "— running")
            assert "— removed" not in shop.tells(name)
        tally.tried["engine faults"] += 1


async def test_containers_that_vanish_between_a_list_and_a_look_come_back(
    engine: PrivateEngine, tmp_path: Path, tally: Tally
) -> None:
    """Somebody removes them as fast as they are created, while people ask. Afterwards each runs
    once, and deleting a bot during a removal by hand leaves nothing."""
    if left_out(tally):
        return
    async with open_shop(engine, tmp_path) as shop:
        ids = await shop.bots("one", "two")

        def vanish() -> None:
            for _ in range(8):
                for bot in ids:
                    with contextlib.suppress(APIError):
                        engine.client.remove_container(f"botmaker-{bot}", force=True, v=True)

        storm = asyncio.ensure_future(asyncio.to_thread(vanish))
        while not storm.done():
            await shop.asks("one", within=15)
            await shop.place.ann.slash("bot restart", name="two")
        await storm
        for name in ("one", "two"):  # so many ends may have counted as a crash loop
            await (await shop.place.ann.slash("bot restart", name=name)).wait(IN_TIME)
        for bot in ids:
            await eventually(lambda b=bot: shop.place.controller.started_at_or_none(b), 20)  # type: ignore[misc]
        assert len(shop.place.controller.containers()) == 2
        for name in ("one", "two"):
            await shop.place.card_says(name, "— running", 20)
            assert "— removed" not in shop.tells(name)
        asked = await shop.place.ann.slash("bot delete", name="two")
        await shop.place.ann.click(asked, label="Delete two")
        with contextlib.suppress(APIError):
            await asyncio.to_thread(
                engine.client.remove_container, f"botmaker-{ids[1]}", force=True, v=True
            )
        await shop.place.card_says("two", "removed", 20)
        await _gone(shop, "one")
        tally.tried["engine faults"] += 1


BAD = [
    Answer("POST", r"/containers/create\?name=botmaker-[0-9a-f]", 500),
    Answer("POST", r"/containers/create\?name=botmaker-[0-9a-f]", 500, after=True),
    Answer("POST", r"/containers/create\?name=botmaker-[0-9a-f]", 409),
    Answer("POST", r"/containers/create\?name=botmaker-[0-9a-f]", 409, after=True),
    Answer("POST", r"/start$", 500),
    Answer("POST", r"/start$", 500, after=True),
    Answer("POST", r"/volumes/create", 500),
    Answer("POST", r"/networks/create", 500),
    Answer("GET", r"/containers/botmaker-[^/]*/json", 500, times=2),
    Answer("GET", r"/containers/json", 500),
    Answer("GET", r"/images/.*/json", 500),
]
SURE = {wished.path for wished in BAD} - {r"/containers/json", r"/networks/create"}
ON_THE_WAY_OUT = [
    Answer("POST", r"/stop", 500, after=True),
    Answer("DELETE", r"/containers/", 409),
    Answer("DELETE", r"/containers/", 500, after=True),
    Answer("DELETE", r"/volumes/", 409),
]


async def test_one_bad_answer_on_the_way_is_got_over(
    engine: PrivateEngine, tmp_path: Path, tally: Tally
) -> None:
    """After one 409 or 500, whether or not the engine did the work, one container runs. After a
    deletion with four more of them nothing is left."""
    if left_out(tally):
        return
    async with open_shop(engine, tmp_path, through_door=True) as shop:
        for wished in BAD:
            try:
                await _over(shop, replace(wished), tally)
            except AssertionError as error:
                error.add_note(f"the bad answer was {wished}")
                raise


async def _over(shop: Shop, wished: Answer, tally: Tally) -> None:
    await shop.place.create("one")
    form = await shop.place.open_form("one")
    before = shop.door.given.total()
    shop.door.answer(wished)
    await shop.place.submit(form)
    await shop.place.card_says("one", "— running", 20)
    if wished.path in SURE:
        assert shop.door.given.total() > before, "nobody asked for that"
    await eventually(lambda: len(shop.place.controller.containers()) == 1)
    shop.door.answer(*map(replace, ON_THE_WAY_OUT))
    await _gone(shop, "one")
    tally.tried["engine faults"] += 1 + len(ON_THE_WAY_OUT)


async def test_a_full_disk_of_the_engine_is_told_and_restart_goes_on(
    docker_client: docker.APIClient, demo_image: str, tmp_path: Path, tally: Tally
) -> None:
    """The engine's data-root has no room: the card says so in the engine's words; with
    room again, Restart makes it run."""
    if left_out(tally):
        return
    with private_engine(demo_image, docker_client, data_size="48m") as small:
        async with open_shop(small, tmp_path) as shop:
            await shop.place.create("one")
            form = await shop.place.open_form("one")
            await asyncio.to_thread(small.fill)
            await shop.place.submit(form)
            try:
                await shop.place.card_says("one", "no space left on device", 20)  # held up by it
                card = await shop.place.card_says("one", "— error", 20)  # tried often enough
                assert "no space left on device" in card.content
                listed = await shop.place.ann.slash("bot list")
                await listed.wait(IN_TIME)
                await said(listed, "error")
            finally:
                await asyncio.to_thread(small.unfill)
            await shop.place.ann.click(card, label="Try again")
            await shop.place.card_says("one", "— running", 20)
            assert len(shop.place.controller.containers()) == 1
            tally.tried["engine faults"] += 1
