"""A bot's log while it is written: across its runs, and across restarts of the controller."""

from __future__ import annotations

import json
import time
from typing import Any

import click

from controller.cli.controller_client import Door, bot_path
from controller.cli.outcome import complain
from controller.cli.terminal_tables import printable
from controller.domain.errors import ControllerError, Unreachable

AWAY_SECONDS = 60.0  # that a controller may be away before it is given up
TRY_AGAIN_SECONDS = 1.0
GO_ON = {"shutting-down", "stalled"}  # ends of a stream after which it is asked for again


def log_line(line: dict[str, Any]) -> str:
    """A line of a log as it is printed."""
    return f"{line['at'][:19]}Z {line['stream']} {printable(line['text'])}"


class Following:
    """Prints lines as they come, each once."""

    def __init__(self, door: Door, name: str, grep: str, *, as_json: bool) -> None:
        self._door = door
        self._name = name
        self._grep = grep.casefold()
        self._as_json = as_json
        self._place = ""  # of the newest line that was printed

    def run(self, lines: int) -> None:
        """Print so many lines of before, then all that come. Ends when the bot is gone.

        Raises Unreachable once the controller was away for a minute, and at once at the beginning.
        """
        path = bot_path(self._name, "logs", "follow")
        away_since = 0.0
        while True:
            try:
                for event in self._door.follow(path, self._place, lines=lines):
                    away_since = 0.0
                    if self._is_end(event):
                        return
            except Unreachable:
                if not self._place:
                    raise
                now = time.monotonic()
                if not away_since:
                    away_since = now
                    complain("The controller is away; waiting for it.")
                if now - away_since > AWAY_SECONDS:
                    raise
            time.sleep(TRY_AGAIN_SECONDS)

    def _is_end(self, event: dict[str, Any]) -> bool:
        """Print what the event tells; whether nothing can follow it."""
        data, kind = event["data"], event["event"]
        if kind == "lines":
            for line in data["lines"]:
                self._print(line)
            self._place = event["id"] or self._place
        elif kind == "gap":
            some = "some" if data["dropped"] is None else data["dropped"]
            self._remark({"dropped": data["dropped"]}, f"{some} lines are missing here")
        elif kind == "run":
            self._remark(data, f"a run that began at {data['started_at'][:19]}Z")
        elif kind == "end" and data["reason"] not in GO_ON:
            if data["reason"] != "gone":
                raise ControllerError(f"The log ended: {data['reason']}.")
            self._remark({"gone": self._name}, f"{self._name} is gone")
            return True
        return False

    def _print(self, line: dict[str, Any]) -> None:
        if self._grep in line["text"].casefold():
            click.echo(json.dumps(line) if self._as_json else log_line(line))

    def _remark(self, data: dict[str, Any], words: str) -> None:
        """Something between the lines: on stderr for people, in its place for programs."""
        click.echo(json.dumps(data) if self._as_json else f"— {words} —", err=not self._as_json)
