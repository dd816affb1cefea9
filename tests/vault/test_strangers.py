"""Secret files that somebody else changed: never followed, always named, and removed by a drop."""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.domain.errors import BadInput, StorageTrouble
from controller.vault import Vault
from tests.vault.places import BOT, ME, NEW, OLD, OTHER, OWNER, ROOT

# --- other people's files in the way --------------------------------------------------------------


def test_a_folder_that_is_a_symlink_is_never_followed(vault: Vault, tmp_path: Path) -> None:
    """Writing, reading and listing stop at it; dropping removes the link, not its target."""
    aim = tmp_path / "aim"
    aim.mkdir()
    (aim / "api_key").write_text("theirs")
    vault.folder(BOT).symlink_to(aim)
    for call in (
        lambda: vault.write(BOT, NEW, OWNER),
        lambda: vault.read(BOT),
        lambda: vault.names(BOT),
    ):
        with pytest.raises(StorageTrouble, match="a symlink or a file is where a folder should be"):
            call()
    assert set(vault.check(BOT, NEW, OWNER)) == set(NEW)
    assert vault.bots() == ()
    assert vault.sweep() == 0
    vault.drop(BOT)
    assert not vault.folder(BOT).is_symlink()
    assert (aim / "api_key").read_text() == "theirs"


def test_a_file_that_is_a_symlink_is_replaced_and_not_followed(
    vault: Vault, tmp_path: Path
) -> None:
    """A symlink in a secret's place is neither read nor written through."""
    aim = tmp_path / "aim"
    aim.write_text("theirs")
    vault.write(BOT, OLD, OWNER)
    (vault.folder(BOT) / "api_key").unlink()
    (vault.folder(BOT) / "api_key").symlink_to(aim)
    assert vault.read(BOT) == {"channel_token": OLD["channel_token"]}
    vault.write(BOT, NEW, OWNER)
    assert aim.read_text() == "theirs"
    assert vault.read(BOT) == NEW


def test_a_folder_in_a_files_place_stops_the_write_before_it_begins(vault: Vault) -> None:
    """If one value can't be stored, the other one stays as it was too."""
    vault.write(BOT, OLD, OWNER)
    (vault.folder(BOT) / "channel_token").unlink()
    (vault.folder(BOT) / "channel_token").mkdir()
    with pytest.raises(StorageTrouble, match="a folder is where a file should be"):
        vault.write(BOT, NEW, OWNER)
    assert (vault.folder(BOT) / "api_key").read_text() == OLD["api_key"]
    assert sorted(os.listdir(vault.folder(BOT))) == sorted(OLD)


def test_only_small_plain_files_are_read(vault: Vault) -> None:
    """A pipe doesn't hang the reader, and a huge file doesn't fill the memory."""
    vault.write(BOT, OLD, OWNER)
    os.mkfifo(vault.folder(BOT) / "pipe")
    (vault.folder(BOT) / "huge").write_bytes(b"F" * 70_000)
    (vault.folder(BOT) / "Not A Name").write_text("fake")
    assert vault.read(BOT) == OLD


HOSTILE = st.one_of(
    st.text(max_size=40),
    st.sampled_from(("..", ".", "../x", "/etc/passwd", "a/b", "a\0b", "", f"{BOT}\n", f"../{BOT}")),
    st.sampled_from((BOT.upper(), f"{{{BOT}}}", f"{BOT}/..", BOT[:-1], f"urn:uuid:{BOT}")),
)


@settings(max_examples=150, deadline=None)
@given(bot_id=HOSTILE, name=HOSTILE)
def test_hostile_ids_and_names_never_leave_the_root(bot_id: str, name: str) -> None:
    """Whatever the id or name, it is refused or stays in the bot's folder."""
    with tempfile.TemporaryDirectory() as folder:
        vault = Vault(Path(folder) / "secrets")
        vault.open()
        (Path(folder) / "beside").write_text("kept")
        for target, key in ((bot_id, "api_key"), (BOT, name)):
            for call in (
                lambda t=target, k=key: vault.write(t, {k: "fake-value"}, ME),
                lambda t=target, k=key: vault.explain(t, [k], ME),
                lambda t=target: vault.read(t),
                lambda t=target: vault.drop(t),
                lambda t=target: vault.folder(t),
            ):
                with contextlib.suppress(BadInput):
                    call()
        vault.write(BOT, {"api_key": "fake-value"}, ME)
        with contextlib.suppress(BadInput):
            vault.write(BOT, {name: "fake-value"}, ME)
        assert sorted(os.listdir(folder)) == ["beside", "secrets"]
        assert os.listdir(vault.root) == [BOT]
        assert all(stat.S_ISREG(entry.lstat().st_mode) for entry in (vault.root / BOT).iterdir())


