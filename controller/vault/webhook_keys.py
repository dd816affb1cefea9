"""A webhook's URL and its signing key: files of the controller alone, beside the bots' folders.

Each webhook has a folder of its own below `.webhooks` in the secrets folder. Blocking: for a
thread. The signature is that of Standard Webhooks 1.0.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import secrets
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from controller.domain.errors import StorageTrouble
from controller.vault.files import Vault

FOLDER = ".webhooks"
PREFIX = "whsec_"
KEY_BYTES = 32
_URL, _KEY = "url", "signing_key"


@dataclass(frozen=True, slots=True)
class WebhookKeys:
    """What only the sender and the receiver know. No `key` where nothing is signed."""

    url: str = field(repr=False)
    key: str = field(default="", repr=False)


class WebhookVault:
    """The files of all webhooks. Everything it knows is on the disk."""

    def __init__(self, secrets_root: Path) -> None:
        self._files = Vault(secrets_root / FOLDER)

    def write(self, webhook_id: str, keys: WebhookKeys) -> None:
        """Keep them; they are on the disk when this returns."""
        values = {_URL: keys.url} | ({_KEY: keys.key} if keys.key else {})
        self.restore(webhook_id, values)

    def read(self, webhook_id: str) -> WebhookKeys:
        """What is kept. StorageTrouble (`webhook-keys-gone`) when it isn't there."""
        found = self._files.read(webhook_id) if self._files.exists() else {}
        if _URL not in found:
            raise StorageTrouble(
                "The file with its URL is gone.",
                hint="Restore the secrets folder, or remove the webhook and add it again.",
                code="webhook-keys-gone",
            )
        return WebhookKeys(found[_URL], found.get(_KEY, ""))

    def everything(self) -> dict[str, dict[str, str]]:
        """All that is kept: by webhook, its files."""
        if not self._files.exists():
            return {}
        return {one: self._files.read(one) for one in self._files.bots()}

    def restore(self, webhook_id: str, values: Mapping[str, str]) -> None:
        """Keep files that `everything` gave."""
        self._files.open()
        self._files.write(webhook_id, values, (os.geteuid(), os.getegid()))

    def drop(self, webhook_id: str) -> None:
        """Remove them. Fine if they are already gone."""
        if self._files.exists():
            self._files.drop(webhook_id)

    def sweep(self, wanted: Collection[str]) -> None:
        """Remove what crashed writes left, and what belongs to none of these webhooks.

        At the start only: nobody may be adding one meanwhile.
        """
        if not self._files.exists():
            return
        self._files.sweep()
        for webhook_id in self._files.bots():
            if webhook_id not in wanted:
                self._files.drop(webhook_id)


def new_signing_key() -> str:
    """A fresh key, as receivers are given it."""
    return PREFIX + base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()


def signature(key: str, event_id: str, timestamp: int, content: bytes) -> str:
    """The value of the header `webhook-signature`."""
    raw = base64.b64decode(key.removeprefix(PREFIX))
    signed = f"{event_id}.{timestamp}.".encode() + content
    return "v1," + base64.b64encode(hmac.new(raw, signed, hashlib.sha256).digest()).decode()
