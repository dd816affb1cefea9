"""The log in a file: what goes in comes out, in whole lines, and never grows beyond its bounds."""

from __future__ import annotations

import json
import logging
import os
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from controller.domain.errors import BadSetting
from controller.log import set_up
from controller.log_file import LogFile, newest_lines, older_parts
from controller.log_settings import LogSettings
from controller.vault import Redactor

SECRET = "fake-secret-value-1"
NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)


def written(
    path: Path,
    lines: list[str],
    most: int = 1000,
    days: int = 3,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> None:
    """Write these lines through a log file of its own."""
    file = LogFile(path, most, days, now)
    for line in lines:
        file.put(line)
    file.close()


def test_lines_come_in_order_into_a_file_that_nobody_else_can_read(tmp_path: Path) -> None:
    """And a later start goes on behind them."""
    path = tmp_path / "botmaker.log"
    written(path, ["one", "two ä"])
    written(path, ["three"])
    assert path.read_text() == "one\ntwo ä\nthree\n"
    assert path.stat().st_mode & 0o777 == 0o600


def test_all_parts_together_stay_within_the_size(tmp_path: Path) -> None:
    """The newest lines stay, whole, and the parts can be read in order."""
    path = tmp_path / "botmaker.log"
    lines = [f"line {number:05}" for number in range(1000)]
    written(path, lines)
    parts = [*older_parts(path), path]
    assert sum(part.stat().st_size for part in parts) <= 1000
    assert len(parts) >= 4
    kept = "".join(part.read_text() for part in parts).splitlines()
    assert kept == lines[-len(kept) :]
    assert len(kept) * len("line 00000\n") >= 600
    assert newest_lines(path, 100).splitlines() == lines[-9:]
    assert newest_lines(path, 10_000).splitlines() == kept


def test_a_part_older_than_the_days_goes_and_a_day_begins_a_file(tmp_path: Path) -> None:
    """Also where little is written; a part's name says when its last line was written."""
    path = tmp_path / "botmaker.log"
    for day in range(6):
        at = NOON + timedelta(days=day)
        written(path, [f"day {day}"], 1_000_000, 3, now=lambda at=at: at)
        os.utime(path, (at.timestamp(), at.timestamp()))
    assert [part.read_text() for part in older_parts(path)] == ["day 2\n", "day 3\n", "day 4\n"]
    assert path.read_text() == "day 5\n"
    assert re.fullmatch(r"botmaker\.log\.20261130-120000-000000", older_parts(path)[0].name)


def test_other_files_beside_it_are_left_alone(tmp_path: Path) -> None:
    """Whatever their names begin with."""
    path = tmp_path / "botmaker.log"
    others = [tmp_path / name for name in ("botmaker.log.old", "botmaker.log.20010101", "x.log")]
    for other in others:
        other.write_text("mine\n" * 1000)
    written(path, [f"line {number}" for number in range(1000)])
    assert [other.read_text() for other in others] == ["mine\n" * 1000] * 3


def test_a_file_that_was_taken_away_begins_anew(tmp_path: Path) -> None:
    """By another program that rotates logs, or by hand."""
    path = tmp_path / "botmaker.log"
    file = LogFile(path, 1000, 3)
    file.put("one")
    while not path.read_text():
        pass
    path.rename(tmp_path / "aside")
    file.put("two")
    file.close()
    assert ((tmp_path / "aside").read_text(), path.read_text()) == ("one\n", "two\n")


def test_trouble_while_writing_is_said_once_and_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nobody waits for it, and once it is over the file says how much is missing."""
    folder = tmp_path / "logs"
    folder.mkdir()
    path = folder / "botmaker.log"
    file = LogFile(path, 10_000, 3)
    logging.getLogger("controller.log_file").addHandler(handler := logging.StreamHandler())
    folder.rename(tmp_path / "gone")
    for _ in range(3):
        file.put("lost")
    logged = ""
    while "can't be written" not in logged:
        logged += capsys.readouterr().err
    folder.mkdir()
    file.put("found")
    file.close()
    logging.getLogger("controller.log_file").removeHandler(handler)
    logged += capsys.readouterr().err
    assert logged.count("the log file can't be written: No such file") == 1
    found = re.search(r"\+00:00 (\d) lines are missing\n", text := path.read_text())
    assert found is not None
    assert int(found[1]) + text.count("lost\n") == 3
    assert text.endswith("found\n")


@pytest.mark.parametrize("kind", ["folder", "pipe", "no folder"])
def test_a_file_that_cannot_be_used_is_refused_at_the_start(kind: str, tmp_path: Path) -> None:
    """By the setting's name, and what to do; a pipe is waited for by nobody."""
    path = tmp_path / "absent" / "log" if kind == "no folder" else tmp_path / "log"
    if kind == "folder":
        path.mkdir()
    if kind == "pipe":
        os.mkfifo(path)
    with pytest.raises(BadSetting, match=f"BOTMAKER_LOG_FILE={path} can't be written"):
        LogSettings(log_file=path).opened_log_file()


@pytest.fixture
def _kept_handlers() -> Iterator[None]:
    """Give the test run its own handlers back."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    root.handlers = []
    yield
    root.handlers = handlers
    root.setLevel(level)


@pytest.mark.usefixtures("_kept_handlers")
@pytest.mark.parametrize("style", ["text", "json"])
def test_the_file_has_the_same_redacted_lines_as_stderr(
    style: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With date and time; a traceback is redacted too."""
    redactor = Redactor()
    redactor.learn("bot", [SECRET])
    path = tmp_path / "botmaker.log"
    set_up("INFO", style, redactor, LogFile(path, 100_000, 3))
    log = logging.getLogger("tests.log")
    log.warning("a %s", SECRET)
    try:
        raise ValueError(SECRET)
    except ValueError:
        log.exception("failed")
    for handler in logging.getLogger().handlers:
        handler.close()
    text = path.read_text()
    assert text == capsys.readouterr().err
    assert SECRET not in text
    assert "[redacted]" in text
    first = text.splitlines()[0]
    stamp = json.loads(first)["time"] if style == "json" else first.split()[0]
    assert abs(datetime.fromisoformat(stamp) - datetime.now(UTC)) < timedelta(seconds=10)
