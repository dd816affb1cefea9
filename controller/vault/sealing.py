"""Sealed entry: a value encrypted to this installation before it is typed into Discord.

Whoever seals has an address: the public key, the bot, and until when. They get `seal1.…`, a text
that only this installation can open, only as that secret of that bot, until that time, and once.
The construction is HPKE (RFC 9180) in base mode: X25519, HKDF-SHA256, AES-256-GCM. What a web page
has to do is in `api/web/sealing.js`, with the same words and the same bytes.

Who sealed it isn't proven: that is what the person's rights are for.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import struct
import uuid
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from controller.domain.errors import BadInput
from controller.vault.fingerprint import derived_key

SEALED, ADDRESS = "seal1.", "sealto1."
TEXT_MAX = 4000  # characters that a box of Discord's takes
_SUITE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
_HEAD = struct.Struct(">32s16sQ")  # of an address: public key, bot, until when
_KEY_ID = 8  # hex digits
_NONCE_BYTES = 16
_AGAIN = "Seal it again, for the bot and the secret that it is for, with the address from here."


@dataclass(frozen=True, slots=True)
class Address:
    """To whom a value is sealed. It holds no secret."""

    public_key: bytes
    bot_id: str
    bot_name: str
    until: int  # seconds since the epoch, by the controller's clock

    @property
    def code(self) -> str:
        """The address as one word, to be copied."""
        head = _HEAD.pack(self.public_key, uuid.UUID(self.bot_id).bytes, self.until)
        return ADDRESS + _coded(head + self.bot_name.encode())

    @classmethod
    def read(cls, code: str) -> Address:
        """The address that a code stands for; BadInput for anything else."""
        try:
            data = _decoded(code.strip().removeprefix(ADDRESS))
            key, bot, until = _HEAD.unpack(data[: _HEAD.size])
            name = data[_HEAD.size :].decode()
            if not code.strip().startswith(ADDRESS) or not name.isprintable():
                raise ValueError
        except (ValueError, struct.error) as error:
            raise BadInput(
                "That isn't the address of a bot to seal for.",
                hint="Copy all of `sealto1.…` from where BotMaker shows it.",
                code="bad-seal-address",
            ) from error
        return cls(key, str(uuid.UUID(bytes=bot)), name, until)

    def seal(self, name: str, value: str) -> str:
        """The value as `seal1.…`, for the secret of this name."""
        nonce = secrets.token_hex(_NONCE_BYTES)
        found = {"value": value, "until": self.until, "nonce": nonce}
        try:
            plain = json.dumps(found, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            plain = b""
        key = X25519PublicKey.from_public_bytes(self.public_key)
        sealed = _coded(_SUITE.encrypt(plain, key, _info(self.public_key, self.bot_id, name)))
        text = f"{SEALED}{key_id(self.public_key)}.{sealed}"
        if not value or not plain or len(text) > TEXT_MAX:
            why = "too long to be sealed" if value and plain else "nothing that can be sealed"
            raise BadInput(f"The value is {why}.", code="bad-secret")
        return text


@dataclass(frozen=True, slots=True)
class Opened:
    """What was in a sealed text."""

    value: str
    nonce: str  # a hash: the same text, opened again, has the same one
    until: int

    def __repr__(self) -> str:
        return f"Opened(nonce={self.nonce!r}, until={self.until})"


class SealKey:
    """The installation's key pair. The private half never leaves it."""

    def __init__(self, master: bytes, instance: str) -> None:
        own = derived_key(master, f"sealing {instance}")
        self._private = X25519PrivateKey.from_private_bytes(own)
        self.public_key = self._private.public_key().public_bytes_raw()

    @property
    def fingerprint(self) -> str:
        """What people compare, outside of Discord, before they trust an address."""
        return fingerprint_of(self.public_key)

    def address(self, bot_id: str, bot_name: str, until: float) -> Address:
        """Where values for this bot can be sealed to."""
        return Address(self.public_key, bot_id, bot_name, int(until))

    def open(self, text: str, bot_id: str, name: str) -> Opened:
        """The value in a sealed text for that secret of that bot; BadInput if it is none."""
        key, _, body = text.strip().removeprefix(SEALED).partition(".")
        if key != key_id(self.public_key):
            raise _unusable("was sealed for another installation, or for a key that was replaced")
        try:
            info = _info(self.public_key, bot_id, name)
            found = json.loads(_SUITE.decrypt(_decoded(body), self._private, info))
            value, until, nonce = found["value"], found["until"], found["nonce"]
            if not isinstance(value, str) or type(until) is not int or not isinstance(nonce, str):
                raise ValueError
        except (InvalidTag, ValueError, LookupError, TypeError, RecursionError):
            raise _unusable(
                "can't be opened: it was sealed for another bot or another secret, "
                "or it was changed or cut on the way"
            ) from None
        return Opened(value, hashlib.sha256(nonce.encode()).hexdigest(), until)


def is_sealed(text: str) -> bool:
    """Whether the text says of itself that it is a sealed value."""
    return text.lstrip().startswith(SEALED)


def key_id(public_key: bytes) -> str:
    """A short name of a key, in front of what was sealed for it."""
    return hashlib.sha256(public_key).hexdigest()[:_KEY_ID]


def fingerprint_of(public_key: bytes) -> str:
    """80 bits of the key's hash, in groups that can be read aloud."""
    digits = hashlib.sha256(public_key).hexdigest()[:20]
    return "-".join(digits[at : at + 4] for at in range(0, len(digits), 4))


def _info(public_key: bytes, bot_id: str, name: str) -> bytes:
    return f"botmaker-seal-1|{key_id(public_key)}|{bot_id}|{name}".encode()


def _unusable(why: str) -> BadInput:
    return BadInput(f"The sealed text {why}.", hint=_AGAIN, code="bad-seal")


def _coded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decoded(text: str) -> bytes:
    if not text.isascii():
        raise ValueError("not base64")
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
