"""A bot's log for people: bounded, redacted, parsed from what they type."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, replace

from controller.domain.bot import Bot
from controller.domain.errors import BadInput, NotFound
from controller.domain.events import STREAMS, LogLine, LogQuery
from controller.manager.disk import Disk
from controller.runtime import Runtime
from controller.vault import Redactor

LINES_MAX = 1000
_AGO = re.compile(r"(\d{1,5})([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


@dataclass(frozen=True, slots=True)
class Snippet:
    """Lines of one bot's log, oldest first, redacted; and the question they answer."""

    bot: Bot
    query: LogQuery
    lines: tuple[LogLine, ...]


def parse_query(
    lines: int | None, since: str | None, grep: str | None, stream: str | None
) -> LogQuery:
    """What a person typed as a query; BadInput shows the right form."""
    count = 50 if lines is None else lines
    if not 1 <= count <= LINES_MAX:
        raise BadInput(f"lines goes from 1 to {LINES_MAX}.", hint="Leave it out for 50.")
    start = 0.0
    if since:
        ago = _AGO.fullmatch(since.strip().lower())
        if ago is None:
            raise BadInput(
                "since is a time back from now, such as 10m.",
                hint="A number and s, m, h or d: 30s, 10m, 2h, 1d.",
            )
        start = time.time() - int(ago[1]) * _SECONDS[ago[2]]
    chosen = STREAMS.get(stream or "both")
    if chosen is None:
        raise BadInput("stream is stdout, stderr or both.")
    return LogQuery(lines=count, since=start, grep=(grep or "")[:100], stream=chosen)


class Logbook:
    """Reads logs through the runtime. Every line leaves here redacted."""

    def __init__(self, runtime: Runtime, redactor: Redactor, disk: Disk) -> None:
        self._runtime = runtime
        self._redactor = redactor
        self._disk = disk

    async def read(self, bot: Bot, query: LogQuery) -> Snippet:
        """The newest lines that fit. Raises NotFound when the bot has no container yet."""
        try:
            found = await self._runtime.logs(bot.id, query)
        except NotFound as error:
            why = f" {bot.problem.message}" if bot.problem else ""
            raise NotFound(
                f"{bot.name} has no log: it has no container.{why}",
                hint=f"/bot show {bot.name} tells how it stands.",
                code="no-log",
            ) from error
        # Beside the event loop: a megabyte takes some tenths of a second.
        texts = await self._disk(lambda: self._redactor.lines([line.text for line in found]))
        pairs = zip(found, texts, strict=True)
        return Snippet(bot, query, tuple(replace(line, text=text) for line, text in pairs))
