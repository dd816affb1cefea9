"""The roles as Discord offers them where one is given."""

from __future__ import annotations

from discord import app_commands

from controller.domain.roles import Role

ROLES = [
    app_commands.Choice(name=f"{role.word} — {what}", value=role.word)
    for role, what in (
        (Role.VIEWER, "lists, logs, history"),
        (Role.OPERATOR, "also start, stop, restart"),
        (Role.ADMIN, "everything"),
    )
]
