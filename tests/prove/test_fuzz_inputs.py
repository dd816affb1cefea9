"""The rubbish for the fuzz tests, generated from a seed; a test checks that it is bad enough.
Next door: test_fuzz.py and test_fuzz_chat.py use it."""

from __future__ import annotations

import copy
import random
from collections.abc import Sequence
from typing import Any, TypeVar

from controller.domain.names import new_bot_id

T = TypeVar("T")

NASTY = (
    "..", "../", "/", "//", "\\", ".", "~", "%2e%2e", "%2f", "%00", "\0", "\n", "\r\n", "\t", " ",
    "?", "#", "&all=1", ";", "|", "$(id)", "`", "```", "'", '"', "{{", "}}", "{", "@everyone",
    "<@123456789012345678>",
    "<@&123456789012345678>",
    "\x1b[31m", "\x1b]8;;", "\x9b", "\u202e", "\u200b", "\ufeff", "\ud800", "\U000e0041", "é",
    "ß", "İ", "٣", "一", "💥", "𝟙", "Ａ", "-", "_", ":", "a", "Z", "0", "9" * 30, "a" * 64,
    "json", "archive",
    "containers", "images", "exec", "[redacted]", "%s%n", "null", "-1", "1e999", "nan",
)  # fmt: skip
ODD = (None, True, 0, -1, 2**70, 1.5, "", "x", [], {}, [None], {"": None}, "9" * 5000, "\ud800")
BAD = tuple(value for value in ODD if not isinstance(value, dict))


class Rubbish:
    """A generator of bad input; everything follows from the seed."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def number(self, below: int) -> int:
        return self._random.randrange(below)

    def choice(self, values: Sequence[T]) -> T:
        return self._random.choice(values)

    def bytes(self, most: int) -> bytes:
        return self._random.randbytes(self.number(most + 1))

    def text(self, most: int) -> str:
        """Up to this many pieces, each nasty or any character."""
        parts = []
        for _ in range(self.number(most + 1)):
            any_character = self._random.random() < 0.4
            parts.append(chr(self.number(0x110000)) if any_character else self.choice(NASTY))
        return "".join(parts)

    def name(self) -> str:
        """A name, nearly right or completely wrong."""
        good = self.choice(
            ("api_key", "shop-helper", "a" * 32, "channel_token", "gpt-5.5", "x/y:z")
        )
        return self.choice((good, self.inserted(good), self.text(6), good.upper(), good + "\n"))

    def id(self, root: str) -> str:
        """Something like a bot id: other spellings, ways out of a folder."""
        good = new_bot_id()
        return self.choice(
            (
                good.upper(), good.replace("-", ""), f"{{{good}}}", f"urn:uuid:{good}", good[:12],
                f"{good}\n", f" {good}", f"{good}/..", f"../{good}", f"{good}/../../api_key",
                "stranger",
                f"{root}/stranger", "..", ".", "", "/", "a/../stranger", self.inserted(good),
                good + "\0",
                self.text(5), f"../secrets/{good}", good.replace("-", "‐"), "0" * 36,
            )
        )  # fmt: skip

    def reference(self) -> str:
        """Something like the name of an image or a container."""
        good = self.choice(
            ("example/bot:1", "sha256:" + "a" * 64, "r.io:5000/a/b@sha256:" + "b" * 64)
        )
        return self.choice((good, self.inserted(good), self.inserted(good), self.text(5)))

    def inserted(self, text: str) -> str:
        """The text with something nasty inserted."""
        at = self.number(len(text) + 1)
        return text[:at] + self.choice(NASTY) + text[at + self.number(3) :]

    def spoil(self, data: bytes) -> bytes:
        """The data, cut off, with a hole, or with some bytes changed."""
        at, end = sorted((self.number(len(data) + 1), self.number(len(data) + 1)))
        return self.choice(
            (data[:at], data[:at] + data[end:], data[:at] + self.bytes(9) + data[end:])
        )

    def bent(self, value: Any) -> Any:
        """A copy of nested JSON with one to three parts missing or of a wrong type."""
        value = copy.deepcopy(value)
        for _ in range(1 + self.number(3)):
            spot = value
            while isinstance(spot, dict | list) and spot:
                key: Any = (
                    self.choice(list(spot)) if isinstance(spot, dict) else self.number(len(spot))
                )
                if isinstance(spot[key], dict | list) and spot[key] and self.number(4):
                    spot = spot[key]
                    continue
                if self.number(3) == 0 and isinstance(spot, dict):
                    del spot[key]
                else:
                    spot[key] = copy.deepcopy(self.choice(ODD))
                break
        return value


def mutated(rubbish: Rubbish, data: bytes) -> bytes:
    """A template's text, spoiled: lines missing, doubled or moved, words replaced, nested, cut."""
    lines = data.splitlines(keepends=True)
    for _ in range(1 + rubbish.number(4)):
        at = rubbish.number(len(lines))
        line = lines[at]
        key, equals, _ = line.partition(b"=")
        lines[at] = rubbish.choice(
            (
                b"", line + line, rubbish.spoil(line), rubbish.choice(lines),
                key + equals + rubbish.choice((b" {}", b" []", b" 1e400", b" -1", b' ""')) + b"\n",
                key + equals + repr(rubbish.text(4)).encode("utf-8", "replace") + b"\n",
                key + equals + b"[" * rubbish.choice((2, 50, 3000)) + b"\n",
                key + equals + b" " + b"9" * rubbish.choice((20, 400, 5000)) + b"\n",
                b"a" + b".a" * rubbish.choice((3, 200, 3000)) + b" = 1\n",
                key + equals + b" '(a+)+$'\n", key + equals + b" 2026-01-01T00:00:00Z\n",
                b"[" + rubbish.text(3).encode("utf-8", "replace") + b"]\n", rubbish.bytes(20),
            )
        )  # fmt: skip
    return rubbish.choice((b"".join(lines), b"".join(lines), rubbish.spoil(b"".join(lines))))


def test_the_same_seed_gives_the_same_rubbish_and_it_is_bad() -> None:
    """A failure can be repeated; path escapes, controls and lone surrogates do occur."""
    one, other = Rubbish(7), Rubbish(7)
    texts = [one.text(6) for _ in range(2000)]
    assert texts == [other.text(6) for _ in range(2000)]
    everything = "".join(texts)
    for sign in ("../", "\0", "\x1b", "\u202e", "\ud800", "%2f", "@everyone"):
        assert sign in everything
    names = [one.name() for _ in range(500)]
    assert 20 < names.count("api_key") + names.count("shop-helper") + names.count("a" * 32) < 250
