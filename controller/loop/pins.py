"""What a bot's image reference means: resolved at the first start, then kept until a person acts.

It is resolved again when the image is gone, when the template names another one, and, with
`pull = "always"`, at each restart that a person asks for.
"""

from __future__ import annotations

import logging
from dataclasses import replace

from controller.domain.bot import Bot, Wish
from controller.domain.errors import ImageMissing, RegistryUnavailable
from controller.fleet.blueprint import Blueprints
from controller.fleet.patience import while_wished
from controller.fleet.views import Fleet, View
from controller.fleet.wishes import Wishes
from controller.runtime import Runtime

log = logging.getLogger(__name__)


class Pins:
    """Pins bots to images."""

    def __init__(
        self, *, runtime: Runtime, fleet: Fleet, wishes: Wishes, blueprints: Blueprints
    ) -> None:
        self._runtime = runtime
        self._fleet = fleet
        self._wishes = wishes
        self._blueprints = blueprints
        self._renewed: dict[str, str] = {}  # for which run each bot's image was last renewed

    def forget(self, bot_id: str) -> None:
        """The bot is gone."""
        self._renewed.pop(bot_id, None)

    async def pin(self, bot: Bot) -> Bot | None:
        """Resolve the template's reference. None when nobody wishes the bot to run any more.

        Raises ImageMissing with the template's own hint, if it has one.
        """
        wanted = self._blueprints.template(bot).image
        try:
            work = self._runtime.pin_image(wanted.ref, wanted.pull, keep_for=bot.id)
            image = await while_wished(self._fleet, bot.id, _to_run, work)
        except ImageMissing as error:  # its template may know better where to get it
            raise ImageMissing(error.message, hint=wanted.hint or error.hint) from None
        if image is None:
            return None
        view = await self._wishes.change(
            bot.id, lambda now: replace(now, image=image, image_ref=wanted.ref)
        )
        return view.bot

    async def renew(self, bot: Bot) -> Bot | None:
        """Resolve the reference again if this is a reason to, once a run; None as for `pin`.

        Raises ImageMissing only if the template names another image, which can't be had.
        """
        template = self._blueprints.known(bot)
        if template is None or not bot.image:
            return bot
        if self._blueprints.is_stale(bot):
            return await self.pin(bot)
        always = template.image.pull == "always"
        run = bot.run.to_end
        if not always or not run or self._renewed.get(bot.id) == run:
            return bot
        self._renewed[bot.id] = run
        try:
            return await self.pin(bot)
        except (ImageMissing, RegistryUnavailable) as error:
            log.warning("bot %s (%s) keeps its image: %s", bot.name, bot.id, error)
            return bot


def _to_run(view: View | None) -> bool:
    return view is not None and view.bot.wish is Wish.RUN
