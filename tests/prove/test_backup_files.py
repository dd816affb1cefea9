"""Backups that somebody cut, changed or made up: refused in words, and nothing is written.

The short form (make test) tries 200 changed files, the full one (make prove) 10,000. Next door:
test_restore_elsewhere.py restores a whole one.
"""

from __future__ import annotations

import io
import itertools
import random
import shutil
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pyrage
import pytest

from controller.backups import keys_from
from controller.backups.contents import HEADER, MANIFEST
from controller.backups.encryption import seal
from controller.domain.errors import ControllerError
from controller.manager.restoring import verify
from tests.backups.conftest import asleep, rig
from tests.backups.safe import IDENTITY, KEYS, LOCKS, RECIPIENT, backed_up, empty, plain, restored
from tests.manager.rig import Rig
from tests.prove.tally import Tally

__all__ = ["asleep", "rig"]
pytestmark = pytest.mark.timeout(900)
Change = Callable[[random.Random, bytes], bytes]


def cut(chance: random.Random, data: bytes) -> bytes:
    """Only its beginning."""
    return data[: chance.randrange(len(data))]


def flip(chance: random.Random, data: bytes) -> bytes:
    """A few bits turned over."""
    found = bytearray(data)
    for _ in range(chance.randint(1, 4)):
        found[chance.randrange(len(found))] ^= 1 << chance.randrange(8)
    return bytes(found)


def drop(chance: random.Random, data: bytes) -> bytes:
    """A piece taken out."""
    start = chance.randrange(len(data))
    return data[:start] + data[start + chance.choice([1, 16, 512, 65_552]) :]


def double(chance: random.Random, data: bytes) -> bytes:
    """A piece put in again."""
    start = chance.randrange(len(data))
    length = chance.choice([1, 16, 512, 65_552])
    return data[: start + length] + data[start:]


def swap(chance: random.Random, data: bytes) -> bytes:
    """Two blocks in each other's place."""
    size = chance.choice([16, 512])
    count = len(data) // size
    one, two = chance.randrange(count) * size, chance.randrange(count) * size
    found = bytearray(data)
    found[one : one + size], found[two : two + size] = (
        data[two : two + size],
        data[one : one + size],
    )
    return bytes(found)


def noise(chance: random.Random, data: bytes) -> bytes:
    """A stretch of nonsense."""
    start = chance.randrange(len(data))
    found = bytearray(data)
    found[start : start + 600] = chance.randbytes(600)
    return bytes(found)


CHANGES: tuple[Change, ...] = (cut, flip, drop, double, swap, noise)


def changed(data: bytes, sealed: bool, count: int) -> Iterator[tuple[str, bytes]]:
    """So many files, each different from the one that they were made of, with how it was made."""
    made = 0
    for number in itertools.count():
        if made == count:
            return
        chance = random.Random(f"{sealed} {number}")
        change = chance.choice(CHANGES)
        other = change(chance, data)
        if other != data:
            made += 1
            yield f"{change.__name__}, number {number}", other


def refused(data: bytes) -> str:
    """How a restore refuses it; empty if it doesn't."""
    try:
        verify(io.BytesIO(data), KEYS)
    except ControllerError as error:
        return error.code
    return ""


CODES = {"backup-damaged", "backup-foreign", "backup-newer", "wrong-key"}


async def test_a_changed_file_is_refused(rig: Rig, tally: Tally) -> None:
    """Every one of them, by what is outside the encryption already; an unchanged one isn't."""
    await rig.running()
    data = (await backed_up(rig, volumes=True)).read_bytes()
    assert refused(data) == ""
    for how, other in changed(data, True, tally.pick(100, 5000)):
        assert refused(other) in CODES, how
        tally.tried["changed backups"] += 1


async def test_what_was_changed_before_it_was_encrypted_is_refused_too(
    rig: Rig, tally: Tally
) -> None:
    """By whoever has the public key: the archive's own order, list and hashes."""
    await rig.running()
    data = plain(await backed_up(rig, volumes=True))
    recipient = pyrage.x25519.Recipient.from_str(LOCKS.recipients[0])
    for how, other in changed(data, False, tally.pick(100, 5000)):
        sealed = pyrage.encrypt(other, [recipient])
        assert refused(sealed) in CODES, how
        tally.tried["changed backups"] += 1


@pytest.mark.parametrize("seed", range(4))
def test_nonsense_is_no_backup(seed: int) -> None:
    """Empty, random, or only the first line of one."""
    chance = random.Random(seed)
    samples = [b"", b"age-encryption.org/v1\n", chance.randbytes(100_000)]
    samples.append(b"age-encryption.org/v1\n" + chance.randbytes(1000))
    samples.append(b"age-encryption.org/v1\n-> scrypt " + chance.randbytes(100))
    for data in samples:
        assert refused(data) in CODES


def test_another_key_does_not_open_it(tmp_path: Path) -> None:
    """And what it says has no part of either key."""
    out = io.BytesIO()
    seal(iter([b"x"]), out, LOCKS)
    other = str(pyrage.x25519.Identity.generate())
    with pytest.raises(ControllerError) as caught:
        verify(out, keys_from(other))
    assert caught.value.code == "wrong-key"
    assert other[20:40] not in str(caught.value)
    assert str(IDENTITY)[20:40] not in str(caught.value)


async def test_debians_age_opens_a_backup_and_makes_one_that_can_be_restored(
    rig: Rig, tmp_path: Path, tally: Tally
) -> None:
    """Byte for byte the same inside. In full the tool has to be there: `apt-get install age`."""
    if shutil.which("age") is None and not tally.full:
        tally.notes.append("the age tool isn't on this machine: backups weren't opened with it")
        return
    await rig.running()
    file, key = await backed_up(rig), tmp_path / "key.txt"
    key.write_text(str(IDENTITY))
    words = ["age", "-d", "-i", str(key), str(file)]
    opened = subprocess.run(words, check=True, capture_output=True).stdout
    assert opened == plain(file)
    with tarfile.open(fileobj=io.BytesIO(opened)) as found:
        assert {HEADER, MANIFEST, "data/botmaker.db"} <= set(found.getnames())
    again = tmp_path / "again.age"
    subprocess.run(["age", "-r", RECIPIENT, "-o", str(again)], check=True, input=opened)
    await restored(again, empty(tmp_path / "new"))
    tally.tried["backups through Debian's age"] += 2
