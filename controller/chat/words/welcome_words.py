"""The first message in the admin channel, in words."""

from __future__ import annotations

from collections.abc import Mapping

from controller.catalog import Template
from controller.chat.words.text import plain

_DEMO = "demo"


def welcome_words(templates: Mapping[str, Template]) -> str:
    """What BotMaker is for, and what to do first."""
    lines = [
        "👋 **BotMaker is ready.** This channel is its control room: each bot that you create gets "
        "one message here, which always shows how it is.",
        "**1.** Press **Create a bot**, or type `/bot create`.",
        "**2.** Enter its secrets in the form that follows. Each is stored in a file only that bot "
        "can read, and is never shown again.",
        "**3.** The bot starts by itself. If something is wrong, its message says what and why.",
    ]
    demo = templates.get(_DEMO)
    if demo is not None:
        lines.append(
            f"To try it without any account, choose **{plain(demo.title, 60)}** and make up its "
            "two secrets. Its image has to be on the host: `botmaker build-image demo`."
        )
    lines.append(
        "`/help` shows what you can do here. Nobody else has access yet: `/access grant` gives it."
    )
    return "\n".join(lines)
