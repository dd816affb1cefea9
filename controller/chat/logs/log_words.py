"""A log in words: as a code block in a message, or as a file."""

from __future__ import annotations

import time
from collections.abc import Sequence

from controller.chat.languages import plural, say
from controller.chat.words.limits import MESSAGE_MAX
from controller.chat.words.text import code_block, newest_fitting
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
    head = say(
        "**{name}** — {lines}, times in UTC, `!` is stderr",
        name=name,
        lines=plural(len(snippet.lines), "line"),
    )
    head += "; " + say("lines before them are left out") if snippet.gap else ""
    room = MESSAGE_MAX - len(head) - 60 - DAYS_MOST * _DAY_ROOM
    kept, fits = newest_fitting([log_line(line) for line in snippet.lines], room)
    block = code_block("\n".join(_with_days(snippet.lines[-len(kept) :], kept)))
    if not fits:
        last = plural(len(kept), "line")
        head += "; " + (
            say("showing the last line")
            if len(kept) == 1
            else say("showing the last {lines}", lines=last)
        )
    return head + "\n" + block, fits


def _nothing(snippet: Snippet) -> str:
    """Why there are no lines."""
    query = snippet.query
    if snippet.more:
        what = say("matching lines") if query.grep else say("lines")
        if query.stream != "both":
            what = say("{lines} on {stream}", lines=what, stream=query.stream)
        to = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(snippet.looked_to))
        far = (
            say("{lines}, back to {to}", lines=plural(snippet.looked_at, "line"), to=to)
            if query.grep
            else say("back to {to}", to=to)
        )
        return say(
            "No {what} in what I looked through ({far}). **Older** looks further back.",
            what=what,
            far=far,
        )
    if query.forward:
        return say("Nothing newer that matches.") if query.grep else say("Nothing newer.")
    if query.until:
        return say("Nothing older that matches.") if query.grep else say("Nothing older.")
    if query.grep:
        return say("No matching lines.")
    if query.stream != "both":
        return say("Nothing on {stream}.", stream=query.stream)
    if query.since:
        return say("No lines since then.")
    if snippet.bot.run.log_floor:
        return say("No lines since its secrets changed; older ones are hidden.")
    return say("Its log is empty.")


def whole_log(snippet: Snippet) -> str:
    """A snippet as the text of a file, with the dates: it is read days later, and elsewhere."""
    lines = (log_line(line, "%Y-%m-%dT%H:%M:%SZ ") for line in snippet.lines)
    return "\n".join(lines) + "\n"
