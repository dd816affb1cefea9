"""Secret files on a real disk: who owns them, and what a kill or a full disk leaves behind.

`test_strangers` covers files and folders that somebody else has changed, and the checks.
"""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from controller.domain.errors import BadInput, BadSetting, StorageTrouble
from controller.vault import Vault
from tests.vault.places import BOT, ME, NEW, NOBODY, OLD, OTHER, OWNER, ROOT, as_nobody, mode, owner

# --- the root -------------------------------------------------------------------------------------


def test_opening_makes_a_private_root(tmp_path: Path) -> None:
    """A missing root is created, for the controller alone."""
    vault = Vault(tmp_path / "a" / "secrets")
    vault.open()
    assert mode(vault.root) == 0o700
    assert list(vault.root.iterdir()) == []


def test_opening_tightens_our_own_root(tmp_path: Path) -> None:
    """If others can enter our root, opening closes it to them."""
    tmp_path.chmod(0o755)
    Vault(tmp_path).open()
    assert mode(tmp_path) == 0o700


@pytest.mark.parametrize("kind", ["symlink", "dangling", "file"])
def test_a_root_that_is_no_folder_is_refused(tmp_path: Path, kind: str) -> None:
    """Whatever is in the root's place is named and left alone."""
    root, aim = tmp_path / "secrets", tmp_path / "aim"
    if kind == "file":
        root.write_text("x")
    else:
        root.symlink_to(aim)
    if kind == "symlink":
        aim.mkdir(mode=0o755)
        aim.chmod(0o755)
    with pytest.raises(
        BadSetting, match="a symlink or a file is where a folder should be"
    ) as caught:
        Vault(root).open()
    assert caught.value.hint
    assert kind != "symlink" or mode(aim) == 0o755


def test_a_root_of_somebody_else_is_refused(tmp_path: Path) -> None:
    """Another user's folder is neither used nor changed."""
    root = tmp_path / "secrets" if ROOT else Path("/usr")
    if ROOT:
        root.mkdir(mode=0o755)
        os.chown(root, 4242, 4242)
    before = mode(root)
    with pytest.raises(BadSetting, match="belongs to user") as caught:
        Vault(root).open()
    assert "chown" in caught.value.hint
    assert mode(root) == before


def test_a_root_that_cannot_be_written_is_refused(reachable: Path) -> None:
    """A read-only root is noticed at the start, not at the first secret."""
    reachable.chmod(0o500)
    assert as_nobody(lambda: Vault(reachable).open()) == "not-permitted"


# --- owners ---------------------------------------------------------------------------------------


def test_without_the_right_to_chown_the_owner_is_the_controller(reachable: Path) -> None:
    """A controller that can't give files away runs its bots as its own user."""
    vault = Vault(reachable)

    def look() -> tuple[bool, tuple[int, int]]:
        vault.open()
        return vault.can_chown, vault.owner_for("1000:1000")

    can, (uid, gid) = as_nobody(look)
    assert not can
    assert (uid, gid) == ((NOBODY, NOBODY) if ROOT else ME)
    assert list(reachable.iterdir()) == []


@pytest.mark.skipif(not ROOT, reason="only root may give files away")
def test_with_the_right_to_chown_the_owner_is_the_templates_user(vault: Vault) -> None:
    """A controller that can give files away gives them to the container's user."""
    assert vault.can_chown
    assert vault.owner_for("1000:1001") == (1000, 1001)
    assert vault.owner_for("1000") == (1000, 1000)
    assert list(vault.root.iterdir()) == []


@pytest.mark.parametrize("user", ["root", "0", "0:0", "1000:0", "", "1000:", "-1", "1 000", "١٠٠٠"])
def test_only_numeric_users_but_never_root_can_own_secrets(vault: Vault, user: str) -> None:
    """A user by name or user 0 is refused."""
    with pytest.raises(BadInput) as caught:
        vault.owner_for(user)
    assert caught.value.code == "bad-user"


# --- writing --------------------------------------------------------------------------------------


def test_files_are_private_and_the_bots_own(vault: Vault) -> None:
    """Folder 0700, files 0600, both the bot's user's, whatever the umask; nothing else is left."""
    before = os.umask(0)
    try:
        vault.write(BOT, NEW, OWNER)
    finally:
        os.umask(before)
    home = vault.folder(BOT)
    assert (mode(home), owner(home)) == (0o700, OWNER)
    assert sorted(path.name for path in home.iterdir()) == ["api_key", "channel_token"]
    for path in home.iterdir():
        assert (mode(path), owner(path), path.stat().st_nlink) == (0o600, OWNER, 1)
    assert vault.read(BOT) == NEW
    assert vault.check(BOT, NEW, OWNER) == ()


def test_a_tight_umask_does_not_close_files_to_the_bot(vault: Vault) -> None:
    """The modes are set, not left to the umask."""
    before = os.umask(0o777)
    try:
        vault.write(BOT, NEW, OWNER)
    finally:
        os.umask(before)
    assert mode(vault.folder(BOT)) == 0o700
    assert mode(vault.folder(BOT) / "api_key") == 0o600


def test_rotation_replaces_the_file_in_the_same_folder(vault: Vault) -> None:
    """The mounted folder stays the same one; the written file is new, the others stay."""
    vault.write(BOT, OLD, OWNER)
    home = vault.folder(BOT)
    folder, file = home.stat().st_ino, (home / "api_key").stat().st_ino
    vault.write(BOT, {"api_key": "fake-newer"}, OWNER)
    assert home.stat().st_ino == folder
    assert (home / "api_key").stat().st_ino != file
    assert vault.read(BOT) == {**OLD, "api_key": "fake-newer"}


