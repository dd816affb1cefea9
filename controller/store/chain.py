"""The chain of the journal: each entry's hash covers the entry and the hash before it.

The key lives outside the database, so an entry that was changed, removed or slipped in by whoever
can write only the database is found by `check`. A tail that was cut off is not: compare the head
that `botmaker history --verify` prints with one that was noted earlier.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

START = bytes(32)  # what stands in place of a hash before the first entry

# The columns that the hash covers, in their order.
COLUMNS = (
    "seq, at, kind, bot_id, bot_name, principal_kind, principal_id, principal_name, "
    "request, cause, data"
)
WIDTH = len(COLUMNS.split(", "))


def mac(key: bytes, before: bytes, row: Sequence[Any]) -> bytes:
    """The hash of one entry: 32 bytes over the hash before it and its columns."""
    body = json.dumps(list(row), ensure_ascii=False, separators=(",", ":"))
    return hmac.new(key, before + body.encode("utf-8", "surrogatepass"), hashlib.sha256).digest()


def chaining(key: bytes) -> Callable[..., bytes]:
    """A function that hashes rows one after the other, each onto the one before: for migrations."""
    last = START

    def journal_mac(*row: Any) -> bytes:
        nonlocal last
        last = mac(key, last, row)
        return last

    return journal_mac


@dataclass(frozen=True, slots=True)
class Checked:
    """What a check of the whole journal found."""

    entries: int
    head: str  # the newest hash as hex digits; empty when there is no entry
    fault: str = ""  # what is wrong, in words; empty when all of it is sound


def check(key: bytes, rows: Iterable[Sequence[Any]]) -> Checked:
    """Check rows (the columns, then the hash) from the first entry on; stop at the first fault."""
    count, before = 0, START
    for row in rows:
        *columns, found = row
        if columns[0] <= count:
            return Checked(
                count, before.hex() if count else "", f"entry {columns[0]} was slipped in"
            )
        if columns[0] != count + 1:
            missing = f"entry {count + 1} is missing; the next one that exists is {columns[0]}"
            return Checked(count, before.hex() if count else "", missing)
        expected = mac(key, before, columns)
        if not hmac.compare_digest(expected, bytes(found)):
            return Checked(count, before.hex() if count else "", f"entry {columns[0]} was changed")
        count, before = count + 1, expected
    return Checked(count, before.hex() if count else "")
