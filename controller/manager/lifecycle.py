"""What people ask of bots: create, start, stop, restart, delete. Each writes a wish and waits.

Nothing here changes anything in the engine; the loop does, poked by the wish.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from types import MappingProxyType

from controller.catalog import Catalog, Template
from controller.domain.acts import (
    BOT_CLONE,
    BOT_CREATE,
    BOT_DELETE,
    BOT_RENAME,
    BOT_RESTART,
    BOT_START,
    BOT_STOP,
    Act,
)
from controller.domain.bot import Bot, Wish
from controller.domain.bot_limits import Ceiling, checked_limits, with_limits
from controller.domain.errors import ControllerError, NotReady
from controller.domain.names import check_name, new_bot_id
from controller.domain.observation import World
from controller.domain.phase import Phase
from controller.domain.run import PRESENT
from controller.fleet.journal import Caller, Deed, Journal
from controller.fleet.views import Fleet, View
from controller.fleet.wishes import Wishes
from controller.loop.preparation import refusal_before
from controller.manager.access import Access
from controller.manager.edits import ceiling_for, new_fields
from controller.runtime import Runtime

WAIT_SECONDS = 4.0  # for the end of an act; after that the bot's card shows how it goes


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What a new bot should be; None where the person left the choice to us."""

    name: str
    template: str
    provider: str | None = None
    model: str | None = None
    channel: str | None = None
    fields: Mapping[str, str] = field(default_factory=dict)  # settings that aren't the default
    limits: Mapping[str, str] = field(default_factory=dict)  # as they are typed
    stopped: bool = False  # whether it stays stopped until somebody starts it
    source: str = ""  # as a bot's


