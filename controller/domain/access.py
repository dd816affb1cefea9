"""Who may do what: viewer < operator < admin, denied by default."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from controller.domain.errors import Denied
from controller.domain.roles import Role


@dataclass(frozen=True, slots=True)
class Person:
    """Whoever asks: a Discord user and the roles that this user has in the guild now."""

    user_id: int
    role_ids: frozenset[int] = frozenset()
    name: str = ""


@dataclass(frozen=True, slots=True)
class Grant:
    """A role given to a user or to a Discord role, for one bot or for all (`bot_id` empty)."""

    kind: Literal["user", "role"]
    subject: int
    role: Role
    bot_id: str = ""
    source: str = "granted"  # or the setting or record that it comes from

    def covers(self, person: Person, bot_id: str) -> bool:
        """Whether this grant says something about that person and that bot."""
        whom = self.subject == person.user_id if self.kind == "user" else False
        through = self.kind == "role" and self.subject in person.role_ids
        return (whom or through) and self.bot_id in ("", bot_id)


def strongest(grants: Iterable[Grant], person: Person, bot_id: str = "") -> Grant | None:
    """The grant that decides what the person may do to that bot (or in general)."""
    fitting = [g for g in grants if g.covers(person, bot_id)]
    return max(fitting, key=lambda g: g.role, default=None)


def role_of(grants: Iterable[Grant], person: Person, bot_id: str = "") -> Role:
    """The person's role for that bot, or in general."""
    grant = strongest(grants, person, bot_id)
    return grant.role if grant else Role.NONE


def require(
    grants: Iterable[Grant], person: Person, needed: Role, what: str, bot_id: str = ""
) -> None:
    """Raise Denied, saying which role is needed, unless the person has it."""
    has = role_of(grants, person, bot_id)
    if has >= needed:
        return
    yours = f"you are {has.word}" if has else "you have no role here"
    raise Denied(
        f"{what} needs the role {needed.word}; {yours}.",
        hint="An admin can give it with /access grant.",
    )
