"""What a bot's template lets people do with it while it runs: checked here, run by `converge`.

The queue between the two is next door in `errands`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from controller.catalog import Action, action_command
from controller.domain.bot import Bot, Wish
from controller.domain.errors import EngineUnavailable, NotFound
from controller.domain.observation import ContainerState
from controller.domain.roles import Role
from controller.manager.access import Access
from controller.manager.audit import Asker, Audit
from controller.manager.blueprint import Blueprints
from controller.manager.errands import Errands, not_running
from controller.manager.fleet import Fleet
from controller.vault import MARK, Redactor

TEXT_MAX = 16_384  # characters that are looked through and shown
SECRET_MAX = 4_000  # characters of the longest secret that can be typed


@dataclass(frozen=True, slots=True)
class ActionResult:
    """How an action ended: its title, the command's exit code, what it printed (redacted)."""

    title: str
    exit_code: int
    text: str


class Actions:
    """The use-case: which actions a bot has, and the running of one of them."""

    def __init__(
        self,
        *,
        fleet: Fleet,
        blueprints: Blueprints,
        access: Access,
        audit: Audit,
        redactor: Redactor,
        errands: Errands,
    ) -> None:
        self._fleet = fleet
        self._blueprints = blueprints
        self._access = access
        self._audit = audit
        self._redactor = redactor
        self._errands = errands

    def available(self, bot: Bot) -> Mapping[str, Action]:
        """The actions of this bot, by name; none when its template is gone."""
        template = self._blueprints.fitting(bot)
        return template.actions_for(bot) if template else {}

    def admit(self, asker: Asker, bot: Bot, name: str) -> Action:
        """The action of that name, if this person may run it: from memory, before any form.

        Raises NotFound (`no-such-action`) and Denied.
        """
        action = self.available(bot).get(name)
        if action is None:
            raise NotFound(
                f"{bot.name} has no action of that name.",
                hint="/bot do suggests those that there are.",
                code="no-such-action",
            )
        role = Role.parse(action.role) or Role.ADMIN
        self._access.require(asker.person, role, f"“{action.title}”", bot.id)
        return action

    async def run(
        self, asker: Asker, bot: Bot, name: str, values: Mapping[str, str]
    ) -> ActionResult:
        """Run an action in the bot's container and wait for its end.

        Raises NotFound (`no-such-action`), Denied, BadInput, NotReady (`not-running`, `busy`) with
        nothing done, and OutcomeUnknown where the end was not seen.
        """
        action = self.admit(asker, bot, name)
        async with self._audit.entry(asker, "action", bot, name) as outcome:
            template = self._blueprints.template(bot)
            command = action_command(template, bot, action, values)
            self._refuse_unless_running(bot)
            result = await self._errands.ask(bot.id, action.title, command, action.timeout)
            outcome.text = f"exit {result.exit_code}"
            text = self._hidden(action, result.output, cut=result.cut)
            return ActionResult(action.title, result.exit_code, text)

    def _refuse_unless_running(self, bot: Bot) -> None:
        view = self._fleet.get(bot.id)
        container = view.world.container if view else None
        if view is None or view.bot.wish is Wish.REMOVE:
            raise NotFound(f"{bot.name} is gone.", code="no-such-bot")
        if not self._fleet.engine.reachable:
            raise EngineUnavailable(
                "The Docker engine does not answer; nothing was done.",
                hint="The controller keeps trying; try again soon.",
            )
        runs = container is not None and container.state is ContainerState.RUNNING
        if not runs or view.bot.wish is not Wish.RUN or view.bot.problem is not None:
            raise not_running(f"{bot.name} does not run (it is {view.phase}).")

    def _hidden(self, action: Action, output: str, *, cut: bool) -> str:
        """The output without secrets, and without what the template says to hide."""
        lines = output[-TEXT_MAX:].split("\n")
        if cut and len(lines) > 1:
            lines = lines[1:]  # half a secret in it would not be known as one
        elif cut:
            lines = [output[SECRET_MAX:]]
        text = "\n".join(self._redactor.lines(lines))
        for pattern in action.hide:
            text = re.sub(pattern, MARK, text, flags=re.ASCII)
        return text.strip("\n")
