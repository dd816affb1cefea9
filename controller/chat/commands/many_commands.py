"""`/fleet start`, `stop`, `restart`, `update`: one act on many bots. Each asks first."""

from __future__ import annotations

from typing import Any

from discord import app_commands

from controller.chat.batches.choosing import Choosing
from controller.chat.commands.suggestions import Choices, suggest, suggest_titled
from controller.chat.commands.with_request import with_request
from controller.chat.requests.request import Request
from controller.domain.batches import Chosen, Verb
from controller.domain.errors import BadInput
from controller.domain.phase import Phase
from controller.manager import Manager

_DESCRIPTIONS = {
    Verb.START: "Start many bots; asks first",
    Verb.STOP: "Stop many bots; asks first",
    Verb.RESTART: "Restart many bots; asks first",
    Verb.UPDATE: "Update many bots; asks first",
}


# What each of the four takes.
_WHICH = app_commands.describe(
    phase="Those in this phase", template="Those of this template", name="Such as shop-*"
)


class ManyCommands:
    """Four commands that become part of the group `/fleet`."""

    def __init__(self, manager: Manager, choosing: Choosing) -> None:
        self._manager = manager
        self._choosing = choosing

    def all(self) -> list[app_commands.Command[Any, ..., Any]]:
        """The commands, for a group to add."""
        found = []
        for verb, callback in (
            (Verb.START, self.start),
            (Verb.STOP, self.stop),
            (Verb.RESTART, self.restart),
            (Verb.UPDATE, self.update),
        ):
            command: app_commands.Command[Any, ..., Any] = app_commands.Command(
                name=verb.value, description=_DESCRIPTIONS[verb], callback=callback
            )
            command.autocomplete("phase")(self.phases)
            command.autocomplete("template")(self.templates)
            found.append(command)
        return found

    @_WHICH
    @with_request
    async def start(
        self,
        request: Request,
        phase: str | None = None,
        template: str | None = None,
        name: str | None = None,
    ) -> None:
        """Start many."""
        await self._choosing.begin(request, Verb.START, _chosen(phase, template, name))

    @_WHICH
    @with_request
    async def stop(
        self,
        request: Request,
        phase: str | None = None,
        template: str | None = None,
        name: str | None = None,
    ) -> None:
        """Stop many."""
        await self._choosing.begin(request, Verb.STOP, _chosen(phase, template, name))

    @_WHICH
    @with_request
    async def restart(
        self,
        request: Request,
        phase: str | None = None,
        template: str | None = None,
        name: str | None = None,
    ) -> None:
        """Restart many."""
        await self._choosing.begin(request, Verb.RESTART, _chosen(phase, template, name))

    @_WHICH
    @with_request
    async def update(
        self,
        request: Request,
        phase: str | None = None,
        template: str | None = None,
        name: str | None = None,
    ) -> None:
        """Update many."""
        await self._choosing.begin(request, Verb.UPDATE, _chosen(phase, template, name))

    @with_request
    async def phases(self, _: Request, typed: str) -> Choices:
        """Every phase."""
        return suggest(typed, (phase.value for phase in Phase))

    @with_request
    async def templates(self, _: Request, typed: str) -> Choices:
        """Every template, by its title."""
        found = self._manager.bots.templates
        return suggest_titled(typed, {name: one.title for name, one in found.items()})


def _chosen(phase: str | None, template: str | None, name: str | None) -> Chosen:
    """What was described. BadInput for a phase that doesn't exist."""
    wanted = Phase.parse(phase) if phase else None
    if phase and wanted is None:
        raise BadInput(
            "There is no such phase.", hint="One of: " + ", ".join(one.value for one in Phase)
        )
    return Chosen(wanted, (template or "").strip(), (name or "").strip())
