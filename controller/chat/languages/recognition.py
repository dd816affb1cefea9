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
from itertools import islice

PLACEHOLDER = re.compile(r"\{(\w+)\}")
_BOUNDARY = re.compile(r"(?<=[.?!:;…])\s+|\n")
_END = re.compile(r"[.?!…]\s")
_WORDS = {"role", "kind", "phase"}  # placeholders that stand for one word of ours
# Outside text comes along, so the work is bounded. What has more isn't ours.
_LONGEST = 4_000  # characters
_BOUNDARIES = 16
_DEPTH = 3  # sentences within sentences
_REMEMBERED = 128


@dataclass(frozen=True, slots=True)
class _Pattern:
    """A sentence with placeholders: its own texts, with a name between each two."""

    own: tuple[str, ...]
    names: tuple[str, ...]
    said: str

    def facts(self, text: str) -> dict[str, str] | None:
        """What was filled in; None if the text isn't this sentence. Each place has something.

        Taking the first place for each own text is enough: a later one leaves less room.
        """
        first, *between, last = self.own
        end = len(text) - len(last)
        if not text.startswith(first) or not text.endswith(last):
            return None
        at, found = len(first), []
        for own in between:
            begin = text.find(own, at + 1, end)
            if begin < 0:
                return None
            found.append(text[at:begin])
            at = begin + len(own)
        return dict(zip(self.names, [*found, text[at:end]], strict=True)) if at < end else None


class Recognition:
    """Words English sentences in one language."""

    def __init__(self, sentences: Mapping[str, str]) -> None:
        self._exact = {text: said for text, said in sentences.items() if "{" not in text}
        self._patterns = sorted(
            (_pattern(text, said) for text, said in sentences.items() if "{" in text),
            key=lambda one: -sum(map(len, one.own)),
        )
        self.told = lru_cache(_REMEMBERED)(self._told)

    def _told(self, text: str, depth: int = 0) -> str:
        """The text in the language: as a whole, else its sentences one by one."""
        if len(text) > _LONGEST or depth > _DEPTH:
            return text
        found: list[str] = []
        for _ in range(_BOUNDARIES):
            said, used = self._first(text, depth)
            found.append(said)
            text = text[used:]
            if not text:
                break
        return "".join([*found, text])

    def _first(self, text: str, depth: int) -> tuple[str, int]:
        """The text's beginning in the language, and how many characters of it that is.

        As much as one sentence has; of what isn't known, as much as ends like one.
        """
        boundaries = list(islice(_BOUNDARY.finditer(text), _BOUNDARIES))
        ends = [(len(text), ""), *((one.start(), one[0]) for one in reversed(boundaries))]
        for strict in (True, False):
            for end, gap in ends:
                said = self._one(text[:end], depth, strict=strict)
                if said is not None:
                    return said + gap, end + len(gap)
        end, gap = ends[-1]
        return text[: end + len(gap)], end + len(gap)

    def _one(self, text: str, depth: int, *, strict: bool) -> str | None:
        """One sentence, or a label with its colon; None if it isn't known.

        `strict`: what was filled in doesn't go over the end of a sentence.
        """
        if text in self._exact:
            return self._exact[text]
        if text[-1:] in {":", ";"} and text[:-1] in self._exact:
            return self._exact[text[:-1]] + text[-1]
        for pattern in self._patterns:
            found = pattern.facts(text)
            if found is not None and not (strict and any(map(_END.search, found.values()))):
                words = {name: self._fact(name, one, depth) for name, one in found.items()}
                return pattern.said.format(**words)
        return None

    def _fact(self, name: str, value: str, depth: int) -> str:
        """What was filled in: words of ours, or outside text. A single word is mostly a name."""
        ours = " " in value or name in _WORDS
        return self._told(value, depth + 1) if ours else value


def _pattern(text: str, said: str) -> _Pattern:
    parts = PLACEHOLDER.split(text)
    return _Pattern(tuple(parts[::2]), tuple(parts[1::2]), said)
