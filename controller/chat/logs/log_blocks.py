"""Which lines of a log belong together: a stack trace is one thing, and is cut as one thing."""

from __future__ import annotations

import re
from collections.abc import Sequence

from controller.chat.logs.log_words import log_line
from controller.chat.words.text import code_block, newest_fitting
from controller.domain.events import LogLine

_BEGINS = re.compile(r"Traceback \(most recent call last\)|\S*(?:Exception|Error|panic)\b.*")
_GOES_ON = re.compile(
    r"\s+\S|Caused by: |During handling of the above exception|The above exception was|goroutine \d"
    r"|\.\.\. \d+ more|\)$|\}$"
)
_ENDS = re.compile(r"[\w.]*(?:Error|Exception|Interrupt|Exit|Warning)\b(?::.*)?")
TRACE_MOST = 100  # lines; what goes on for longer is no trace


def blocks(lines: Sequence[LogLine]) -> list[list[LogLine]]:
    """The lines in order, those of one trace together."""
    found: list[list[LogLine]] = []
    for line in lines:
        if found and len(found[-1]) < TRACE_MOST and _belongs(found[-1], line):
            found[-1].append(line)
        else:
            found.append([line])
    return found


def _belongs(block: list[LogLine], line: LogLine) -> bool:
    before = block[-1]
    if line.stream != before.stream:
        return False
    if _GOES_ON.match(line.text):
        return len(block) > 1 or bool(_BEGINS.match(before.text))
    # The last line of a trace says what it was: it isn't indented, what is before it is.
    return len(block) > 1 and before.text[:1].isspace() and bool(_ENDS.fullmatch(line.text))


def newest_blocks(lines: Sequence[LogLine], room: int) -> tuple[str, int]:
    """The newest lines as a code block of at most `room` characters, and how many lines it shows.

    It begins with a whole trace where that fits, else with the newest lines of one.
    """
    kept: list[str] = []
    count = 0
    for block in reversed(blocks(lines)):
        texts = [log_line(line) for line in block]
        whole, fits = newest_fitting([*texts, *kept], room)
        if not fits:
            if not kept:
                kept, count = whole, len(whole)
            break
        kept, count = whole, count + len(block)
    return code_block("\n".join(kept)), count