class Lifecycle:
    """The use-cases. Each returns the view in which it ended, or None when the bot is gone."""

    def __init__(
        self,
        *,
        fleet: Fleet,
        wishes: Wishes,
        catalog: Catalog,
        runtime: Runtime,
        journal: Journal,
        access: Access,
        ceiling: Ceiling,
    ) -> None:
        self._fleet = fleet
        self._wishes = wishes
        self._catalog = catalog
        self._runtime = runtime
        self._journal = journal
        self._access = access
        self._ceiling = ceiling

    async def create(self, caller: Caller, order: Order) -> Bot:
        """A new bot that waits for its secrets.

        Raises BadInput, NotFound, Conflict, or NotReady (`missing-plugin`: the image lacks what the
        channel needs), with nothing created.
        """
        await self._access.require(caller, BOT_CREATE)
        return await self._create(caller, BOT_CREATE, order)

    async def clone(self, caller: Caller, bot: Bot, name: str) -> Bot:
        """A new bot of the same template, choices, settings and limits, without its secrets.

        Raises what `create` raises; settings that the template no longer knows aren't copied.
        """
        await self._access.require(caller, BOT_CLONE)
        return await self._create(
            caller, BOT_CLONE, partial(_like, self._catalog, bot, name), {"copy_of": bot.name}
        )

    async def _create(
        self,
        caller: Caller,
        act: Act,
        order: Order | Callable[[], Order],
        detail: Mapping[str, str] = MappingProxyType({}),
    ) -> Bot:
        try:
            wanted = order if isinstance(order, Order) else order()
            bot, template = await self._described(caller, wanted)
        except ControllerError as error:
            # Without what was typed: it may be anything, even a key.
            await self._journal.refused(caller, act.id, None, error.code)
            raise
        async with self._journal.request(caller, act, bot, detail) as deed:
            names = (s.name for s in template.secrets_for(bot.provider, bot.channel) if s.required)
            await self._wishes.add(bot, World(missing=tuple(names)), deed.author)
        return bot

    async def rename(self, caller: Caller, bot: Bot, name: str) -> View:
        """Call it something else. Its container, files and run stay as they are.

        Raises BadInput, Conflict (`name-taken`) or NotReady (`being-removed`).
        """
        await self._access.require(caller, BOT_RENAME, bot)
        async with self._journal.request(caller, BOT_RENAME, bot) as deed:
            wanted = check_name(name)

            def renamed(now: Bot) -> Bot:
                if now.wish is Wish.REMOVE:
                    raise NotReady(f"{now.name} is being removed.", code="being-removed")
                return replace(now, name=wanted)

            return await self._wishes.change(bot.id, renamed, deed.author)

    async def _described(self, caller: Caller, order: Order) -> tuple[Bot, Template]:
        name = check_name(order.name)
        template = self._catalog.find(order.template)
        choice = template.choose(order.provider, order.model, order.channel)
        specs = template.fields_for(choice.provider, choice.channel)
        limits = checked_limits(order.limits, ceiling_for(template, self._ceiling))
        principal = caller.principal
        bot = Bot(
            id=new_bot_id(),
            name=name,
            template=template.id,
            provider=choice.provider,
            model=choice.model,
            channel=choice.channel,
            fields=new_fields(specs, order.fields),
            limits=with_limits({}, limits),
            wish=Wish.STOP if order.stopped else Wish.RUN,
            source=order.source,
            created_at=time.time(),
            created_by=int(principal.id) if principal.kind == "user" else 0,
        )
        refusal = await refusal_before(self._runtime, template, bot.provider, bot.channel)
        if refusal is not None:
            raise refusal
        return bot, template

    async def start(self, caller: Caller, bot: Bot, wait: float = WAIT_SECONDS) -> View | None:
        """Wish it to run, and forget why it was given up.

        NotReady (`secrets-missing`) while it waits for its first secrets.
        """

        def wished(now: Bot) -> Bot:
            return replace(now, wish=Wish.RUN, problem=None)

        return await self._act(caller, BOT_START, bot, wished, wait, forgive=True)

    async def stop(self, caller: Caller, bot: Bot, wait: float = WAIT_SECONDS) -> View | None:
        """Wish it to be stopped."""
        stopped = partial(replace, wish=Wish.STOP)
        return await self._act(caller, BOT_STOP, bot, stopped, wait)

    async def restart(self, caller: Caller, bot: Bot, wait: float = WAIT_SECONDS) -> View | None:
        """Wish its present run to be over, and a new one. NotReady as in `start`."""
        view = self._fleet.get(bot.id)
        run = present_run(view)

        def wished(now: Bot) -> Bot:
            return replace(now, wish=Wish.RUN, problem=None, run=now.run.end(run))

        return await self._act(caller, BOT_RESTART, bot, wished, wait, forgive=True)

    async def delete(self, caller: Caller, bot: Bot, wait: float = WAIT_SECONDS) -> View | None:
        """Wish that nothing is left of it: container, volume, secrets, row."""
        await self._access.require(caller, BOT_DELETE, bot)
        async with self._journal.request(caller, BOT_DELETE, bot) as deed:
            await self._wishes.change(
                bot.id, lambda now: replace(now, wish=Wish.REMOVE), deed.author
            )
            view = await self._settle(bot, lambda _: False, wait)
            note_end(deed, view)
            return view

    async def follow(self, bot: Bot, wait: float = WAIT_SECONDS) -> View | None:
        """Wait for the end of what was begun elsewhere, as the other calls do."""
        return await self._settle(bot, lambda v: at_rest(v) and v.phase is not Phase.CREATED, wait)

    async def _act(
        self,
        caller: Caller,
        act: Act,
        bot: Bot,
        wished: Callable[[Bot], Bot],
        wait: float,
        *,
        forgive: bool = False,
    ) -> View | None:
        await self._access.require(caller, act, bot)
        if forgive:
            require_secrets(self._fleet.get(bot.id))

        def unless_removing(now: Bot) -> Bot:
            if now.wish is Wish.REMOVE:
                raise NotReady(f"{now.name} is being removed.", code="being-removed")
            return wished(now)

        async with self._journal.request(caller, act, bot) as deed:
            await self._wishes.change(bot.id, unless_removing, deed.author, forgive=forgive)
            view = await self._settle(bot, at_rest, wait)
            note_end(deed, view)
            return view

    async def _settle(self, bot: Bot, done: Callable[[View], bool], wait: float) -> View | None:
        return await self._fleet.wait_for(bot.id, lambda v: v is None or done(v), wait)


def _like(catalog: Catalog, bot: Bot, name: str) -> Order:
    """The order of a bot like that one."""
    template = catalog.find(bot.template)
    known = {spec.name for spec in template.fields_for(bot.provider, bot.channel)}
    return Order(
        name=name,
        template=bot.template,
        provider=bot.provider,
        model=bot.model,
        channel=bot.channel,
        fields={name: value for name, value in bot.fields.items() if name in known},
        limits=bot.limits,
    )


def require_secrets(view: View | None) -> None:
    """Raise NotReady (`secrets-missing`) for a bot that waits for its first secrets.

    Those that were entered since the last look count: its run owes their use until the next one.
    """
    if view is not None and view.phase is Phase.CREATED and not view.bot.run.owes:
        raise NotReady(
            f"{view.bot.name} has no secrets yet: {', '.join(view.world.missing)}.",
            hint=f"Enter them: /bot secrets {view.bot.name}.",
            code="secrets-missing",
        )


def present_run(view: View | None) -> str:
    """The run that a restart has to end: by its name where it is known, else whichever runs."""
    if view is None or not view.seen:
        return PRESENT
    container = view.world.container
    return container.started_at if container and container.state.active else ""


def at_rest(view: View) -> bool:
    """Whether what was asked for has come to an end."""
    return not view.bot.run.to_end and view.phase.settled


def note_end(deed: Deed, view: View | None) -> None:
    """Note in the outcome of a request how the bot is."""
    if view is None:
        deed.ended(phase="gone")
        return
    deed.ended(phase=view.phase.value)
    if view.bot.problem is not None:
        deed.ended(problem=view.bot.problem.message)
