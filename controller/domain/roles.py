"""The roles: viewer < operator < admin."""

from __future__ import annotations

from enum import IntEnum


class Role(IntEnum):
    """What somebody may do. A higher role may do everything that a lower one may."""

    NONE = 0
    VIEWER = 1
    OPERATOR = 2
    ADMIN = 3

    @property
    def word(self) -> str:
        """The role as people read it."""
        return self.name.lower()

    @classmethod
    def parse(cls, word: str) -> Role | None:
        """The role of that name. `none` can't be granted, so it isn't found here."""
        return {r.word: r for r in cls if r is not cls.NONE}.get(word.lower())
