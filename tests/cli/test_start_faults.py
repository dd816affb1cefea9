"""Every file and folder that a start touches, with every way in which it can fail.
Next door: tests/process/test_start.py has whole starts that can't work."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from controller.app import open_application
from controller.cli.outcome import CANNOT_START, status_of_async
from controller.runtime.memory import MemoryRuntime
from controller.settings import read_settings
from controller.vault import Redactor


class Fault:
    """Makes the system refuse whatever touches one place; off unless a test turns it on.

    An audit hook sees each call before the system does, whoever makes it, and can't be removed.
    """

    name = ""
    number = 0
    hits = 0

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self.name and event.partition(".")[0] in {"open", "os", "fcntl", "shutil", "glob"}:
            for one in arguments[:2]:
                if isinstance(one, str | bytes | Path) and self._means(os.fsdecode(one)):
                    self.hits += 1
                    raise OSError(self.number, os.strerror(self.number), os.fsdecode(one))

    def _means(self, path: str) -> bool:
        return Path(path).name.startswith(self.name)


FAULT = Fault()
sys.addaudithook(FAULT)

# What a start opens, creates, lists, renames or removes, by the beginning of its name.
PLACES = (
    *(".env", "token", "templates", "shop.toml", "data", "secrets", "lock", "install.key"),
    *(".install.key", ".probe", "control.sock", "files", "journal"),
)
NUMBERS = (
    *(errno.EACCES, errno.ENOENT, errno.ENOTDIR, errno.EIO, errno.EROFS, errno.ENOSPC),
    *(errno.ESTALE, errno.ETIMEDOUT),
)


@pytest.fixture(autouse=True)
def _no_fault() -> Iterator[None]:
    """The system is itself again afterwards."""
    FAULT.hits = 0
    yield
    FAULT.name = ""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with everything that a start reads."""
    for name in list(os.environ):
        if name.startswith(("BOTMAKER_", "DOCKER_")):
            monkeypatch.delenv(name)
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "shop.toml").write_text("schema = 1\n")
    (tmp_path / "token").write_text("fake-token\n")
    (tmp_path / ".env").write_text(
        f"BOTMAKER_DISCORD_TOKEN_FILE={tmp_path}/token\n"
        "BOTMAKER_GUILD_ID=1\n"
        "BOTMAKER_ADMIN_CHANNEL_ID=2\n"
        f"BOTMAKER_DATA_DIR={tmp_path}/data\n"
        f"BOTMAKER_SECRETS_DIR={tmp_path}/secrets\n"
        f"BOTMAKER_TEMPLATES_DIR={tmp_path}/templates\n"
        "BOTMAKER_HTTP_LISTEN=\n"
    )
    monkeypatch.chdir(tmp_path)
    return tmp_path


def start() -> int:
    """Start as `run` does, up to Discord, and end at once; returns the exit status."""

    async def work() -> None:
        settings = read_settings().require()
        settings.require_discord()
        async with open_application(settings, Redactor(), runtime=MemoryRuntime()):
            pass

    return status_of_async(work, CANNOT_START)


def one_sentence(said: str) -> None:
    assert said.startswith("botmaker: ")
    assert said.count("\n") == 1
    assert said.endswith(".\n")
    assert "Errno" not in said
    assert "fake-token" not in said


@pytest.mark.parametrize("number", NUMBERS, ids=lambda number: errno.errorcode[number])
@pytest.mark.parametrize("place", PLACES)
def test_a_place_that_fails_is_said_in_a_sentence(
    folder: Path, capsys: pytest.CaptureFixture[str], place: str, number: int
) -> None:
    """Status 78, or the start goes on because it needs the place no more; never a traceback."""
    FAULT.name, FAULT.number = place, number
    status = start()
    FAULT.name = ""
    said = capsys.readouterr().err
    assert status in (0, CANNOT_START), said
    if status:
        one_sentence(said)


def _binary(place: Path) -> None:
    place.write_bytes(b"\xff\xfe\x00\xd8" * 64)


def _folder(place: Path) -> None:
    place.unlink(missing_ok=True)
    place.mkdir()


def _link_to_itself(place: Path) -> None:
    place.unlink(missing_ok=True)
    place.symlink_to(place.name)


def _pipe(place: Path) -> None:
    place.unlink(missing_ok=True)
    os.mkfifo(place)


def _nowhere(place: Path) -> None:
    place.unlink(missing_ok=True)
    place.symlink_to("/absent/file")


WAYS = (_binary, _folder, _link_to_itself, _pipe, _nowhere)
FILES = (
    *(".env", "token", "templates/shop.toml", "data/lock", "data/install.key"),
    *("data/botmaker.db", "data/botmaker.db-wal", "data/journal", "data/files"),
)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("place", FILES)
def test_something_else_in_a_files_place_is_said_in_a_sentence(
    folder: Path, capsys: pytest.CaptureFixture[str], place: str, way: Callable[[Path], None]
) -> None:
    """Other bytes, a folder, a link in a circle or to nowhere, a pipe: none hangs or breaks it."""
    assert start() == 0
    capsys.readouterr()
    way(folder / place)
    status = start()
    said = capsys.readouterr().err
    assert status in (0, CANNOT_START), said
    if status:
        one_sentence(said)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32", "cp1252", "utf-8-sig"])
@pytest.mark.parametrize("place", [".env", "token", "templates/shop.toml"])
def test_a_file_in_another_encoding_is_said_in_a_sentence(
    folder: Path, capsys: pytest.CaptureFixture[str], place: str, encoding: str
) -> None:
    """A template alone is refused, and the start goes on; a byte order mark does no harm."""
    text = (folder / place).read_text()
    (folder / place).write_bytes((f"{text}#ü\n" if place != "token" else text).encode(encoding))
    status = start()
    said = capsys.readouterr().err
    fine = encoding == "utf-8-sig" or place.startswith("templates")
    fine = fine or (place == "token" and encoding == "cp1252")  # ASCII alone is the same in it
    assert status == (0 if fine else CANNOT_START), said
    if status:
        one_sentence(said)
