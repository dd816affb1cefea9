"""What `botmaker init` writes: the settings that a start needs, and the file with the token."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from controller.cli.env_file import NewFile, merged, write_all
from controller.settings import ENV_FILE, TOKEN_MAX, read_text, set_outside, text_of, values_in

TOKEN = "BOTMAKER_DISCORD_TOKEN"  # noqa: S105 - a setting's name
TOKEN_FILE = f"{TOKEN}_FILE"
GUILD, CHANNEL = "BOTMAKER_GUILD_ID", "BOTMAKER_ADMIN_CHANNEL_ID"
OWN_TOKEN_FILE = "discord-token"  # noqa: S105 - a file's name, in the working folder
_OTHERS = 0o077


@dataclass(frozen=True, slots=True)
class Token:
    """The bot token. `kept_in`: the file that it stays in; otherwise it is written to our own."""

    value: str = field(repr=False)
    kept_in: Path | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """One setting that gets another value. It never shows a token."""

    name: str
    before: str | None
    after: str | None

    @property
    def overwrites(self) -> bool:
        """Whether somebody chose another value before."""
        return bool(self.before)

    def __str__(self) -> str:
        if self.name == TOKEN:
            return f"{TOKEN}: moves into the file {OWN_TOKEN_FILE}"
        before = f"{self.before} → " if self.before else ""
        return f"{self.name}: {before}{self.after}"


def changes(token: Token, guild_id: int, channel_id: int) -> list[Change]:
    """How `.env` will differ from now."""
    now = {name.upper(): value.strip() for name, value in values_in(ENV_FILE).items()}
    wanted: dict[str, str | None] = {
        TOKEN_FILE: str(token.kept_in or OWN_TOKEN_FILE),
        GUILD: str(guild_id),
        CHANNEL: str(channel_id),
    }
    if now.get(TOKEN):
        wanted[TOKEN] = None
    return [
        Change(name, now.get(name), value)
        for name, value in wanted.items()
        if now.get(name) != value
    ]


def other_token_there(token: Token) -> bool:
    """Whether our token file exists with something else in it."""
    if token.kept_in is not None:
        return False
    try:
        return read_text(Path(OWN_TOKEN_FILE), TOKEN_MAX).strip() not in ("", token.value)
    except FileNotFoundError:
        return False


def write(token: Token, changed: list[Change]) -> list[str]:
    """Write both files, and say what was done, a line each. Raises OSError with nothing changed."""
    files: list[NewFile] = []
    done: list[str] = []
    if token.kept_in is None:
        files.append(NewFile(Path(OWN_TOKEN_FILE), f"{token.value}\n"))
        done.append(f"{OWN_TOKEN_FILE}: the token, readable by its owner only")
    if changed:
        values = {change.name: change.after for change in changed}
        files.append(NewFile(Path(ENV_FILE), merged(text_of(ENV_FILE), values)))
        done += [f"{ENV_FILE}: {change}" for change in changed]
    write_all(files)
    return done or [f"{ENV_FILE}: nothing to change"]


def overruled(changed: Mapping[str, str | None]) -> list[str]:
    """The settings that the environment sets otherwise, so that `.env` doesn't count."""
    outside = set_outside()
    return [name for name, value in changed.items() if outside.get(name, value) != value]


def writable(folder: Path) -> bool:
    """Whether this user may put files there."""
    return os.access(folder, os.W_OK | os.X_OK)


def read_by_others(file: Path) -> bool:
    """Whether other users of this machine may read the file."""
    return bool(file.stat().st_mode & _OTHERS)
