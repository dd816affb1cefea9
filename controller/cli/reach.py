"""Which controller a command asks: the one whose address was given, else that of the settings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click
from click.shell_completion import CompletionItem

from controller.cli.controller_client import Door, local, remote
from controller.domain.errors import ControllerError


@dataclass(frozen=True, slots=True)
class Reach:
    """What was given before the command."""

    url: str = ""
    token_file: Path | None = None

    def door(self) -> Door:
        """The way to the controller. The settings are read only if no address was given."""
        if self.url:
            return remote(self.url, self.token_file)
        from controller.settings import load_settings  # noqa: PLC0415 - not where --url is given

        return local(load_settings().data_dir)


def door_of(context: click.Context) -> Door:
    """The way that the command's options name."""
    reach = context.find_object(Reach) or Reach()
    return reach.door()


def complete_bots(
    context: click.Context, _: click.Parameter, incomplete: str
) -> Sequence[CompletionItem]:
    """The names of bots that begin like that; none where no controller answers."""
    given = context.find_root().params
    reach = Reach(given.get("url") or "", given.get("token_file"))
    try:
        bots = list(reach.door().pages("/bots"))
    except (ControllerError, OSError):
        return []
    return [
        CompletionItem(bot["name"], help=bot["phase"])
        for bot in bots
        if bot["name"].startswith(incomplete)
    ]
