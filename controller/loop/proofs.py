"""How long a bot's run has been well, for the release that has yet to prove itself.

What follows from that is decided in `domain/release.py`; here is the clock, which nobody sets.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from controller.domain.bot import Bot, Wish
from controller.domain.observation import Health, Observation, Proof
from controller.domain.release import Gate, is_well, judge


@dataclass(slots=True)
class _Trial:
    """The trial of one release in one container."""

    candidate: int
    container: str
    gate: Gate
    began: float  # by the monotonic clock
    restarts: int = 0  # of another release's container: those that the candidate had no part in
    run: str = ""  # the run that is well
    well_since: float | None = None


class Proofs:
    """Watches the candidates of all bots."""

    def __init__(self, clock: Callable[[], float], engine_time: Callable[[], float]) -> None:
        self._clock = clock
        self._engine_time = engine_time
        self._trials: dict[str, _Trial] = {}

    def __call__(
        self, bot: Bot, container: Observation | None, gate: Gate, *, ailing: bool, replaces: bool
    ) -> tuple[Proof, str]:
        """How far the bot's candidate has come, and if it failed, why."""
        if not bot.candidate or bot.wish is not Wish.RUN or container is None:
            self._trials.pop(bot.id, None)
            return Proof.WAITING, ""
        if not container.started:
            return Proof.WAITING, ""
        trial = self._trial(bot, container, gate)
        now = self._clock()
        if bot.run.owes or container.restart_count < trial.restarts:
            trial.restarts = 0 if container.release == bot.candidate else container.restart_count
        if ailing or not is_well(container) or container.started_at == bot.run.to_end:
            trial.well_since = None
        elif trial.well_since is None or trial.run != container.started_at:
            trial.run = container.started_at
            trial.well_since = now - self._well_for(bot, container)
        return judge(
            replace(container, restart_count=container.restart_count - trial.restarts),
            gate,
            well=-1.0 if trial.well_since is None else now - trial.well_since,
            age=now - trial.began,
            ailing=ailing,
            replaces=replaces,
        )

    def due(self, bot_id: str) -> float | None:
        """Seconds until the next moment at which a look may find something decided."""
        trial = self._trials.get(bot_id)
        if trial is None:
            return None
        now = self._clock()
        deadline = trial.began + trial.gate.deadline
        proven = now if trial.well_since is None else trial.well_since + trial.gate.healthy_for
        left = [moment - now for moment in (deadline, proven) if moment > now]
        return min(left) + 0.01 if left else None

    def forget(self, bot_id: str) -> None:
        """The bot is gone."""
        self._trials.pop(bot_id, None)

    def _trial(self, bot: Bot, container: Observation, gate: Gate) -> _Trial:
        trial = self._trials.get(bot.id)
        same = trial is not None and trial.container == container.container_id
        if trial is None or not same or trial.candidate != bot.candidate:
            began = self._clock() - self._age(bot, container)
            restarts = 0 if container.release == bot.candidate else container.restart_count
            trial = _Trial(bot.candidate, container.container_id, gate, began, restarts)
            self._trials[bot.id] = trial
        return trial

    def _age(self, bot: Bot, container: Observation) -> float:
        """How long the run has been this candidate's: one that began earlier only since now."""
        if container.release != bot.candidate:
            return 0.0
        return max(0.0, self._engine_time() - container.started)

    def _well_for(self, bot: Bot, container: Observation) -> float:
        checked = container.health is not Health.NONE
        return 0.0 if checked else self._age(bot, container)
