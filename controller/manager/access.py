"""May they? Grants from the settings, from the application's owners and from admins, and the ruling
that every use-case asks for before it does anything.
"""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, NoReturn

from controller.domain import journal as facts
from controller.domain.access import (
    Answer,
    Grant,
    Principal,
    Ruling,
    Target,
    denial,
    role_of,
    rule,
    strongest,
)
from controller.domain.acts import (
    ACCESS_GRANT,
    ACCESS_LIST,
    ACCESS_REVOKE,
    ACCESS_TEST,
    ACTS,
    BOT_SHOW,
    HELP,
    Act,
    Scope,
)
from controller.domain.bot import Bot
from controller.domain.errors import BadInput, Denied, NotFound
from controller.domain.roles import Role
from controller.fleet.journal import Caller, Journal, append_all
from controller.fleet.views import Fleet, View
from controller.store import Store


@dataclass(frozen=True, slots=True)
class StaticGrants:
    """Grants that the settings give. Nobody can revoke them from Discord."""

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


@dataclass(frozen=True, slots=True)
class Tested:
    """What a principal may do to one bot, or in general, and why."""

    grant: Grant | None  # the one that decides
    allowed: dict[str, bool]  # by the act's id
    more: dict[str, Role]  # bots, by name, for which the principal has a higher role


