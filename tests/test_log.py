"""Our own log: whatever goes into a line, no secret comes out."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator
from datetime import datetime

import pytest

from controller.log import set_up
from controller.vault import Redactor

SECRET = "fake-secret-value-1"
log = logging.getLogger("tests.log")


@pytest.fixture(autouse=True)
def _kept_handlers() -> Iterator[None]:
    """Give the test run its own handlers back."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    root.handlers = []
    yield
    root.handlers = handlers
    root.setLevel(level)


@pytest.fixture
def redactor() -> Redactor:
    redactor = Redactor()
    redactor.learn("bot", [SECRET])
    return redactor


def fail() -> None:
    """Raise with the secret in the message and in the line of source."""
    raise ValueError(f"bad key {SECRET}")


@pytest.mark.parametrize("style", ["text", "json"])
def test_no_secret_comes_out(
    style: str, redactor: Redactor, capsys: pytest.CaptureFixture[str]
) -> None:
    """Not from the message, its arguments, an extra object or a traceback."""
    set_up("INFO", style, redactor)
    log.info("a %s and %r", SECRET, {"key": SECRET})
    log.warning(f"in the text: {SECRET}")  # noqa: G004 - what somebody may write one day
    try:
        fail()
    except ValueError:
        log.exception("failed with %s", SECRET)
    shown = capsys.readouterr()
    assert shown.out == ""
    assert SECRET not in shown.err
    assert shown.err.count("[redacted]") >= 4
    assert "Traceback" in shown.err
    assert "ValueError: bad key [redacted]" in shown.err


def test_a_json_line_is_one_object(redactor: Redactor, capsys: pytest.CaptureFixture[str]) -> None:
    """Time, level, logger and message; line breaks stay inside."""
    set_up("INFO", "json", redactor)
    log.warning("two\nlines ä")
    (line,) = capsys.readouterr().err.splitlines()
    found = json.loads(line)
    assert (found["level"], found["logger"], found["message"]) == (
        "WARNING",
        "tests.log",
        "two\nlines ä",
    )
    assert found["time"].endswith("+00:00")


@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo", "America/New_York"])
def test_a_line_of_text_begins_with_date_and_time_in_utc(
    redactor: Redactor,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    zone: str,
) -> None:
    """Wherever the machine stands, so that it can be compared with other logs."""
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    set_up("INFO", "text", redactor)
    log.warning("one")
    stamp, level, *_ = capsys.readouterr().err.split()
    assert level == "WARNING"
    assert stamp.endswith("+00:00")
    assert abs(datetime.fromisoformat(stamp).timestamp() - time.time()) < 5
    monkeypatch.undo()
    time.tzset()


def test_the_level_holds_and_libraries_are_quieter(
    redactor: Redactor, capsys: pytest.CaptureFixture[str]
) -> None:
    """INFO of ours is shown, INFO of discord.py and aiosqlite is not."""
    set_up("INFO", "text", redactor)
    log.debug("small")
    logging.getLogger("discord.client").info("chatty")
    logging.getLogger("aiosqlite").info("chatty")
    logging.getLogger("discord").warning("serious")
    shown = capsys.readouterr().err
    assert "small" not in shown
    assert "chatty" not in shown
    assert "serious" in shown
