"""What people ask of bots: create, start, stop, restart, delete. Each writes a wish and waits.

Nothing here changes anything in the engine; `converge` does, poked by the wish.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from controller.catalog import Catalog, Template
from controller.domain.bot import Bot, Wish
from controller.domain.errors import ControllerError, NotReady
from controller.domain.names import check_name, new_bot_id
from controller.domain.observation import World
from controller.domain.phase import Phase
from controller.manager.audit import Asker, Audit
from controller.manager.fleet import Fleet, View
from controller.manager.preparation import ASK_WITHIN, refusal_before
from controller.manager.wishes import Wishes
from controller.runtime import Runtime
from controller.store import Store

WAIT_SECONDS = 4.0  # for the end of an action; after that the public message follows it


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What `/bot create` was given; None where the person left it to us."""

    name: str
    template: str
    provider: str | None = None
    model: str | None = None
    channel: str | None = None


class Lifecycle:
    """The use-cases. Each returns the view in which it ended, or None when the bot is gone."""

    def __init__(
        self,
        *,
        store: Store,
        fleet: Fleet,
        wishes: Wishes,
        catalog: Catalog,
        runtime: Runtime,
        audit: Audit,
    ) -> None:
        self._store = store
        self._fleet = fleet
        self._wishes = wishes
        self._catalog = catalog
        self._runtime = runtime
        self._audit = audit

    async def create(self, asker: Asker, order: Order) -> Bot:
        """A new bot, waiting for its secrets.

        Raises BadInput, NotFound, Conflict, or NotReady (`missing-plugin`: the image lacks what the
        channel needs), with nothing made.
        """
        try:
            bot, template = await self._described(asker, order)
        except ControllerError as error:
            # Without what was typed: it may be anything, also a key.
            await self._audit.refused(asker, "create", None, "", error.code)
            raise
        async with self._audit.entry(asker, "create", bot, f"template {template.id}") as outcome:
            names = (s.name for s in template.secrets_for(bot.provider, bot.channel) if s.required)
            await self._wishes.add(bot, World(missing=tuple(names)))
            outcome.text = "made, waiting for secrets"
        return bot

    async def _described(self, asker: Asker, order: Order) -> tuple[Bot, Template]:
        name = check_name(order.name.strip())
        template = self._catalog.get(order.template.strip())
        choice = template.choose(order.provider, order.model, order.channel)
        bot = Bot(
            id=new_bot_id(),
            name=name,
            template=template.id,
            provider=choice.provider,
            model=choice.model,
            channel=choice.channel,
            created_at=time.time(),
            created_by=asker.person.user_id,
        )
        refusal = await refusal_before(self._runtime, template, bot.provider, bot.channel)
        if refusal is not None:
            raise refusal
        return bot, template

    async def has_image(self, template: Template) -> bool:
        """Whether its image is on the engine, so that a `create` could look into it. Soon answered,
        with no where nobody can tell."""
        try:
            async with asyncio.timeout(ASK_WITHIN):
                await self._runtime.pin_image(template.image.ref, "never")
        except (ControllerError, TimeoutError):
            return False
        return True

    async def start(self, asker: Asker, bot: Bot) -> View | None:
        """Wish it to run, and forget why it was given up."""
        async with self._audit.entry(asker, "start", bot) as outcome:
            await self._begin_anew(bot, lambda now: replace(now, wish=Wish.RUN, problem=None))
            view = await self._settle(bot, lambda v: not v.bot.ended_run and v.phase.settled)
            outcome.text = _word(view)
            return view

    async def stop(self, asker: Asker, bot: Bot) -> View | None:
        """Wish it to be stopped."""
        async with self._audit.entry(asker, "stop", bot) as outcome:
            await self._change(bot, lambda now: replace(now, wish=Wish.STOP))
            view = await self._settle(bot, lambda v: not v.bot.ended_run and v.phase.settled)
            outcome.text = _word(view)
            return view

    async def restart(self, asker: Asker, bot: Bot) -> View | None:
        """Wish its present run to be over, and a new one."""
        async with self._audit.entry(asker, "restart", bot) as outcome:
            view = self._fleet.get(bot.id)
            container = view.world.container if view else None
            run = container.started_at if container and container.state.active else ""
            await self._begin_anew(
                bot,
                lambda now: replace(now, wish=Wish.RUN, problem=None, ended_run=run),
            )
            view = await self._settle(bot, lambda v: not v.bot.ended_run and v.phase.settled)
            outcome.text = _word(view)
            return view

    async def delete(self, asker: Asker, bot: Bot) -> View | None:
        """Wish that nothing is left of it: container, volume, secrets, row."""
        async with self._audit.entry(asker, "delete", bot) as outcome:
            await self._wishes.change(bot.id, lambda now: replace(now, wish=Wish.REMOVE))
            view = await self._settle(bot, lambda _: False)
            outcome.text = "removed" if view is None else "being removed"
            return view

    async def follow(self, bot: Bot) -> View | None:
        """Wait for the end of what was begun elsewhere, as the other calls do."""
        return await self._settle(
            bot,
            lambda v: not v.bot.ended_run and v.phase.settled and v.phase is not Phase.CREATED,
        )

    async def _begin_anew(self, bot: Bot, edit: Callable[[Bot], Bot]) -> None:
        await self._store.clear_crashes(bot.id)
        self._fleet.crashed(bot.id, (), ())
        await self._change(bot, edit)

    async def _change(self, bot: Bot, edit: Callable[[Bot], Bot]) -> None:
        def unless_removing(now: Bot) -> Bot:
            if now.wish is Wish.REMOVE:
                raise NotReady(f"{now.name} is being removed.", code="being-removed")
            return edit(now)

        await self._wishes.change(bot.id, unless_removing)

    async def _settle(self, bot: Bot, done: Callable[[View], bool]) -> View | None:
        return await self._fleet.wait(bot.id, lambda v: v is None or done(v), WAIT_SECONDS)


def _word(view: View | None) -> str:
    if view is None:
        return "removed"
    problem = view.bot.problem
    return f"{view.phase}: {problem.message}" if problem else str(view.phase)
