"""Backup files: one encrypted archive that `botmaker restore` and the `age` tool can open.

`encryption` encrypts and decrypts (age), `tape` is the archive's plain form (tar), `contents` says
what may be in it, `checking` reads a file as untrusted input. What belongs into one is chosen in
`manager`.
"""

from controller.backups.checking import Checked, examine, form_values, walk
from controller.backups.contents import (
    FORMAT,
    Header,
    ListedBot,
    Manifest,
    SecretName,
    StatePart,
    form_of,
    journal_file,
    secret_of,
    state_of,
    state_parts,
    template_file,
    webhook_of,
)
from controller.backups.encryption import (
    Keys,
    Locks,
    damaged,
    keys_from,
    locks_from,
    needs_passphrase,
)
from controller.backups.writing import Item, Story, Written, sweep, write

__all__ = [
    "FORMAT",
    "Checked",
    "Header",
    "Item",
    "Keys",
    "ListedBot",
    "Locks",
    "Manifest",
    "SecretName",
    "StatePart",
    "Story",
    "Written",
    "damaged",
    "examine",
    "form_of",
    "form_values",
    "journal_file",
    "keys_from",
    "locks_from",
    "needs_passphrase",
    "secret_of",
    "state_of",
    "state_parts",
    "sweep",
    "template_file",
    "walk",
    "webhook_of",
    "write",
]
