"""What was typed into a page that was refused: the form opens again with it.

In memory, for an hour, a bounded number of pages. Never a secret: neither what was typed into the
box of one, nor the same in another box, nor anything that looks like a key.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from controller.catalog import FieldSpec, SecretSpec
from controller.domain.keys import looks_like_key
from controller.manager.submission import repeats, secrets_in

PAGES_MAX = 500  # at most 20,000 characters each
SECONDS = 3600.0


@dataclass(frozen=True, slots=True)
class _Draft:
    values: Mapping[str, str]
    until: float


class Drafts:
    """Refused pages by the person and the page, which is named as in its custom id."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._kept: dict[tuple[int, tuple[str, ...]], _Draft] = {}  # the oldest first

    def keep(
        self,
        person: int,
        page: tuple[str, ...],
        inputs: Iterable[SecretSpec | FieldSpec],
        typed: Mapping[str, str],
    ) -> None:
        """Keep what this person typed into the plain fields of this page."""
        asked = tuple(inputs)
        fields = {spec.name for spec in asked if isinstance(spec, FieldSpec)}
        secrets = secrets_in(asked, typed)
        values = {
            name: text
            for name, text in typed.items()
            if name in fields and not looks_like_key(text) and not repeats(text, secrets)
        }
        self.drop(person, page)
        self._kept[person, page] = _Draft(values, self._clock() + SECONDS)
        while len(self._kept) > PAGES_MAX:
            del self._kept[next(iter(self._kept))]

    def read(self, person: int, page: tuple[str, ...]) -> Mapping[str, str]:
        """What this person typed into this page when it was refused; empty if nothing is kept."""
        now = self._clock()
        for key in [key for key, draft in self._kept.items() if draft.until < now]:
            del self._kept[key]
        draft = self._kept.get((person, page))
        return draft.values if draft else {}

    def drop(self, person: int, page: tuple[str, ...]) -> None:
        """The page was taken."""
        self._kept.pop((person, page), None)
