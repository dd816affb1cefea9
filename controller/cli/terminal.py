"""Questions to the person at the machine; where nobody sits there, answers are lines of stdin."""

from __future__ import annotations

import getpass
import sys
from collections.abc import Callable

import click

from controller.domain.errors import BadSetting


class Terminal:
    """Asks and says. KeyboardInterrupt passes through; every question can be answered by a pipe."""

    def __init__(self) -> None:
        self.interactive = sys.stdin.isatty()

    def say(self, text: str = "") -> None:
        """Print it."""
        click.echo(text)

    def ask(self, question: str, default: str = "", *, without: str = "") -> str:
        """The answer, or the default for an empty one.

        BadSetting where stdin has ended; `without` then says how to do without the question.
        """
        shown = f"{question} [{default}]: " if default else f"{question}: "
        return self._read(lambda: input(shown), shown, without) or default

    def ask_hidden(self, question: str, *, without: str = "") -> str:
        """The answer, which isn't shown while it is typed and never afterwards."""
        shown = f"{question}: "
        return self._read(lambda: getpass.getpass(shown), shown, without)

    def confirm(self, question: str, *, without: str = "") -> bool:
        """Yes or no; an empty answer means yes."""
        while True:
            answer = self.ask(f"{question} (yes/no)", "yes", without=without).lower()
            if answer in {"y", "yes"}:
                return True
            if answer in {"n", "no"}:
                return False
            self.say("Answer yes or no.")

    def _read(self, typed: Callable[[], str], shown: str, without: str) -> str:
        if self.interactive:
            try:
                return typed().strip()
            except EOFError:
                self.say()
                raise KeyboardInterrupt from None  # Ctrl-D: no more answers, as Ctrl-C says
        line = sys.stdin.readline()
        if not line:
            raise BadSetting(f"There is no answer to “{shown.rstrip(': ')}”.", hint=without)
        return line.strip()
