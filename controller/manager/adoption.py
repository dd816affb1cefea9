"""Rebuilds rows of bots whose database was lost, from their containers and secrets.

A container is ours if it has one of our secrets folders at its secrets' place: nobody else's has.
What it was made of isn't in its labels, but the hash of it is: a row is believed only if a
container made of it would carry that very hash. So nothing is guessed, and no bot is changed.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from controller.catalog import Catalog, Template
from controller.domain.access import CONSOLE
from controller.domain.bot import Bot, Wish
from controller.domain.errors import BadInput, Conflict, NotFound
from controller.domain.journal import Author, Fact, Kind
from controller.fleet.blueprint import Blueprints
from controller.fleet.hostpaths import HostPaths
from controller.fleet.journal import append_all
from controller.runtime.claims import Claim
from controller.store import Store
from controller.vault import Vault

NAME = "adopted-"


@dataclass(frozen=True, slots=True)
class Adopted:
    """The rows that are proved, and the containers of ours of which nothing more is known."""

    instance: str
    bots: tuple[Bot, ...]
    unknown: tuple[Claim, ...]


def ours(found: Sequence[Claim], vault: Vault, host: HostPaths) -> list[Claim]:
    """The containers that have our secrets folders. Blocking.

    Raises NotFound where there is none, Conflict where they are of several installations.
    """
    folders = {bot_id: host.translate(vault.root / bot_id) for bot_id in vault.bots()}
    mine = [one for one in found if one.secrets_source == folders.get(one.bot_id)]
    if not mine:
        raise NotFound(
            f"No container has a secrets folder of {vault.root}, so none is provably ours.",
            hint="Set BOTMAKER_SECRETS_DIR and DOCKER_HOST as they were.",
            code="nothing-to-adopt",
        )
    if len({one.instance for one in mine}) > 1:
        raise Conflict(
            "These containers are of several installations.",
            hint="Restore a backup: `botmaker restore`.",
        )
    return mine


def adopt(mine: Sequence[Claim], catalog: Catalog, blueprints: Blueprints) -> Adopted:
    """The rows that these containers were made of, as far as that can be proved. Blocking."""
    bots, unknown = [], []
    for claim in mine:
        bot = next((b for b in _guesses(claim, catalog) if _fits(b, claim, blueprints)), None)
        if bot is None:
            unknown.append(claim)
        else:
            bots.append(bot)
    return Adopted(mine[0].instance, tuple(bots), tuple(unknown))


async def write(store: Store, found: Adopted) -> None:
    """Write the rows into a new database, with their beginning in the journal."""
    by = Author(CONSOLE)
    async with store.transaction() as write_:
        await write_.remember("instance", found.instance)
        for bot in found.bots:
            await write_.add_bot(bot)
            made_of = {"template": bot.template, "provider": bot.provider, "model": bot.model}
            data = {**made_of, "channel": bot.channel, "adopted": True}
            await append_all(write_, [Fact(Kind.CREATED, data)], bot, by)


def _guesses(claim: Claim, catalog: Catalog) -> Iterator[Bot]:
    """Whatever it may have been made of: every template, provider, channel and suggested model."""
    for template in catalog.templates.values():
        for provider in tuple(template.providers) or ("",):
            for model in _models(template, provider):
                for channel in tuple(template.channels) or ("",):
                    yield Bot(
                        id=claim.bot_id,
                        name=f"{NAME}{claim.bot_id[:8]}",
                        template=template.id,
                        provider=provider,
                        model=model,
                        channel=channel,
                        wish=Wish.RUN if claim.active else Wish.STOP,
                        image=claim.image,
                        image_ref=template.image.ref,
                        created_at=time.time(),
                    )


def _models(template: Template, provider: str) -> Sequence[str]:
    return (template.providers[provider].models or ("",)) if provider else ("",)


def _fits(bot: Bot, claim: Claim, blueprints: Blueprints) -> bool:
    try:
        return blueprints.spec(bot).digest() == claim.spec
    except (BadInput, NotFound):
        return False