def test_a_bot_without_secrets_has_a_folder_to_mount(vault: Vault) -> None:
    """Writing no values creates an empty folder."""
    vault.write(BOT, {}, OWNER)
    assert vault.names(BOT) == ()
    assert vault.bots() == (BOT,)


@pytest.mark.parametrize("value", ["", "x" * 70_000, "\ud800"])
def test_a_value_that_cannot_be_stored_changes_nothing(vault: Vault, value: str) -> None:
    """Empty, huge and unwritable values are refused before any write, and never repeated."""
    with pytest.raises(BadInput) as caught:
        vault.write(BOT, {"api_key": "fake", "channel_token": value}, OWNER)
    assert caught.value.code == "bad-secret"
    assert value == "" or value not in str(caught.value)
    assert vault.bots() == ()


@contextlib.contextmanager
def full_disk(root: Path, how: str) -> Iterator[None]:
    """A disk with room for a few KiB only."""
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    if how == "tmpfs":
        command = ["mount", "-t", "tmpfs", "-o", "size=32k,mode=0700", "tmpfs", str(root)]
        if not ROOT or subprocess.run(command, capture_output=True, check=False).returncode:
            pytest.skip("needs the right to mount; the case with a file size limit ran")
        try:
            yield
        finally:
            subprocess.run(["umount", str(root)], check=True)
    else:
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (32_768, before[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("how", ["rlimit", "tmpfs"])
def test_a_full_disk_leaves_the_old_values_whole(tmp_path: Path, how: str) -> None:
    """When the second of two values doesn't fit, neither is replaced and no copy is left."""
    vault = Vault(tmp_path / "secrets")
    with full_disk(vault.root, how):
        vault.open()
        vault.write(BOT, OLD, OWNER)
        with pytest.raises(StorageTrouble, match="disk is full") as caught:
            vault.write(BOT, {"api_key": "fake-new", "channel_token": "F" * 60_000}, OWNER)
        assert caught.value.code == "disk-full"
        assert caught.value.hint
        assert vault.read(BOT) == OLD
        assert sorted(os.listdir(vault.folder(BOT))) == sorted(OLD)


LOOP = """
import sys
from pathlib import Path
from controller.vault import Vault
vault, bot = Vault(Path(sys.argv[1])), sys.argv[2]
owner = (int(sys.argv[3]), int(sys.argv[4]))
print("ready", flush=True)
for turn in range(10**9):
    mark = "AB"[turn % 2]
    vault.write(bot, {"api_key": mark * 9000, "channel_token": mark * 9000}, owner)
"""


def test_a_kill_leaves_whole_files_and_sweep_removes_the_rest(vault: Vault) -> None:
    """After each of many kills every file holds one whole value; a sweep removes all copies."""
    vault.write(BOT, {"api_key": "A" * 9000, "channel_token": "A" * 9000}, OWNER)
    command = [sys.executable, "-c", LOOP, str(vault.root), BOT, *map(str, OWNER)]
    here = {**os.environ, "PYTHONPATH": os.getcwd(), "PYTHONDONTWRITEBYTECODE": "1"}
    for turn in range(8):
        with subprocess.Popen(command, stdout=subprocess.PIPE, env=here) as writer:
            assert writer.stdout is not None
            writer.stdout.readline()
            time.sleep(0.02 + turn * 0.0037)
            writer.send_signal(signal.SIGKILL)
        values = vault.read(BOT)
        assert set(values) == {"api_key", "channel_token"}
        assert all(value in {"A" * 9000, "B" * 9000} for value in values.values())
        assert vault.check(BOT, values, OWNER) == ()
        vault.sweep()
        assert sorted(os.listdir(vault.folder(BOT))) == ["api_key", "channel_token"]


def test_sweep_removes_left_over_copies_only(vault: Vault) -> None:
    """Every bot's temporary files are removed and counted; secrets and foreign files stay."""
    for bot in (BOT, OTHER):
        vault.write(bot, OLD, OWNER)
        (vault.folder(bot) / ".api_key.0123456789abcdef.tmp").write_text("fake")
    (vault.root / ".probe.0123.tmp").mkdir()
    (vault.root / ".probe.0123.tmp" / "secret").write_text("?")
    (vault.root / "README").write_text("kept")
    assert vault.sweep() == 3
    assert vault.sweep() == 0
    assert vault.read(BOT) == vault.read(OTHER) == OLD
    assert (vault.root / "README").exists()


def test_a_folder_that_cannot_be_swept_keeps_no_other_from_it(vault: Vault) -> None:
    """Said at the end, when all the others are clean."""
    left = {bot: vault.folder(bot) / ".api_key.0123456789abcdef.tmp" for bot in (BOT, OTHER)}
    for bot in left:
        vault.write(bot, OLD, OWNER)
    bad, good = (left[bot] for bot in sorted(left))
    (bad / "somebody's").mkdir(parents=True)  # a folder in a file's place
    good.write_text("fake")
    with pytest.raises(StorageTrouble, match="couldn't be swept"):
        vault.sweep()
    assert (bad.exists(), good.exists()) == (True, False)


def test_writers_at_the_same_time_do_not_tear_a_value(vault: Vault) -> None:
    """After simultaneous writes the file holds one whole value, and no copy is left."""
    values = [{"api_key": mark * 5000} for mark in "ABCD"]

    def write_often(value: dict[str, str]) -> None:
        for _ in range(10):
            vault.write(BOT, value, OWNER)

    threads = [threading.Thread(target=write_often, args=(value,)) for value in values]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert vault.read(BOT) in values
    assert os.listdir(vault.folder(BOT)) == ["api_key"]
