"""From a bot's row to the container it should have: template, owner, host paths, config files."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import replace
from pathlib import Path

from controller.catalog import Catalog, Template, container_spec, rendered_files
from controller.domain.bot import Bot
from controller.domain.errors import BadInput, NotFound, StorageTrouble
from controller.domain.observation import Observation
from controller.domain.release import Gate
from controller.domain.spec import ContainerSpec
from controller.fleet.hostpaths import HostPaths
from controller.fleet.uid_shift import UidShift
from controller.vault import AtRest, Staging, Vault, simply_missing

DEFAULT_STOP_TIMEOUT = 10  # seconds, for a bot whose template is gone


class Blueprints:
    """Knows how every bot is built. What blocks says so, and belongs into a thread."""

    def __init__(
        self,
        catalog: Catalog,
        vault: Vault,
        files_root: Path,
        host: HostPaths,
        box: AtRest,
        shift: UidShift | None = None,
    ) -> None:
        self._shift = shift
        self.catalog = catalog
        self._vault = vault
        self.staging = Staging(vault.root, box)
        self._files = files_root
        self._host = host
        # Each bot's last digest, with all of its row that goes into one.
        self._digests: dict[str, tuple[tuple[object, ...], str]] = {}
        self._held: dict[str, tuple[str, Template]] = {}  # the template each bot is held to

    def template(self, bot: Bot) -> Template:
        """The bot's template: the one that it's held to, or else the present one of that name.

        NotFound when its file is gone or refused.
        """
        if not bot.held:
            return self.catalog.get(bot.template)
        known = self._held.get(bot.id)
        if known is None or known[0] != bot.held:
            known = self._held[bot.id] = (bot.held, Template.from_text(bot.held))
        return known[1]

    def snapshot(self, bot: Bot) -> str:
        """The whole text of the bot's template; empty when that is gone."""
        template = self.known(bot)
        return template.text if template else ""

    def gate(self, bot: Bot) -> Gate:
        """What a new release of the bot has to do to prove itself."""
        template = self.known(bot)
        return template.gate if template else Gate()

    def restart_policy(self, bot: Bot) -> str:
        """The restart policy of the bot's containers, in the template's words."""
        template = self.known(bot)
        return template.run.restart if template else "unless-stopped"

    def known(self, bot: Bot) -> Template | None:
        """The bot's template, or None."""
        try:
            return self.template(bot)
        except NotFound:
            return None

    def fitting(self, bot: Bot) -> Template | None:
        """The bot's template, or None when it no longer fits the bot's provider, channel or fields.

        What runs goes on then, and can be stopped and removed; a new container is refused with
        that reason.
        """
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
        """The names of the secrets without which the bot isn't started.

        Its plain fields may be incomplete: those that must be set come with the same form.
        """
        template = self.known(bot)
        try:
            secrets = template.secrets_for(bot.provider, bot.channel) if template else ()
        except BadInput:  # no such provider or channel any more
            return ()
        return tuple(secret.name for secret in secrets if secret.required)

    def secret_trouble(self, bot: Bot) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Which required secrets are missing or unusable; and, in words, why existing ones are
        unusable. Blocking."""
        template = self.known(bot)
        if template is None:
            return (), ()
        required = self.required_secrets(bot)
        found = self._vault.explain(bot.id, required, self.owner(template))
        if self._shift is not None and required:
            return required, (f"{self._shift.message}. {self._shift.remedy}",)
        words = [
            f"`{name}`: {reason}" for name, reason in found.items() if not simply_missing(reason)
        ]
        return tuple(found), tuple(words)

    def rendered_names(self, template: Template) -> frozenset[str]:
        """The names of files in the secrets folder that are rendered config, typed by nobody."""
        return frozenset(file.name for file in template.files if file.secret)

    def secret_values(self, bot: Bot) -> dict[str, str]:
        """The secrets that exist, without the config that is rendered beside them. Blocking."""
        template = self.known(bot)
        rendered = self.rendered_names(template) if template else frozenset()
        values = self._vault.read(bot.id)
        return {name: value for name, value in values.items() if name not in rendered}

    def reloads(self, bot: Bot, container: Observation) -> bool:
        """Whether the running program can read replaced secrets without a restart: the template
        says how, and the container is as the template would make it now."""
        template = self.fitting(bot)
        if template is None or not template.run.reload or not bot.image:
            return False
        return container.spec == self.digest(bot)

    def stop_timeout(self, bot: Bot) -> int:
        """Seconds between the request to end and the kill."""
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
        return replace(spec, files_digest=digest, release=bot.wanted)

    def is_stale(self, bot: Bot) -> bool:
        """Whether the template names another image than the one that the bot's was pinned from."""
        template = self.known(bot)
        return template is not None and bool(bot.image_ref) and bot.image_ref != template.image.ref

    def digest(self, bot: Bot) -> str:
        """The hash that a container made now would carry; empty where none can be made.

        A stale image counts as another one, so a container of it is outdated.
        """
        row = (bot.name, bot.template, bot.provider, bot.model, bot.channel)
        typed = (*sorted(bot.fields.items()), "", *sorted(bot.limits.items()))
        made_of = (*row, bot.image, bot.image_ref, bot.held, *typed)
        known = self._digests.get(bot.id)
        if known is not None and known[0] == made_of:
            return known[1]
        fits = bool(bot.image) and self.fitting(bot) is not None
        digest = self._future_spec(bot).digest() if fits else ""
        self._digests[bot.id] = (made_of, digest)
        return digest

    def _future_spec(self, bot: Bot) -> ContainerSpec:
        spec = self.spec(bot)
        return replace(spec, image=self.template(bot).image.ref) if self.is_stale(bot) else spec

    def write_files(self, bot: Bot) -> None:
        """Write the rendered, secret-free files where the container will see them. Blocking.

        Each text has folders of its own: those of another container stay as they are.
        """
        files = rendered_files(self.template(bot), bot)
        folders = sorted({file.folder for file in files})
        mark = self.spec(bot).files_digest
        try:
            for number, folder in enumerate(folders):
                place = self._folder(bot.id, number, mark)
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
                f"The bot's config files could not be written: {error.strerror}.",
                hint="Check the free space and the permissions of the data folder.",
            ) from error

    def drop_former_files(self, bot: Bot) -> None:
        """Remove the rendered files of containers that are gone. Blocking.

        Only while the bot has no container but one that was created of its present content.
        """
        mark = self.spec(bot).files_digest
        home = self._files / bot.id
        for place in home.iterdir() if mark and home.is_dir() else ():
            if not place.name.endswith(f".{mark}"):
                shutil.rmtree(place, ignore_errors=True)

    def has_files(self, bot_id: str) -> bool:
        """Whether the bot still has files on the disk. Blocking."""
        rendered = (self._files / bot_id).exists()
        return rendered or bot_id in self._vault.bots() or self.staging.has(bot_id)

    def drop_files(self, bot_id: str) -> None:
        """Remove the bot's secrets and rendered files; success when they are gone. Blocking."""
        self._vault.drop(bot_id)
        self.staging.drop(bot_id)
        shutil.rmtree(self._files / bot_id, ignore_errors=True)
        self._digests.pop(bot_id, None)
        self._held.pop(bot_id, None)

    def _folder(self, bot_id: str, number: int, mark: str = "") -> Path:
        return self._files / bot_id / (f"{number}.{mark}" if mark else str(number))


def _with_group(user: str) -> str:
    return user if ":" in user else f"{user}:{user}"
