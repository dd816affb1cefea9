"""The age format with a passphrase: written with a cost that is bounded, and checked for one.

The library that reads such files chooses their cost by the machine that writes them: half a GiB of
memory on a usual one, and more on a fast one. So BotMaker writes them itself, as the format's
description says (age-encryption.org/v1), and refuses to open what costs more than age's own tool
asks for.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import re
from collections.abc import Iterator
from typing import BinaryIO

from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

WRITTEN_FACTOR = 17  # 2^17 KiB: 128 MiB of memory
MOST_FACTOR = 18  # 256 MiB: what age's own tool writes
HEADER_MAX = 512  # bytes; 150 are usual
_LABEL = b"age-encryption.org/v1/scrypt"
_CHUNK = 64 << 10
_HEADER = re.compile(
    rb"age-encryption\.org/v1\n-> scrypt [A-Za-z0-9+/]{22} ([1-9]\d?)\n"
    rb"[A-Za-z0-9+/]{43}\n--- [A-Za-z0-9+/]{43}\n"
)


def work_factor(file: BinaryIO) -> int | None:
    """The file's scrypt work factor: opening it takes 2^n KiB of memory. None if it isn't written
    as such a file is, with this one way to open it."""
    file.seek(0)
    match = _HEADER.match(file.read(HEADER_MAX))
    file.seek(0)
    return None if match is None else int(match[1])


def write(plain: bytes, passphrase: str, out: BinaryIO, factor: int = WRITTEN_FACTOR) -> None:
    """Encrypt a whole text into the file."""
    file_key, salt = os.urandom(16), os.urandom(16)
    wrapping = Scrypt(salt=_LABEL + salt, length=32, n=1 << factor, r=8, p=1)
    wrapped = ChaCha20Poly1305(wrapping.derive(passphrase.encode())).encrypt(
        bytes(12), file_key, None
    )
    stanza = b"-> scrypt %b %d\n%b\n" % (_text(salt), factor, _text(wrapped))
    head = b"age-encryption.org/v1\n" + stanza + b"---"
    mac = hmac.new(_derived(file_key, b"", b"header"), head, hashlib.sha256).digest()
    nonce = os.urandom(16)
    out.write(head + b" " + _text(mac) + b"\n" + nonce)
    for piece in _chunks(plain, ChaCha20Poly1305(_derived(file_key, nonce, b"payload"))):
        out.write(piece)


def _chunks(plain: bytes, cipher: ChaCha20Poly1305) -> Iterator[bytes]:
    """Chunks of 64 KiB, numbered in their nonces; the last one is marked."""
    view = memoryview(plain)
    starts = range(0, len(plain), _CHUNK) or range(1)
    for number, start in enumerate(starts):
        last = number == len(starts) - 1
        nonce = number.to_bytes(11, "big") + bytes([last])
        yield cipher.encrypt(nonce, bytes(view[start : start + _CHUNK]), None)


def _derived(key: bytes, salt: bytes, info: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=salt, info=info).derive(key)


def _text(data: bytes) -> bytes:
    return base64.b64encode(data).rstrip(b"=")
