"""Outside text made safe for a message and fitted to Discord's sizes: all of it is hostile."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence

import discord

from controller.vault import clean

MESSAGE_MAX = 2000
_FENCE = re.compile("`(?=`)")


def plain(text: str, limit: int = 400) -> str:
    """Outside text for use between our own words: no markup, mention or control, one line."""
    line = " ".join(clean(" ".join(text.split())).split())
    if len(line) > limit:
        line = line[: limit - 1] + "…"
    return discord.utils.escape_mentions(discord.utils.escape_markdown(line))


def code_block(text: str) -> str:
    """Outside text in a block that it cannot break out of."""
    return f"```\n{_fenced(text) or ' '}\n```"


def _fenced(text: str) -> str:
    return _FENCE.sub("`\u200b", text).replace("@", "@\u200b")


def newest_fitting(lines: Sequence[str], room: int) -> tuple[list[str], bool]:
    """As many of the newest lines as fit into `room` characters once fenced, and whether all do.

    A line that alone is too long is cut.
    """
    kept: list[str] = []
    left = room - len(code_block("")) + 1  # the last line has no newline of its own
    for line in reversed(lines):
        cost = _cost(line)
        if cost > left:
            if not kept and left > 2:
                kept.append(_cut(line, left))
            return kept[::-1], False
        kept.append(line)
        left -= cost
    return kept[::-1], True


def _cost(line: str) -> int:
    """What a line takes in a block, its newline included."""
    return len(_fenced(line)) + 1


def _cut(line: str, room: int) -> str:
    line = line[:room]
    while line and _cost(line + "…") > room:
        line = line[: min(len(line) - 1, len(line) * room // _cost(line + "…"))]
    return line + "…"


def text_file(text: str, name: str) -> discord.File:
    """A text as a file for a message; made anew for every try, since sending closes it."""
    return discord.File(io.BytesIO(text.encode()), filename=name)


def plural(count: int, one: str, many: str | None = None) -> str:
    """`1 bot`, `2 bots`."""
    return f"{count} {one if count == 1 else many or one + 's'}"


def moment(at: float) -> str:
    """A point in time that every reader's client words for itself: `3 minutes ago`."""
    return f"<t:{int(at)}:R>"
