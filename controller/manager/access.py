"""Who may do what: grants from the settings, from the application's owners and from admins."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from controller.domain.access import Grant, Person, require, role_of, strongest
from controller.domain.errors import BadInput, NotFound
from controller.domain.roles import Role
from controller.store import Store


@dataclass(frozen=True, slots=True)
class StaticGrants:
    """Grants that the settings give; they cannot be revoked from Discord."""

    admin_users: tuple[int, ...] = ()
    admin_roles: tuple[int, ...] = ()
    operator_roles: tuple[int, ...] = ()
    viewer_roles: tuple[int, ...] = ()

    def listed(self) -> tuple[Grant, ...]:
        """The same as grants, each with the setting it comes from."""
        return (
            *(Grant("user", i, Role.ADMIN, "", "ADMIN_USER_IDS") for i in self.admin_users),
            *(Grant("role", i, Role.ADMIN, "", "ADMIN_ROLE_IDS") for i in self.admin_roles),
            *(
                Grant("role", i, Role.OPERATOR, "", "OPERATOR_ROLE_IDS")
                for i in self.operator_roles
            ),
            *(Grant("role", i, Role.VIEWER, "", "VIEWER_ROLE_IDS") for i in self.viewer_roles),
        )

    @property
    def names_admins(self) -> bool:
        """Whether anybody is admin by the settings."""
        return bool(self.admin_users or self.admin_roles)


class Access:
    """Every grant in force, in memory; deny by default."""

    def __init__(self, store: Store, static: StaticGrants) -> None:
        self._store = store
        self._static = static
        self._owners: tuple[Grant, ...] = ()
        self._given: tuple[Grant, ...] = ()

    async def load(self) -> None:
        """Read the grants that admins gave."""
        self._given = tuple(await self._store.grants())

    def set_owners(self, user_ids: Iterable[int]) -> None:
        """The application's owner or team are admins where the settings name none."""
        if not self._static.names_admins:
            self._owners = tuple(
                Grant("user", user, Role.ADMIN, "", "application owner") for user in user_ids
            )

    @property
    def grants(self) -> tuple[Grant, ...]:
        """Every grant in force."""
        return (*self._static.listed(), *self._owners, *self._given)

    def role_of(self, person: Person, bot_id: str = "") -> Role:
        """The person's role for that bot, or in general."""
        return role_of(self.grants, person, bot_id)

    def why(self, person: Person, bot_id: str = "") -> Grant | None:
        """The grant that decides."""
        return strongest(self.grants, person, bot_id)

    def require(self, person: Person, needed: Role, what: str, bot_id: str = "") -> None:
        """Raise Denied that names the role needed, unless the person has it."""
        require(self.grants, person, needed, what, bot_id)

    async def grant(self, grant: Grant) -> None:
        """Give a role. Admin can be given for all bots only."""
        if grant.role is Role.ADMIN and grant.bot_id:
            raise BadInput(
                "The role admin is for all bots; it cannot be given for one.",
                hint="Give operator for one bot, or admin without naming a bot.",
            )
        await self._store.save_grant(grant)
        await self.load()

    async def revoke(self, kind: str, subject: int, bot_id: str) -> None:
        """Take a granted role away; NotFound says where a role that stays comes from."""
        if not await self._store.drop_grant(kind, subject, bot_id):
            raise NotFound(
                "Nothing was granted there.",
                hint="/access list shows every grant; those of the settings are changed there.",
                code="no-such-grant",
            )
        await self.load()
