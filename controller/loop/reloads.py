"""Replaced secrets without a restart, for bots whose program can read its files again.

Level-triggered: `Run.to_reload` names the run that is owed a reload, so that a kill at any moment
ends in a reload that was done or is done again.
"""

from __future__ import annotations

import logging
from dataclasses import replace

from controller.domain.bot import Bot, Wish
from controller.domain.errors import NotFound, NotReady, OutcomeUnknown
from controller.domain.journal import Fact, Kind
from controller.domain.observation import Observation
from controller.domain.run import PRESENT
from controller.fleet.blueprint import Blueprints
from controller.fleet.patience import while_wished
from controller.fleet.views import Fleet, View
from controller.fleet.wishes import Wishes
from controller.loop.signs import Signs
from controller.runtime import ProbeResult, Runtime

log = logging.getLogger(__name__)


class Reloads:
    """Has a running bot read its replaced secrets, or restarted where that doesn't work."""

    def __init__(
        self,
        *,
        runtime: Runtime,
        fleet: Fleet,
        wishes: Wishes,
        blueprints: Blueprints,
        signs: Signs,
    ) -> None:
        self._runtime = runtime
        self._fleet = fleet
        self._wishes = wishes
        self._blueprints = blueprints
        self._signs = signs
        # Bots for which a submit of secrets was cut short by the end of the last controller.
        self.unsettled: set[str] = set()

    async def owe(self, bot_id: str, container: Observation | None) -> None:
        """Values may be on the disk that the present run never read: have it read them, as the
        submit that was cut short was about to."""
        if bot_id not in self.unsettled:
            return

        def edit(now: Bot) -> Bot:
            if container is None or not container.state.active:
                return now  # the next run reads them when it starts
            # Nobody could hide the former values any more.
            run = now.run.hide_log(self._runtime.engine_time())
            if self._blueprints.reloads(now, container):
                return replace(now, run=run.reload(container.started_at))
            return replace(now, run=run.end(container.started_at))

        await self._wishes.change(bot_id, edit, also=lambda write: write.settle_forms(bot_id))
        self.unsettled.discard(bot_id)

    async def __call__(self, bot: Bot) -> None:
        """Do what is owed. Raises EngineUnavailable, and OutcomeUnknown where the answer was lost:
        it is still owed then."""
        template = self._blueprints.known(bot)
        if template is None or not template.run.reload:
            return await self._restart_instead(bot, "the template no longer has a reload")
        run = bot.run.to_reload

        def wished(view: View | None) -> bool:
            now = view.bot if view else None
            return (
                now is not None
                and now.wish is Wish.RUN
                and now.problem is None
                # PRESENT: they were replaced once more, and that comes after this.
                and now.run.to_reload in {run, PRESENT}
                and now.run.to_end not in {run, PRESENT}
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
            return None  # the run ended since the look; the next look sees that
        return await self._done(bot, result)

    async def _done(self, bot: Bot, result: ProbeResult | None) -> None:
        if result is None:
            return
        if result.exit_code != 0:
            # Its words are left out: they come from where the secrets are being read.
            await self._restart_instead(bot, f"exit {result.exit_code}")
            return
        # What it printed of the former values nobody could hide after the next start.
        done = self._runtime.engine_time()
        await self._wishes.change(
            bot.id,
            lambda now: replace(now, run=now.run.reloaded(bot.run.to_reload, done)),
            facts=[Fact(Kind.RELOAD, {"ok": True, "reason": ""})],
        )
        self._signs.read_soon(bot.id)

    async def _restart_instead(self, bot: Bot, why: str) -> None:
        log.warning("bot %s (%s): reload: %s; restarting it", bot.name, bot.id, why)
        await self._wishes.change(
            bot.id,
            lambda now: replace(now, run=now.run.end_instead(bot.run.to_reload)),
            facts=[Fact(Kind.RELOAD, {"ok": False, "reason": why})],
        )