# --- checking -------------------------------------------------------------------------------------


def _hard_link(path: Path) -> None:
    path.with_name("second").hardlink_to(path)


def _link(path: Path) -> None:
    path.unlink()
    path.symlink_to("channel_token")


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


SPOILT: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing": (Path.unlink, "is missing"),
    "empty": (lambda path: path.write_text(""), "is empty"),
    "symlink": (_link, "A symlink is in its place"),
    "folder": (_folder, "isn't a file is in its place"),
    "hard link": (_hard_link, "second name"),
    "readable by others": (lambda path: path.chmod(0o644), "has mode 0644"),
    "readable by the group": (lambda path: path.chmod(0o640), "has mode 0640"),
    "closed to its owner": (lambda path: path.chmod(0o200), "has mode 0200"),
}


@pytest.mark.parametrize("how", SPOILT)
def test_a_spoilt_file_is_named_with_reason_and_remedy(vault: Vault, how: str) -> None:
    """The check finds each kind of damage in the one file that has it; a write repairs most."""
    spoil, reason = SPOILT[how]
    vault.write(BOT, OLD, OWNER)
    spoil(vault.folder(BOT) / "api_key")
    assert vault.check(BOT, OLD, OWNER) == ("api_key",)
    text = vault.explain(BOT, OLD, OWNER)["api_key"]
    assert reason in text
    assert "/bot secrets" in text
    if how != "folder":
        vault.write(BOT, OLD, OWNER)
        assert vault.check(BOT, OLD, OWNER) == ()


def test_files_of_another_owner_are_named(vault: Vault) -> None:
    """If the bot's user can't open the folder, no secret in it can be used."""
    vault.write(BOT, OLD, OWNER)
    faults = vault.explain(BOT, OLD, (999, 999))
    assert set(faults) == set(OLD)
    assert f"belongs to {OWNER[0]}:{OWNER[1]}, but the bot runs as 999:999" in faults["api_key"]


@pytest.mark.skipif(not ROOT, reason="only root may give files away")
def test_a_single_file_of_another_owner_is_named(vault: Vault) -> None:
    """A root-owned file in the bot's folder is what keeps a bot silent."""
    vault.write(BOT, OLD, OWNER)
    os.chown(vault.folder(BOT) / "api_key", 0, 0)
    assert vault.check(BOT, OLD, OWNER) == ("api_key",)
    assert "belongs to 0:0" in vault.explain(BOT, OLD, OWNER)["api_key"]


def test_a_folder_that_is_open_or_missing_spoils_every_secret(vault: Vault) -> None:
    """Without a private folder no file in it can be trusted."""
    assert set(vault.check(BOT, OLD, OWNER)) == set(OLD)
    vault.write(BOT, OLD, OWNER)
    vault.folder(BOT).chmod(0o755)
    assert "has mode 0755" in vault.explain(BOT, OLD, OWNER)["api_key"]
    vault.write(BOT, {}, OWNER)
    assert vault.check(BOT, OLD, OWNER) == ()


# --- the end --------------------------------------------------------------------------------------


def test_a_dropped_bot_leaves_nothing_and_dropping_again_is_fine(vault: Vault) -> None:
    """Secrets, copies and folder go; another bot's stay; dropping what is gone succeeds."""
    vault.write(BOT, OLD, OWNER)
    vault.write(OTHER, NEW, OWNER)
    (vault.folder(BOT) / ".api_key.0123456789abcdef.tmp").write_text("fake")
    vault.drop(BOT)
    vault.drop(BOT)
    assert vault.bots() == (OTHER,)
    assert vault.names(BOT) == ()
    assert vault.read(OTHER) == NEW


def test_a_root_that_vanished_is_told_in_words(vault: Vault) -> None:
    """A missing root is StorageTrouble with a hint, not a traceback."""
    vault.root.rmdir()
    with pytest.raises(StorageTrouble) as caught:
        vault.write(BOT, OLD, OWNER)
    assert caught.value.code == "gone"
    assert "Restart" in caught.value.hint
