"""Which characters of a typed text nobody can see, and so can't be meant; and their names."""

from __future__ import annotations

import unicodedata

# They have no shape, but words and emoji are spelt with them: the joiners of Persian, Hindi and
# family emoji, Mongolian's vowel separator, and the tags in the flags of Wales and Scotland.
_SPELLING = frozenset({"\u200c", "\u200d", "\u180e", *map(chr, range(0xE0020, 0xE0080))})
# Format characters by their category only: they're drawn around or before digits.
_DRAWN = frozenset({*map(chr, range(0x600, 0x606)), *"\u06dd\u070f\u0890\u0891\u08e2"})
_DRAWN_FAR = frozenset({"\U000110bd", "\U000110cd", *map(chr, range(0x13430, 0x13440))})
_ALLOWED = _SPELLING | _DRAWN | _DRAWN_FAR
_UNSEEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}
_LINE_ENDS = frozenset("\n\r\v\f\x85\u2028\u2029")


def unseen(text: str, allowed: str = "") -> str:
    """The first character that can't be meant: a control, or one that turns or hides the text.

    Empty if there is none. `allowed` may be used as well, such as line breaks.
    """
    if text.isascii() and text.isprintable():
        return ""
    return next((one for one in text if one not in allowed and _is_unseen(one)), "")


def is_blank(text: str) -> bool:
    """Whether nothing of the text can be seen."""
    return all(one in _SPELLING or one.isspace() or _is_unseen(one) for one in text)


def ends_line(character: str) -> bool:
    """Whether this begins a new line somewhere."""
    return character in _LINE_ENDS


def named(character: str) -> str:
    """A character that can't be seen, in words: `U+202E (right-to-left override)`."""
    name = unicodedata.name(character, "").lower()
    code = f"U+{ord(character):04X}"
    return f"{code} ({name})" if name else code


def _is_unseen(character: str) -> bool:
    return unicodedata.category(character) in _UNSEEN and character not in _ALLOWED
