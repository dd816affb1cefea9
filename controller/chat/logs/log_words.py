"""A log in words: as a code block in a message, or as a file."""

from __future__ import annotations

import time

from controller.chat.words.limits import MESSAGE_MAX
from controller.chat.words.text import code_block, newest_fitting, plural
from controller.domain.events import LogLine
from controller.manager.logbook import Snippet


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
    query = snippet.query
    if snippet.more:
        what = "matching lines" if query.grep else "lines"
        stream = "" if query.stream == "both" else f" on {query.stream}"
        to = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(snippet.looked_to))
        far = (
            f"{plural(snippet.looked_at, 'line')}, back to {to}" if query.grep else f"back to {to}"
        )
        return f"No {what}{stream} in what I looked through ({far}). **Older** looks further back."
    if query.until:
        return "Nothing older that matches." if query.grep else "Nothing older."
    if query.grep:
        return "No matching lines."
    if query.stream != "both":
        return f"Nothing on {query.stream}."
    if query.since:
        return "No lines since then."
    if snippet.bot.run.log_floor:
        return "No lines since its secrets changed; older ones are hidden."
    return "Its log is empty."


def whole_log(snippet: Snippet) -> str:
    """A snippet as the text of a file, with the dates: it is read days later, and elsewhere."""
    lines = (log_line(line, "%Y-%m-%dT%H:%M:%SZ ") for line in snippet.lines)
    return "\n".join(lines) + "\n"
