"""What a bot's own log says that it can't do, whether its health check is content or not.

The log is read a piece at a time while the bot runs, and never shown from here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from controller.catalog import LogSign
from controller.domain.bot import Bot, Wish
from controller.domain.errors import ControllerError
from controller.domain.events import LogLine, LogQuery
from controller.domain.observation import ContainerState, Health, Observation
from controller.fleet.blueprint import Blueprints
from controller.fleet.threads import Threads
from controller.loop.queue import loop_time
from controller.runtime import Runtime

EVERY = 30.0  # seconds between two readings of one bot's log
LINES_MAX = 5000  # the most that a runtime gives
LINE_MAX = 4096  # characters of a line that are looked at, because its text is hostile


@dataclass(slots=True)
class _Reading:
    """How far a run's log has been read, and which signs stand."""

    run: str
    since: float
    health: Health
    due: float = 0.0  # by the monotonic clock
    standing: dict[int, str] = field(default_factory=dict)  # words, by the sign's number


class Signs:
    """Reads the logs of running bots for the signs that their templates name."""

    def __init__(
        self,
        runtime: Runtime,
        blueprints: Blueprints,
        threads: Threads,
        clock: Callable[[], float] = loop_time,
    ) -> None:
        self._runtime = runtime
        self._blueprints = blueprints
        self._threads = threads
        self._clock = clock
        self._readings: dict[str, _Reading] = {}
        self.every = EVERY

    async def __call__(self, bot: Bot, container: Observation | None) -> tuple[str, ...]:
        """What the bot can't do, in the template's words; reads the log at most once."""
        signs = self._signs(bot)
        if not signs or container is None or not _readable(bot, container):
            self._readings.pop(bot.id, None)
            return ()
        reading = self._readings.get(bot.id)
        if reading is None or reading.run != container.started_at:
            reading = _Reading(container.started_at, container.started, container.health)
            self._readings[bot.id] = reading
        if reading.health is not container.health:
            reading.health, reading.due = container.health, 0.0  # the log may say why
        if self._clock() >= reading.due:
            await self._read(bot, reading, signs)
        return tuple(dict.fromkeys(reading.standing[at] for at in sorted(reading.standing)))

    def read_soon(self, bot_id: str) -> None:
        """Something changed for the bot: read its log at the next look."""
        reading = self._readings.get(bot_id)
        if reading is not None:
            reading.due = 0.0

    def next_reading(self, bot_id: str) -> float | None:
        """Seconds until the bot's log is to be read again; None when it is not read."""
        reading = self._readings.get(bot_id)
        return None if reading is None else max(0.0, reading.due - self._clock())

    def forget(self, bot_id: str) -> None:
        """The bot is gone."""
        self._readings.pop(bot_id, None)

    def _signs(self, bot: Bot) -> Sequence[LogSign]:
        template = self._blueprints.known(bot)
        return template.health.log if template and template.health else ()

    async def _read(self, bot: Bot, reading: _Reading, signs: Sequence[LogSign]) -> None:
        reading.due = self._clock() + self.every
        try:
            lines = await self._runtime.logs(bot.id, LogQuery(lines=LINES_MAX, since=reading.since))
        except ControllerError:
            return  # what was known stays; the look itself notices an engine that is away
        if lines:
            # From the last line on, in the engine's time. Reading a line twice changes nothing.
            reading.since = max(reading.since, lines[-1].at)
            reading.standing = await self._threads(
                lambda: standing_after(reading.standing, signs, lines)
            )


def standing_after(
    standing: dict[int, str], signs: Sequence[LogSign], lines: Sequence[LogLine]
) -> dict[int, str]:
    """Which signs stand after these lines; of each sign the newest line decides. Pure."""
    result = dict(standing)
    for number, sign in enumerate(signs):
        begins = re.compile(sign.pattern, re.ASCII)
        ends = re.compile(sign.until, re.ASCII) if sign.until else None
        for line in lines:
            text = line.text[:LINE_MAX]
            if begins.search(text):
                result[number] = sign.means
            elif ends is not None and ends.search(text):
                result.pop(number, None)
    return result


def _readable(bot: Bot, container: Observation) -> bool:
    return (
        bot.wish is Wish.RUN
        and bot.problem is None
        and container.state is ContainerState.RUNNING
        and container.health is not Health.STARTING
        and container.started_at != bot.run.to_end
    )
