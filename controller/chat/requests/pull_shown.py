"""A pull's progress in a private answer, which is edited at most every two seconds."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import Protocol

from controller.chat.requests.discord_trouble import TROUBLE

log = logging.getLogger(__name__)
EVERY_SECONDS = 2.0
EDIT_SECONDS = 10.0


class Answers(Protocol):
    """Whoever can say something privately: a `Request`."""

    async def reply(self, text: str, *, more: bool = False) -> None:
        """Say it in place of what was said before; with `more`, another reply follows."""


class PullShown:
    """Shows the progress while the block runs. Entering it gives what to tell the percents to."""

    def __init__(
        self, answers: Answers, words: Callable[[int], str], every: float = EVERY_SECONDS
    ) -> None:
        self._answers = answers
        self._words = words
        self._every = every
        self._loop = asyncio.get_running_loop()
        self._heard = asyncio.Event()
        self._percent = 0
        self._work: asyncio.Task[None] | None = None
        self._edit: asyncio.Task[None] | None = None

    def tell(self, percent: int) -> None:
        """Hear of the progress, in any thread."""
        with contextlib.suppress(RuntimeError):  # the loop may be closed by now
            self._loop.call_soon_threadsafe(self._hear, percent)

    async def __aenter__(self) -> Callable[[int], None]:
        """Begin to show what is told."""
        self._work = asyncio.create_task(self._show(), name="pull-shown")
        return self.tell

    async def __aexit__(self, *_: object) -> None:
        """Say no more. An edit that is under way ends first: it must not overtake the answer."""
        if self._work is not None:
            self._work.cancel()
            await asyncio.gather(self._work, return_exceptions=True)
        if self._edit is not None:
            await asyncio.gather(self._edit, return_exceptions=True)

    def _hear(self, percent: int) -> None:
        self._percent = percent
        self._heard.set()

    async def _show(self) -> None:
        while True:
            await self._heard.wait()
            self._heard.clear()
            self._edit = asyncio.create_task(self._say(self._words(self._percent)))
            await asyncio.shield(self._edit)
            await asyncio.sleep(self._every)

    async def _say(self, text: str) -> None:
        try:
            async with asyncio.timeout(EDIT_SECONDS):
                await self._answers.reply(text, more=True)
        except (*TROUBLE, TimeoutError) as error:
            log.info("a pull's progress could not be shown: %s", error)
