"""A bot's card in words."""

from __future__ import annotations

from controller.chat.words.bot_words import headline, made_of, reasons, since
from controller.chat.words.limits import MESSAGE_MAX
from controller.chat.words.text import code_block, fitted, newest_fitting
from controller.fleet.views import View

_TAIL_ROOM = 60  # characters; the last log lines in less than that say nothing


def card(view: View, memory: int = 0, *, now: float) -> str:
    """How the bot is and, if something is wrong, why. `memory`: its limit in bytes, or 0; `now`:
    the engine's time.

    Whether the engine answers isn't on it: that's told once, as an incident.
    """
    why = reasons(view, memory, now=now)
    lines = [headline(view), f"{made_of(view.bot)} · {since(view)}", *why]
    text = "\n".join(lines)
    room = MESSAGE_MAX - len(text) - 1
    if view.tail and view.phase.bad and room >= _TAIL_ROOM:
        kept, _ = newest_fitting(view.tail, room)
        text += "\n" + code_block("\n".join(kept))
    return fitted(text)


def removed_card(title: str) -> str:
    """The card of a bot that is gone."""
    return f"🗑️ **{title}** — removed. Nothing is left of it. Revoke its keys where you got them."
