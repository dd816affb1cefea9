"""Remove secrets from text before it is shown, logged or stored.

First the text is cleaned, because an escape code inside a token would hide it from any comparison.
Then the values of live secrets are replaced, in every form they are likely to appear in, and then
anything that looks like a well-known key (`domain.keys`).
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import nullcontext
from threading import Lock, RLock

from controller.domain.events import LogLine
from controller.domain.keys import hide_keys
from controller.vault.cleaning import clean
from controller.vault.forms import BREAK, BROKEN, FRAGMENT, PLAIN, RUN, WORD, fold, forms_of
from controller.vault.search import Search

MARK = "[redacted]"
LONG_TEXT = 4096  # characters from which redaction belongs in a thread, beside the event loop
CONTEXT_LINES = 100  # of a log, before those that are shown: a key may begin in them
_WRAPPED_SHORTEST = 12  # for a form that a program has broken into lines
_STRAY = 24  # characters that the rest of a cut escape code may leave at an edge
_EDGE = 16  # what to do with a span: it is the edge of a cut text

BARE_BREAK = re.compile(r"\n")
_INDENT = re.compile(r"\n[ \t]")
_BASE64 = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_=")


class Redactor:
    """Knows the live secrets. Hides them in any text, and also whatever looks like a secret.

    Safe to use from any thread. Learning a value costs a fraction of a millisecond.
    """

    def __init__(self) -> None:
        self._search = Search()
        self._owners: dict[str, tuple[str, ...]] = {}  # tuples: a dict each would take 2 MB
        self._lock = Lock()
        # One long text at a time: several threads that compute make the event loop wait its turn.
        self._long = RLock()

    def learn(self, bot_id: str, values: Iterable[str]) -> None:
        """Hide these values too. The bot's earlier ones stay hidden: old logs still hold them."""
        with self._lock:
            own = dict.fromkeys(self._owners.get(bot_id, ()))
            for value in values:
                forms = forms_of(value)
                fresh = {form: kinds for form, kinds in forms.items() if form not in own}
                self._search.add(fresh)
                own.update(dict.fromkeys(fresh))
            self._owners[bot_id] = tuple(own)

    def forget(self, bot_id: str) -> None:
        """Forget all values of the bot."""
        with self._lock:
            self._search.discard(self._owners.pop(bot_id, ()))

    def longest(self) -> int:
        """The length of the longest form in which a known value may appear."""
        return self._search.longest()

    def __call__(self, text: str, *, begins: bool = True, ends: bool = True) -> str:
        """The text, cleaned, with every known and every likely secret replaced. Never raises.

        Give it whole lines: a token split over two calls isn't found. `begins` and `ends` say
        whether the text has its own beginning and end. Where something was cut off, what may be
        the rest of a known secret goes too. A "…" at the end stands for such a cut.
        """
        with self._long if len(text) > LONG_TEXT else nullcontext():
            return self._redacted(clean(text), begins=begins, ends=ends)

    def _redacted(self, text: str, *, begins: bool, ends: bool) -> str:
        if not text:
            return text
        body = text.rstrip(".")
        if body.endswith("…"):
            body, ends = body[:-1], False
        else:
            body = text
        hidden = self._without_known(body, BREAK, begins=begins, ends=ends)
        if _INDENT.search(hidden):  # which may be a value's own space behind a break
            hidden = self._without_known(hidden, BARE_BREAK, begins=begins, ends=ends)
        return hide_keys(hidden + text[len(body) :], MARK)

    def lines(self, texts: Sequence[str], *, begins: bool = True, ends: bool = True) -> list[str]:
        """The same for the lines of one log, taken together: a key may span several lines.

        Returns as many lines as it was given. A line that was part of such a key becomes `MARK`.
        """
        together = self("\n".join(texts), begins=begins, ends=ends).split("\n")
        if len(together) == len(texts):
            return together
        left = Counter(together)
        found: list[str] = []
        for text in map(self, texts):
            left[text] -= 1
            found.append(text if left[text] >= 0 else MARK)
        return found

    def log(
        self, part: Sequence[LogLine], *, begins: bool = False, ends: bool = False
    ) -> list[LogLine]:
        """The same for a part of a log, where lines and the part itself may have been cut."""
        with self._long:
            texts = [
                line.text
                if line.begins and line.ends
                else self(line.text, begins=line.begins, ends=line.ends)
                for line in part
            ]
            # What was written before the part and after it may belong to it.
            hidden = self.lines(texts, begins=begins, ends=ends)
            return [
                line
                if line.text == text
                else LogLine(line.at, line.stream, text, line.begins, line.ends)
                for line, text in zip(part, hidden, strict=True)
            ]

    def _without_known(
        self, text: str, breaks: re.Pattern[str], *, begins: bool, ends: bool
    ) -> str:
        """Replace the forms of known values, also those that a program has broken into lines.

        Searches the text without those line breaks. A break inside a value is replaced with it.
        """
        place = _Places(text, breaks)
        spans = set(self._search(place.joined))
        # What belongs to a whole secret is no edge of another one that looks like it in part.
        whole = [s for s in spans if _counts(text, *place(s[0], s[1]), s[2], s[1] - s[0])]
        edges: list[tuple[int, int, int]] = []
        if not begins:
            rests = self._rest_of_secret(place.joined)
            edges += (edge for edge in rests if not _covered(edge[1] - 1, whole))
        if not ends:
            starts = self._start_of_secret(place.joined)
            edges += (
                (first, last, _EDGE)
                for first, last, fits in starts
                if not any(span[0] <= first < span[1] and fits <= span[1] for span in whole)
            )
        spans.update(edges)
        if not begins and not ends and self._is_inside(place.joined):
            return MARK
        if not spans:
            return text
        parts: list[str] = []
        done = 0
        for first, last, kinds in sorted(spans):
            start, end = place(first, last)
            if end <= done or not _counts(text, start, end, kinds, last - first):
                continue
            if kinds & RUN:
                start, end = _whole_run(text, start, end, done)
            if start >= done:
                parts += (text[done:start], MARK)
            done = end
        return "".join((*parts, text[done:]))

    def _rest_of_secret(self, text: str) -> Iterator[tuple[int, int, int]]:
        """What may be the end of a secret whose beginning was cut off."""
        window = self._search.longest() + _STRAY
        for form, seen in self._seen_in(text[:window], slice(-FRAGMENT, None)):
            for at in _all(seen, form[-FRAGMENT:], 0, len(form) + _STRAY):
                end = at + FRAGMENT
                edges = range(max(0, end - len(form) + 1), min(_STRAY, at) + 1)
                if seen.endswith(form, 0, end):
                    continue  # a whole one
                if any(form.endswith(seen[edge:end]) for edge in edges):
                    yield 0, end, _EDGE

    def _start_of_secret(self, text: str) -> Iterator[tuple[int, int, int]]:
        """What may be the beginning of a secret whose end was cut off, and how far it fits."""
        window = self._search.longest() + _STRAY
        before = max(0, len(text) - window)
        for form, seen in self._seen_in(text[before:], slice(FRAGMENT)):
            size = len(seen)
            for at in _all(seen, form[:FRAGMENT], max(0, size - len(form) - _STRAY), size):
                left = size - at  # characters from here to the edge
                strays = range(max(0, left - len(form) + 1), min(_STRAY, left - FRAGMENT) + 1)
                if seen.startswith(form, at):
                    continue
                fits = (s for s in strays if form.startswith(seen[at : size - s]))
                stray = next(fits, None)
                if stray is not None:
                    yield before + at, before + size, before + size - stray

    def _is_inside(self, text: str) -> bool:
        """Whether all of the text may come from the middle of a secret."""
        if not FRAGMENT <= len(text) < self._search.longest() + _STRAY:
            return False
        seen = (text, fold(text))
        strays = range(min(_STRAY, len(text) - FRAGMENT) + 1)
        return any(
            any(seen[bool(kinds & RUN)][stray:] in form for stray in strays)
            for form, kinds in list(self._search.kinds.items())
            if len(form) + _STRAY > len(text) and seen[bool(kinds & RUN)][-FRAGMENT:] in form
        )

    def _seen_in(self, text: str, part: slice) -> Iterator[tuple[str, str]]:
        """Each form of which that part is in the text, and the text as the form must be sought."""
        folded = fold(text)
        if not self._search.touches(folded):
            return
        pieces = [
            {seen[at : at + FRAGMENT] for at in range(len(seen) - FRAGMENT + 1)}
            for seen in (text, folded)
        ]
        for form, kinds in list(self._search.kinds.items()):
            if len(form) >= FRAGMENT and form[part] in pieces[bool(kinds & RUN)]:
                yield form, folded if kinds & RUN else text


