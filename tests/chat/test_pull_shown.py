"""A pull's progress in an answer: the newest percents, seldom enough, and never behind the end."""

from __future__ import annotations

import asyncio
import itertools
import threading

import discord

from controller.chat.requests.pull_shown import PullShown


class Answer:
    """What was said, and when by the loop's clock; `pause` is how long Discord takes."""

    def __init__(self, pause: float = 0.0) -> None:
        self.said: list[tuple[float, str]] = []
        self._pause = pause

    @property
    def texts(self) -> list[str]:
        return [text for _, text in self.said]

    async def reply(self, text: str, *, more: bool = False) -> None:
        await asyncio.sleep(self._pause)
        assert more
        self.said.append((asyncio.get_running_loop().time(), text))


def words(percent: int) -> str:
    return f"{percent} %"


async def test_the_newest_percents_are_shown_with_pauses_between() -> None:
    """Told from another thread, as a pull does."""
    answer = Answer()
    async with PullShown(answer, words, every=0.1) as tell:
        for percent in (1, 2, 50, 51):
            threading.Thread(target=tell, args=(percent,)).start()
            await asyncio.sleep(0.03)
        await asyncio.sleep(0.12)
    assert answer.texts[0] == "1 %"
    assert answer.texts[-1] == "51 %"
    assert len(answer.said) <= 3
    moments = [at for at, _ in answer.said]
    assert all(later - at >= 0.09 for at, later in itertools.pairwise(moments))


async def test_nothing_is_said_without_a_pull_or_after_the_end() -> None:
    """An edit that is under way ends before whatever comes next."""
    silent = Answer()
    async with PullShown(silent, words) as tell:
        await asyncio.sleep(0)
    tell(7)
    await asyncio.sleep(0.01)
    assert silent.said == []
    slow = Answer(pause=0.05)
    async with PullShown(slow, words) as tell:
        tell(10)
        await asyncio.sleep(0.01)
    assert slow.texts == ["10 %"]


async def test_discords_trouble_keeps_nobody_from_the_update() -> None:
    """What couldn't be shown is only logged."""

    class Refusing(Answer):
        async def reply(self, text: str, *, more: bool = False) -> None:
            raise discord.ClientException(text)

    async with PullShown(Refusing(), words, every=0.01) as tell:
        tell(1)
        await asyncio.sleep(0.03)
        tell(2)
        await asyncio.sleep(0.03)
