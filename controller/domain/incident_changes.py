"""What somebody changed before it went wrong: entries of the journal as incidents show them."""

from __future__ import annotations

from controller.domain.incident import Change
from controller.domain.journal import Entry, Kind

CHANGING = (Kind.SETTINGS, Kind.SECRETS, Kind.NEW_IMAGE)
WHAT_MAX = 200  # characters


def change_of(entry: Entry) -> Change:
    """What an entry of the journal changed, as incidents show it."""
    data, who = entry.data, entry.author.principal
    match entry.kind:
        case Kind.SETTINGS:
            what = ", ".join(sorted({*data.get("before", {}), *data.get("after", {})}))
        case Kind.SECRETS:
            what = ", ".join(map(str, data.get("names", ())))
        case Kind.NEW_IMAGE:
            what = str(data.get("ref_after", ""))
        case _:
            what = ""
    by_id = who.id if who.kind == "user" else ""
    return Change(
        at=entry.at, kind=entry.kind.value, by=who.name, by_id=by_id, what=what[:WHAT_MAX]
    )
