"""Writes the files of a backup into folders beside their places. Blocking: for a thread."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from controller.backups import (
    ListedBot,
    form_of,
    form_values,
    journal_file,
    secret_of,
    state_of,
    template_file,
    webhook_of,
)
from controller.catalog import load
from controller.domain.errors import NotFound
from controller.vault import AtRest, Staged, Staging, Vault, WebhookVault, masters

STATES = "restored-state"  # the folder in the data folder, with one archive a bot


class Restoring:
    """Takes a backup's files as they are read; `close` when all of them were taken."""

    def __init__(
        self, folders: Mapping[str, Path], bots: Sequence[ListedBot], master: Path | None
    ) -> None:
        self._data, self._templates = folders["data"], folders.get("templates")
        self._bots = bots
        self._master = master
        self._vault = Vault(folders["secrets"])
        self._vault.open()
        self._held = bytearray()
        self._forms: dict[tuple[str, str], Staged] = {}
        self._webhooks: dict[str, dict[str, str]] = {}
        self._secrets: dict[str, dict[str, str]] = {}
        self._open: tuple[Path, BinaryIO] | None = None

    def __call__(self, name: str, piece: bytes, *, last: bool) -> None:
        """The next bytes of a file."""
        form, secret, webhook = form_of(name), secret_of(name), webhook_of(name)
        if form is None and secret is None and webhook is None:
            self._append(self._place_of(name), piece)
            return
        self._held += piece
        if not last:
            return
        data, self._held = bytes(self._held), bytearray()
        if secret is not None:
            self._secrets.setdefault(secret.bot_id, {})[secret.name] = data.decode()
        elif form is not None:
            self._forms[form] = Staged(*form_values(data))
        elif webhook is not None:
            self._webhooks.setdefault(webhook[0], {})[webhook[1]] = data.decode()

    def _place_of(self, name: str) -> Path:
        month, template, state = journal_file(name), template_file(name), state_of(name)
        if month:
            return self._data / "journal" / month
        if template and self._templates is not None:
            return self._templates / template
        if state is not None:
            return self._data / STATES / f"{state.bot_id}.tar"
        return self._data / name.removeprefix("data/")

    def _append(self, path: Path, piece: bytes) -> None:
        """A bot's state comes in several files, which become one."""
        if self._open is None or self._open[0] != path:
            self._shut()
            path.parent.mkdir(exist_ok=True, mode=0o700)
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600)
            self._open = path, os.fdopen(handle, "wb")
        self._open[1].write(piece)

    def close(self) -> None:
        """All files were taken: have them on the disk, and the secrets in their users' hands."""
        self._shut()
        staging = Staging(self._vault.root, AtRest(masters(self._data, self._master)))
        for form, staged in self._forms.items():
            staging.keep(*form, staged)
        for webhook_id, files in self._webhooks.items():
            WebhookVault(self._vault.root).restore(webhook_id, files)
        catalog = load(self._templates)
        templates = {bot.id: bot.template for bot in self._bots}
        for bot_id, values in self._secrets.items():
            owner = os.geteuid(), os.getegid()
            with suppress(NotFound):  # its template is gone; without it the bot can't start either
                owner = self._vault.owner_for(catalog.get(templates[bot_id]).run.user)
            self._vault.write(bot_id, values, owner)

    def abandon(self) -> None:
        """Let go of what is open."""
        if self._open is not None:
            self._open[1].close()

    def _shut(self) -> None:
        if self._open is None:
            return
        with self._open[1] as file:
            file.flush()
            os.fsync(file.fileno())
        self._open = None
