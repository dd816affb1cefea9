"""The story of each bot: its last looks, verdicts and steps with their times. Bounded, in memory.

It answers "why did it do that?" when a test fails, in `botmaker story NAME`, and in the doctor's
report. It holds states, names of steps and codes, never a line of a log or a value.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from controller.domain.bot import Bot
from controller.domain.observation import World

LINES_KEPT = 50  # of one bot


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that happened to a bot, and how often in a row."""

    at: float  # seconds since the epoch
    what: str  # look, doubt, verdict, step, end, held
    text: str
    times: int = 1

    def __str__(self) -> str:
        clock = time.strftime("%H:%M:%S", time.gmtime(self.at)) + f"{self.at % 1:.3f}"[1:]
        again = f" (x{self.times})" if self.times > 1 else ""
        return f"{clock} {self.what:<8} {self.text}{again}"


class Stories:
    """Remembers the last lines of every bot's story."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._lines: dict[str, list[Line]] = {}

    def tell(self, bot_id: str, what: str, text: str) -> None:
        """Add a line; one that says the same as the last only counts it."""
        lines = self._lines.setdefault(bot_id, [])
        if lines and (lines[-1].what, lines[-1].text) == (what, text):
            lines[-1] = replace(lines[-1], at=self._clock(), times=lines[-1].times + 1)
        else:
            lines.append(Line(self._clock(), what, text))
            del lines[:-LINES_KEPT]

    def of(self, bot_id: str) -> tuple[Line, ...]:
        """The story so far, oldest line first."""
        return tuple(self._lines.get(bot_id, ()))

    def forget(self, bot_id: str) -> None:
        """The bot is gone."""
        self._lines.pop(bot_id, None)


def seen(bot: Bot, world: World) -> str:
    """A look in a few words."""
    container = world.container
    parts = [f"wish {bot.wish.value}"]
    if container is None:
        parts.append("no container")
    else:
        code = "" if container.exit_code is None else f" {container.exit_code}"
        parts.append(f"{container.state.value}{code} {container.health.value}")
        parts.append(f"run {container.started_at or 'none'}, {container.restart_count} restarts")
        if world.spec and container.spec != world.spec:
            parts.append("outdated")
    if world.previous is not None:
        parts.append(f"parked {world.previous.state.value}")
    if bot.candidate:
        parts.append(f"tries {bot.candidate} over {bot.release}: {world.proof.value}")
    parts += [f"missing {', '.join(world.missing)}"] if world.missing else []
    parts += ["volume"] if world.volume else []
    parts += [f"step {world.step}"] if world.step else []
    if bot.run.owes:
        parts.append(f"owes end {bot.run.to_end or '-'} reload {bot.run.to_reload or '-'}")
    parts += [f"problem {bot.problem.code}"] if bot.problem else []
    return ", ".join(parts)
