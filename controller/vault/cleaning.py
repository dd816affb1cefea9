"""Removes from a text what nobody sees, because it would hide a secret from any comparison."""

from __future__ import annotations

import re

_CSI = r"[0-?]*[ -/]*[@-~]?"  # colours, cursor
_STRING = r"[^\x07\x1b\x9c\n]*(?:\x07|\x1b\\|\x9c)?"  # OSC, DCS …
# Every alternative begins with one fixed character: `re` then runs to the next such character
# without trying anything else, which takes a quarter of the time.
_FROM_ESC = rf"\x1b(?:\[{_CSI}|[\]PX^_]{_STRING}|[ -/]*[0-~]?)"
_ESCAPE_OF_ASCII = re.compile(_FROM_ESC)
_ESCAPE = re.compile(
    "|".join((_FROM_ESC, rf"\x9b{_CSI}", *(c + _STRING for c in "\x90\x98\x9d\x9e\x9f")))
)
# Control characters except \n and \t, and everything invisible: format characters (bidi, zero
# width, tags), line separators, fillers and variation selectors.
_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u034f\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2"
    "\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb\U000110bd\U000110cd\U00013430-\U0001343f"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)


_PIECE = 32 << 10  # characters: a regular expression holds up every other thread while it works


def clean(text: str) -> str:
    """The text without escape sequences and invisible or control characters but newline and tab."""
    if _is_clean(text):
        return text
    if len(text) <= _PIECE:
        return _cleaned(text)
    pieces, start = [], 0
    while start < len(text):
        # No escape sequence goes beyond a line's end.
        end = text.find("\n", start + _PIECE) + 1 or len(text)
        pieces.append(_cleaned(text[start:end]))
        start = end
    return "".join(pieces)


def _is_clean(text: str) -> bool:
    return text.isascii() and text.replace("\n", "").replace("\t", "").isprintable()


def _cleaned(text: str) -> str:
    if not text.isascii():
        text = _ESCAPE.sub("", text)
    elif "\x1b" in text:
        text = _ESCAPE_OF_ASCII.sub("", text)
    return text if _is_clean(text) else _UNSEEN.sub("", text)
