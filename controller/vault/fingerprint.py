"""Fingerprints: how a secret is shown. Ten digits of a keyed hash, never part of the value."""

from __future__ import annotations

import hashlib
import hmac


class Fingerprints:
    """Makes the fingerprints of one installation."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def __call__(self, name: str, value: str) -> str:
        """Ten hex digits such as `a1b2c-d3e4f`, always the same for the same name and value."""
        text = name.encode() + b"\0" + value.encode("utf-8", "surrogatepass")
        digits = hmac.new(self._key, text, hashlib.sha256).hexdigest()
        return f"{digits[:5]}-{digits[5:10]}"

    def of_value(self, value: str) -> str:
        """A keyed hash of the value alone, whatever it's called: to find the same value again."""
        key = derived_key(self._key, "value")
        return hmac.new(key, value.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()


def derived_key(key: bytes, purpose: str) -> bytes:
    """A key of its own for another purpose; it tells nothing about the first one."""
    return hmac.new(key, purpose.encode(), hashlib.sha256).digest()


def journal_key(key: bytes) -> bytes:
    """The key that chains the journal, made from the installation's own."""
    return derived_key(key, "journal")
