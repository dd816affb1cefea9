"""The forms in which a secret is likely to appear in a text: as it is, quoted, encoded, broken."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from urllib.parse import quote_from_bytes

from controller.vault.cleaning import clean

SHORTEST = 6  # characters; replacing a shorter value everywhere would garble most texts …
WORD_SHORTEST = 4  # … so it is replaced only as a whole word, and below this length not at all
FRAGMENT = 8  # characters of a secret at a cut edge from which they are hidden
_LINE_SHORTEST = 16  # for one line of a secret with several lines

# What to do where a form is found; a form may be of several kinds.
PLAIN = 1  # replace it
RUN = 2  # it is base64, folded: replace the whole run of base64 characters around it
WORD = 4  # replace it where it stands alone
BROKEN = 8  # the value has line breaks itself: replace it across line breaks, however short it is

BREAK = re.compile(r"\n[ \t]*")
_ALWAYS_ITSELF = re.compile(r"[\w.~-]+", re.ASCII)  # neither quotes nor percent signs change it


def fold(text: str) -> str:
    """The text with both alphabets of base64 made one; every position stays."""
    return text.replace("-", "+").replace("_", "/")


def forms_of(value: str) -> dict[str, int]:
    """The forms of one value, without line breaks, and the kinds of each."""
    found: dict[str, int] = {}
    short = clean(value).strip()
    if WORD_SHORTEST <= len(short) < SHORTEST and "\n" not in short:
        found[short] = WORD
    for text in _texts_of(value):
        data = text.encode("utf-8", "surrogatepass")
        for form in _plain_forms(text, data):
            joined = BREAK.sub("", form) if "\n" in form else form
            kinds = PLAIN if joined == form or len(joined) >= SHORTEST else 0
            found[joined] = found.get(joined, 0) | kinds | (0 if joined == form else BROKEN)
        for core in _base64_cores(data):
            found[core] = found.get(core, 0) | RUN
    return found


def _texts_of(value: str) -> Iterator[str]:
    """The value as cleaned text shows it, and its longer lines: logs often print just one."""
    text = clean(value).strip()
    if len(text) >= SHORTEST:
        yield text
    if "\n" in text:
        yield from (
            line.strip() for line in text.split("\n") if len(line.strip()) >= _LINE_SHORTEST
        )


def _plain_forms(text: str, data: bytes) -> Iterator[str]:
    yield text
    if not _ALWAYS_ITSELF.fullmatch(text):
        yield json.dumps(text)[1:-1]
        yield json.dumps(text, ensure_ascii=False)[1:-1]
        yield repr(text)[1:-1]
        for safe in ("", "/", "!'()*~", "/:@"):
            quoted = quote_from_bytes(data, safe)
            for form in (quoted, quoted.replace("%20", "+")):
                yield form
                yield re.sub("%[0-9A-F]{2}", lambda match: match[0].lower(), form)
    encoded = base64.b64encode(data).decode()
    if not encoded.isalnum():  # otherwise `_base64_cores` finds it
        yield quote_from_bytes(encoded.encode(), "")


def _base64_cores(data: bytes) -> Iterator[str]:
    """What base64 turns the value into anywhere inside longer data, as in `user:password`; folded.

    Base64 encodes groups of three bytes, so the value can start at three offsets in a group. Each
    offset gives characters that don't depend on the neighbours; the few at the edges, which do,
    are replaced with the rest of the run.
    """
    for shift in range(3):
        padded = b"\0" * shift + data
        first = -(-8 * shift // 6)
        last = 8 * len(padded) // 6
        yield base64.b64encode(padded).decode()[first:last]
