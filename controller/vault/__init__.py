"""Secrets: their files, how they are shown (fingerprints) and how they are kept out of texts."""

from controller.vault.checks import simply_missing
from controller.vault.files import Vault
from controller.vault.fingerprint import Fingerprints, derived_key, install_key
from controller.vault.redaction import MARK, Redactor, clean
from controller.vault.staging import Staged, Staging

__all__ = [
    "MARK",
    "Fingerprints",
    "Redactor",
    "Staged",
    "Staging",
    "Vault",
    "clean",
    "derived_key",
    "install_key",
    "simply_missing",
]
