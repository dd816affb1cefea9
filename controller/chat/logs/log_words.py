"""A log in words: as a code block in a message, or as a file."""

from __future__ import annotations

import time

from controller.chat.words.limits import MESSAGE_MAX
from controller.chat.words.text import code_block, newest_fitting, plural
from controller.domain.events import LogLine
from controller.manager.logbook import LOOK_BACK, Snippet


def log_line(line: LogLine, stamp: str = "%H:%M:%S ") -> str:
    """One line for a code block, its time in UTC; `!` marks stderr."""
    mark = "! " if line.stream == "stderr" else "  "
    return time.strftime(stamp, time.gmtime(line.at)) + mark + line.text


def log_snippet(snippet: Snippet) -> tuple[str, bool]:
    """A snippet as a message, and whether all of it fitted."""
    name = snippet.bot.name
    if not snippet.lines:
        return f"**{name}** — {_nothing(snippet)}", True
    head = f"**{name}** — {plural(len(snippet.lines), 'line')}, times in UTC, `!` is stderr"
    kept, fits = newest_fitting(
        [log_line(line) for line in snippet.lines], MESSAGE_MAX - len(head) - 60
    )
    if not fits:
        head += f"; showing the last {'line' if len(kept) == 1 else plural(len(kept), 'line')}"
    return head + "\n" + code_block("\n".join(kept)), fits


def _nothing(snippet: Snippet) -> str:
    """Why there are no lines."""
    if snippet.query.until:
        return "Nothing older."
    if snippet.query.grep:
        return f"No matching lines in the last {LOOK_BACK:,}."
    return "No lines since then." if snippet.query.since else "Its log is empty."


def whole_log(snippet: Snippet) -> str:
    """A snippet as the text of a file, with the dates: it is read days later, and elsewhere."""
    lines = (log_line(line, "%Y-%m-%dT%H:%M:%SZ ") for line in snippet.lines)
    return "\n".join(lines) + "\n"
