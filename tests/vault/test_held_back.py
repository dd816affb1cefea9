"""Secrets in a log that is read while it's written: however they arrive, none shows."""

from __future__ import annotations

import base64
import json
import random
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import quote

import pytest

from controller.domain.events import LogLine
from controller.vault import MARK, HeldBack, Redactor
from controller.vault.held_back import HELD_LINES

CANARIES = {
    "a key": "CANARY-sk-live-9f3b2c71d8e64a05b7aa19ce",
    "with signs": 'CANARY "p@ss\\word/ä✓" +&=%',
    "with lines": '{"secret": "CANARY0123456789abcXYZ",\n "another": "zyxw9876543210CANARY"}',
}
PIECE = 5  # characters of a secret that are too many …
CUT_PIECE = 8  # … and where the log was quiet in its middle


@dataclass(frozen=True)
class Printed:
    """What a program prints, in lines, and what of it nobody may read."""

    lines: list[str]
    secret: str


def forms_of(value: str) -> dict[str, Printed]:
    """The value as programs print it, each form in the lines that a print makes of it."""
    data = value.encode()
    encoded = base64.b64encode(data).decode()
    inside = base64.b64encode(b"user:" + data + b"@host").decode()
    core = inside[7 : 8 * (5 + len(data)) // 6]  # what doesn't depend on what is around the value
    quoted, escaped = quote(value, safe=""), json.dumps(value)
    urlsafe = base64.urlsafe_b64encode(data).decode()
    return {
        "plain": Printed(value.split("\n"), value.replace("\n", "")),
        "JSON": Printed([f'{{"key": {escaped}}}'], escaped[1:-1]),
        "repr": Printed([repr(value)], repr(value)[1:-1]),
        "URL": Printed([f"https://host/?key={quoted}&x=1"], quoted),
        "base64": Printed([encoded], encoded),
        "base64 of a URL": Printed([urlsafe], urlsafe),
        "base64 in base64's middle": Printed([inside], core),
        "wrapped at 16": Printed(textwrap.wrap(encoded, 16), encoded),
        "wrapped at 20, indented": Printed([f"    {p}" for p in textwrap.wrap(inside, 20)], core),
        "wrapped at 64": Printed(textwrap.wrap(encoded, 64), encoded),
    }


def as_lines(texts: Sequence[str]) -> list[LogLine]:
    return [LogLine(float(number), "stdout", text) for number, text in enumerate(texts)]


def noise(count: int, seed: int) -> list[str]:
    """Lines as programs write them."""
    dice = random.Random(seed)
    words = ("got", "update", "from", "chat", "queue", "GET", "/v1/messages", "200", "ms", "{}")
    return [" ".join(dice.choices(words, k=dice.randrange(1, 8))) for _ in range(count)]


def shown(redactor: Redactor, batches: Sequence[Sequence[str]], *, quiet: bool) -> list[str]:
    """What a reader sees of lines that arrive in these batches, `quiet` in between or not."""
    held = HeldBack(redactor)
    found: list[LogLine] = []
    for batch in batches:
        found += held.take(as_lines(batch))
        if quiet:
            found += held.take([], quiet=True)
    found += held.take([], quiet=True)
    assert not held.holds
    return [line.text for line in found]


def pieces(text: str, size: int) -> set[str]:
    return {text[at : at + size] for at in range(len(text) - size + 1)}


def leaked(texts: Sequence[str], secret: str, size: int = PIECE) -> set[str]:
    """The pieces of a secret that are seen, also across the breaks of lines."""
    joined = "".join(text.strip() for text in texts).replace(MARK, "\0")
    return pieces(secret, size) & pieces(joined, size)


def splits(printed: Sequence[str]) -> Iterator[tuple[list[str], list[str]]]:
    """The printed lines broken at every character: the break is the end of a line and a batch."""
    for row, text in enumerate(printed):
        for at in range(1, len(text)):
            yield [*printed[:row], text[:at]], [text[at:], *printed[row + 1 :]]


@pytest.mark.parametrize("canary", CANARIES)
@pytest.mark.parametrize("quiet", [False, True], ids=["at once", "with pauses"])
def test_a_secret_that_is_broken_anywhere_over_batches_never_shows(
    canary: str, quiet: bool
) -> None:
    """Every form, broken at every character; the parts arrive apart, with other lines around."""
    value = CANARIES[canary]
    redactor = Redactor()
    redactor.learn("bot", [value])
    wrong = []
    for name, printed in forms_of(value).items():
        for number, (first, second) in enumerate(splits(printed.lines)):
            before, after = noise(5, number), noise(5, number + 1)
            batches = [[*before, *first], [*second, *after]]
            texts = shown(redactor, batches, quiet=quiet)
            assert len(texts) == sum(map(len, batches)), "each line is shown once"
            found = leaked(texts, printed.secret, CUT_PIECE if quiet else PIECE)
            if found:
                wrong.append((name, number, sorted(found)[:3]))
    assert wrong == []


@pytest.mark.parametrize("canary", CANARIES)
def test_a_secret_in_lines_that_arrive_one_by_one_in_a_busy_log_never_shows(canary: str) -> None:
    """Batches of every size, cut anywhere, many lines before and after."""
    value = CANARIES[canary]
    redactor = Redactor()
    redactor.learn("bot", [value])
    wrong = []
    for name, printed in forms_of(value).items():
        for size in (1, 2, 3, 7, 20):
            for shift in range(size):
                texts = [*noise(40 + shift, size), *printed.lines, *noise(40, shift)]
                batches = [texts[at : at + size] for at in range(0, len(texts), size)]
                seen = shown(redactor, batches, quiet=False)
                assert len(seen) == len(texts)
                assert seen[: 40 + shift] == texts[: 40 + shift], "other lines stay as they are"
                if leaked(seen, printed.secret):
                    wrong.append((name, size, shift))
    assert wrong == []


def test_a_long_value_is_held_back_for_longer() -> None:
    """One that takes more lines than are held back otherwise, in every batch size."""
    value = base64.b64encode(random.Random(1).randbytes(3000)).decode()
    redactor = Redactor()
    redactor.learn("bot", [value])
    printed = textwrap.wrap(value, 64)
    assert len(printed) > 3 * HELD_LINES
    for size in (1, 10, 30):
        texts = [*noise(100, size), *printed, *noise(100, 2)]
        batches = [texts[at : at + size] for at in range(0, len(texts), size)]
        assert not leaked(shown(redactor, batches, quiet=False), value)


def test_a_private_key_that_nobody_knows_never_shows() -> None:
    """Known by its first line alone, which is long gone when its last ones come one by one."""
    body = textwrap.wrap(base64.b64encode(random.Random(2).randbytes(3200)).decode(), 64)
    key = ["-----BEGIN PRIVATE KEY-----", *body, "-----END PRIVATE KEY-----"]
    for quiet in (False, True):
        texts = shown(Redactor(), [[line] for line in [*key, "and on it goes"]], quiet=quiet)
        assert not leaked(texts, "".join(body))
        assert texts[-1] == "and on it goes"


def test_a_line_is_shown_once_others_follow_it_or_the_log_is_quiet() -> None:
    """Sixteen lines are held back, no more, and given in their order."""
    held = HeldBack(Redactor())
    texts = noise(50, 3)
    first = held.take(as_lines(texts))
    assert [line.text for line in first] == texts[: 50 - HELD_LINES]
    assert held.take([]) == []
    assert [line.text for line in held.take([], quiet=True)] == texts[50 - HELD_LINES :]
