"""Buttons and their custom ids. An id is an address, never a right: the gate checks each press.

Views are sent finished, so discord.py stores none of them: `router` finds the way by the id, also
after a restart of the controller.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import discord

from controller.domain.bot import Bot
from controller.domain.events import LogQuery
from controller.domain.phase import Phase
from controller.manager.edits import EditPage
from controller.manager.fleet import View

SEPARATOR = ":"
ID_MAX, LABEL_MAX, ROW_MAX = 100, 80, 5  # Discord's limits


def button(
    label: str, *parts: str, style: discord.ButtonStyle = discord.ButtonStyle.secondary
) -> discord.ui.Button[discord.ui.View]:
    """A button whose custom id is made of these parts."""
    return discord.ui.Button(label=label, style=style, custom_id=SEPARATOR.join(parts))


def row(buttons: Iterable[discord.ui.Button[discord.ui.View]]) -> discord.ui.View | None:
    """Buttons as a finished view; None for none."""
    view = discord.ui.View(timeout=None)
    for item in buttons:
        view.add_item(item)
    view.stop()
    return view if view.children else None


def of_card(view: View) -> list[discord.ui.Button[discord.ui.View]]:
    """What can be done to a bot in its phase, from its public message."""
    bot = view.bot
    if view.phase is Phase.REMOVING:
        return []
    if view.phase is Phase.CREATED:
        primary = discord.ButtonStyle.primary
        return [button("Enter secrets", "secrets", bot.id, style=primary)]
    stopped = view.phase in {Phase.STOPPED, Phase.STOPPING}
    found = [button("Logs", "logs", bot.id)]
    if stopped:
        found.append(button("Start", "start", bot.id, style=discord.ButtonStyle.success))
    else:
        found.append(button("Restart", "restart", bot.id))
        found.append(button("Stop", "stop", bot.id, style=discord.ButtonStyle.danger))
    return found


def of_form(form_id: str, step: int = 0) -> discord.ui.View | None:
    """The button that opens a page of a form."""
    label = "Enter secrets" if step == 0 else "Continue"
    return row([button(label, "form", form_id, str(step), style=discord.ButtonStyle.primary)])


def of_pages(bot: Bot, pages: Sequence[EditPage]) -> discord.ui.View | None:
    """A button a page of settings, as many as a row holds; each opens its modal."""
    return row(button(page.title[:LABEL_MAX], "edit", bot.id, page.key) for page in pages[:ROW_MAX])


def of_delete(bot: Bot, expires_at: float) -> discord.ui.View | None:
    """The red button that names the bot. It works until `expires_at`."""
    danger = discord.ButtonStyle.danger
    return row([button(f"Delete {bot.name}", "delete", bot.id, str(int(expires_at)), style=danger)])


def of_log(bot: Bot, query: LogQuery, oldest: float | None) -> discord.ui.View | None:
    """Older, Refresh and File for a log snippet that starts at `oldest`."""
    tail = (str(query.lines), query.stream, query.grep)
    found = []
    if oldest is not None:
        found.append(button("Older", "older", bot.id, f"{oldest:.6f}", *tail))
    found.append(button("Refresh", "refresh", bot.id, f"{query.since:.0f}", *tail))
    found.append(button("File", "file", bot.id, f"{query.since:.0f}", *tail))
    return row(item for item in found if len(item.custom_id or "") <= ID_MAX)


def parse(custom_id: str) -> tuple[str, list[str]]:
    """An action and its arguments; the last argument of a log action may hold the separator."""
    action, _, rest = custom_id.partition(SEPARATOR)
    return action, rest.split(SEPARATOR, 4) if rest else []
