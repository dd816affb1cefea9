"""Refusals that are counted instead of written: what is told of them, and when."""

from __future__ import annotations

import pytest

from controller.domain.access import discord_user
from controller.domain.bot import Bot
from controller.domain.journal import Author, Fact, Kind
from controller.fleet.refusals import BOTS_MOST, OPEN_MOST, WINDOW_SECONDS, Merged, Refusals

EVE = Author(discord_user(9_999, "eve"))
STOP = Fact(Kind.REFUSED, {"act": "bot.stop", "code": "denied"})


class Clock:
    """A time that passes when it is told to."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def refusals(clock: Clock) -> Refusals:
    return Refusals(clock)


def bot(name: str) -> Bot:
    return Bot(id=name, name=name, template="t", provider="p", model="m", channel="c")


def told(found: list[Merged]) -> list[tuple[int, list[str]]]:
    return [(one.summary().data["times"], one.summary().data["bots"]) for one in found]


def test_what_was_counted_is_told_when_ten_minutes_are_over(
    refusals: Refusals, clock: Clock
) -> None:
    """Not before, and once; the next refusal is a first one again."""
    counted = [refusals.count(STOP, bot(name), EVE) for name in ("shop", "shop", "bakery")]
    assert counted == [False, True, True]
    clock.now += WINDOW_SECONDS
    assert refusals.take() == []
    clock.now += 1
    assert told(refusals.take()) == [(2, ["shop", "bakery"])]
    assert refusals.take(every=True) == []
    assert refusals.count(STOP, None, EVE) is False


def test_who_reads_the_history_is_told_at_once_and_nothing_twice(
    refusals: Refusals, clock: Clock
) -> None:
    """The window goes on: what comes later is counted from there."""
    for _ in range(3):
        refusals.count(STOP, bot("shop"), EVE)
    assert told(refusals.take(every=True)) == [(2, ["shop"])]
    assert refusals.count(STOP, bot("shop"), EVE) is True
    clock.now += WINDOW_SECONDS + 1
    assert told(refusals.take()) == [(1, ["shop"])]


def test_no_flood_is_kept_in_memory(refusals: Refusals) -> None:
    """A bounded number of people and acts, and a bounded number of names in an entry."""
    for number in range(OPEN_MOST + 1):
        refusals.count(STOP, None, Author(discord_user(number)))
    refusals.take()
    assert refusals.count(STOP, None, Author(discord_user(OPEN_MOST + 9))) is False
    for number in range(50):
        refusals.count(STOP, bot(f"b{number}"), EVE)
    ((times, names),) = told(refusals.take(every=True))
    assert (times, len(names)) == (49, BOTS_MOST)
