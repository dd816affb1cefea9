"""Finds many thousand known forms of secrets in a text, in one pass.

Searched for is a piece from the middle of each form, its anchor: the beginning of a key is often
the same for all keys of a service. What stands around an anchor is then looked up as a whole.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from threading import Lock

from ahocorasick_rs import AhoCorasick, Implementation

from controller.vault.forms import FRAGMENT, RUN, SHORTEST, fold

# Characters up to which a text is searched without an automaton: faster, and nothing is built.
SHORT_TEXT = 4096
# Anchors in one automaton. Building one holds Python's lock: 10 ms for so many.
SHARD = 5000


class Search:
    """An index of forms. Safe to use from any thread; adding a form is cheap.

    The automata are built by the first long text after a change, so in the thread that redacts it.
    """

    def __init__(self) -> None:
        self.kinds: dict[str, int] = {}
        self._shared: Counter[str] = Counter()  # further uses of forms that have several
        self._anchors: dict[str, tuple[int, ...]] = {}  # the lengths of the forms around each
        self._same: dict[tuple[int, ...], tuple[int, ...]] = {}  # one object for equal lengths
        self._widths: Counter[int] = Counter()
        self._lengths: Counter[int] = Counter()
        # Hashes of the first and last pieces of all forms, sorted: so they take 8 bytes each. Fresh
        # ones are sorted in when somebody looks: each by itself would move all behind it.
        self._edges = array("q")
        self._fresh_edges: list[int] = []
        self._fresh: list[str] = []  # anchors that are in no automaton yet
        self._shards: tuple[tuple[list[str], AhoCorasick], ...] = ()
        self._gone = 0  # anchors in the automata that nobody needs any more
        self._changing = Lock()  # held for moments only: the event loop takes it
        self._building = Lock()

    def add(self, forms: Mapping[str, int]) -> None:
        """Find these forms too; each may be added several times."""
        with self._changing:
            for form, kinds in forms.items():
                if form in self.kinds:
                    self._shared[form] += 1
                    self.kinds[form] |= kinds
                    continue
                self.kinds[form] = kinds
                self._lengths[len(form)] += 1
                self._fresh_edges += _edges(form)
                anchor = _anchor(form)
                if anchor not in self._anchors:
                    self._widths[len(anchor)] += 1
                    self._fresh.append(anchor)
                lengths = (*self._anchors.get(anchor, ()), len(form))
                self._anchors[anchor] = self._same.setdefault(lengths, lengths)

    def discard(self, forms: Iterable[str]) -> None:
        """Undo one `add` of each form."""
        with self._changing:
            edges = self._sorted_edges()
            for form in forms:
                if self._shared[form] > 0:
                    self._shared[form] -= 1
                    continue
                del self._shared[form], self.kinds[form]
                self._lengths[len(form)] -= 1
                for piece in _edges(form):
                    edges.pop(bisect_left(edges, piece))
                anchor = _anchor(form)
                lengths = list(self._anchors.pop(anchor))
                lengths.remove(len(form))
                if lengths:
                    self._anchors[anchor] = tuple(lengths)
                else:
                    self._widths[len(anchor)] -= 1
                    self._gone += 1
            if self._gone > SHARD:
                self._gone, self._shards, self._fresh = 0, (), list(self._anchors)

    def __call__(self, text: str) -> Iterator[tuple[int, int, int]]:
        """Start, end and kinds of every form in a text, overlaps included.

        Forms of base64 are found in both alphabets.
        """
        folded = fold(text)
        for anchor, at in self._hits(folded):
            for length in self._anchors.get(anchor, ()):
                start = at - (length - len(anchor)) // 2
                end = start + length
                if start < 0 or end > len(text):
                    continue
                kinds = self.kinds.get(text[start:end], 0) & ~RUN
                kinds |= self.kinds.get(folded[start:end], 0) & RUN
                if kinds:
                    yield start, end, kinds

    def longest(self) -> int:
        """The length of the longest form."""
        with self._changing:
            return max((length for length, count in self._lengths.items() if count), default=0)

    def touches(self, folded: str) -> bool:
        """Whether the first or last characters of some form may be in the folded text.

        A quick no for nearly every text; it may say yes for nothing.
        """
        pieces = (folded[at : at + FRAGMENT] for at in range(len(folded) - FRAGMENT + 1))
        with self._changing:
            edges = self._sorted_edges()
            return any(_is_in(edges, hash(piece)) for piece in pieces)

    def _sorted_edges(self) -> array[int]:
        if self._fresh_edges:
            self._edges = array("q", sorted((*self._edges, *self._fresh_edges)))
            self._fresh_edges = []
        return self._edges

    def _hits(self, folded: str) -> Iterator[tuple[str, int]]:
        """Anchors in the text, and where each begins."""
        if len(folded) > SHORT_TEXT:
            # Half a surrogate pair is no text to the automaton; another character keeps its place.
            solid = folded.encode("utf-8", "replace").decode() if not folded.isascii() else folded
            for anchors, automaton in self._automata():
                for number, start, _ in automaton.find_matches_as_indexes(solid, overlapping=True):
                    yield anchors[number], start
            return
        anchors_known = self._anchors
        for width in [width for width, count in self._widths.items() if count]:
            for at in range(len(folded) - width + 1):
                if folded[at : at + width] in anchors_known:
                    yield folded[at : at + width], at

    def _automata(self) -> tuple[tuple[list[str], AhoCorasick], ...]:
        with self._building:
            with self._changing:
                fresh, self._fresh = self._fresh, []
            if fresh:
                shards = list(self._shards)
                if shards and len(shards[-1][0]) < SHARD:
                    fresh = shards.pop()[0] + fresh
                for first in range(0, len(fresh), SHARD):
                    anchors = fresh[first : first + SHARD]
                    shards.append((anchors, _automaton(anchors)))
                self._shards = tuple(shards)
            return self._shards


def _edges(form: str) -> tuple[int, ...]:
    """Hashes of the form's first and last characters, folded."""
    if len(form) < FRAGMENT:
        return ()
    return hash(fold(form[:FRAGMENT])), hash(fold(form[-FRAGMENT:]))


def _is_in(ordered: Sequence[int], number: int) -> bool:
    at = bisect_left(ordered, number)
    return at < len(ordered) and ordered[at] == number


def _anchor(form: str) -> str:
    """The piece of a form to search for, folded."""
    start = max(0, len(form) - SHORTEST) // 2
    return fold(form[start : start + SHORTEST])


def _automaton(anchors: list[str]) -> AhoCorasick:
    texts = [anchor.encode("utf-8", "replace").decode() for anchor in anchors]
    return AhoCorasick(texts, implementation=Implementation.ContiguousNFA, store_patterns=False)
