"""What can be pressed on a card: the buttons that fit the bot's phase, a fix beside each cause,
and More. What each does is in `handlers`, its right in `ways`."""

from __future__ import annotations

from collections.abc import Mapping

import discord

from controller.chat.languages import say
from controller.chat.requests.buttons import Button, button
from controller.chat.requests.custom_ids import address
from controller.chat.requests.selects import Option, Select, select
from controller.chat.words.bot_words import Fix, causes
from controller.chat.words.limits import BUTTONS_A_ROW
from controller.domain.bot import Bot
from controller.domain.phase import Phase
from controller.fleet.views import View

_PRIMARY, _GREEN = discord.ButtonStyle.primary, discord.ButtonStyle.success
_FIXES: Mapping[Fix, tuple[str, str]] = {
    Fix.SETTINGS: ("Open settings", "settings"),
    Fix.SECRETS: ("Replace secrets", "rotate"),
    Fix.ROLL_BACK: ("Roll back", "releases"),
}
# What More offers, with a line that says what it does.
MORE = (
    ("Logs", "logs", "The newest lines of its log"),
    ("Settings", "settings", "Change them in a form"),
    ("Secrets", "rotate", "Replace them; what is stored is never shown"),
    ("Actions", "actions", "What its template lets it do"),
    ("History", "history", "What happened, and who asked for it"),
    ("Releases", "releases", "What it was made of, and going back"),
    ("Snapshots", "snapshots", "Copies of its state, and restoring one"),
    ("Clone", "askclone", "Create a bot like it, with secrets of its own"),
    ("Delete", "askdelete", "Asks first"),
)


def card_buttons(view: View) -> list[Button]:
    """The buttons for the bot's phase, without those that stand beside a cause.

    Stop, the riskiest, isn't next to Logs and Restart, which are used most.
    """
    bot = view.bot
    if view.phase is Phase.REMOVING:
        return []
    if view.phase is Phase.CREATED:
        return [button(say("Enter secrets"), "secrets", bot.id, style=_PRIMARY)]
    logs, settings = (
        button(say("Logs"), "logs", bot.id),
        button(say("Settings"), "settings", bot.id),
    )
    if view.phase is Phase.ERROR:
        return [button(say("Try again"), "restart", bot.id, style=_PRIMARY), settings, logs]
    if view.phase in {Phase.STOPPED, Phase.STOPPING}:
        return [logs, button(say("Start"), "start", bot.id, style=_GREEN), settings]
    stop = button(say("Stop"), "stop", bot.id, style=discord.ButtonStyle.danger)
    return [logs, button(say("Restart"), "restart", bot.id), settings, stop]


def fix_button(fix: Fix, bot: Bot) -> Button | None:
    """The button that mends a cause; None if there's none beside those of the phase."""
    if fix not in _FIXES:
        return None
    label, action = _FIXES[fix]
    return button(say(label), action, bot.id, style=_PRIMARY)


def answer_buttons(view: View | None, *, now: float) -> list[Button]:
    """What an answer offers about a bot in trouble: what mends it, then what its card has.

    `now` is the engine's time.
    """
    if view is None or not view.phase.bad:
        return []
    fixes = [fix_button(cause.fix, view.bot) for cause in causes(view, now=now)]
    every = [*filter(None, fixes), *card_buttons(view)]
    found: dict[str | None, Button] = {}
    for one in every:
        if not (one.custom_id or "").startswith(address("stop", "")):
            found.setdefault(one.custom_id, one)
    return list(found.values())[:BUTTONS_A_ROW]


def more(view: View) -> Select | None:
    """Everything else that can be done to the bot."""
    if view.phase is Phase.REMOVING:
        return None
    offered = [
        Option(say(label), (action, view.bot.id), say(words)) for label, action, words in MORE
    ]
    if view.phase is Phase.ERROR:  # its buttons are for getting well again
        offered.insert(
            -1, Option(say("Stop"), ("stop", view.bot.id), say("No longer ask for attention"))
        )
    return select(say("More"), view.bot.id, offered)
