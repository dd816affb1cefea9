"""Redaction of a log while it is written: lines are held back until what follows them is known."""

from __future__ import annotations

from collections.abc import Sequence

from controller.domain.events import LogLine
from controller.vault.redaction import Redactor

HELD_LINES = 16  # a secret that a program has broken into lines may go on in the next ones
CONTEXT_LINES = 32  # shown before; a secret may begin in them
WRAPPED_AT = 64  # characters of a line into which a long value is broken
KEY_LINES = 200  # of a private key that nobody knows, which hides what follows its first line


class HeldBack:
    """Takes a log's lines in their order and gives them back redacted, in that order, a bit later.

    The newest lines are held back until others follow them, or until the caller says that the log
    is quiet. What comes before and after a line decides with it, so a secret that was broken into
    lines doesn't show, however they arrive.
    """

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._context: list[LogLine] = []
        self._held: list[LogLine] = []

    @property
    def holds(self) -> bool:
        """Whether any line is held back."""
        return bool(self._held)

    def take(self, fresh: Sequence[LogLine], *, quiet: bool = False) -> list[LogLine]:
        """The lines that can be shown now, redacted: the oldest of those that weren't yet.

        Takes its time: some 60 µs a line. Call it in a thread, and never in two at once.
        """
        self._held += fresh
        spare = self._redactor.longest() // WRAPPED_AT
        count = len(self._held) - (0 if quiet else HELD_LINES + spare)
        if count <= 0:
            return []
        before = len(self._context)
        hidden = self._redactor.log([*self._context, *self._held])
        known = [*self._context, *self._held[:count]]
        self._held = self._held[count:]
        self._context = known[-max(CONTEXT_LINES + 2 * spare, _of_open_key(known)) :]
        return hidden[before : before + count]

    def cut(self) -> None:
        """Lines are missing from here on: what comes next doesn't continue what was before."""
        assert not self._held, "what is held back is taken first"
        self._context = []


def _of_open_key(lines: Sequence[LogLine]) -> int:
    """How many lines there are from the beginning of a private key on that hasn't ended."""
    for back, line in enumerate(reversed(lines[-KEY_LINES:]), 1):
        if "PRIVATE KEY" in line.text:
            return back if "-----BEGIN " in line.text and "-----END " not in line.text else 0
    return 0
