"""Secrets: stored in files, shown as fingerprints, redacted from every text."""

from controller.vault.checks import simply_missing
from controller.vault.files import Vault
from controller.vault.fingerprint import Fingerprints, install_key
from controller.vault.redaction import MARK, Redactor, clean

__all__ = ["MARK", "Fingerprints", "Redactor", "Vault", "clean", "install_key", "simply_missing"]
