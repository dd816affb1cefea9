"""Values that were sealed before they were entered: opened here, and used up when they are kept.

A value's time ends by the controller's own clock: it set that time in the address.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, field

from controller.catalog import SecretSpec
from controller.domain.acts import BOT_SECRETS
from controller.domain.bot import Bot
from controller.domain.errors import BadInput, Conflict, ControllerError
from controller.fleet.journal import Caller
from controller.manager.access import Access
from controller.manager.submission import Input
from controller.store import Store
from controller.vault import Address, Opened, SealKey, is_sealed

ADDRESS_SECONDS = 604_800.0  # a week: so long can values be sealed to an address
FAR = 2 * ADDRESS_SECONDS  # no address of ours is good for longer


@dataclass(frozen=True, slots=True)
class Unsealed:
    """What was entered, with what was sealed opened; and what is wrong with the rest."""

    values: Mapping[str, str] = field(repr=False)
    seals: Mapping[str, Opened]  # by the secret's name
    wrong: Mapping[str, BadInput]


class SealedEntry:
    """Gives out addresses, opens what was sealed to them, and lets each be used once."""

    def __init__(self, key: SealKey, store: Store, access: Access, *, only: bool) -> None:
        self._key = key
        self._store = store
        self._access = access
        self.only = only  # whether a secret that wasn't sealed is refused

    @property
    def fingerprint(self) -> str:
        """The public key's fingerprint, to be compared outside of Discord."""
        return self._key.fingerprint

    async def address(self, caller: Caller, bot: Bot) -> Address:
        """Where whoever may replace the bot's secrets can seal them to."""
        await self._access.require(caller, BOT_SECRETS, bot)
        return self._key.address(bot.id, bot.name, time.time() + ADDRESS_SECONDS)

    def open(self, inputs: Iterable[Input], values: Mapping[str, str], bot: Bot) -> Unsealed:
        """Open what is sealed among the values; what can't be taken is left out and named."""
        labels = {s.name: s.label or s.name for s in inputs if isinstance(s, SecretSpec)}
        seals: dict[str, Opened] = {}
        wrong: dict[str, BadInput] = {}
        for name, text in values.items():
            try:
                if name in labels and is_sealed(text):
                    seals[name] = self._opened(text, bot, name)
                elif name in labels and text.strip() and self.only:
                    raise _plain()
                elif name not in labels and is_sealed(text):
                    raise _no_secret()
            except BadInput as error:
                wrong[name] = error.of_input(name, labels.get(name, name))
        plain = {name: text for name, text in values.items() if name not in wrong}
        opened = {name: seal.value for name, seal in seals.items()}
        return Unsealed({**plain, **opened}, seals, wrong)

    def compared(self, bot: Bot, name: str, text: str) -> str:
        """A value to be compared with what is stored: opened if it is sealed, whenever it was."""
        return self._key.open(text, bot.id, name).value if is_sealed(text) else text

    @contextlib.asynccontextmanager
    async def used(self, seals: Iterable[Opened]) -> AsyncIterator[None]:
        """These are used up, unless the block fails. Raises BadInput if one was before."""
        nonces = {seal.nonce: float(seal.until) for seal in seals}
        if not nonces:
            yield
            return
        try:
            async with self._store.transaction() as write:
                await write.use_seals(nonces, time.time())
        except Conflict as error:
            raise BadInput(error.message, hint=error.hint, code="seal-used") from None
        try:
            yield
        except ControllerError:
            async with self._store.transaction() as write:
                await write.reuse_seals(nonces)
            raise

    def _opened(self, text: str, bot: Bot, name: str) -> Opened:
        seal, now = self._key.open(text, bot.id, name), time.time()
        if not now <= seal.until <= now + FAR:
            raise BadInput(
                "The sealed text has expired.",
                hint="Ask for a new address, and seal the value again.",
                code="seal-expired",
            )
        return seal


def _plain() -> BadInput:
    return BadInput(
        "It must be sealed before it is entered: BOTMAKER_SEALED_ONLY is set.",
        hint="`botmaker seal`, or the page seal.html, makes `seal1.…` of it.",
        code="sealed-only",
    )


def _no_secret() -> BadInput:
    return BadInput(
        "A sealed text can only be entered for a secret.",
        hint="Type this one as it is: it isn't secret, and everybody can see it.",
        code="bad-field",
    )
