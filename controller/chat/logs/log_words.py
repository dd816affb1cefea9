"""A log in words: as a code block in a message, or as a file."""

from __future__ import annotations

import time
from collections.abc import Sequence

from controller.chat.words.limits import MESSAGE_MAX
from controller.chat.words.text import code_block, newest_fitting, plural
from controller.domain.events import LogLine
from controller.manager.logbook import Snippet

DAYS_MOST, _DAY_ROOM = 3, 24  # dates in one snippet, and the characters that each takes


def log_line(line: LogLine, stamp: str = "%H:%M:%S ") -> str:
    """One line for a code block, its time in UTC; `!` marks stderr."""
    mark = "! " if line.stream == "stderr" else "  "
    return time.strftime(stamp, time.gmtime(line.at)) + mark + line.text


def _with_days(lines: Sequence[LogLine], texts: Sequence[str]) -> list[str]:
    """The texts of these lines; where another day begins, its date stands above, three times at
    most."""
    found, day, headings = [], "", 0
    for line, text in zip(lines, texts, strict=True):
        today = time.strftime("%a %d %b %Y", time.gmtime(line.at))
        heading = today != day and headings < DAYS_MOST
        found.append(f"── {today} ──\n{text}" if heading else text)
        headings += heading
        day = today
    return found


def log_snippet(snippet: Snippet) -> tuple[str, bool]:
    """A snippet as a message, and whether all of it fitted."""
    name = snippet.bot.name
    if not snippet.lines:
        return f"**{name}** — {_nothing(snippet)}", True
    head = f"**{name}** — {plural(len(snippet.lines), 'line')}, times in UTC, `!` is stderr"
    head += "; lines before them are left out" if snippet.gap else ""
    room = MESSAGE_MAX - len(head) - 60 - DAYS_MOST * _DAY_ROOM
    kept, fits = newest_fitting([log_line(line) for line in snippet.lines], room)
    block = code_block("\n".join(_with_days(snippet.lines[-len(kept) :], kept)))
    if not fits:
        head += f"; showing the last {'line' if len(kept) == 1 else plural(len(kept), 'line')}"
    return head + "\n" + block, fits


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
    if query.forward:
        return "Nothing newer that matches." if query.grep else "Nothing newer."
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
