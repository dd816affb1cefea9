"""Secrets: stored in files, shown as fingerprints, redacted from every text."""

from controller.vault.checks import simply_missing
from controller.vault.cleaning import clean
from controller.vault.files import Vault
from controller.vault.fingerprint import Fingerprints, derived_key, install_key, known_key
from controller.vault.held_back import HeldBack
from controller.vault.redaction import CONTEXT_LINES, LONG_TEXT, MARK, Redactor
from controller.vault.rehearsal import Canary, remove_canary, store_canary
from controller.vault.staging import Staged, Staging
from controller.vault.webhook_keys import WebhookKeys, WebhookVault, new_signing_key, signature

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
    "WebhookKeys",
    "WebhookVault",
    "clean",
    "derived_key",
    "install_key",
    "known_key",
    "new_signing_key",
    "remove_canary",
    "signature",
    "simply_missing",
    "store_canary",
]
