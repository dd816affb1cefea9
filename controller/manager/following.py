"""Logs that people follow: one stream of the engine's for each bot, shared by all who watch it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable
from functools import partial

from controller.domain.acts import BOT_LOGS
from controller.domain.bot import Bot
from controller.domain.log_place import Place
from controller.fleet.journal import Caller
from controller.manager.access import Access
from controller.manager.log_reader import Gap, Lines, LogReader, ReadingTools, Said

log = logging.getLogger(__name__)
LINES_FIRST = 200  # that a reading begins with, for all who watch
KEPT_BYTES = 128 << 10  # of what was said, for those who come later
WAITING_BYTES = 256 << 10  # for one who doesn't read
BEGIN_SECONDS = 1.0  # that others wait for the first words of a reading
ROOM_SECONDS = 0.05


class Watch:
    """What one person has yet to read of a log. What they don't take in time is dropped."""

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._waiting: deque[Said] = deque()
        self._size = 0
        self._dropped = 0
        self.oldest = 0.0  # lines from before that time are left out at the beginning
        self.ended = False  # the bot is gone: nothing more comes

    @property
    def is_empty(self) -> bool:
        """Whether all was taken."""
        return not self._waiting

    def put(self, said: Said) -> None:
        """Add what was said; the oldest gives way where too much waits."""
        if isinstance(said, Lines) and self.oldest:
            newer = said.since(self.oldest)
            if newer is None:
                return
            self.oldest, said = 0.0, newer
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
        self.wanted = 0  # by so many, also by those who still catch up
        self._kept: deque[Said] = deque()
        self._size = 0
        self._origin = start  # everything that is kept is behind it
        self._all_kept = True  # whatever was said
        self._lines = max(lines, LINES_FIRST)
        self._from_start = start is None
        self.reader = LogReader(tools, bot_id, self._say, start=start, lines=self._lines)
        self.task = asyncio.create_task(self.reader.run(), name="followed log")
        self.task.add_done_callback(self._end)

    def _say(self, said: Said) -> None:
        self._kept.append(said)
        self._size += said.size
        while self._size > KEPT_BYTES and len(self._kept) > 1:
            self._size -= self._kept.popleft().size
            self._origin, self._all_kept = None, False
        for watch in tuple(self.watches):
            watch.put(said)

    def behind(self, place: Place) -> list[Said] | None:
        """What was said behind that place; None where it isn't known any more."""
        kept = list(self._kept)
        if self._origin is not None and self._origin.key == place.key:
            return kept
        for index, said in enumerate(kept):
            rest = said.behind(place) if isinstance(said, Lines) else None
            if rest is not None:
                return [*([rest] if rest.count else []), *kept[index + 1 :]]
        return None

    def last(self, lines: int, watch: Watch) -> list[Said] | None:
        """The last lines of those that the log held at the beginning, and all that followed them;
        later on the last ones. None where so many aren't kept."""
        first = self.reader.first
        if self._from_start and self._all_kept and not self.reader.begun.is_set():
            if lines > self._lines:
                return None
            if first and lines <= len(first):
                watch.oldest = first[-lines] if lines else first[-1] + 1e-6
            return list(self._kept)
        kept = sum(said.count for said in self._kept)
        whole = self._from_start and self._all_kept and len(first) < self._lines
        return last_of(self._kept, lines) if kept >= lines or whole else None

    def join(self, watch: Watch, first: Iterable[Said]) -> None:
        """Give this watcher what it missed, and then all that is said."""
        for said in first:
            watch.put(said)
        self.watches.add(watch)
        if self.task.done():
            watch.end()

    def _end(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None:
            log.error("a log can't be followed any further", exc_info=error)
        for watch in tuple(self.watches):
            watch.end()


def last_of(kept: Iterable[Said], lines: int) -> list[Said]:
    """The last lines, and what was said between them."""
    found: list[Said] = []
    for said in reversed(list(kept)):
        if lines <= 0:
            break
        if isinstance(said, Lines):
            found.append(Lines(said.places[-lines:], said.lines[-lines:]))
            lines -= said.count
        else:
            found.append(said)
    return found[::-1]


class _CatchUp:
    """Reads for one watcher what is no longer kept, until it meets what is."""

    def __init__(self, shared: _Shared, watch: Watch, reader: Callable[..., LogReader]) -> None:
        self._shared = shared
        self._watch = watch
        reading = reader(say=self._say, ready=self._has_room)
        self.task = asyncio.create_task(reading.run(), name="catching up with a log")

    def _say(self, said: Said) -> None:
        if self._watch in self._shared.watches:
            return  # it met already
        for index, place in enumerate(said.places if isinstance(said, Lines) else (), 1):
            rest = self._shared.behind(place)
            if rest is not None and isinstance(said, Lines):
                self._watch.put(Lines(said.places[:index], said.lines[:index]))
                self._shared.join(self._watch, rest)
                self.task.cancel()
                return
        self._watch.put(said)

    async def _has_room(self) -> None:
        while not self._watch.is_empty:  # noqa: ASYNC110 - for the few moments of catching up
            await asyncio.sleep(ROOM_SECONDS)


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
        watch, catch_up = Watch(wake), None
        shared = self._shared.get(bot.id)
        if shared is None or shared.task.done():
            shared = self._shared[bot.id] = _Shared(self._tools, bot.id, start, lines)
        shared.wanted += 1
        try:
            catch_up = await self._joined(watch, shared, bot.id, start, lines)
            yield watch
        finally:
            if catch_up is not None:
                catch_up.task.cancel()
            shared.watches.discard(watch)
            shared.wanted -= 1
            if not shared.wanted:
                shared.task.cancel()
                if self._shared.get(bot.id) is shared:
                    del self._shared[bot.id]

    async def _joined(
        self, watch: Watch, shared: _Shared, bot_id: str, start: Place | None, lines: int
    ) -> _CatchUp | None:
        """Let one more watch what is read already; the reading that takes them there, if any."""
        first = None if start is None else shared.behind(start)
        if first is None:
            # Those who come back all at once wait for the first reading instead of asking too.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(BEGIN_SECONDS):
                    await (shared.reader.looked if start is None else shared.reader.begun).wait()
            first = shared.last(lines, watch) if start is None else shared.behind(start)
        if first is None:
            reader = partial(LogReader, self._tools, bot_id, start=start, lines=lines)
            return _CatchUp(shared, watch, reader)
        shared.join(watch, first)
        return None
