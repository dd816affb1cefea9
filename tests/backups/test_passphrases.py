"""Backups with a passphrase: bounded in what opening one costs, and in age's own format."""

from __future__ import annotations

import io
import time

import pyrage
import pytest

from controller.backups import keys_from, locks_from
from controller.backups.encryption import seal, unseal
from controller.backups.passphrase_files import MOST_FACTOR, WRITTEN_FACTOR, work_factor, write
from controller.domain.errors import BadInput, StorageTrouble

WORDS = "four random plain words"
CHUNK = 64 << 10


def sealed(plain: bytes) -> io.BytesIO:
    """That text, encrypted as a backup is."""
    out = io.BytesIO()
    seal(iter([plain]), out, locks_from([], WORDS))
    return out


def opened(data: bytes) -> bytes:
    """What is in it."""
    found = bytearray()
    unseal(io.BytesIO(data), found.extend, keys_from(passphrase=WORDS))
    return bytes(found)


@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 300_000])
def test_what_is_written_is_opened_by_the_library_too(size: int) -> None:
    """Whatever its size is to a chunk's; a cheap factor keeps the test short."""
    plain, out = bytes(range(256)) * (size // 256 + 1), io.BytesIO()
    write(plain[:size], WORDS, out, factor=4)
    assert pyrage.passphrase.decrypt(out.getvalue(), WORDS) == plain[:size]
    assert opened(out.getvalue()) == plain[:size]


def test_a_backup_costs_what_it_may_cost() -> None:
    """Whatever machine writes it."""
    out = sealed(b"all of it")
    assert work_factor(out) == WRITTEN_FACTOR <= MOST_FACTOR
    assert pyrage.passphrase.decrypt(out.getvalue(), WORDS) == b"all of it"


@pytest.mark.parametrize("factor", [19, 22, 30, 63, 99])
def test_a_file_that_would_take_the_machines_memory_is_refused_at_once(factor: int) -> None:
    """Before anything is computed; the error says how much is allowed and what to do."""
    out = io.BytesIO()
    write(b"bait", WORDS, out, factor=4)
    hostile = out.getvalue().replace(b" 4\n", b" %d\n" % factor, 1)
    began = time.monotonic()
    with pytest.raises(BadInput) as caught:
        opened(hostile)
    assert time.monotonic() - began < 1
    assert caught.value.code == "backup-too-costly"
    assert f"its scrypt work factor is {factor}, and 18 is the most" in caught.value.message
    assert "age -d FILE | age -p > NEW" in caught.value.hint


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b" 4\n", b" 04\n"),
        (b" 4\n", b" 4 4\n"),
        (b" 4\n", b" 400\n"),
        (b" 4\n", b" four\n"),
        (b"\n---", b"\n-> scrypt AAAAAAAAAAAAAAAAAAAAAA 30\n" + b"A" * 43 + b"\n---"),
        (b"\n---", b"\n-> grease\n\n---"),
    ],
)
def test_another_form_of_header_is_refused(old: bytes, new: bytes) -> None:
    """A second way to open it might be the costly one."""
    out = io.BytesIO()
    write(b"bait", WORDS, out, factor=4)
    with pytest.raises(StorageTrouble) as caught:
        opened(out.getvalue().replace(old, new, 1))
    assert caught.value.code == "backup-damaged"


def test_a_changed_byte_anywhere_is_found() -> None:
    """In the header, in the key, or in what is encrypted."""
    out = io.BytesIO()
    write(b"all of it", WORDS, out, factor=4)
    data = out.getvalue()
    for at in range(0, len(data), 7):
        changed = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
        with pytest.raises((BadInput, StorageTrouble)):
            opened(changed)
