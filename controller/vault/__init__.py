"""Secrets: stored in files, shown as fingerprints, redacted from every text."""

from controller.vault.checks import simply_missing
from controller.vault.cleaning import clean
from controller.vault.files import Vault
from controller.vault.fingerprint import (
    Fingerprints,
    derived_key,
    install_key,
    journal_key,
    known_key,
)
from controller.vault.held_back import HeldBack
from controller.vault.redaction import CONTEXT_LINES, LONG_TEXT, MARK, Redactor
from controller.vault.rehearsal import Canary, remove_canary, store_canary
from controller.vault.staging import Staged, Staging

__all__ = [
    "CONTEXT_LINES",
    "LONG_TEXT",
    "MARK",
    "Canary",
    "Fingerprints",
    "HeldBack",
    "Redactor",
    "Staged",
    "Staging",
    "Vault",
    "clean",
    "derived_key",
    "install_key",
    "journal_key",
    "known_key",
    "remove_canary",
    "simply_missing",
    "store_canary",
]
