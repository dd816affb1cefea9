"""The one fitter: an answer that is too long for a message loses whole lines, and says so.

What counts most comes first in every answer, so the end is what goes. All of it is in a file.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass

from controller.chat.languages import say
from controller.chat.words.limits import MESSAGE_MAX
from controller.chat.words.text import fitted

_NOTE = "… and {count} more: see the file."
_ESCAPE = re.compile(r"\\([^\w\s]|_)|\u200b|<t:(\d+):R>|\*\*")


@dataclass(frozen=True, slots=True)
class Fitted:
    """An answer in a message; and all of it as a file's text, if lines were left out."""

    text: str
    whole: str = ""


def fit(text: str, limit: int = MESSAGE_MAX, note: str = _NOTE) -> Fitted:
    """The text if it fits, else as many of its first lines as do, and how many don't.

    A first line that's too long by itself is cut. `note` says how many lines are missing.
    """
    if len(text) <= limit:
        return Fitted(text)
    lines = text.split("\n")
    room = limit - len(say(note, count=len(lines))) - 1
    kept: list[str] = []
    for line in lines:
        if len(line) + 1 > room:
            break
        kept.append(line)
        room -= len(line) + 1
    if not kept:
        kept = [fitted(lines[0], room)]
    more = len(lines) - len(kept)
    kept += [say(note, count=more)] if more else []
    return Fitted("\n".join(kept), readable(text))


def readable(text: str) -> str:
    """A message's text as a file shows it: without the marks that only Discord hides."""
    return _ESCAPE.sub(_read, text) + "\n"


def _read(found: re.Match[str]) -> str:
    if found[2]:
        return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(int(found[2])))
    return found[1] or ""


def distinct(titles: list[str], limit: int) -> list[str]:
    """The titles, cut to the limit; where that makes two the same, with numbers before them."""
    cut = [fitted(title, limit) for title in titles]
    if len(set(cut)) == len(cut):
        return cut
    return [fitted(f"{n}. {title}", limit) for n, title in enumerate(titles, 1)]
