"""Replaced secrets without a restart, for bots whose program can read its files again.

Part of the converge path. Level-triggered: `Bot.reload_run` names the run that is owed a reload, so
that a kill at any moment ends in a reload done or done again.
"""

from __future__ import annotations

import logging
import time
from dataclasses import replace

from controller.domain.bot import PRESENT, Bot, Wish
from controller.domain.errors import NotFound, NotReady, OutcomeUnknown
from controller.domain.observation import Observation
from controller.manager.audit import Audit
from controller.manager.blueprint import Blueprints
from controller.manager.fleet import Fleet, View
from controller.manager.patience import while_wished
from controller.manager.wishes import Wishes
from controller.runtime import ProbeResult, Runtime

log = logging.getLogger(__name__)


class Reloads:
    """Has a running bot read its replaced secrets, or its run ended where that does not work."""

    def __init__(
        self,
        *,
        runtime: Runtime,
        fleet: Fleet,
        wishes: Wishes,
        blueprints: Blueprints,
        audit: Audit,
    ) -> None:
        self._runtime = runtime
        self._fleet = fleet
        self._wishes = wishes
        self._blueprints = blueprints
        self._audit = audit
        # When a submit of secrets was cut short by the end of the last controller, by bot.
        self.cut_short: dict[str, float] = {}

    async def owe(self, bot: Bot, container: Observation | None) -> Bot:
        """New secrets may be on the disk that the present run never read: have it read them, as
        their submit was about to."""
        written = self.cut_short.get(bot.id, 0.0)
        # The floor of the log is set with what is owed: later than the submit, it was noted then.
        noted = bot.log_floor >= written
        if container and container.state.active and 0 < container.started < written and not noted:
            how = "reload_run" if self._blueprints.reloads(bot, container) else "ended_run"
            # What it printed of the former ones nobody knows to hide. Never before the submit, or
            # it would seem not noted at every start: clocks are set back.
            floor = max(time.time(), written)
            bot = await self._wishes.edit(bot.id, **{how: container.started_at}, log_floor=floor)
        self.cut_short.pop(bot.id, None)
        return bot

    async def __call__(self, bot: Bot) -> None:
        """Do what is owed. Raises EngineUnavailable, and OutcomeUnknown where the answer was lost:
        it is owed still then."""
        template = self._blueprints.known(bot)
        if template is None or not template.run.reload:
            return await self._restart_instead(bot, "the template has no reload any more")
        run = bot.reload_run

        def wished(view: View | None) -> bool:
            now = view.bot if view else None
            return (
                now is not None
                and now.wish is Wish.RUN
                and now.problem is None
                and now.reload_run in {run, PRESENT}  # replaced once more: that comes after this
                and now.ended_run not in {run, PRESENT}
            )

        limit = float(template.run.reload_timeout)
        work = self._runtime.execute(bot.id, template.run.reload, limit)
        try:
            result = await while_wished(self._fleet, bot.id, wished, work)
        except OutcomeUnknown as error:
            if error.code != "action-timeout":
                raise
            return await self._restart_instead(bot, f"it did not end within {limit:g} seconds")
        except (NotFound, NotReady):
            return None  # it ended since the look; the next one sees that
        return await self._done(bot, result)

    async def _done(self, bot: Bot, result: ProbeResult | None) -> None:
        if result is None:
            return
        if result.exit_code != 0:
            # Its words are left out: they come from where the secrets are being read.
            await self._restart_instead(bot, f"exit {result.exit_code}")
            return

        def edit(now: Bot) -> Bot:
            if now.reload_run != bot.reload_run:
                return now  # replaced once more meanwhile: that is owed still
            # What it printed of the former ones nobody knows to hide after the next start.
            return replace(now, reload_run="", log_floor=time.time())

        await self._wishes.change(bot.id, edit)
        await self._audit.note("reload", bot, "read its replaced secrets")

    async def _restart_instead(self, bot: Bot, why: str) -> None:
        log.warning("bot %s (%s): reload: %s; restarting it", bot.name, bot.id, why)

        def edit(now: Bot) -> Bot:
            if now.reload_run != bot.reload_run:
                return now
            return replace(now, reload_run="", ended_run=bot.reload_run)

        await self._wishes.change(bot.id, edit)
        await self._audit.note("reload", bot, f"did not work ({why}); it is restarted")
