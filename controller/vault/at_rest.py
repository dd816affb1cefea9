"""What is kept sealed on the disk: encrypted and authenticated under the master key.

Each file's text belongs to its place: moved or renamed it can't be opened.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from controller.vault.fingerprint import derived_key

_MARK = b"BotMaker sealed 1\n"
_NONCE_BYTES = 12


class AtRest:
    """Seals with the first of the master keys, and opens with any of them.

    There are two while a key is being replaced, and none where nothing is to be opened.
    """

    def __init__(self, masters: Sequence[bytes]) -> None:
        self._keys = [ChaCha20Poly1305(derived_key(one, "at rest")) for one in masters]

    def seal(self, data: bytes, place: str) -> bytes:
        """The data for the file of that name."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return _MARK + nonce + self._keys[0].encrypt(nonce, data, place.encode())

    def open(self, sealed: bytes, place: str) -> bytes | None:
        """The data again; None if it isn't ours, was changed, or was sealed with another key."""
        if not sealed.startswith(_MARK):
            return None
        body = sealed[len(_MARK) :]
        nonce, text = body[:_NONCE_BYTES], body[_NONCE_BYTES:]
        for key in self._keys:
            try:
                return key.decrypt(nonce, text, place.encode())
            except (InvalidTag, ValueError):
                continue
        return None
