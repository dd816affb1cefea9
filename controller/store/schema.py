"""The migration scripts: which there are, and the newest schema that this program knows."""

from __future__ import annotations

from importlib import resources


def migrations() -> dict[int, str]:
    """All migration scripts by number; each carries its own transaction and user_version."""
    folder = resources.files("controller.store") / "migrations"
    return {
        int(entry.name.split("_")[0]): entry.read_text()
        for entry in sorted(folder.iterdir(), key=lambda e: e.name)
        if entry.name.endswith(".sql")
    }


def newest_schema() -> int:
    """The schema that a start brings every database to."""
    return max(migrations())
