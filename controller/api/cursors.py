"""Places in lists, as opaque texts."""

from __future__ import annotations

import base64
import json

from controller.domain.errors import BadInput


def cursor_of(place: str | int) -> str:
    """A place in a list as an opaque text."""
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode().rstrip("=")


def place_of(cursor: str) -> str | int | None:
    """The place that a cursor stands for; BadInput (`bad-cursor`) for anything else."""
    if not cursor:
        return None
    try:
        found = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except ValueError:
        found = None
    if not isinstance(found, str | int) or isinstance(found, bool):
        raise BadInput(
            "That cursor isn't one of ours.", hint="Send `next` of an answer.", code="bad-cursor"
        )
    return found


def number_of(cursor: str) -> int:
    """The number that a cursor stands for, or 0 without one."""
    place = place_of(cursor)
    if place is not None and not (isinstance(place, int) and 0 < place < 2**53):
        raise BadInput("That cursor isn't one of this list.", code="bad-cursor")
    return int(place or 0)
