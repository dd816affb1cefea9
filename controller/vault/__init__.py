"""Secrets: stored in files, shown as fingerprints, redacted from every text."""

from controller.vault.at_rest import AtRest
from controller.vault.checks import simply_missing
from controller.vault.cleaning import clean
from controller.vault.files import Vault
from controller.vault.fingerprint import Fingerprints, derived_key, journal_key
from controller.vault.held_back import HeldBack
from controller.vault.key_files import MASTER_KEY, install_key, known_key, known_master_key
from controller.vault.redaction import CONTEXT_LINES, LONG_TEXT, MARK, Redactor
from controller.vault.rehearsal import Canary, remove_canary, store_canary
from controller.vault.rekeying import masters, rekey
from controller.vault.sealed_sets import SETS, SealedSets
from controller.vault.sealing import Address, Opened, SealKey, is_sealed
from controller.vault.staging import Staged, Staging
from controller.vault.webhook_keys import WebhookKeys, WebhookVault, new_signing_key, signature

__all__ = [
    "CONTEXT_LINES",
    "LONG_TEXT",
    "MARK",
    "MASTER_KEY",
    "SETS",
    "Address",
    "AtRest",
    "Canary",
    "Fingerprints",
    "HeldBack",
    "Opened",
    "Redactor",
    "SealKey",
    "SealedSets",
    "Staged",
    "Staging",
    "Vault",
    "WebhookKeys",
    "WebhookVault",
    "clean",
    "derived_key",
    "install_key",
    "is_sealed",
    "journal_key",
    "known_key",
    "known_master_key",
    "masters",
    "new_signing_key",
    "rekey",
    "remove_canary",
    "signature",
    "simply_missing",
    "store_canary",
]
