"""SQLite, the truth of what is wished for: bots, forms, grants, cards, audit, answers owed.

`database` opens, migrates and runs transactions; one module a table group beside it. Only this
package imports aiosqlite.
"""

from controller.store.database import check_database, lock
from controller.store.outbox import OutboxTable, Owed
from controller.store.store import CRASHES_KEPT, Card, Entry, Form, Store

__all__ = [
    "CRASHES_KEPT",
    "Card",
    "Entry",
    "Form",
    "OutboxTable",
    "Owed",
    "Store",
    "check_database",
    "lock",
]
