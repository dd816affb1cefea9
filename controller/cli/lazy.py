"""A group of commands that are imported when they are used: each pays only for what it needs."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import click


@dataclass(frozen=True, slots=True)
class Lazy:
    """Where a command is defined, and its line in the help."""

    place: str  # "package.module:name"
    help: str


class LazyGroup(click.Group):
    """Knows its commands by name and one line; the rest comes with their modules."""

    def __init__(self, *args: Any, later: Mapping[str, Lazy], **named: Any) -> None:
        super().__init__(*args, **named)
        self.later = dict(later)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names, in the order of the help."""
        return list(self.later)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name, imported now."""
        lazy = self.later.get(cmd_name)
        if lazy is None:
            return None
        module, _, name = lazy.place.partition(":")
        found: click.Command = getattr(importlib.import_module(module), name)
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The commands for the help, none of them imported."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, lazy.help) for name, lazy in self.later.items()])
