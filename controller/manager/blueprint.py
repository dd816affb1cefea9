"""From a bot's row to the container it should have: template, owner, host paths, rendered files."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import replace
from pathlib import Path

from controller.catalog import Catalog, Template, container_spec, rendered_files
from controller.domain.bot import Bot
from controller.domain.errors import BadInput, NotFound, StorageTrouble
from controller.domain.observation import Observation
from controller.domain.spec import ContainerSpec
from controller.manager.hostpaths import HostPaths
from controller.vault import Vault, simply_missing

DEFAULT_STOP_TIMEOUT = 10  # seconds, for a bot whose template is gone


class Blueprints:
    """Knows how every bot is to be built. Blocking parts are for the disk pool."""

    def __init__(self, catalog: Catalog, vault: Vault, files_root: Path, host: HostPaths) -> None:
        self.catalog = catalog
        self._vault = vault
        self._files = files_root
        self._host = host

    def template(self, bot: Bot) -> Template:
        """The bot's template; NotFound when its file is gone or refused."""
        return self.catalog.get(bot.template)

    def known(self, bot: Bot) -> Template | None:
        """The bot's template, or None."""
        try:
            return self.template(bot)
        except NotFound:
            return None

    def fitting(self, bot: Bot) -> Template | None:
        """The same, and None too when it has no place for the bot's provider, channel or fields
        any more. What runs goes on then, and can be stopped and removed; a new container is a
        problem with that reason."""
        template = self.known(bot)
        try:
            if template is not None:
                rendered_files(template, bot)
        except BadInput:
            return None
        return template

    def owner(self, template: Template) -> tuple[int, int]:
        """The uid and gid that own the bot's files and run its process."""
        return self._vault.owner_for(template.run.user)

    def required_secrets(self, bot: Bot) -> tuple[str, ...]:
        """Names of the files without which the bot is not started.

        Its plain fields may be incomplete: those that must be set come with the same form.
        """
        template = self.known(bot)
        try:
            secrets = template.secrets_for(bot.provider, bot.channel) if template else ()
        except BadInput:  # no such provider or channel any more
            return ()
        return tuple(secret.name for secret in secrets if secret.required)

    def secret_trouble(self, bot: Bot) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Which of them are missing or not usable by the bot, and why, in words, those that are
        there cannot be used. Blocking."""
        template = self.known(bot)
        if template is None:
            return (), ()
        found = self._vault.explain(bot.id, self.required_secrets(bot), self.owner(template))
        words = [
            f"`{name}`: {reason}" for name, reason in found.items() if not simply_missing(reason)
        ]
        return tuple(found), tuple(words)

    def rendered_names(self, template: Template) -> frozenset[str]:
        """Names of the files among the secrets that are config and were typed by nobody."""
        return frozenset(file.name for file in template.files if file.secret)

    def secret_values(self, bot: Bot) -> dict[str, str]:
        """The secrets that are there, without the config that is rendered beside them. Blocking."""
        template = self.known(bot)
        rendered = self.rendered_names(template) if template else frozenset()
        values = self._vault.read(bot.id)
        return {name: value for name, value in values.items() if name not in rendered}

    def reloads(self, bot: Bot, container: Observation) -> bool:
        """Whether what runs can read replaced secrets without a restart: it is as the template
        would make it now, and the template says how."""
        template = self.fitting(bot)
        if template is None or not template.run.reload or not bot.image:
            return False
        return container.spec == self.spec(bot).digest()

    def stop_timeout(self, bot: Bot) -> int:
        """Seconds of grace between the request to end and the kill."""
        template = self.known(bot)
        return template.run.stop_timeout if template else DEFAULT_STOP_TIMEOUT

    def spec(self, bot: Bot) -> ContainerSpec:
        """The container that the bot should have, with its image pinned by the row."""
        template = self.template(bot)
        uid, gid = self.owner(template)
        user = f"{uid}:{gid}"
        files = rendered_files(template, bot)
        folders = sorted({file.folder for file in files})
        text = "\0".join(f"{file.folder}/{file.name}\0{file.text}" for file in files)
        spec = container_spec(
            template,
            bot,
            image=bot.image,
            user=user,
            secrets_source=self._host.translate(self._vault.root / bot.id),
            files=tuple(
                (self._host.translate(self._folder(bot.id, number)), folder)
                for number, folder in enumerate(folders)
            ),
            prepare_volume=user != _with_group(template.run.user),
        )
        digest = hashlib.sha256(text.encode()).hexdigest()[:16] if files else ""
        return replace(spec, files_digest=digest)

    def write_files(self, bot: Bot) -> None:
        """Write the rendered, secret-free files where the container will see them. Blocking."""
        files = rendered_files(self.template(bot), bot)
        folders = sorted({file.folder for file in files})
        try:
            for number, folder in enumerate(folders):
                place = self._folder(bot.id, number)
                place.mkdir(parents=True, exist_ok=True)
                for file in files:
                    if file.folder == folder:
                        fresh = place / f".{file.name}.tmp"
                        fresh.write_text(file.text, encoding="utf-8")
                        fresh.chmod(0o644)
                        fresh.rename(place / file.name)
                place.chmod(0o755)
        except OSError as error:
            raise StorageTrouble(
                f"The bot's files could not be written: {error.strerror}.",
                hint="Check the free space and the rights of the data folder.",
            ) from error

    def has_files(self, bot_id: str) -> bool:
        """Whether anything of the bot is on the disk. Blocking."""
        return (self._files / bot_id).exists() or bot_id in self._vault.bots()

    def drop_files(self, bot_id: str) -> None:
        """Remove the bot's secrets and rendered files. Blocking; success when they are gone."""
        self._vault.drop(bot_id)
        shutil.rmtree(self._files / bot_id, ignore_errors=True)

    def _folder(self, bot_id: str, number: int) -> Path:
        return self._files / bot_id / str(number)


def _with_group(user: str) -> str:
    return user if ":" in user else f"{user}:{user}"
