"""Why a run ended: because somebody wished so, because of the engine, or by a crash.

Part of the converge path, after the look and before the step. The rules are pure and next door in
`domain.crashes`; here is what they need to know of events and of the engine's absences.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace

from controller.domain import crashes as crash_rules
from controller.domain.bot import PRESENT, Bot, Crash, Problem, Wish
from controller.domain.observation import Observation
from controller.manager.audit import Audit
from controller.manager.blueprint import Blueprints
from controller.manager.fleet import Fleet
from controller.manager.wishes import Wishes
from controller.store import CRASHES_KEPT, Store

log = logging.getLogger(__name__)
LAST_LINES = 0.05  # seconds after a run's end in which its last lines are noted
TOLD_WITHIN = 5.0  # seconds between an end and the event that tells of it, at most
# For so long after its return an engine may still show as running what ended with it: it answers
# before it has looked at what became of its containers.
BACK_WITHIN = 5.0


class Ends:
    """Accounts for every end of a run, once."""

    def __init__(
        self,
        *,
        store: Store,
        fleet: Fleet,
        wishes: Wishes,
        blueprints: Blueprints,
        audit: Audit,
        tail: Callable[[Bot], Awaitable[tuple[str, ...]]],
    ) -> None:
        self._store = store
        self._fleet = fleet
        self._wishes = wishes
        self._blueprints = blueprints
        self._audit = audit
        self._tail = tail
        self._exits: dict[str, tuple[float, int]] = {}
        self._ooms: dict[str, float] = {}
        # The run of each bot that was seen last when the engine went away, and until when an end is
        # a part of that, by a clock that nobody sets.
        self._in_gap: dict[str, tuple[str, float]] = {}

    def note_exit(self, bot_id: str, at: float, exit_code: int) -> None:
        """Remember an exit code that an event told: after a restart no look can see it."""
        self._exits[bot_id] = (at, exit_code)

    def note_oom(self, bot_id: str, at: float) -> None:
        """Remember that the kernel took a process for lack of memory, likewise."""
        self._ooms[bot_id] = at

    def note_gap(self, bot_id: str) -> None:
        """The engine is or was away: the bot's run of now may end, or have ended, with it; so may
        one that began since the last look."""
        view = self._fleet.get(bot_id)
        container = view.world.container if view else None
        if container is not None:
            self._in_gap[bot_id] = (container.started_at, time.monotonic() + BACK_WITHIN)

    def note_unchanged(self, bot_id: str) -> None:
        """The engine is there, and this bot's run seems to have outlived the gap."""
        self._over(bot_id)

    async def account(
        self, bot: Bot, before: Observation | None, container: Observation | None, spec: str
    ) -> Bot:
        """Tell ends that were wished for, or the engine's doing, from crashes; note all of them.

        `spec` is the hash that a container made now would carry.
        """
        in_gap = self._ended_in_gap(bot.id, container)
        bot = await self._named(bot, container)
        floor = log_floor(bot.log_floor, before, container)
        if bot.reload_run and _is_over(bot.reload_run, container):
            bot = await self._close(bot, "reload_run", log_floor=floor)
        if bot.ended_run and _is_over(bot.ended_run, container):
            ended = container.finished_at if container else 0.0
            owed = _still_owed(bot, container, spec)
            return await self._close(
                bot, "ended_run", accounted_end=ended, ended_run=owed, log_floor=floor
            )
        if container is None:
            return bot
        found = crash_rules.detect(bot.accounted_end, before, container)
        if not found:
            return bot
        engines = crash_rules.ended_with_engine(container, in_gap=in_gap)
        if engines or bot.wish is not Wish.RUN or bot.problem is not None:
            log.info("bot %s (%s): its run ended, and not by itself", bot.name, bot.id)
            return await self._wishes.edit(bot.id, accounted_end=container.finished_at)
        # Noted before it is accounted for: a kill in between must not lose it.
        crashes = await self._note_crashes(bot, found)
        noted = await self._wishes.edit(bot.id, accounted_end=container.finished_at)
        problem = self._judge(noted, crashes, container)
        return noted if problem is None else await self._give_up(bot, problem)

    async def _close(self, bot: Bot, what: str, **changes: object) -> Bot:
        """A named run is over: forget its name, unless another is wished to be over meanwhile."""

        def edit(now: Bot) -> Bot:
            if getattr(now, what) != getattr(bot, what):
                return now
            return replace(now, **({what: ""} | changes))  # type: ignore[arg-type]  # Bot's own

        return (await self._wishes.change(bot.id, edit)).bot

    def _ended_in_gap(self, bot_id: str, container: Observation | None) -> bool:
        """Whether an end that is seen now would be the engine's doing. The note of that goes when
        the run is over, or lasts for a while."""
        if bot_id not in self._in_gap:
            return False
        if _is_over(self._in_gap[bot_id][0], container):
            del self._in_gap[bot_id]
        else:
            self._over(bot_id)
        return True

    def _over(self, bot_id: str) -> None:
        """Forget the gap once its time is over."""
        if time.monotonic() > self._in_gap.get(bot_id, ("", 0.0))[1]:
            self._in_gap.pop(bot_id, None)

    async def _named(self, bot: Bot, container: Observation | None) -> Bot:
        """Give the present run its name, where something is owed to whichever that is."""
        if container is None or not container.state.active:
            return bot
        names = ("ended_run", "reload_run")
        owed = {name: container.started_at for name in names if getattr(bot, name) == PRESENT}
        return await self._wishes.edit(bot.id, **owed) if owed else bot

    def _judge(
        self, bot: Bot, crashes: tuple[Crash, ...], container: Observation
    ) -> Problem | None:
        template = self._blueprints.known(bot)
        return crash_rules.judge(
            crashes,
            container,
            container.finished_at,  # by the engine's own time: the crash that was just noted
            fatal=template.run.fatal_exit_codes if template else (),
            restart=template.run.restart if template else "unless-stopped",
        )

    async def _give_up(self, bot: Bot, problem: Problem) -> Bot:
        """Have it stopped for that reason; not if a person restarted or changed it since it was
        `bot`, while its log was read."""

        def still(now: Bot) -> Bot:
            same = now.problem is None and now.ended_run == bot.ended_run
            same = same and now.fields == bot.fields and now.wish is Wish.RUN
            return replace(now, problem=problem) if same else now

        return (await self._wishes.change(bot.id, still)).bot

    async def _note_crashes(self, bot: Bot, found: tuple[Crash, ...]) -> tuple[Crash, ...]:
        view = self._fleet.get(bot.id)
        noted = view.crashes if view else ()
        found = tuple(crash for crash in found if crash.at not in {known.at for known in noted})
        if not found:
            return noted
        at, code = self._exits.get(bot.id, (0.0, None))
        if code is not None and abs(at - found[-1].at) < TOLD_WITHIN:
            oom = code == 137 and abs(self._ooms.get(bot.id, 0.0) - at) < TOLD_WITHIN
            found = (*found[:-1], crash_rules.with_exit(found[-1], code, oom_killed=oom))
        await self._store.add_crashes(bot.id, found)
        crashes = (*noted, *found)[-CRASHES_KEPT:]
        self._fleet.crashed(bot.id, crashes, await self._tail(bot))
        last = found[-1]
        what = crash_rules.describe_exit(last.exit_code, oom_killed=last.oom_killed)
        log.warning("bot %s (%s) crashed: %s", bot.name, bot.id, what)
        await self._audit.note("crash", bot, what)
        return crashes


def _is_over(run: str, container: Observation | None) -> bool:
    return container is None or container.started_at != run or not container.state.active


def _still_owed(bot: Bot, container: Observation | None, spec: str) -> str:
    """The run that is to be over in place of one that is, or nothing.

    A program that ended just before it was to be replaced may be up again, by the engine, in the
    same container: the settings that the person changed are in a new one only.
    """
    if container is None or not container.state.active or bot.wish is not Wish.RUN:
        return ""
    return container.started_at if spec and container.spec != spec else ""


def log_floor(floor: float, before: Observation | None, container: Observation | None) -> float:
    """Where a bot's log may be shown from, once a run is over: the lines that the run wrote after
    its secrets were replaced, while it still had the old ones, stay hidden too.

    Never a run's own start: the engine notes that a moment after the first lines (measured on
    20.10), and the end of a run a moment before its last ones. So between the two where both are
    known, and just behind the end where no new run has begun.
    """
    was_that_run = before is None or before.started < floor
    if not floor or container is None or not container.finished_at or not was_that_run:
        return floor
    if container.started > container.finished_at:
        return max(floor, (container.finished_at + container.started) / 2)
    return max(floor, container.finished_at + LAST_LINES)
