"""Logs that people follow: one stream of the engine's for each bot, shared by all who watch it."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable

from controller.domain.acts import BOT_LOGS
from controller.domain.bot import Bot
from controller.domain.log_place import Place
from controller.fleet.journal import Caller
from controller.manager.access import Access
from controller.manager.log_reader import Gap, Lines, LogReader, ReadingTools, Said

LINES_FIRST = 200  # that a reading begins with, for all who watch
KEPT_BYTES = 256 << 10  # of what was said, for those who come later
WAITING_BYTES = 256 << 10  # for one who doesn't read


class Watch:
    """What one person has yet to read of a log. What they don't take in time is dropped."""

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._waiting: deque[Said] = deque()
        self._size = 0
        self._dropped = 0
        self.ended = False  # the bot is gone: nothing more comes

    def put(self, said: Said) -> None:
        """Add what was said; the oldest gives way where too much waits."""
        self._waiting.append(said)
        self._size += said.size
        while self._size > WAITING_BYTES and len(self._waiting) > 1:
            old = self._waiting.popleft()
            self._size -= old.size
            self._dropped += old.count
        self._wake()

    def take(self) -> Said | None:
        """What comes next, if anything waits."""
        if self._dropped:
            dropped, self._dropped = self._dropped, 0
            return Gap(dropped)
        if not self._waiting:
            return None
        said = self._waiting.popleft()
        self._size -= said.size
        return said

    def end(self) -> None:
        """Nothing more comes."""
        self.ended = True
        self._wake()


class _Shared:
    """One bot's reading, those who watch it, and what was said last."""

    def __init__(self, tools: ReadingTools, bot_id: str, start: Place | None, lines: int) -> None:
        self.watches: set[Watch] = set()
        self._kept: deque[Said] = deque()
        self._size = 0
        lines = max(lines, LINES_FIRST)
        reader = LogReader(tools, bot_id, self._say, start=start, lines=lines)
        self.task = asyncio.create_task(reader.run(), name="followed log")
        self.task.add_done_callback(lambda _: self._end())

    def _say(self, said: Said) -> None:
        self._kept.append(said)
        self._size += said.size
        while self._size > KEPT_BYTES and len(self._kept) > 1:
            self._size -= self._kept.popleft().size
        for watch in tuple(self.watches):
            watch.put(said)

    def behind(self, place: Place) -> list[Said] | None:
        """What was said behind that place; None where it isn't known any more."""
        kept = list(self._kept)
        for index, said in enumerate(kept):
            rest = said.behind(place) if isinstance(said, Lines) else None
            if rest is not None:
                return [*([rest] if rest.count else []), *kept[index + 1 :]]
        return None

    def last(self, lines: int) -> list[Said]:
        """The last lines, so many at most."""
        found: list[Said] = []
        for said in reversed(self._kept):
            if not isinstance(said, Lines):
                found.append(said)
                continue
            if lines <= 0:
                break
            found.append(Lines(said.places[-lines:], said.lines[-lines:]))
            lines -= said.count
        return found[::-1]

    def _end(self) -> None:
        for watch in tuple(self.watches):
            watch.end()


class Following:
    """Lets people follow logs."""

    def __init__(self, tools: ReadingTools, access: Access) -> None:
        self._tools = tools
        self._access = access
        self._shared: dict[str, _Shared] = {}

    @contextlib.asynccontextmanager
    async def watch(
        self,
        caller: Caller,
        bot: Bot,
        wake: Callable[[], None],
        *,
        start: Place | None = None,
        lines: int = 50,
    ) -> AsyncIterator[Watch]:
        """Watch a bot's log: what is behind that place, or its last lines, and what follows.

        `wake` is called when there is something to take. Raises Denied.
        """
        await self._access.require(caller, BOT_LOGS, bot)
        watch = Watch(wake)
        shared = self._shared.get(bot.id)
        if shared is None or shared.task.done():
            shared = self._shared[bot.id] = _Shared(self._tools, bot.id, start, lines)
        else:
            self._catch_up(watch, shared, start, lines)
        shared.watches.add(watch)
        try:
            yield watch
        finally:
            shared.watches.discard(watch)
            if not shared.watches and self._shared.get(bot.id) is shared:
                del self._shared[bot.id]
                shared.task.cancel()

    def _catch_up(self, watch: Watch, shared: _Shared, start: Place | None, lines: int) -> None:
        said: Iterable[Said] | None = shared.last(lines)
        if start is not None:
            said = shared.behind(start)
            if said is None:
                said = [Gap(None), *shared.last(lines)]
        for one in said or ():
            watch.put(one)
