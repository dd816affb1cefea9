"""What a bot's template lets people do with it while it runs: checked here, run by the loop.

The queue between the two is `loop/errands.py`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from controller.catalog import Action, action_command
from controller.domain.acts import BOT_DO, Act
from controller.domain.bot import Bot, Wish
from controller.domain.errors import EngineUnavailable, NotFound
from controller.domain.names import meant
from controller.domain.observation import ContainerState
from controller.domain.phase import Phase
from controller.domain.roles import Role
from controller.fleet.blueprint import Blueprints
from controller.fleet.journal import Caller, Journal
from controller.fleet.threads import Threads
from controller.fleet.views import Fleet
from controller.loop.errands import Errands, not_running
from controller.manager.access import Access
from controller.manager.lifecycle import require_secrets
from controller.runtime import ProbeResult
from controller.vault import MARK, Redactor

TEXT_MAX = 16_384  # characters that are shown


@dataclass(frozen=True, slots=True)
class ActionResult:
    """How an action ended: its title, the command's exit code, what it printed (redacted)."""

    title: str
    exit_code: int
    text: str


class Actions:
    """The use-case: which actions a bot has, and running one of them."""

    def __init__(
        self,
        *,
        fleet: Fleet,
        blueprints: Blueprints,
        access: Access,
        journal: Journal,
        redactor: Redactor,
        threads: Threads,
        errands: Errands,
    ) -> None:
        self._fleet = fleet
        self._blueprints = blueprints
        self._access = access
        self._journal = journal
        self._redactor = redactor
        self._threads = threads
        self._errands = errands

    def available(self, bot: Bot) -> Mapping[str, Action]:
        """The actions of this bot, by name; none when its template is gone."""
        template = self._blueprints.fitting(bot)
        return template.actions_for(bot) if template else {}

    def allowed(self, caller: Caller, bot: Bot) -> Mapping[str, Action]:
        """Those of the bot's actions that the caller may run: for suggestions."""
        return {
            name: action
            for name, action in self.available(bot).items()
            if self._access.may(caller.principal, BOT_DO, bot)
            and self._access.may(caller.principal, _act_of(action), bot)
        }

    def meant(self, bot: Bot, typed: str) -> str:
        """The name of the action that somebody means by its name or title, or what was typed."""
        titles = {name: action.title for name, action in self.available(bot).items()}
        return meant(typed, titles) or typed.strip()

    async def admit(self, caller: Caller, bot: Bot, name: str) -> Action:
        """The action of that name, if the caller may run it: from memory, before any form.

        Raises NotFound (`no-such-action`) and Denied.
        """
        await self._access.require(caller, BOT_DO, bot)
        action = self.available(bot).get(name)
        if action is None:
            raise NotFound(f"{bot.name} has no action of that name.", code="no-such-action")
        await self._access.require(caller, _act_of(action), bot)
        return action

    async def run(
        self, caller: Caller, bot: Bot, name: str, values: Mapping[str, str]
    ) -> ActionResult:
        """Run an action in the bot's container and wait for its end.

        Raises NotFound (`no-such-action`), Denied, BadInput, NotReady (`not-running`, `busy`) with
        nothing done, and OutcomeUnknown where nobody saw the end.
        """
        action = await self.admit(caller, bot, name)
        async with self._journal.request(caller, BOT_DO, bot, {"action": name}) as deed:
            template = self._blueprints.template(bot)
            command = action_command(template, bot, action, values)
            self._refuse_unless_running(bot)
            result = await self._errands.ask(bot.id, action.title, command, action.timeout)
            deed.ended(exit_code=result.exit_code)
            text = await self._threads(lambda: self._hidden(action, result))
            return ActionResult(action.title, result.exit_code, text)

    def _refuse_unless_running(self, bot: Bot) -> None:
        view = self._fleet.get(bot.id)
        container = view.world.container if view else None
        if view is None or view.bot.wish is Wish.REMOVE:
            raise NotFound(f"{bot.name} is gone.", code="no-such-bot")
        if self._fleet.engine.away:
            raise EngineUnavailable(
                "Docker doesn't answer; nothing was done.",
                hint="Try again in a minute.",
            )
        require_secrets(view)
        runs = container is not None and container.state is ContainerState.RUNNING
        if not runs or view.bot.wish is not Wish.RUN or view.bot.problem is not None:
            now = "starting" if view.phase is Phase.CREATED else view.phase
            raise not_running(f"{bot.name} isn't running: it is {now}.")

    def _hidden(self, action: Action, result: ProbeResult) -> str:
        """The output without secrets, and without what the template says to hide."""
        lines = self._redactor.log(result.lines, begins=not result.cut, ends=True)
        text = "\n".join(line.text for line in lines)
        for pattern in action.hide:
            text = re.sub(pattern, MARK, text, flags=re.ASCII)
        return text.strip("\n")[-TEXT_MAX:]


def _act_of(action: Action) -> Act:
    """Running this one action, with the role that its template asks for."""
    role = Role.parse(action.role) or Role.ADMIN
    return replace(BOT_DO, role=role, sentence=f"“{action.title}”")
