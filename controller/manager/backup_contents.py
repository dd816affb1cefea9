"""Chooses what belongs into a backup, and reads it: the database first, then what it names.

In this order nothing is lost that a running controller moves meanwhile: journal entries go from the
table to files, and a secret that is newer than its row is what a restart would find as well.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from controller import __version__
from controller.backups import Header, Item, ListedBot, Story, state_parts
from controller.domain.bot import Bot
from controller.domain.disk_words import storage
from controller.fleet.threads import Threads
from controller.fleet.views import Fleet
from controller.loop.savings import Savings
from controller.runtime import Runtime
from controller.store import CopiedBot, Examined, Store, examine_copy, without_usage
from controller.vault import MASTER_KEY, AtRest, Staging, Vault, WebhookVault, journal_key


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Where an installation keeps what a backup is made of."""

    store: Store
    vault: Vault
    threads: Threads
    box: AtRest  # opens what was typed into unfinished forms
    data_dir: Path
    templates_dir: Path | None
    states: States | None = None  # None: no controller runs that could read them


@dataclass(frozen=True, slots=True)
class States:
    """What reads the bots' states: the loop, each when its bot has nothing else to do."""

    fleet: Fleet
    runtime: Runtime
    savings: Savings

    async def bots(self) -> list[Bot]:
        """The bots that have a state, by name."""
        volumes = {found.bot_id for found in await self.runtime.list_volumes()}
        bots = (view.bot for view in self.fleet if view.bot.id in volumes)
        return sorted(bots, key=lambda bot: bot.name)

    def items(self, bots: Sequence[Bot], loop: asyncio.AbstractEventLoop) -> Iterator[Item]:
        """Their states, one after another; for the thread that writes the backup."""
        for bot in bots:
            if self.fleet.get(bot.id) is not None:
                yield from state_parts(bot.id, self.savings.ask(bot, loop).pieces())


@dataclass(frozen=True, slots=True, kw_only=True)
class Collected:
    """All of an installation but the bots' states; the items have secrets in them."""

    header: Header
    bots: tuple[CopiedBot, ...]
    items: tuple[Item, ...] = field(repr=False)
    journal_entries: int
    journal_head: str

    def story(self, states: Mapping[str, str]) -> Story:
        """What the backup's list tells. `states`: by bot, what became of its state."""
        return Story(
            bots=tuple(_listed(bot, states.get(bot.id, "none")) for bot in self.bots),
            journal_entries=self.journal_entries,
            journal_head=self.journal_head,
        )


async def collect(sources: Sources, key: bytes) -> Collected:
    """Read everything. `key` is the installation's. Raises StorageTrouble."""
    place, threads = sources.data_dir, sources.threads
    whole = await sources.store.copy()
    data = await threads(lambda: without_usage(whole))
    months = await threads(lambda: _months(place / "journal"))
    examined = await threads(lambda: examine_copy(data, journal_key(key), months.values()))
    ids = [bot.id for bot in examined.bots]
    secrets = await threads.secrets(lambda: list(_secrets(sources, ids)), things=len(ids))
    master = await threads(lambda: list(_master(place / MASTER_KEY)))
    templates = await threads(lambda: list(_templates(sources.templates_dir)))
    items = [
        ("data/botmaker.db", data),
        ("data/install.key", key),
        *master,
        *((f"data/journal/{name}", content) for name, content in months.items()),
        *templates,
        *secrets,
    ]
    return Collected(
        header=_header(examined),
        bots=examined.bots,
        items=tuple(items),
        journal_entries=examined.journal.entries,
        journal_head=examined.journal.head,
    )


def _header(examined: Examined) -> Header:
    return Header(
        format=1,
        product="botmaker",
        version=__version__,
        schema_number=examined.schema,
        instance=examined.instance,
        created_at=time.time(),
    )


def _listed(bot: CopiedBot, state: str) -> ListedBot:
    return ListedBot.model_validate(
        {
            "id": bot.id,
            "name": bot.name,
            "template": bot.template,
            "wish": bot.wish,
            "image": bot.image,
            "image_ref": bot.image_ref,
            "state": state,
        }
    )


def _months(folder: Path) -> dict[str, bytes]:
    with storage(f"The journal's files in {folder} can't be read"):
        return {path.name: path.read_bytes() for path in sorted(folder.glob("*.jsonl.gz"))}


def _templates(folder: Path | None) -> Iterator[Item]:
    if folder is None:
        return
    with storage(f"The templates in {folder} can't be read"):
        for path in sorted(folder.glob("*.toml")):
            yield f"templates/{path.name}", path.read_bytes()


def _master(file: Path) -> Iterator[Item]:
    """BotMaker's own master key. One that is given to it is kept by whoever gives it."""
    with storage(f"The master key {file} can't be read"):
        if file.exists():
            yield "data/master.key", file.read_bytes()


def _secrets(sources: Sources, bots: list[str]) -> Iterator[Item]:
    """The secrets of these bots, what was typed into their unfinished forms, and where webhooks
    go."""
    vault = sources.vault
    there = set(vault.bots())
    for bot_id in bots:
        for name, value in vault.read(bot_id).items() if bot_id in there else ():
            if value:  # an empty file is nobody's secret
                yield f"secrets/{bot_id}/{name}", value.encode()
    for bot_id, form_id, staged in Staging(vault.root, sources.box).everything():
        if bot_id in bots:
            kept = {"secrets": dict(staged.secrets), "fields": dict(staged.fields)}
            yield f"forms/{bot_id}.{form_id}.json", json.dumps(kept).encode()
    for webhook_id, files in WebhookVault(vault.root).everything().items():
        for name, value in files.items():
            yield f"webhooks/{webhook_id}/{name}", value.encode()
