"""Who may do what: who asks, which grants they hold, and the ruling on one act."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import Enum
from typing import Literal

from controller.domain.acts import Act
from controller.domain.bot import Bot
from controller.domain.errors import Denied
from controller.domain.roles import Role


@dataclass(frozen=True, slots=True)
class Limit:
    """What a token, or asking as an assistant, narrows somebody's rights to. It adds nothing."""

    role: Role
    bots: frozenset[str] = frozenset()  # ids; none: all bots
    acts: frozenset[str] = frozenset()  # ids; none: all acts

    def on(self, target: Target) -> Role:
        """The most that it leaves for the target."""
        return self.role if not self.bots or target.bot_id in self.bots else Role.NONE

    def leaves(self, act: Act) -> bool:
        """Whether it leaves this act, to whoever has the role for it."""
        return not self.acts or act.id in self.acts


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks. An edge says who it is; what they may do is decided by the use-cases.

    `id` is unique within its kind: a Discord user's id, for instance. `roles` are the Discord roles
    that the user holds in the server right now. `limit` is that of the token that speaks for them.
    A `service` is a program that somebody else vouches for: it may do what its limit says.
    """

    kind: Literal["user", "system", "console", "service"]
    id: str
    name: str = ""
    roles: frozenset[int] = frozenset()
    limit: Limit | None = None


SYSTEM = Principal("system", "", "BotMaker")
# Whoever has a shell on the machine and may read the data folder.
CONSOLE = Principal("console", "", "console")


def assistant_of(principal: Principal, acts: Iterable[str]) -> Principal:
    """The same principal as far as an assistant asks for them: these acts, and no others."""
    limit = principal.limit or Limit(Role.ADMIN)
    name = f"{principal.name}, by an assistant"
    return replace(principal, name=name, limit=replace(limit, acts=frozenset(acts)))


def discord_user(user_id: int, name: str = "", roles: Iterable[int] = ()) -> Principal:
    """A Discord user as a principal."""
    return Principal("user", str(user_id), name, frozenset(roles))


@dataclass(frozen=True, slots=True)
class Target:
    """What an act is done to: one bot and its owner, or the whole fleet where both are empty."""

    bot_id: str = ""
    owner: str = ""  # the principal's id; nobody owns a bot yet

    @classmethod
    def of(cls, bot: Bot | None) -> Target:
        """The bot as a target; no bot means the whole fleet."""
        return cls(bot.id) if bot is not None else cls()


@dataclass(frozen=True, slots=True)
class Grant:
    """A role given to a user or to a Discord role.

    Its scope is all bots (`bot_id` empty), one bot, or with `own` the bots that the user owns.
    """

    kind: Literal["user", "role"]
    subject: int
    role: Role
    bot_id: str = ""
    source: str = "granted"  # or the setting or record that it comes from
    own: bool = False

    def held_by(self, principal: Principal) -> bool:
        """Whether it was given to that principal, whatever it is about."""
        if self.kind == "user":
            return principal.kind == "user" and str(self.subject) == principal.id
        return self.subject in principal.roles

    def covers(self, principal: Principal, target: Target) -> bool:
        """Whether this grant says something about that principal and that target."""
        if self.own:
            fits = target.owner != "" and target.owner == principal.id
        else:
            fits = self.bot_id in ("", target.bot_id)
        return fits and self.held_by(principal)


class Answer(Enum):
    """The answer to "may they?"."""

    ALLOW = "allow"
    HOLD = "hold"  # an admin has to confirm it first
    DENY = "deny"


@dataclass(frozen=True, slots=True)
class Ruling:
    """The answer for one principal, one act and one target, and the role that decided it."""

    answer: Answer
    role: Role
    narrowed: bool = False  # the role would do, but a limit leaves out the act


def strongest(
    grants: Iterable[Grant], principal: Principal, target: Target | None = None
) -> Grant | None:
    """The grant that decides what the principal may do to the target, or in general."""
    fitting = [grant for grant in grants if grant.covers(principal, target or Target())]
    return max(fitting, key=lambda grant: grant.role, default=None)


def role_of(grants: Iterable[Grant], principal: Principal, target: Target | None = None) -> Role:
    """The principal's role for the target, or in general."""
    grant = strongest(grants, principal, target)
    return grant.role if grant else Role.NONE


def rule(
    grants: Iterable[Grant], principal: Principal, act: Act, targets: Iterable[Target]
) -> Ruling:
    """May the principal do this to one of the targets? Denied unless a grant says yes.

    The system itself and whoever has a shell on the machine may do everything. A limit holds for
    everybody. Nothing is held yet.
    """
    if principal.kind in {"system", "console"} and principal.limit is None:
        return Ruling(Answer.ALLOW, Role.ADMIN)
    held = tuple(grant for grant in grants if grant.held_by(principal))
    role = max((_limited_role(held, principal, target) for target in targets), default=Role.NONE)
    left = principal.limit is None or principal.limit.leaves(act)
    if role < act.role:
        return Ruling(Answer.DENY, role)
    return Ruling(Answer.ALLOW, role) if left else Ruling(Answer.DENY, role, narrowed=True)


def _limited_role(grants: Iterable[Grant], principal: Principal, target: Target) -> Role:
    if principal.kind == "user":
        own = role_of(grants, principal, target)
        return own if principal.limit is None else min(own, principal.limit.on(target))
    return Role.NONE if principal.limit is None else principal.limit.on(target)


def denial(act: Act, ruling: Ruling) -> Denied:
    """The refusal in words: which role the act needs, and which one the principal has; or that an
    assistant asks."""
    if ruling.narrowed:
        return Denied(
            f"{act.sentence} isn't allowed to this assistant.",
            hint="Its owner can make a token with --allow-acting: then it may start, stop and "
            "restart bots, and nothing more.",
            code="not-for-assistants",
        )
    yours = f"you are {ruling.role.word}" if ruling.role else "you have no role here"
    return Denied(f"{act.sentence} needs the role {act.role.word}; {yours}.")
