"""Fingerprints show whether a value is the same as before, and nothing of the value itself."""

from __future__ import annotations

import os
import re
import stat
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.domain.errors import StorageTrouble
from controller.vault import Fingerprints, disk, install_key, key_files

KEY = bytes(range(32))
prints = Fingerprints(KEY)


@given(name=st.text(max_size=20), value=st.text())
def test_a_fingerprint_is_ten_hex_digits_in_two_groups(name: str, value: str) -> None:
    """That holds for any value, even one that isn't valid Unicode."""
    assert re.fullmatch(r"[0-9a-f]{5}-[0-9a-f]{5}", prints(name, value + "\ud800"))


def test_a_fingerprint_depends_on_key_name_and_value() -> None:
    """The same value can't be recognised in another installation or under another name."""
    shown = {
        prints("api_key", "fake"),
        prints("api_key", "fake2"),
        prints("channel_token", "fake"),
        Fingerprints(bytes(32))("api_key", "fake"),
        prints("api", "_keyfake"),
    }
    assert len(shown) == 5
    assert prints("api_key", "fake") == Fingerprints(KEY)("api_key", "fake")


def test_the_key_is_made_once_and_private(tmp_path: Path) -> None:
    """The first call creates 32 random bytes for the controller alone; later calls read them."""
    data = tmp_path / "data"
    key = install_key(data)
    assert len(key) == 32
    assert install_key(data) == key
    assert [path.name for path in data.iterdir()] == ["install.key"]
    assert stat.S_IMODE((data / "install.key").stat().st_mode) == 0o600
    assert install_key(tmp_path / "other") != key


def test_first_calls_at_the_same_time_agree_on_one_key(tmp_path: Path) -> None:
    """No caller gets a key that another one then replaces."""
    keys: list[bytes] = []
    threads = [
        threading.Thread(target=lambda: keys.append(install_key(tmp_path))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(keys) == 8
    assert set(keys) == {install_key(tmp_path)}


def test_a_call_that_comes_late_keeps_the_key_that_is_there(tmp_path: Path) -> None:
    """It found no key, and another call was faster: the first one stays."""
    key = install_key(tmp_path)
    with disk.folder(tmp_path) as home:
        key_files._make(home, key_files.INSTALL_KEY)
    assert install_key(tmp_path) == key
    assert [path.name for path in tmp_path.iterdir()] == ["install.key"]


def test_an_open_key_file_is_closed_to_others(tmp_path: Path) -> None:
    """A key restored from a backup with loose permissions is tightened."""
    key = install_key(tmp_path)
    (tmp_path / "install.key").chmod(0o644)
    (tmp_path / ".install.key.0123.tmp").write_bytes(b"left over")
    assert install_key(tmp_path) == key
    assert stat.S_IMODE((tmp_path / "install.key").stat().st_mode) == 0o600
    assert not (tmp_path / ".install.key.0123.tmp").exists()


@pytest.mark.parametrize("spoil", ["short", "empty", "long", "symlink", "folder", "pipe"])
def test_a_spoilt_key_is_refused_and_never_replaced(tmp_path: Path, spoil: str) -> None:
    """A new key would silently change every fingerprint, so a person has to decide."""
    file = tmp_path / "install.key"
    if spoil == "symlink":
        (tmp_path / "aim").write_bytes(KEY)
        (tmp_path / "aim").chmod(0o644)
        file.symlink_to("aim")
    elif spoil == "folder":
        file.mkdir()
    elif spoil == "pipe":
        os.mkfifo(file, 0o644)
        file.chmod(0o644)
    else:
        file.write_bytes({"short": b"x" * 31, "empty": b"", "long": b"x" * 33}[spoil])
    with pytest.raises(StorageTrouble) as caught:
        install_key(tmp_path)
    assert caught.value.code == "bad-install-key"
    assert "backup" in caught.value.hint
    assert spoil != "symlink" or stat.S_IMODE((tmp_path / "aim").stat().st_mode) == 0o644
