"""Who may do what. Rights come from the controller's own records, never from Discord's permissions.

This is the only file of chat that asks the manager about roles.
"""

from __future__ import annotations

from controller.domain.access import Person
from controller.domain.acts import Act, Scope
from controller.domain.roles import Role
from controller.manager import Manager
from controller.manager.fleet import View


class Rights:
    """Answers questions about a person's roles."""

    def __init__(self, manager: Manager) -> None:
        self._access = manager.access
        self._fleet = manager.fleet

    def check(self, person: Person, act: Act, bot_id: str, *, typing: bool = False) -> None:
        """Raise Denied, naming the role that's needed, unless the person may do this to that bot.

        `typing`: the name of the bot isn't complete yet, so a role for any bot is enough.
        """
        if self.may(person, act, bot_id):
            return
        if typing and act.scope is Scope.BOT and self._has_anywhere(person, act.role):
            return
        bot_id = bot_id if act.scope is Scope.BOT else ""
        self._access.require(person, act.role, act.sentence, bot_id)

    def may(self, person: Person, act: Act, bot_id: str = "") -> bool:
        """Whether the person's role is enough for the act's scope."""
        match act.scope:
            case Scope.ANY:
                has_for_all = self._access.role_of(person) >= act.role
                return has_for_all or self._has_anywhere(person, act.role)
            case Scope.BOT:
                return self._access.role_of(person, bot_id) >= act.role
            case Scope.FLEET:
                return self._access.role_of(person) >= act.role

    def visible(self, person: Person) -> list[View]:
        """The bots that the person may see at all."""
        return [view for view in self._fleet if self.may_see(person, view.bot.id)]

    def may_see(self, person: Person, bot_id: str) -> bool:
        """Whether the person may see that bot at all."""
        return self._access.role_of(person, bot_id) >= Role.VIEWER

    def is_admin(self, person: Person) -> bool:
        """Whether the person is an admin, as far as the roles given with `person` tell."""
        return self._access.role_of(person) >= Role.ADMIN

    def _has_anywhere(self, person: Person, role: Role) -> bool:
        return any(self._access.role_of(person, view.bot.id) >= role for view in self._fleet)
