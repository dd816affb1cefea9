"""The first message in the admin channel, in words."""

from __future__ import annotations

from collections.abc import Mapping

from controller.catalog import Template
from controller.chat.languages import say, told
from controller.chat.words.text import plain

_DEMO = "demo"


def welcome_words(templates: Mapping[str, Template]) -> str:
    """What BotMaker is for, and what to do first."""
    lines = [
        say(
            "👋 **BotMaker is ready.** This channel is its control room: each bot that "
            "you create gets one message here, which always shows how it is."
        ),
        say("**1.** Press **Create a bot**, or type `/bot create`."),
        say(
            "**2.** Enter its secrets in the form that follows. Each is stored in a file "
            "only that bot can read, and is never shown again."
        ),
        say(
            "**3.** The bot starts by itself. If something is wrong, its message says what and why."
        ),
    ]
    demo = templates.get(_DEMO)
    if demo is not None:
        lines.append(
            say(
                "To try it without any account, choose **{title}** and make up its two "
                "secrets. Its image has to be on the host: `botmaker build-image demo`.",
                title=plain(told(demo.title), 60),
            )
        )
    lines.append(
        say(
            "`/help` shows what you can do here. Nobody else has access yet: `/access "
            "grant` gives it."
        )
    )
    return "\n".join(lines)
