"""What belongs to no bot: listed with age and size, and removed by a button that says how much."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence

import discord

from controller.chat.languages import plural, say, told
from controller.chat.requests.buttons import button, row
from controller.chat.requests.custom_ids import deadline_in
from controller.chat.requests.request import Request
from controller.chat.words.stats_words import amount
from controller.chat.words.text import moment, plain
from controller.domain.acts import ORPHANS_REMOVE
from controller.domain.errors import NotReady
from controller.domain.orphan import Orphan, Removal
from controller.manager import Manager

CONFIRM_SECONDS = 300.0
_AGAIN = "Look again: /fleet orphans."


class OrphanLooks:
    """Lists what is left over, and removes exactly what was listed."""

    def __init__(self, manager: Manager) -> None:
        self._manager = manager

    async def show(self, request: Request) -> None:
        """What is left over, with a button for whoever wants it gone."""
        await request.acknowledge()
        found = await self._manager.orphans.find(request.caller)
        if not found:
            await request.reply(say("Nothing is left over: everything belongs to a bot."))
            return
        lines = [
            say("**{things} without a bot**", things=plural(len(found), "thing")),
            *map(_line, found),
            say(
                "What they hold is lost when you remove them, and it can't be undone. If "
                "bots are missing that you want back, run `botmaker adopt` on BotMaker's "
                "machine instead."
            ),
        ]
        await request.reply("\n".join(lines), view=_remove_button(found))

    async def remove(self, request: Request) -> None:
        """Remove them, if they are still the same ones. NotReady otherwise."""
        await self._manager.access.require(request.caller, ORPHANS_REMOVE)
        if deadline_in(request.arguments) < time.time():
            raise NotReady("That button has expired.", hint=_AGAIN)
        await request.acknowledge_in_place()
        found = await self._manager.orphans.find(request.caller)
        if _mark(found) != request.arguments[0]:
            raise NotReady(
                "What is left over has changed since it was listed. Nothing was removed.",
                hint=_AGAIN,
                code="orphans-changed",
            )
        done = await self._manager.orphans.remove(request.caller, [one.key for one in found])
        await request.reply(_removed(done))


def _line(orphan: Orphan) -> str:
    found = [f"{told(orphan.kind)} `{plain(orphan.name, 80)}`"]
    if orphan.state:
        found.append(plain(told(orphan.state), 60))
    if orphan.age:
        found.append(say("created {when}", when=moment(time.time() - orphan.age)))
    if orphan.size is not None:
        found.append(amount(orphan.size))
    return "- " + " · ".join(found)


def _removed(done: Sequence[Removal]) -> str:
    gone = [one for one in done if one.done]
    lines = [say("Removed {things}.", things=plural(len(gone), "thing"))] if gone else []
    lines += [
        say(
            "- {kind} `{name}` stays: {reason}",
            kind=told(one.orphan.kind),
            name=plain(one.orphan.name, 80),
            reason=plain(told(one.reason), 300),
        )
        for one in done
        if not one.done
    ]
    return "\n".join(lines)


def _mark(found: Sequence[Orphan]) -> str:
    """Stands for exactly these, in the button that removes them."""
    keys = "\n".join(sorted(one.key for one in found))
    return hashlib.sha256(keys.encode()).hexdigest()[:16]


def _remove_button(found: Sequence[Orphan]) -> discord.ui.View | None:
    label = say("Remove it")
    if len(found) > 1:
        label = say("Remove these {count} things", count=len(found))
    until = str(int(time.time() + CONFIRM_SECONDS))
    danger = discord.ButtonStyle.danger
    return row([button(label, "clear", _mark(found), until, style=danger)])