class _Places:
    """A text without its line breaks, and where its characters stand in the text."""

    def __init__(self, text: str, breaks: re.Pattern[str]) -> None:
        self.joined = text
        self._starts, self._shifts = [0], [0]  # from this position on, it is this much further on
        if "\n" not in text:
            return
        for found in breaks.finditer(text):
            self._starts.append(found.start() - self._shifts[-1])
            self._shifts.append(self._shifts[-1] + found.end() - found.start())
        self.joined = breaks.sub("", text)

    def __call__(self, first: int, last: int) -> tuple[int, int]:
        """Where what stands from `first` to `last` in `joined` begins and ends in the text."""
        pieces = (bisect_right(self._starts, at) - 1 for at in (first, last - 1))
        start, end = (self._shifts[piece] for piece in pieces)
        return first + start, last + end


def _counts(text: str, start: int, end: int, kinds: int, length: int) -> bool:
    """Whether what was found there is to be replaced."""
    if end - start > length:  # there is a line break in it
        return length >= _WRAPPED_SHORTEST or bool(kinds & (BROKEN | _EDGE))
    around = text[start - 1 : start] if start else "", text[end : end + 1]
    alone = not any(c.isalnum() or c == "_" for c in around)
    return bool(kinds & (PLAIN | RUN | _EDGE)) or (bool(kinds & WORD) and alone)


def _covered(at: int, spans: Iterable[tuple[int, int, int]]) -> bool:
    return any(first <= at < last for first, last, _ in spans)


def _all(text: str, piece: str, start: int, end: int) -> Iterator[int]:
    """Where the piece begins, each time that it stands between start and end."""
    found = text.find(piece, start, end)
    while found >= 0:
        yield found
        found = text.find(piece, found + 1, end)


def _whole_run(text: str, start: int, end: int, done: int) -> tuple[int, int]:
    """The run of base64 characters around what was found, as far as it isn't replaced yet."""
    while start > done and text[start - 1] in _BASE64:
        start -= 1
    while end < len(text) and text[end] in _BASE64:
        end += 1
    return start, end
