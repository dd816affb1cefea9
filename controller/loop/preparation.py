"""What has to be right before a bot's container is created or started: image, files, config.

Each check can be done again at any time, and none leaves anything behind.
"""

from __future__ import annotations

import asyncio
import logging

from controller.catalog import Template, secret_files
from controller.domain.bot import Bot, Wish
from controller.domain.crashes import describe_exit
from controller.domain.errors import ControllerError, NotReady
from controller.domain.journal import Fact, Kind
from controller.domain.release import is_same_wish
from controller.domain.spec import ContainerSpec
from controller.fleet.blueprint import Blueprints
from controller.fleet.journal import Journal
from controller.fleet.patience import while_wished
from controller.fleet.threads import Threads
from controller.fleet.views import Fleet, View
from controller.loop.former_secrets import FormerSecrets
from controller.runtime import ProbeResult, Runtime
from controller.vault import Redactor, Vault

log = logging.getLogger(__name__)
MISSING_PLUGIN = "missing-plugin"
SAID_MAX = 500  # characters of what a validation said
SAID_LINES = 6
# Not begun, not executable, not in the image, killed: that says nothing about the config.
NO_VERDICT = {125, 126, 127, 137}
ASK_WITHIN = 3.0  # seconds that a person waits for the question about an image


async def missing_need(
    runtime: Runtime, template: Template, image: str, provider: str, channel: str
) -> NotReady | None:
    """The refusal that says what the image lacks for this provider and channel, if anything."""
    needs = template.needs_for(provider, channel)
    if not needs:
        return None
    there = await runtime.image_has(image, tuple(need.path for need in needs))
    for need in needs:
        if need.path not in there:
            return NotReady(
                f"{need.title} needs a part that the image of {template.title} doesn't have "
                f"({need.path}).",
                hint=need.hint,
                code=MISSING_PLUGIN,
            )
    return None


async def refusal_before(
    runtime: Runtime, template: Template, provider: str, channel: str
) -> NotReady | None:
    """The same within seconds, for a person who waits; None too where it can't be known yet."""
    try:
        async with asyncio.timeout(ASK_WITHIN):
            return await missing_need(runtime, template, template.image.ref, provider, channel)
    except (ControllerError, TimeoutError):
        return None  # no engine or no image: the bot's first start tells


class Preparation:
    """Prepares what a container needs, or says why that can't be done."""

    def __init__(  # noqa: PLR0913 - each thing that it prepares is another part
        self,
        *,
        runtime: Runtime,
        fleet: Fleet,
        blueprints: Blueprints,
        vault: Vault,
        redactor: Redactor,
        journal: Journal,
        threads: Threads,
        former: FormerSecrets,
    ) -> None:
        self._runtime = runtime
        self._fleet = fleet
        self._blueprints = blueprints
        self._vault = vault
        self._redactor = redactor
        self._journal = journal
        self._threads = threads
        self._former = former
        self._rehearsed: dict[str, tuple[object, ...]] = {}  # what was checked beforehand

    async def rehearse(self, bot: Bot) -> bool:
        """Make all the checks of `container` beforehand, while another one runs; it makes them no
        second time then. False when nobody wishes for it any more."""
        self._rehearsed.pop(bot.id, None)
        if await self.container(bot) is None:
            return False
        self._rehearsed[bot.id] = self._checked(bot)
        return True

    def _checked(self, bot: Bot) -> tuple[object, ...]:
        return bot.candidate, bot.secret_set, self._blueprints.digest(bot)

    def forget(self, bot_id: str) -> None:
        """The bot is gone."""
        self._rehearsed.pop(bot_id, None)

    async def container(self, bot: Bot) -> ContainerSpec | None:
        """What to create, with everything that it needs in place; None when nobody wishes for it
        any more.

        Raises NotReady (`missing-plugin`, `config-refused`) with the reason for a person.
        """
        template = self._blueprints.template(bot)
        checked = self._rehearsed.pop(bot.id, None) == self._checked(bot)
        if not checked:
            needs = (template, bot.image, bot.provider, bot.channel)
            refusal = await missing_need(self._runtime, *needs)
            if refusal is not None:
                raise refusal
        await self._threads(lambda: self._blueprints.write_files(bot))
        if not await self.secrets(bot):
            return None
        spec = self._blueprints.spec(bot)
        return spec if checked or await self._valid(bot, template, spec) else None

    async def secrets(self, bot: Bot) -> bool:
        """Put former secrets back, if they are owed, and write the config that holds secrets, where
        it differs from what is on the disk.

        A bot that needs no secrets gets an empty folder, which is mounted all the same. False when
        a secret went away since the look; the next look sees that.
        """
        await self._former.put_back(bot.id)
        template = self._blueprints.fitting(bot)
        if template is None:
            return True
        if not self._blueprints.required_secrets(bot):
            owner = self._blueprints.owner
            await self._threads.secrets(lambda: self._vault.ensure(bot.id, owner(template)))
        if not self._blueprints.rendered_names(template):
            return True
        return await self._threads.secrets(lambda: self._write_secrets(bot, template))

    def _write_secrets(self, bot: Bot, template: Template) -> bool:
        if self._blueprints.secret_trouble(bot)[0]:
            return False
        there = self._vault.read(bot.id)
        declared = {spec.name for spec in template.secrets_for(bot.provider, bot.channel)}
        known = {name: value for name, value in there.items() if name in declared}
        wanted = secret_files(template, bot, known)
        owner = self._blueprints.owner(template)
        unusable = self._vault.check(bot.id, wanted, owner)
        changed = {
            name: text
            for name, text in wanted.items()
            if there.get(name) != text or name in unusable
        }
        if changed:
            self._vault.write(bot.id, changed, owner)
        return True

    async def _valid(self, bot: Bot, template: Template, spec: ContainerSpec) -> bool:
        """Whether to go on: False when nobody wishes for it any more."""
        check = template.validation
        if check is None:
            return True

        def wished(view: View | None) -> bool:
            now = view.bot if view else None
            return now is not None and now.wish is Wish.RUN and is_same_wish(now, bot)

        work = self._runtime.rehearse(spec, check.command, float(check.timeout))
        result = await while_wished(self._fleet, bot.id, wished, work)
        if result is None:
            return False
        if result.exit_code in NO_VERDICT:
            # A check that can't come to its end says nothing about the bot, and must not cost it.
            why = describe_exit(result.exit_code)
            log.warning("bot %s (%s): its config couldn't be checked: %s", bot.name, bot.id, why)
            fact = Fact(Kind.UNCHECKED, {"exit_code": result.exit_code})
            await self._journal.note(fact, bot)
        elif result.exit_code != 0:
            raise NotReady(
                f"{template.title} refuses the bot's settings: {await self._said(result)}",
                hint="Change them, then restart the bot.",
                code="config-refused",
            )
        return True

    async def _said(self, result: ProbeResult) -> str:
        hidden = await self._threads(
            lambda: self._redactor.log(result.lines, begins=not result.cut, ends=True)
        )
        lines = [line.text.strip() for line in hidden]
        text = "\n".join([line for line in lines if line][:SAID_LINES])
        if not text:
            return "it didn't say why."
        return text if len(text) <= SAID_MAX else f"{text[: SAID_MAX - 1]}…"
