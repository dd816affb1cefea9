"""The Worker's modules and D1's migrations, as they are shipped."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import controller

_PACKAGE = Path(controller.__file__).parent
# In a wheel they are inside the package, in a checkout beside it.
_PLACES = (_PACKAGE / "edge/worker", _PACKAGE.parent / "edge/worker")
MAIN = "worker.js"
COMPATIBILITY = "2026-04-01"  # the date of the platform's behaviour that they were tried with


@dataclass(frozen=True, slots=True)
class WorkerSource:
    """The Worker as text: its modules and D1's migrations by their names, the latter in order.

    A migration only adds, so that the version of the Worker before it goes on with it.
    """

    modules: Mapping[str, str]
    migrations: Mapping[str, str]


def worker_source(home: Path | None = None) -> WorkerSource:
    """That in `home`, or the one that is shipped. Blocking: for a thread."""
    folder = home or next(place for place in _PLACES if (place / MAIN).exists())
    return WorkerSource(_texts(folder, "*.js"), _texts(folder / "migrations", "*.sql"))


def _texts(folder: Path, pattern: str) -> dict[str, str]:
    return {path.name: path.read_text() for path in sorted(folder.glob(pattern))}
