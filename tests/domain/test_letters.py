"""Which characters are refused in a typed text: those that can't be meant, not a language's own."""

from __future__ import annotations

import sys
import unicodedata

import pytest

from controller.domain.letters import is_blank, named, unseen

SPELT = [
    "می‌خواهم",  # Persian, with a zero-width non-joiner
    "क्‍ष",  # Hindi, with a zero-width joiner
    "👨‍👩‍👧‍👦",
    "🏴\U000e0067\U000e0062\U000e0077\U000e006c\U000e0073\U000e007f",  # the flag of Wales
    "❤️‍🔥",
    "ᠮᠣᠩᠭᠣᠯ᠎ᠠ",  # Mongolian, with its vowel separator
    "؀١٢٣",  # an Arabic number sign
    "naïve café ₿ ½ \u00a0 ﷽",
]


@pytest.mark.parametrize("text", SPELT)
def test_a_languages_spelling_is_no_trick(text: str) -> None:
    """Joiners, tags in flags and signs before digits belong to words and emoji."""
    assert unseen(text) == ""


def test_every_bidirectional_control_is_refused() -> None:
    """All that Unicode has: marks, embeddings, overrides and isolates."""
    controls = [
        chr(code)
        for code in range(sys.maxunicode + 1)
        if unicodedata.bidirectional(chr(code))
        in {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
    ]
    controls += ["\u200e", "\u200f", "\u061c"]
    assert len(controls) == 12
    assert all(unseen(f"a{control}b") == control for control in controls)


@pytest.mark.parametrize("odd", ["\0", "\x1b", "\x7f", "\u200b", "\ufeff", "\u00ad", "\u2060"])
def test_what_nobody_can_see_is_refused_wherever_it_stands(odd: str) -> None:
    """Controls, zero-width spaces, a byte order mark, soft hyphens."""
    assert [unseen(text) for text in (odd, f"{odd}a", f"a{odd}", f"می‌{odd}")] == [odd] * 4


def test_a_refused_character_is_named() -> None:
    """By its number and Unicode's name; a control only has a number."""
    assert named("\u202e") == "U+202E (right-to-left override)"
    assert named("\x07") == "U+0007"


def test_joiners_alone_are_nothing() -> None:
    """A text of which nothing shows is blank."""
    assert all(map(is_blank, ("", " ", "\u200d", "\u200c \u200d")))
    assert not any(map(is_blank, ("a", "👍", "می‌خواهم")))
