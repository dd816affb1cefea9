"""English sentences found again in a catalogue by their pattern, with what was filled in.

Errors, reasons and stored texts are English wherever they come from. A sentence's pattern is its
text between the placeholders; where two fit, the one with more text of its own counts. What isn't
known stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

PLACEHOLDER = re.compile(r"\{(\w+)\}")
_BOUNDARY = re.compile(r"(?<=[.?!:;…])\s+|\n")
_END = re.compile(r"[.?!…]\s")
_WORDS = {"role", "kind", "phase"}  # placeholders that stand for one word of ours
_LONGEST = 4_000  # characters; what is longer isn't a sentence of ours
_REMEMBERED = 512


@dataclass(frozen=True, slots=True)
class _Pattern:
    """A sentence with placeholders."""

    shape: re.Pattern[str]
    landmark: str  # its longest text between placeholders
    own: int  # characters that are its own
    said: str


class Recognition:
    """Words English sentences in one language."""

    def __init__(self, sentences: Mapping[str, str]) -> None:
        self._exact = {text: said for text, said in sentences.items() if "{" not in text}
        self._patterns = sorted(
            (_pattern(text, said) for text, said in sentences.items() if "{" in text),
            key=lambda one: -one.own,
        )
        self.told = lru_cache(_REMEMBERED)(self._told)

    def _told(self, text: str) -> str:
        """The text in the language: as a whole, else its sentences one by one."""
        if len(text) > _LONGEST:
            return text
        boundaries = list(_BOUNDARY.finditer(text))
        for strict in (True, False):
            found = self._one(text, strict=strict)
            if found is not None:
                return found
            for boundary in reversed(boundaries):
                found = self._one(text[: boundary.start()], strict=strict)
                if found is not None:
                    return found + boundary[0] + self._told(text[boundary.end() :])
        if not boundaries:
            return text
        first = boundaries[0].end()
        return text[:first] + self._told(text[first:])

    def _one(self, text: str, *, strict: bool) -> str | None:
        """One sentence, or a label with its colon; None if it isn't known.

        `strict`: what was filled in doesn't go over the end of a sentence.
        """
        if text in self._exact:
            return self._exact[text]
        if text[-1:] in {":", ";"} and text[:-1] in self._exact:
            return self._exact[text[:-1]] + text[-1]
        for pattern in self._patterns:
            if pattern.landmark not in text:
                continue
            found = pattern.shape.fullmatch(text)
            if found and not (strict and any(map(_END.search, found.groups()))):
                facts = {name: self._fact(name, one) for name, one in found.groupdict().items()}
                return pattern.said.format(**facts)
        return None

    def _fact(self, name: str, value: str) -> str:
        """What was filled in: words of ours, or outside text. A single word is mostly a name."""
        return self._told(value) if " " in value or name in _WORDS else value


def _pattern(text: str, said: str) -> _Pattern:
    parts = PLACEHOLDER.split(text)
    own = parts[::2]
    shape = "".join(
        f"(?P<{part}>.+?)" if at % 2 else re.escape(part) for at, part in enumerate(parts)
    )
    return _Pattern(re.compile(shape, re.DOTALL), max(own, key=len), sum(map(len, own)), said)
