"""The roles as Discord offers them where one is given."""

from __future__ import annotations

from discord import app_commands

from controller.domain.roles import Role

ROLES = [
    app_commands.Choice(name="viewer — lists, logs, history", value=Role.VIEWER.word),
    app_commands.Choice(name="operator — also start, stop, restart", value=Role.OPERATOR.word),
    app_commands.Choice(name="admin — everything", value=Role.ADMIN.word),
]
