"""Remove secrets from text before it is shown, logged or stored.

First the text is cleaned, because an escape code inside a token would hide it from any comparison.
Then the values of live secrets are replaced, in every form they are likely to appear in, and then
anything that looks like a well-known key (`domain.keys`).
"""

from __future__ import annotations

import base64
import json
import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from threading import Lock
from urllib.parse import quote_from_bytes

from controller.domain.keys import hide_keys

MARK = "[redacted]"
SHORTEST = 6  # characters; replacing a shorter value everywhere would garble most texts …
_WORD_SHORTEST = 4  # … so it is replaced only as a whole word, and below this length not at all
_WRAPPED_SHORTEST = 12  # for a form that a program has broken into lines
_LINE_SHORTEST = 16  # for one line of a secret with several lines

_ESCAPES = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]?"  # CSI: colours, cursor
    r"|(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x9c\n]*(?:\x07|\x1b\\|\x9c)?"  # OSC, DCS …
    r"|\x1b[ -/]*[0-~]?"  # the short ones
)
# Control characters except \n and \t, and everything invisible: format characters (bidi, zero
# width, tags), line separators, fillers and variation selectors.
_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u034f\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2"
    "\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb\U000110bd\U000110cd\U00013430-\U0001343f"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
_BREAK = re.compile(r"\n[ \t]*")
_BASE64 = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_=")


def clean(text: str) -> str:
    """The text without escape sequences and invisible or control characters but newline and tab."""
    if text.isascii() and text.isprintable():
        return text
    if "\x1b" in text or not text.isascii():
        text = _ESCAPES.sub("", text)
    return _UNSEEN.sub("", text)


@dataclass(frozen=True, slots=True)
class _Known:
    """What to look for: texts to replace, and base64 texts whose whole run must be replaced."""

    plain: tuple[str, ...] = ()
    runs: tuple[str, ...] = ()
    words: tuple[re.Pattern[str], ...] = ()  # short values, matched as whole words


class Redactor:
    """Knows the live secrets. Hides them in any text, and also whatever looks like a secret.

    Safe to use from any thread: what it knows is one immutable value, replaced as a whole.
    """

    def __init__(self) -> None:
        self._known = _Known()
        self._owners: dict[str, _Known] = {}
        self._lock = Lock()

    def learn(self, bot_id: str, values: Iterable[str]) -> None:
        """Hide these values too. The bot's earlier ones stay hidden: old logs still hold them."""
        fresh = _forms_of(values)
        with self._lock:
            before = self._owners.get(bot_id, _Known())
            self._owners[bot_id] = _joined((before, fresh))
            self._known = _joined(self._owners.values())

    def forget(self, bot_id: str) -> None:
        """Forget all values of the bot."""
        with self._lock:
            if self._owners.pop(bot_id, None) is not None:
                self._known = _joined(self._owners.values())

    def __call__(self, text: str) -> str:
        """The text, cleaned, with every known and every likely secret replaced. Never raises.

        Give it whole lines: a token split over two calls isn't found.
        """
        text = clean(text)
        known, joined = self._known, _BREAK.sub("", text)
        plain = [form for form in known.plain if form in joined or ("\n" in form and form in text)]
        runs = [core for core in known.runs if core in joined]
        if len(joined) < len(text):
            text = _without_wrapped(text, joined, plain, runs)
        for form in plain:
            text = text.replace(form, MARK)
        for core in runs:
            text = _without_runs(text, core)
        for word in known.words:
            text = word.sub(MARK, text)
        return hide_keys(text, MARK)

    def lines(self, texts: Sequence[str]) -> list[str]:
        """The same for the lines of one log, taken together: a key may span several lines.

        Returns as many lines as it was given. A line that was part of such a key becomes `MARK`.
        """
        together = self("\n".join(texts)).split("\n")
        if len(together) == len(texts):
            return together
        left = Counter(together)
        found: list[str] = []
        for text in map(self, texts):
            left[text] -= 1
            found.append(text if left[text] >= 0 else MARK)
        return found


def _joined(parts: Iterable[_Known]) -> _Known:
    """The forms of all parts, longest first, so that a value can't leave half of a longer one."""
    parts = list(parts)
    return _Known(
        plain=_longest_first(form for part in parts for form in part.plain),
        runs=_longest_first(core for part in parts for core in part.runs),
        words=tuple({word for part in parts for word in part.words}),
    )


def _longest_first(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(set(texts), key=lambda text: (-len(text), text)))


def _forms_of(values: Iterable[str]) -> _Known:
    plain: set[str] = set()
    runs: set[str] = set()
    words: set[re.Pattern[str]] = set()
    for value in values:
        short = clean(value).strip()
        if _WORD_SHORTEST <= len(short) < SHORTEST:
            words.add(re.compile(rf"(?<!\w){re.escape(short)}(?!\w)"))
        for text in _texts_of(value):
            data = text.encode("utf-8", "surrogatepass")
            plain.update(_plain_forms(text, data))
            runs.update(_base64_cores(data))
    return _Known(tuple(plain), tuple(runs), tuple(words))


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
    """What base64 turns the value into anywhere inside longer data, as in `user:password`.

    Base64 encodes groups of three bytes, so the value can start at three offsets in a group. Each
    offset gives characters that don't depend on the neighbours; the few at the edges, which do,
    are replaced with the rest of the run.
    """
    for shift in range(3):
        padded = b"\0" * shift + data
        first = -(-8 * shift // 6)
        last = 8 * len(padded) // 6
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            yield encode(padded).decode()[first:last]


def _without_wrapped(text: str, joined: str, plain: Iterable[str], runs: Iterable[str]) -> str:
    """Replace values that a program has broken into lines, as `base64` and `fold` do.

    Searches `joined`, the text without line breaks and indents. A break inside a value is replaced
    with it.
    """
    breaks = [(found.start(), found.end()) for found in _BREAK.finditer(text)]
    starts, shifts = [0], [0]  # from this position in `joined` on, the text is this much further on
    for start, end in breaks:
        starts.append(start - shifts[-1])
        shifts.append(shifts[-1] + end - start)
    parts: list[str] = []
    done = 0
    for first, last, run in sorted(
        {*_spans(joined, plain, run=False), *_spans(joined, runs, run=True)}
    ):
        piece, last_piece = (bisect_right(starts, at) - 1 for at in (first, last - 1))
        if piece == last_piece:
            continue  # within one line: the other functions replace it
        start, end = first + shifts[piece], last + shifts[last_piece]
        while run and start > done and text[start - 1] in _BASE64:
            start -= 1
        while run and end < len(text) and text[end] in _BASE64:
            end += 1
        if start >= done:
            parts += (text[done:start], MARK)
        done = max(done, end)
    return "".join((*parts, text[done:]))


def _spans(text: str, forms: Iterable[str], *, run: bool) -> Iterator[tuple[int, int, bool]]:
    """Start and end of each form, overlaps included; `run`: its whole base64 run must go too."""
    for form in forms:
        found = text.find(form) if len(form) >= _WRAPPED_SHORTEST else -1
        while found >= 0:
            yield found, found + len(form), run
            found = text.find(form, found + 1)


def _without_runs(text: str, core: str) -> str:
    """Replace every run of base64 characters that contains the core."""
    parts: list[str] = []
    done = 0
    found = text.find(core)
    while found >= 0:
        start, end = found, found + len(core)
        while start > done and text[start - 1] in _BASE64:
            start -= 1
        while end < len(text) and text[end] in _BASE64:
            end += 1
        parts += (text[done:start], MARK)
        done = end
        found = text.find(core, done)
    return "".join((*parts, text[done:]))
