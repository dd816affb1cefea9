"""Logging: one handler that writes text or JSON lines and redacts each line after formatting it.

The file that they go to besides stderr is `log_file`'s.

So redaction covers arguments and tracebacks too. Its rules are in `vault`.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TextIO

from controller.log_file import LogFile


class _Formatter(logging.Formatter):
    def __init__(self, redact: Callable[[str], str], *, as_json: bool) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(name)s: %(message)s")
        self._redact = redact
        self._as_json = as_json

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802
        """Date and time in UTC, in both styles the same."""
        return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")

    def format(self, record: logging.LogRecord) -> str:
        if not self._as_json:
            return self._redact(super().format(record))
        line = {
            "time": self.formatTime(record),
            "level": record.levelname,
            "logger": record.name,
            "message": self._redact(record.getMessage()),
        }
        if record.exc_info:
            line["traceback"] = self._redact(self.formatException(record.exc_info))
        return json.dumps(line, ensure_ascii=False)


class _Handler(logging.StreamHandler[TextIO]):
    """Writes each line to stderr and, if there is one, to the log file: formatted once for both."""

    def __init__(self, file: LogFile | None) -> None:
        super().__init__(sys.stderr)
        self._file = file

    def format(self, record: logging.LogRecord) -> str:
        line = super().format(record)
        if self._file is not None:
            self._file.put(line)
        return line

    def close(self) -> None:
        """Write what the file still waits for."""
        super().close()
        if self._file is not None:
            self._file.close()
            self._file = None


def set_up(
    level: str, style: str, redact: Callable[[str], str], file: LogFile | None = None
) -> None:
    """Send every log line to stderr and to the file, redacted, in the given style (`text` or
    `json`)."""
    handler = _Handler(file)
    handler.setFormatter(_Formatter(redact, as_json=style == "json"))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for chatty in ("discord", "aiosqlite", "urllib3", "docker", "aiohttp.access"):
        logging.getLogger(chatty).setLevel(max(logging.WARNING, logging.getLevelName(level)))
