"""Accounting for ends of runs: collects the hints, has them judged, saves the verdict once.

The rules are pure and in `domain.ends`. Here is what they need to know about events and about the
engine's absences, which no look can see afterwards.
"""

from __future__ import annotations

import logging
from dataclasses import replace

from controller.domain.bot import Bot, Wish
from controller.domain.crashes import describe_exit
from controller.domain.ends import Cause, Hints, Verdict, classify
from controller.domain.errors import ControllerError
from controller.domain.events import ContainerEvent, LogQuery
from controller.domain.journal import by_hand
from controller.domain.observation import Observation
from controller.domain.release import is_leaving
from controller.domain.run import is_over
from controller.fleet.blueprint import Blueprints
from controller.fleet.threads import Threads
from controller.fleet.views import Fleet, View
from controller.fleet.wishes import Wishes
from controller.loop.heard import Heard
from controller.loop.queue import loop_time
from controller.loop.story import Stories
from controller.runtime import Runtime
from controller.vault import CONTEXT_LINES, Redactor

log = logging.getLogger(__name__)
TAIL_LINES = 8
# For so many seconds after its return an engine may still show as running what ended with it: it
# answers before it has looked at what became of its containers.
BACK_WITHIN = 5.0


class Accounts:
    """Accounts for every end of a run, once."""

    def __init__(
        self,
        *,
        runtime: Runtime,
        fleet: Fleet,
        wishes: Wishes,
        blueprints: Blueprints,
        redactor: Redactor,
        threads: Threads,
        stories: Stories,
    ) -> None:
        self._runtime = runtime
        self._fleet = fleet
        self._wishes = wishes
        self._blueprints = blueprints
        self._redactor = redactor
        self._threads = threads
        self._stories = stories
        self._heard: dict[str, Heard] = {}
        # The run that each bot had when the engine went away, and until when an end belongs to
        # that absence, by a clock that nobody sets.
        self._in_gap: dict[str, tuple[str, float]] = {}

    def hear(self, event: ContainerEvent) -> None:
        """Remember what an event tells of a run: after a restart no look can see it."""
        heard = self._heard.setdefault(event.bot_id, Heard())
        match event.action:
            case "oom":
                heard.oom_at = event.at
            case "start":
                heard.start(event.at)
            case _ if event.ending:
                heard.stop(event.at)
            case "die" if event.exit_code is not None:
                heard.exit(event.at, event.exit_code)
            case _:
                pass

    def note_gap(self, bot_id: str) -> None:
        """The engine is or was away: the bot's present run may end, or have ended, with it. So may
        a run that began since the last look."""
        view = self._fleet.get(bot_id)
        container = view.world.container if view else None
        if container is not None:
            self._in_gap[bot_id] = (container.started_at, loop_time() + BACK_WITHIN)

    def note_unchanged(self, bot_id: str) -> None:
        """The engine is back, and this bot's run seems to have outlived the gap."""
        self._end_gap(bot_id)

    def forget(self, bot_id: str) -> None:
        """The bot is gone."""
        self._heard.pop(bot_id, None)
        self._in_gap.pop(bot_id, None)

    async def note_removed(self, bot_id: str) -> None:
        """Somebody removed the bot's container outside BotMaker. NotFound when the bot is gone."""
        bot = self._fleet.require(bot_id).bot
        if bot.wish is Wish.RUN and bot.problem is None:
            log.warning("bot %s (%s): somebody removed its container", bot.name, bot_id)
            await self._wishes.change(bot_id, lambda now: now, facts=[by_hand("removed")])

    async def settle(
        self, bot_id: str, before: Observation | None, spec: str, row: Bot | None
    ) -> Bot:
        """Account for what ended between the look `before` and the one that is shown now.

        `spec` is the hash that a container made now would carry. `row` is the bot's row when the
        look began; None when a step was under way then. Raises NotFound when the bot is gone.
        """
        view = self._fleet.require(bot_id)
        after = view.world.container
        in_gap = self._ended_in_gap(bot_id, after)

        def judge(now: View) -> Verdict:
            hints = self._hints(now, spec, in_gap=in_gap)
            return classify(now.bot, before, after, replace(hints, overlaps=now.bot is not row))

        verdict = judge(view)
        if verdict.cause is Cause.NOTHING and verdict.run == view.bot.run:
            return view.bot
        view, verdict = await self._wishes.account(bot_id, judge)
        self._stories.tell(bot_id, "verdict", verdict.cause.value)
        if verdict.crashes:
            await self._tell(view.bot, verdict)
        return view.bot

    def _hints(self, view: View, spec: str, *, in_gap: bool) -> Hints:
        template = self._blueprints.known(view.bot)
        heard = self._heard.get(view.bot.id) or Heard()
        return Hints(
            known=view.crashes,
            exits=heard.exits,
            oom_at=heard.oom_at,
            stopped_at=heard.stopped_at,
            in_gap=in_gap,
            leaving=is_leaving(view.bot, view.world),
            spec=spec,
            fatal=tuple(template.run.fatal_exit_codes) if template else (),
            restart=template.run.restart if template else "unless-stopped",
        )

    async def _tell(self, bot: Bot, verdict: Verdict) -> None:
        last = verdict.crashes[-1]
        what = describe_exit(last.exit_code, oom_killed=last.oom_killed)
        log.warning("bot %s (%s) crashed: %s", bot.name, bot.id, what)
        self._fleet.show_tail(bot.id, await self.tail(bot))

    async def tail(self, bot: Bot) -> tuple[str, ...]:
        """The last lines of the bot's log, redacted; none if it can't be read."""
        query = LogQuery(lines=TAIL_LINES + CONTEXT_LINES, since=bot.run.log_floor)
        try:
            lines = await self._runtime.logs(bot.id, query)
        except ControllerError:
            return ()  # a missing log is no reason not to tell of the crash
        hidden = await self._threads(lambda: self._redactor.log(lines))
        return tuple(line.text for line in hidden[-TAIL_LINES:])

    def _ended_in_gap(self, bot_id: str, container: Observation | None) -> bool:
        """Whether an end that is seen now would be the engine's doing.

        The note of that goes when the run is over; otherwise it lasts for a while.
        """
        if bot_id not in self._in_gap:
            return False
        if is_over(self._in_gap[bot_id][0], container):
            del self._in_gap[bot_id]
        else:
            self._end_gap(bot_id)
        return True

    def _end_gap(self, bot_id: str) -> None:
        """Forget the gap once its time is over."""
        if loop_time() > self._in_gap.get(bot_id, ("", 0.0))[1]:
            self._in_gap.pop(bot_id, None)
