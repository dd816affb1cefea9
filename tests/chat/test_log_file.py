"""A log as a file: read days later and elsewhere, it has the dates that a message leaves out."""

from __future__ import annotations

from controller.chat.logs.log_words import log_line, whole_log
from controller.domain.events import LogLine, LogQuery
from controller.manager.logbook import Snippet
from tests.cli.places import a_bot


def test_each_line_of_a_file_has_its_date() -> None:
    """In UTC, as ISO 8601 has it; a message has the time alone."""
    lines = (LogLine(0.0, "stdout", "born"), LogLine(86_400.5, "stderr", "a day later"))
    text = whole_log(Snippet(a_bot("bee"), LogQuery(), lines))
    assert text.splitlines() == [
        "1970-01-01T00:00:00Z   born",
        "1970-01-02T00:00:00Z ! a day later",
    ]
    assert log_line(lines[1]) == "00:00:00 ! a day later"
