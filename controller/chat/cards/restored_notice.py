"""After a restore: one message in the admin channel that says why bots stay stopped, with a button
that starts them all."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import discord

from controller.chat.languages import plural, say, told
from controller.chat.requests.buttons import button, row
from controller.chat.requests.place import Place
from controller.chat.requests.quiet import QUIETLY
from controller.chat.words.limits import NONCE_MAX
from controller.chat.words.text import fitted, plain
from controller.domain.bot import RESTORED, Bot
from controller.manager import Manager

_KEY = "restored-notice"  # the mark of the restore that was told last
NAMES_MOST = 20


class RestoredNotice:
    """Tells of restored bots that wait for somebody to start them."""

    def __init__(self, manager: Manager, client: discord.Client, place: Place) -> None:
        self._manager = manager
        self._client = client
        self._place = place

    async def publish(self) -> None:
        """Post it, once for each restore."""
        held = [view.bot for view in self._manager.bots if is_held_back(view.bot)]
        if not held:
            return
        mark = str(max(bot.problem.at for bot in held if bot.problem))
        if await self._manager.notebook.recall(_KEY) == mark:
            return
        place = self._place
        channel = self._client.get_partial_messageable(place.channel_id, guild_id=place.guild_id)
        nonce = hashlib.sha256(f"restored {mark}".encode()).hexdigest()[:NONCE_MAX]
        view = row(
            [
                button(
                    say("Start all restored"), "restored", "all", style=discord.ButtonStyle.primary
                )
            ]
        )
        assert view is not None, "there is a button"
        await channel.send(fitted(held_words(held)), nonce=nonce, view=view, **QUIETLY)
        await self._manager.notebook.remember(_KEY, mark)


def is_held_back(bot: Bot) -> bool:
    """Whether it stays stopped because it was restored."""
    return bot.problem is not None and bot.problem.code == RESTORED


def held_words(held: Sequence[Bot]) -> str:
    """Which bots wait, why, and what to do first."""
    names = ", ".join(plain(bot.name) for bot in held[:NAMES_MOST])
    more = say(" and {more} more", more=len(held) - NAMES_MOST) if len(held) > NAMES_MOST else ""
    problem = held[0].problem
    why = plain(told(f"{problem.message} {problem.hint}")) if problem else ""
    return say(
        "⏸️ **{bots}** not started yet: {names}{more}.\n{why}",
        bots=plural(len(held), "restored bot"),
        names=names,
        more=more,
        why=why,
    )
