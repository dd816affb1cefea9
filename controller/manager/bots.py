"""Questions about the bots: which there are, how they are, what they are made of. From memory.

The edges ask here and get views; the fleet itself, the store and the runtime stay below.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass

from controller.catalog import Catalog, Need, Resources, SecretSpec, Template, addresses
from controller.domain.access import Principal
from controller.domain.acts import BOT_CREATE, BOT_LIST, BOT_SHOW, FLEET_STATUS, Act
from controller.domain.addresses import at_host, is_inside
from controller.domain.bot import Bot
from controller.domain.errors import ControllerError, ImageMissing, NotFound
from controller.domain.roles import Role
from controller.fleet.blueprint import Blueprints
from controller.fleet.journal import Caller
from controller.fleet.views import EngineState, Fleet, View
from controller.manager.access import Access
from controller.runtime import Runtime

ASK_WITHIN = 3.0  # seconds that a person waits for a question about an image


@dataclass(frozen=True, slots=True)
class InsideAddress:
    """A setting that leads to the bot's own container, and the address to use instead, if any."""

    label: str
    instead: str = ""


class Bots:
    """What can be asked about bots without touching any."""

    def __init__(
        self,
        *,
        fleet: Fleet,
        access: Access,
        catalog: Catalog,
        blueprints: Blueprints,
        runtime: Runtime,
    ) -> None:
        self._fleet = fleet
        self._access = access
        self._catalog = catalog
        self._blueprints = blueprints
        self._runtime = runtime

    # By somebody, with their rights

    async def listed(self, caller: Caller) -> list[View]:
        """The bots that the caller may see."""
        await self._access.require(caller, BOT_LIST)
        return self.visible(caller.principal)

    async def status(self, caller: Caller) -> list[View]:
        """The same for the fleet's status."""
        await self._access.require(caller, FLEET_STATUS)
        return self.visible(caller.principal)

    async def named(self, caller: Caller, act: Act, name: str) -> View:
        """The bot of that name, for somebody who wants to do this to it.

        Raises Denied before it says whether there is such a bot, NotFound afterwards.
        """
        try:
            view = self._fleet.named(name)
        except NotFound:
            await self._access.require(caller, act)
            raise
        await self._access.require(caller, act, view.bot)
        return view

    async def known(self, caller: Caller, act: Act, bot_id: str) -> View:
        """The same by the bot's id, as buttons carry it."""
        view = self._fleet.get(bot_id)
        await self._access.require(caller, act, view.bot if view else None)
        if view is None:
            raise NotFound("That bot is gone.", code="no-such-bot")
        return view

    async def seen(self, caller: Caller) -> list[tuple[View, Role]]:
        """The bots that the caller may see, each with the caller's role for it."""
        await self._access.require(caller, BOT_LIST)
        return self._access.seen(caller.principal)

    async def offered(self, caller: Caller) -> list[Template]:
        """The templates that a new bot can be made of."""
        await self._access.require(caller, BOT_CREATE)
        return list(self._catalog.templates.values())

    def visible(self, principal: Principal, act: Act = BOT_SHOW) -> list[View]:
        """The bots to which the principal may do this: for lists and suggestions."""
        return self._access.allowed(principal, act)

    # For the edges' own upkeep: cards, pages, late answers

    def __iter__(self) -> Iterator[View]:
        return iter(self._fleet)

    def __len__(self) -> int:
        return len(self._fleet)

    def get(self, bot_id: str) -> View | None:
        """The view of that id, if the bot exists."""
        return self._fleet.get(bot_id)

    @property
    def engine(self) -> EngineState:
        """Whether the engine answers, since when, and why not."""
        return self._fleet.engine

    def engine_time(self) -> float:
        """The engine's time now, for whoever compares it with what the engine dated."""
        return self._runtime.engine_time()

    def listening(self, listener: Callable[[str], None]) -> AbstractContextManager[None]:
        """Call `listener(bot_id)` at every change while the block runs. It must not block."""
        return self._fleet.listening(listener)

    def hearing_engine(self, listener: Callable[[], None]) -> AbstractContextManager[None]:
        """Call `listener()` when the engine goes or comes back, while the block runs."""
        return self._fleet.hearing_engine(listener)

    # What bots are made of

    @property
    def templates(self) -> dict[str, Template]:
        """The templates that can be used, by id."""
        return dict(self._catalog.templates)

    def memory_limit(self, bot: Bot) -> int:
        """The bot's memory limit in bytes; 0 when its template is gone."""
        limits = self.limits(bot)
        return limits.memory_bytes if limits else 0

    def limits(self, bot: Bot) -> Resources | None:
        """What the bot's next container may use; None when its template is gone."""
        template = self._blueprints.known(bot)
        return template.limits_of(bot) if template else None

    def exposed_secrets(self, bot: Bot) -> tuple[SecretSpec, ...]:
        """The secrets that end up as environment variables of the bot's process."""
        template = self._blueprints.known(bot)
        if template is None or not template.exposes_secrets:
            return ()
        with contextlib.suppress(ControllerError):  # its provider or channel is no longer known
            secrets = template.secrets_for(bot.provider, bot.channel)
            return tuple(secret for secret in secrets if secret.process_env)
        return ()

    def inside_addresses(self, bot: Bot) -> tuple[InsideAddress, ...]:
        """The settings whose address leads to the bot's own container, where nobody answers."""
        template = self._blueprints.known(bot)
        if template is None:
            return ()
        with contextlib.suppress(ControllerError):  # its provider or channel is no longer known
            gateway = template.run.host_gateway
            return tuple(
                InsideAddress(field.label, at_host(item) if gateway else "")
                for field, item in addresses(template, bot)
                if is_inside(item)
            )
        return ()

    async def unproven_needs(self, bot: Bot) -> tuple[Need, ...]:
        """What the bot's image may lack, where nobody can look into the image yet."""
        template = self._blueprints.known(bot)
        if template is None:
            return ()
        with contextlib.suppress(ControllerError):  # its provider or channel is no longer known
            needs = template.needs_for(bot.provider, bot.channel)
            return () if not needs or await self._has_image(template) else needs
        return ()

    async def images_ready(self, templates: Iterable[Template]) -> dict[str, bool | None]:
        """Whether the engine has each template's image, by the template's id; None if it didn't
        say. Nothing is pulled."""
        asked = list(templates)
        if self._fleet.engine.away:
            return dict.fromkeys((one.id for one in asked), None)
        found = await asyncio.gather(*(self._image_ready(one) for one in asked))
        return dict(zip((one.id for one in asked), found, strict=True))

    async def _image_ready(self, template: Template) -> bool | None:
        try:
            async with asyncio.timeout(ASK_WITHIN):
                await self._runtime.pin_image(template.image.ref, "never")
        except ImageMissing:
            return False
        except (ControllerError, TimeoutError):
            return None
        return True

    async def _has_image(self, template: Template) -> bool:
        return bool(await self._image_ready(template))