class Access:
    """Every grant in force, in memory. What no grant allows is denied."""

    def __init__(self, store: Store, fleet: Fleet, journal: Journal, static: StaticGrants) -> None:
        self._store = store
        self._fleet = fleet
        self._journal = journal
        self._static = static
        self._owners: tuple[Grant, ...] = ()
        self._given: tuple[Grant, ...] = ()
        self._listeners: set[Callable[[], None]] = set()

    async def load(self) -> None:
        """Read the grants that admins gave."""
        self._given = tuple(await self._store.grants())
        self._tell()

    def set_owners(self, user_ids: Iterable[int]) -> None:
        """The application's owner or team are admins where the settings name none."""
        if not self._static.names_admins:
            self._owners = tuple(
                Grant("user", user, Role.ADMIN, "", "application owner") for user in user_ids
            )
            self._tell()

    @contextlib.contextmanager
    def listening(self, listener: Callable[[], None]) -> Iterator[None]:
        """Call `listener()` when grants change, while the block runs. It must not block."""
        self._listeners.add(listener)
        try:
            yield
        finally:
            self._listeners.discard(listener)

    def _tell(self) -> None:
        for listener in tuple(self._listeners):
            listener()

    def ruling(self, principal: Principal, act: Act, bot: Bot | None = None) -> Ruling:
        """Allow, hold or deny: the one question behind every act."""
        if act.scope is Scope.ANY:
            limited = principal.limit is not None
            targets = self._limited_targets(principal) if limited else self._best_target(principal)
        elif act.scope is Scope.BOT:
            targets = [Target.of(bot)]
        else:
            targets = [Target()]
        return rule(self._all(), principal, act, targets)

    def may(self, principal: Principal, act: Act, bot: Bot | None = None) -> bool:
        """Whether it would be allowed now: for lists and suggestions, which note no refusal."""
        return self.ruling(principal, act, bot).answer is Answer.ALLOW

    def role(self, principal: Principal, bot: Bot | None = None) -> Role:
        """The principal's role for the bot, or in general."""
        return rule(self._all(), principal, BOT_SHOW, [Target.of(bot)]).role

    def seen(self, principal: Principal) -> list[tuple[View, Role]]:
        """The bots that the principal may see, each with their role for it."""
        general = self.role(principal)
        views = self.allowed(principal, BOT_SHOW)
        if not any(grant.bot_id or grant.own for grant in self._all()) and general:
            return [(view, general) for view in views]
        return [(view, self.role(principal, view.bot)) for view in views]

    def allowed(self, principal: Principal, act: Act) -> list[View]:
        """The bots to which the principal may do this. Quick also for a thousand bots and grants: a
        role for all bots is found once, and only grants that the principal holds are asked."""
        if self.may(principal, act):
            return list(self._fleet)
        return list(self._singly_allowed(principal, act))

    def _singly_allowed(self, principal: Principal, act: Act) -> Iterator[View]:
        """The same by grants for single bots and for one's own, or by a token's list of bots."""
        if principal.limit is not None and principal.limit.bots:
            within = (view for view in self._fleet if view.bot.id in principal.limit.bots)
            yield from (view for view in within if self.may(principal, act, view.bot))
            return
        own: list[Grant] = []
        about: defaultdict[str, list[Grant]] = defaultdict(list)
        for grant in self._all():
            if (grant.own or grant.bot_id) and grant.held_by(principal):
                (own if grant.own else about[grant.bot_id]).append(grant)
        for view in self._fleet:
            grants = (*own, *about.get(view.bot.id, ()))
            if grants:
                ruling = rule(grants, principal, act, [Target.of(view.bot)])
                if ruling.answer is Answer.ALLOW:
                    yield view

    def _best_target(self, principal: Principal) -> list[Target]:
        """Where the principal's strongest grant is valid; for an act that one fitting target allows
        no other one matters."""
        held = [
            grant
            for grant in self._all()
            if not grant.own
            and grant.held_by(principal)
            and (not grant.bot_id or self._fleet.get(grant.bot_id))
        ]
        best = max(held, key=lambda grant: grant.role, default=None)
        return [Target(best.bot_id)] if best else []

    def _limited_targets(self, principal: Principal) -> list[Target]:
        """The same for a principal with a limit, whose strongest grant may be outside of it."""
        held = {grant.bot_id for grant in self._all() if grant.held_by(principal)}
        held |= principal.limit.bots or {""} if principal.limit else set()
        return [Target(bot_id) for bot_id in held if not bot_id or self._fleet.get(bot_id)]

    def may_anywhere(self, principal: Principal, act: Act) -> bool:
        """Whether it would be allowed for at least one bot."""
        if self.may(principal, act):
            return True
        return next(self._singly_allowed(principal, act), None) is not None

    async def require(self, caller: Caller, act: Act, bot: Bot | None = None) -> None:
        """Raise Denied, and note the refusal, unless the ruling allows it.

        HOLD will become a request that an admin confirms; until something is held it denies too.
        """
        ruling = self.ruling(caller.principal, act, bot)
        if ruling.answer is not Answer.ALLOW:
            await self.refuse(caller, act.id, bot, denial(act, ruling))

    async def refuse(self, caller: Caller, what: str, bot: Bot | None, why: Denied) -> NoReturn:
        """Note a refusal and raise it: of an act, by its id, or of what an edge lets nobody ask."""
        await self._journal.refused(caller, what, bot, why.code, why.message)
        raise why

    async def listed(self, caller: Caller) -> tuple[Grant, ...]:
        """Every grant in force."""
        await self.require(caller, ACCESS_LIST)
        return self._all()

    async def test(
        self, caller: Caller, whom: Principal, bot: Bot | None, acts: Iterable[Act]
    ) -> Tested:
        """What somebody may do, by the same rules as in earnest."""
        await self.require(caller, ACCESS_TEST)
        grant = strongest(self._all(), whom, Target.of(bot))
        role = grant.role if grant else Role.NONE
        more = {}
        if bot is None:
            for view in self._fleet:
                found = role_of(self._all(), whom, Target.of(view.bot))
                if found > role:
                    more[view.bot.name] = found
        return Tested(grant, {act.id: self.may(whom, act, bot) for act in acts}, more)

    async def own_acts(self, caller: Caller) -> tuple[Act, ...]:
        """The acts that the caller may ask for, for at least one bot."""
        await self.require(caller, HELP)
        return tuple(act for act in ACTS.values() if self.may_anywhere(caller.principal, act))

    async def grant(self, caller: Caller, grant: Grant, bot: Bot | None = None) -> None:
        """Give a role. Admin can be given for all bots only."""
        await self.require(caller, ACCESS_GRANT)
        fact = facts.grant(grant)
        async with self._journal.request(caller, ACCESS_GRANT, bot, fact.data) as deed:
            if grant.role is Role.ADMIN and grant.bot_id:
                raise BadInput(
                    "The role admin is for all bots; it can't be given for one.",
                    hint="Give operator for one bot, or admin without naming a bot.",
                )
            async with self._store.transaction() as write:
                await write.save_grant(grant)
                await append_all(write, [fact], bot, deed.author)
            await self.load()

    async def revoke(
        self, caller: Caller, kind: Literal["user", "role"], subject: int, bot: Bot | None = None
    ) -> None:
        """Take a granted role away. NotFound when there is no such grant."""
        await self.require(caller, ACCESS_REVOKE)
        fact = facts.revoke(kind, subject)
        async with self._journal.request(caller, ACCESS_REVOKE, bot, fact.data) as deed:
            async with self._store.transaction() as write:
                found = await write.drop_grant(kind, subject, bot.id if bot else "")
                if found:
                    await append_all(write, [fact], bot, deed.author)
            if not found:
                raise NotFound(
                    "No grant to remove.",
                    hint="Roles that the settings give are changed in the settings.",
                    code="no-such-grant",
                )
            await self.load()

    def _all(self) -> tuple[Grant, ...]:
        return (*self._static.listed(), *self._owners, *self._given)
