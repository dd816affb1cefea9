"""The Worker's modules and D1's migrations, as they are shipped."""

from __future__ import annotations

from pathlib import Path

import controller

_PACKAGE = Path(controller.__file__).parent
# In a wheel they are inside the package, in a checkout beside it.
_PLACES = (_PACKAGE / "edge/worker", _PACKAGE.parent / "edge/worker")
MAIN = "worker.js"
COMPATIBILITY = "2026-04-01"  # the date of the platform's behaviour that they were tried with


def _home() -> Path:
    return next(place for place in _PLACES if (place / MAIN).exists())


def modules(home: Path | None = None) -> dict[str, str]:
    """The source of each module, by its name; of those in `home`, or those that are shipped."""
    return {path.name: path.read_text() for path in sorted((home or _home()).glob("*.js"))}


def migrations(home: Path | None = None) -> dict[str, str]:
    """The scripts, by their names, in order. Each only adds."""
    folder = (home or _home()) / "migrations"
    return {path.name: path.read_text() for path in sorted(folder.glob("*.sql"))}
