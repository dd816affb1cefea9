"""A log in words: as a code block in a message, or as a file."""

from __future__ import annotations

import time

from controller.chat.languages import plural, say
from controller.chat.words.limits import MESSAGE_MAX
from controller.chat.words.text import code_block, newest_fitting
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
    head = say(
        "**{name}** — {lines}, times in UTC, `!` is stderr",
        name=name,
        lines=plural(len(snippet.lines), "line"),
    )
    kept, fits = newest_fitting(
        [log_line(line) for line in snippet.lines], MESSAGE_MAX - len(head) - 60
    )
    if not fits:
        last = plural(len(kept), "line")
        head += "; " + (
            say("showing the last line")
            if len(kept) == 1
            else say("showing the last {lines}", lines=last)
        )
    return head + "\n" + code_block("\n".join(kept)), fits


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
