"""Signatures as Standard Webhooks has them, and keys in files of the controller's own."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import stat
from pathlib import Path

import pytest

from controller.domain.errors import StorageTrouble
from controller.domain.names import new_bot_id
from controller.vault import Vault, WebhookKeys, WebhookVault, new_signing_key, signature


def test_a_signature_is_that_of_the_standard() -> None:
    """The vector of the specification's own libraries."""
    key = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    found = signature(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert found == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_key_is_random_and_long_enough() -> None:
    """32 bytes; and a signature covers id, time and content."""
    keys = {new_signing_key() for _ in range(100)}
    assert len(keys) == 100
    key = keys.pop()
    raw = base64.b64decode(key.removeprefix("whsec_"))
    assert len(raw) == 32
    wanted = hmac.new(raw, b"id.5.body", hashlib.sha256).digest()
    assert signature(key, "id", 5, b"body") == f"v1,{base64.b64encode(wanted).decode()}"
    others = {
        *(signature(key, "ie", 5, b"body"), signature(key, "id", 6, b"body")),
        signature(key, "id", 5, b"bodz"),
    }
    assert len(others | {signature(key, "id", 5, b"body")}) == 4


def test_urls_and_keys_are_private_files_beside_the_bots(tmp_path: Path) -> None:
    """Mode 0600 in folders 0700, and no bot's folder; gone when they are dropped."""
    root = tmp_path / "secrets"
    bots = Vault(root)
    bots.open()
    vault, ident = WebhookVault(root), new_bot_id()
    with pytest.raises(StorageTrouble, match="is gone"):
        vault.read(ident)
    keys = WebhookKeys("https://hooks.example.org/secret", "whsec_c2VjcmV0")
    vault.write(ident, keys)
    assert vault.read(ident) == keys
    assert "secret" not in repr(keys)
    modes = {
        str(path.relative_to(root)): stat.S_IMODE(path.stat().st_mode) for path in root.rglob("*")
    }
    home = f".webhooks/{ident}"
    private = {".webhooks": 0o700, home: 0o700}
    assert modes == {**private, f"{home}/url": 0o600, f"{home}/signing_key": 0o600}
    assert bots.bots() == ()
    vault.drop(ident)
    vault.drop(ident)
    assert [path.name for path in root.rglob("*")] == [".webhooks"]


def test_a_start_removes_what_no_webhook_has(tmp_path: Path) -> None:
    """A kill before the row is there leaves files, a kill while writing leaves half of one."""
    vault = WebhookVault(tmp_path)
    vault.sweep(())  # nothing was ever kept
    kept, stray = new_bot_id(), new_bot_id()
    for ident in (kept, stray):
        vault.write(ident, WebhookKeys("https://hooks.example.org/x"))
    half = tmp_path / ".webhooks" / kept / ".url.0123456789abcdef.tmp"
    half.write_text("https://hooks.ex")
    vault.sweep({kept})
    left = sorted(str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*") if p.is_file())
    assert left == [f".webhooks/{kept}/url"]
    assert re.fullmatch(r"https://.*", vault.read(kept).url)
