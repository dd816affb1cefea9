"""A bot's log for people: bounded, redacted, parsed from what they type."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from controller.domain.acts import BOT_LOGS
from controller.domain.bot import Bot
from controller.domain.errors import BadInput, NotFound
from controller.domain.events import STREAMS, LogLine, LogQuery
from controller.fleet.journal import Caller
from controller.fleet.threads import Threads
from controller.manager.access import Access
from controller.runtime import Runtime
from controller.vault import CONTEXT_LINES, Redactor

LINES_MAX = 1000
LOOK_BACK = 5000  # lines that a search looks through: the most that a runtime gives
_AGO = re.compile(r"(\d{1,5})\s*([a-z]{1,8})(?: ago)?", re.ASCII)
_SECONDS = {"seconds": 1, "minutes": 60, "hours": 3600, "days": 86400}


@dataclass(frozen=True, slots=True)
class Snippet:
    """Lines of one bot's log, oldest first, redacted; and the question they answer.

    `more` says that there are older lines that were not looked at, or not shown; `looked_to` is the
    time of the oldest one that was, `looked_at` the number of those that were.
    """

    bot: Bot
    query: LogQuery
    lines: tuple[LogLine, ...]
    more: bool = False
    looked_to: float = 0.0
    looked_at: int = 0
    newer: bool = False  # whether there are newer lines that aren't shown
    gap: bool = False  # whether lines are missing before the first one

    @property
    def seen_from(self) -> tuple[float, int]:
        """The time of the newest line shown, and how many lines of that very moment were: the
        opposite of `seen_to`."""
        query = self.query
        if not self.lines:
            return (query.since, query.skip) if query.forward else (query.until, 0)
        newest = self.lines[-1].at
        seen = sum(line.at == newest for line in self.lines)
        skipped = query.skip if query.forward and newest == query.since else 0
        return newest, seen + skipped

    @property
    def seen_to(self) -> tuple[float, int]:
        """Until when the log was seen, and how many lines of that very moment were: for pages."""
        if not self.lines:
            return self.looked_to, 0 if self.query.grep else self.query.skip
        oldest = self.lines[0].at
        seen = sum(line.at == oldest for line in self.lines)
        return oldest, seen + (self.query.skip if oldest == self.query.until else 0)


def parse_query(
    lines: int | None,
    since: str | None,
    grep: str | None,
    stream: str | None,
    *,
    now: float,
) -> LogQuery:
    """What a person typed as a query; BadInput shows the right form. `now` is the engine's time."""
    count = 50 if lines is None else lines
    if not 1 <= count <= LINES_MAX:
        raise BadInput(f"`lines` must be from 1 to {LINES_MAX}.", hint="Leave it out for 50.")
    start = 0.0
    if since and since.strip():
        start = now - _seconds_in(since)
    chosen = STREAMS.get((stream or "").strip().lower() or "both")
    if chosen is None:
        raise BadInput("`stream` must be stdout, stderr or both.")
    return LogQuery(lines=count, since=start, grep=(grep or "")[:100], stream=chosen)


def _seconds_in(since: str) -> int:
    """`10m`, `10 min` and `10 minutes ago` are the same."""
    ago = _AGO.fullmatch(since.strip().lower())
    unit = ago[2].rstrip("s") or "s" if ago else ""
    for name, seconds in _SECONDS.items():
        if ago and name.startswith(unit):
            return int(ago[1]) * seconds
    raise BadInput(
        "`since` must be a time back from now, such as 10m.",
        hint="Use a number and s, m, h or d: 30s, 10m, 2h, 1d.",
    )


class Logbook:
    """Reads logs through the runtime. Every line leaves here redacted."""

    def __init__(
        self, runtime: Runtime, redactor: Redactor, threads: Threads, access: Access
    ) -> None:
        self._runtime = runtime
        self._redactor = redactor
        self._threads = threads
        self._access = access

    def parse(
        self, lines: int | None, since: str | None, grep: str | None, stream: str | None
    ) -> LogQuery:
        """What a person typed as a query; BadInput shows the right form."""
        return parse_query(lines, since, grep, stream, now=self._runtime.engine_time())

    async def read(self, caller: Caller, bot: Bot, query: LogQuery) -> Snippet:
        """The newest lines that fit. Raises NotFound when the bot has no container yet."""
        await self._access.require(caller, BOT_LOGS, bot)
        # What is searched is what is shown. A search of the raw log would tell, a letter at a time,
        # what redaction hides, and would part a key's lines from what makes them known as a key.
        wanted = query.lines + query.skip + CONTEXT_LINES
        wanted = LOOK_BACK if query.grep or query.forward else min(LOOK_BACK, wanted)
        since = bot.run.log_floor if query.forward else max(query.since, bot.run.log_floor)
        asked = replace(query, grep="", lines=wanted, since=since, forward=False)
        try:
            found = await self._runtime.logs(bot.id, asked)
        except NotFound as error:
            why = f" {bot.problem.message}" if bot.problem else ""
            raise NotFound(
                f"{bot.name} has no log, because it has no container.{why}", code="no-log"
            ) from error
        # In a thread: a megabyte takes a tenth of a second.
        lines = await self._threads(lambda: self._redactor.log(found))
        needle = query.grep.casefold()
        if needle:
            lines = [line for line in lines if needle in line.text.casefold()]
        lines = _behind(lines, query) if query.forward else _without_shown(lines, query)
        shown = lines[: query.lines] if query.forward else lines[-query.lines :]
        # Buttons carry the search text, which may be a value that was searched for.
        query = replace(query, grep=self._redactor(query.grep))
        left_out = len(shown) < len(lines)
        if query.forward:
            gap = found.more and found.looked_to > query.since
            return Snippet(bot, query, tuple(shown), more=bool(shown), newer=left_out, gap=gap)
        return Snippet(
            bot,
            query,
            tuple(shown),
            newer=bool(query.until),
            more=found.more or left_out,
            looked_to=shown[0].at if left_out else found.looked_to,
            looked_at=len(found),
        )


def _behind(lines: list[LogLine], query: LogQuery) -> list[LogLine]:
    """The lines behind those that were shown: of exactly `since`, the first `skip` were."""
    newer = [line for line in lines if line.at >= query.since]
    first = 0
    while first < min(query.skip, len(newer)) and newer[first].at == query.since:
        first += 1
    return newer[first:]


def _without_shown(lines: list[LogLine], query: LogQuery) -> list[LogLine]:
    """The lines without those that an earlier page has shown: the newest of just `until`."""
    last = len(lines)
    while last > max(0, len(lines) - query.skip) and lines[last - 1].at == query.until:
        last -= 1
    return lines[:last]
