"""Former sets of secrets on the disk: sealed, private, whole or absent, and destroyed in time."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from controller.domain.errors import BadInput
from controller.vault import AtRest, SealedSets, rekey
from controller.vault.rekeying import masters
from tests.vault.places import BOT, OTHER

BOX = AtRest((bytes(32),))
VALUES = {"api_key": "fake-key\n😀 ü", "channel_token": "fake-token"}


@pytest.fixture
def sets(tmp_path: Path) -> SealedSets:
    return SealedSets(tmp_path / "sets", BOX)


def test_a_set_is_read_back_by_its_number(sets: SealedSets) -> None:
    """And by no other; nothing of it can be read without the key."""
    assert sets.read(BOT, 2) is None
    sets.keep(BOT, 2, VALUES)
    assert sets.read(BOT, 2) == VALUES
    assert (sets.read(BOT, 1), sets.read(OTHER, 2)) == (None, None)
    (file,) = sets.folder.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(sets.folder.stat().st_mode) == 0o700
    assert not any(value.encode() in file.read_bytes() for value in VALUES.values())
    assert SealedSets(sets.folder, AtRest((b"x" * 32,))).read(BOT, 2) is None


def test_the_first_that_was_kept_stays(sets: SealedSets) -> None:
    """What is on the disk later may be half of another set."""
    sets.keep(BOT, 2, VALUES)
    sets.keep(BOT, 2, {"api_key": "half"})
    assert sets.read(BOT, 2) == VALUES


def test_a_set_under_another_name_is_none(sets: SealedSets) -> None:
    """Its text belongs to its place."""
    sets.keep(BOT, 2, VALUES)
    (sets.folder / f"{BOT}.2").rename(sets.folder / f"{OTHER}.2")
    assert sets.read(OTHER, 2) is None


def test_what_is_dropped_is_gone_and_nothing_else(sets: SealedSets) -> None:
    """Also where nothing is."""
    sets.drop(BOT)
    for bot_id in (BOT, OTHER):
        sets.keep(bot_id, 2, VALUES)
    sets.drop(BOT)
    assert [file.name for file in sets.folder.iterdir()] == [f"{OTHER}.2"]


def test_the_start_destroys_what_nobody_wants_and_what_a_crash_left(sets: SealedSets) -> None:
    """Half-written files too; what is wanted is told with its number."""
    assert sets.sweep(lambda *_: True) == {}
    for bot_id, number in ((BOT, 1), (BOT, 3), (OTHER, 2)):
        sets.keep(bot_id, number, VALUES)
    (sets.folder / f".{BOT}.4.0011223344556677.tmp").write_bytes(b"half")
    assert sets.sweep(lambda bot_id, number: (bot_id, number) == (BOT, 3)) == {BOT: 3}
    assert [file.name for file in sets.folder.iterdir()] == [f"{BOT}.3"]


@pytest.mark.parametrize("bot_id", ["../x", "", BOT.upper()])
def test_only_a_bots_set_is_kept(sets: SealedSets, bot_id: str) -> None:
    """The name is checked before a path is touched."""
    with pytest.raises(BadInput):
        sets.keep(bot_id, 1, VALUES)
    assert not sets.folder.exists()


def test_another_master_key_opens_them_all_the_same(tmp_path: Path) -> None:
    """`rekey` seals them again."""
    data, folder = tmp_path / "data", tmp_path / "data" / "sets"
    SealedSets(folder, AtRest(masters(data))).keep(BOT, 1, VALUES)
    assert rekey(data, [folder], None, None) == 1
    assert SealedSets(folder, AtRest(masters(data))).read(BOT, 1) == VALUES
