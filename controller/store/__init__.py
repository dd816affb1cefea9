"""SQLite, the truth about what is wished for: bots, forms, grants, cards, journal, answers owed.

`database` opens, migrates and runs transactions; `store` reads, `transaction` writes; `chain` and
`archive` keep the journal honest and small. Only this package imports aiosqlite.
"""

from controller.store import archive, chain
from controller.store.copies import CopiedBot, Examined, examine_copy, without_usage
from controller.store.database import check_database, examine_database, finish, lock
from controller.store.records import Card, Form, KeptAnswer, Owed, SignIn, Token, WebSession
from controller.store.rows import entry_of
from controller.store.schema import newest_schema
from controller.store.store import Store
from controller.store.transaction import Transaction

__all__ = [
    "Card",
    "CopiedBot",
    "Examined",
    "Form",
    "KeptAnswer",
    "Owed",
    "SignIn",
    "Store",
    "Token",
    "Transaction",
    "WebSession",
    "archive",
    "chain",
    "check_database",
    "entry_of",
    "examine_copy",
    "examine_database",
    "finish",
    "lock",
    "newest_schema",
    "without_usage",
]
