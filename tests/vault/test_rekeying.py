"""Another master key: what was sealed is opened by the new one, wherever a kill came."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from controller.domain.errors import NotReady, StorageTrouble
from controller.vault import AtRest, Staged, Staging, Vault, disk, masters, rekey
from controller.vault.key_files import MASTER_KEY, NEXT_MASTER_KEY
from tests.vault.places import BOT, OTHER

FORMS = ("0123456789abcdef01234567", "1123456789abcdef01234567", "2123456789abcdef01234567")


def staged(number: int) -> Staged:
    return Staged({"api_key": f"fake-key-{number}"})


def filled(vault: Vault, data: Path, given: Path | None = None) -> Path:
    """Unfinished forms, sealed with the present key; their folder."""
    staging = Staging(vault.root, AtRest(masters(data, given)))
    for number, form in enumerate(FORMS):
        staging.keep(BOT if number else OTHER, form, staged(number))
    return staging.folder


def readable(vault: Vault, data: Path, given: Path | None = None) -> bool:
    """Whether a controller that starts now can read them all."""
    staging = Staging(vault.root, AtRest(masters(data, given)))
    found = [staging.read(BOT if n else OTHER, form) for n, form in enumerate(FORMS)]
    return found == [staged(number) for number in range(len(FORMS))]


def test_a_new_key_opens_everything_and_the_old_one_nothing(vault: Vault, tmp_path: Path) -> None:
    """Our own key; it is private, and nothing is left of the change."""
    data = tmp_path / "data"
    folder, (old,) = filled(vault, data), masters(data)
    assert rekey(data, [folder, tmp_path / "absent"], None, None) == len(FORMS)
    (new,) = masters(data)
    assert new != old
    assert readable(vault, data)
    assert Staging(vault.root, AtRest((old,))).read(OTHER, FORMS[0]) == Staged()
    assert os.listdir(data) == [MASTER_KEY]
    assert stat.S_IMODE((data / MASTER_KEY).stat().st_mode) == 0o600


def test_killed_at_any_file_nothing_is_lost(
    vault: Vault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A controller may start in between, and the next try goes on with the same new key."""
    data = tmp_path / "data"
    folder = filled(vault, data)
    real, left = os.rename, 0

    def dying(*args: object, **named: object) -> None:
        nonlocal left
        if not left:
            raise KeyboardInterrupt
        left -= 1
        real(*args, **named)  # type: ignore[arg-type]

    for at in range(len(FORMS)):
        left = at
        with monkeypatch.context() as patch:
            patch.setattr(os, "rename", dying)
            with pytest.raises(KeyboardInterrupt):
                rekey(data, [folder], None, None)
        assert (data / NEXT_MASTER_KEY).exists()
        assert len(masters(data)) == 2
        assert readable(vault, data)
        new = masters(data)[1]
    rekey(data, [folder], None, None)
    assert masters(data) == (new,)
    assert readable(vault, data)


def test_from_our_own_key_to_one_that_is_given_and_on(vault: Vault, tmp_path: Path) -> None:
    """In bytes or in hex; the former one has to be named."""
    data, first, second = tmp_path / "data", tmp_path / "first", tmp_path / "second"
    folder = filled(vault, data)
    first.write_bytes(bytes(range(32)))
    second.write_text(bytes(range(1, 33)).hex() + "\n")
    rekey(data, [folder], first, None)
    assert readable(vault, data, first)
    rekey(data, [folder], second, first)
    assert readable(vault, data, second)
    assert not readable(vault, data, first)


@pytest.mark.parametrize("text", [b"", b"short", b"\xff" * 33, b"zz" * 32, b"0" * 63])
def test_what_is_no_key_is_refused_with_a_remedy(tmp_path: Path, text: bytes) -> None:
    """And nothing of it is repeated."""
    given = tmp_path / "key"
    given.write_bytes(text)
    with pytest.raises(StorageTrouble) as refused:
        masters(tmp_path / "data", given)
    assert (refused.value.code, "openssl rand -hex 32" in refused.value.hint) == (
        "bad-master-key",
        True,
    )


def test_without_a_key_there_is_nothing_to_replace(tmp_path: Path) -> None:
    """Nothing is made by asking."""
    (tmp_path / "data").mkdir()
    with pytest.raises(NotReady):
        rekey(tmp_path / "data", [], None, None)
    with disk.folder(tmp_path / "data") as home:
        assert disk.names_in(home) == []
