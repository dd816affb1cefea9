"""Long work that somebody waits for: its result, or its end as soon as nobody wishes for it."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from controller.domain.bot import Bot, Wish
from controller.domain.errors import ImageMissing
from controller.domain.observation import World
from controller.fleet.patience import while_wished
from controller.fleet.views import Fleet, View

BOT = Bot(id="b", name="shop", template="t", provider="p", model="m", channel="c")


def to_run(view: View | None) -> bool:
    return view is not None and view.bot.wish is Wish.RUN


@pytest.fixture
def fleet() -> Fleet:
    fleet = Fleet()
    fleet.add(BOT, World())
    return fleet


class Work:
    """Work that ends when it is told to, and tells how it ended."""

    def __init__(self) -> None:
        self.begun, self.go_on = asyncio.Event(), asyncio.Event()
        self.given_up = False

    async def __call__(self) -> int:
        self.begun.set()
        try:
            await self.go_on.wait()
        except asyncio.CancelledError:
            self.given_up = True
            raise
        return 7


async def test_what_is_wished_for_to_the_end_has_its_result(fleet: Fleet) -> None:
    """Or its error; a change that isn't about the wish disturbs nobody."""
    work = Work()
    waiting = asyncio.create_task(while_wished(fleet, BOT.id, to_run, work()))
    await work.begun.wait()
    fleet.show_bot(replace(BOT, image="sha256:1"))
    work.go_on.set()
    assert await waiting == 7

    async def fail() -> int:
        raise ImageMissing("It isn't here.")

    with pytest.raises(ImageMissing):
        await while_wished(fleet, BOT.id, to_run, fail())


@pytest.mark.parametrize("how", ["stopped", "gone", "cancelled"])
async def test_what_nobody_wishes_for_any_more_is_given_up(fleet: Fleet, how: str) -> None:
    """At once, and the work itself ends: it holds a thread or a container of the engine."""
    work = Work()
    waiting = asyncio.create_task(while_wished(fleet, BOT.id, to_run, work()))
    await work.begun.wait()
    if how == "stopped":
        fleet.show_bot(replace(BOT, wish=Wish.STOP))
    elif how == "gone":
        fleet.forget(BOT.id)
    else:
        waiting.cancel()
    (ended,) = await asyncio.gather(waiting, return_exceptions=True)
    assert isinstance(ended, asyncio.CancelledError) if how == "cancelled" else ended is None
    await asyncio.sleep(0)
    assert work.given_up
