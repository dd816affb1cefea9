"""Forms whose commit the end of a controller cut short: the next one writes them whole.

A form's commit is several writes: what was typed is kept, the form is used up, the secrets are
written, and the bot's row says that its run must use them. After a kill in between all of it was
kept, so all of it can be done again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace

from controller.domain.bot import Bot, Wish
from controller.domain.errors import ControllerError
from controller.domain.journal import Fact, Kind
from controller.fleet.blueprint import Blueprints
from controller.fleet.threads import Threads
from controller.fleet.views import Fleet
from controller.fleet.wishes import Wishes
from controller.loop.former_secrets import FormerSecrets
from controller.store import Form, Store

log = logging.getLogger(__name__)
RESUME_SECONDS, RESUME_SECONDS_MAX = 1.0, 60.0  # until a cut short form is tried again


class Resumption:
    """Finishes such forms at the start, and goes on trying those that can't be written then."""

    def __init__(
        self,
        store: Store,
        fleet: Fleet,
        wishes: Wishes,
        blueprints: Blueprints,
        threads: Threads,
        former: FormerSecrets,
        write: Callable[[Bot, Mapping[str, str]], Awaitable[None]],
    ) -> None:
        self._store = store
        self._fleet = fleet
        self._wishes = wishes
        self._blueprints = blueprints
        self._threads = threads
        self._former = former
        self._write = write
        self._task: asyncio.Task[None] | None = None
        self._done: set[str] = set()

    async def begin(self, written: Callable[[str], None]) -> None:
        """Write what forms gave whose commit a controller that died cut short. At the start only.

        The bot has all of it then, never a part, and `written(bot_id)` is called: its present run
        doesn't know of it. What can't be written now is tried again, beside everything else.
        """
        if await self._try(written):
            self._task = asyncio.create_task(self._go_on(written), name="resume forms")

    async def close(self) -> None:
        """Try no more; the next start does."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _go_on(self, written: Callable[[str], None]) -> None:
        pause, left = RESUME_SECONDS, True
        while left:
            await asyncio.sleep(pause)
            left = await self._try(written)
            pause = min(2 * pause, RESUME_SECONDS_MAX)

    async def _try(self, written: Callable[[str], None]) -> bool:
        """Whether some form has to be tried again."""
        left = False
        try:
            unsettled = await self._store.unsettled()  # anew: a newer form settles older ones
        except ControllerError as error:
            log.warning("unfinished forms can't be read: %s", error)
            return True
        for form in unsettled:
            view = self._fleet.get(form.bot_id)
            if view is None or view.bot.wish is Wish.REMOVE or form.id in self._done:
                continue
            try:
                await self._write_form(form, view.bot)
            except ControllerError as error:
                log.warning("bot %s: its new secrets can't be written: %s", view.bot.name, error)
                left = True
            else:
                self._done.add(form.id)  # the loop settles it
                written(form.bot_id)
        return left

    async def _write_form(self, form: Form, bot: Bot) -> None:
        staging = self._blueprints.staging
        staged = await self._threads.secrets(lambda: staging.read(bot.id, form.id))
        if not staged.secrets and not staged.fields:
            return
        async with self._former.changing(bot.id, secrets=bool(staged.secrets)):
            await self._write(bot, staged.secrets)
            await self._wishes.change(
                bot.id,
                lambda now: replace(
                    with_fields(now, staged.fields),
                    problem=None,
                    secret_set=now.secret_set + bool(staged.secrets),
                ),
                facts=[Fact(Kind.SECRETS, {"names": sorted(staged.secrets)})],
                forgive=True,
            )
        await self._threads.secrets(lambda: staging.drop(bot.id, form.id))


def with_fields(bot: Bot, fields: Mapping[str, str]) -> Bot:
    """The bot with these settings, and its others as they are."""
    return replace(bot, fields={**bot.fields, **fields})
