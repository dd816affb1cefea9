"""Outside text made safe for a message and fitted to Discord's sizes: all of it is hostile."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence

import discord

from controller.chat.words.limits import MESSAGE_MAX
from controller.vault import clean

_FENCE = re.compile("`(?=`)")
_HIDDEN = "\u200b"  # a space that nobody sees, where an escape alone doesn't stop every client
# Everything that begins markup in the middle of a line. A colon does in an emoji (`:smile:`) and in
# an address, which Discord makes a link; an underscore between two letters doesn't.
_MARKUP = re.compile(r"[\\`*~|\[\]<]|(?<![^\W_])_|_(?![^\W_])|:(?=//|[\w+-]+:|:)|&(?=[#\w]+;)")
# What begins a block at a line's start: headings, small print, quotes, rules; and numbered lists.
_BLOCK = re.compile(r"(?m)^([ \t]*)([#>+=-])")
_NUMBER = re.compile(r"(?m)^([ \t]*\d+)([.)])")
# Mentions, times, commands, custom emojis, invites.
_LIVE = re.compile(
    r"@(?=everyone|here|[!&]?\d)|<(?=[@#/:]|\w+:)|discord(?:app)?\.(?=\w)", re.IGNORECASE
)
_INVITE = re.compile(
    r"(?<=: )https://discord\.com/oauth2/authorize\?client_id=\d+&scope=bot\+applications\.commands"
    r"(?:&permissions=\d+)?\Z"
)
_CODE = re.compile(r"`[^`\n]+`")


def plain(text: str, limit: int = 400) -> str:
    """Outside text, safe between our own words: one line without markup, links or controls.

    Safe at the beginning of a line, too. Escaping at most triples its length.
    """
    return _escaped(fitted(" ".join(clean(" ".join(text.split())).split()), limit))


def with_invite(text: str, limit: int) -> str:
    """Outside text as in `plain`, but an invite for a bot at its very end stays a link."""
    link = _INVITE.search(text)
    if link is None:
        return plain(text, limit)
    return f"{plain(text[: link.start()], limit)} {link[0]}"


def sentences(text: str) -> str:
    """Our own sentences, made safe because they may quote outside text. `Code` stays code."""
    text = "\n".join(line.strip() for line in clean(text).split("\n"))
    found, at = [], 0
    for code in _CODE.finditer(text):
        found += [_escaped(text[at : code.start()]), code[0]]
        at = code.end()
    return "".join([*found, _escaped(text[at:])])


def _escaped(text: str) -> str:
    hidden = _LIVE.sub(lambda found: found[0] + _HIDDEN, text)
    inline = _MARKUP.sub(lambda found: "\\" + found[0], hidden)
    return _NUMBER.sub(r"\1\\\2", _BLOCK.sub(r"\1\\\2", inline))


def fitted(text: str, limit: int = MESSAGE_MAX) -> str:
    """The text if it fits, else its beginning, with a mark at the cut."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def code_block(text: str) -> str:
    """Outside text in a code block that it can't close."""
    return f"```\n{_fenced(text) or ' '}\n```"


def _fenced(text: str) -> str:
    return _FENCE.sub("`\u200b", text).replace("@", "@\u200b")


def newest_fitting(lines: Sequence[str], room: int) -> tuple[list[str], bool]:
    """The newest lines that fit into `room` characters as a code block, and whether all of them do.

    If not even the newest one fits, its beginning is kept.
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
    """The characters that a line takes in a code block, including its newline."""
    return len(_fenced(line)) + 1


def _cut(line: str, room: int) -> str:
    line = line[:room]
    while line and _cost(line + "…") > room:
        line = line[: min(len(line) - 1, len(line) * room // _cost(line + "…"))]
    return line + "…"


def text_file(text: str, name: str) -> discord.File:
    """A text as a file for a message. Make a new one for every try: sending closes it."""
    return discord.File(io.BytesIO(text.encode()), filename=name)


def moment(at: float) -> str:
    """A time (seconds since the epoch) that each reader's client words: `3 minutes ago`."""
    return f"<t:{int(at)}:R>"
