"""The buttons on a card: what can be done to a bot in its phase."""

from __future__ import annotations

import discord

from controller.chat.requests.buttons import Button, button
from controller.domain.phase import Phase
from controller.fleet.views import View


def card_buttons(view: View) -> list[Button]:
    """The buttons for the bot's phase. What each does is in `handlers`, its right in `ways`."""
    bot = view.bot
    if view.phase is Phase.REMOVING:
        return []
    if view.phase is Phase.CREATED:
        primary = discord.ButtonStyle.primary
        return [button("Enter secrets", "secrets", bot.id, style=primary)]
    logs = button("Logs", "logs", bot.id)
    if view.phase in {Phase.STOPPED, Phase.STOPPING}:
        return [logs, button("Start", "start", bot.id, style=discord.ButtonStyle.success)]
    return [
        logs,
        button("Restart", "restart", bot.id),
        button("Stop", "stop", bot.id, style=discord.ButtonStyle.danger),
    ]
