"""The answers that could not be given: said later, once, by direct message or in the admin channel.

A request is owed an answer from the moment it is in the audit. Discord takes the answer: the debt
is gone. It does not take it: the words are kept and said here. The controller died in between: the
next one says how the bot is now.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
from dataclasses import replace

import discord

from controller.chat.requests import delivery as answers
from controller.chat.requests.admission import Place
from controller.chat.words.bot_facts import outcome
from controller.chat.words.text import MESSAGE_MAX, moment, plain
from controller.domain.errors import ControllerError, DiscordTrouble
from controller.manager import Manager
from controller.manager.reconciler import Reconciler
from controller.store import Owed

log = logging.getLogger(__name__)
# What changes something. What only looks is asked for again; a question or a form likewise.
ASKS = frozenset(
    {
        *("bot create", "bot start", "bot stop", "bot restart", "bot do", "access grant"),
        *("access revoke", "button start", "button stop", "button restart", "button delete"),
        *("modal form", "modal do", "modal edit"),
    }
)
KEPT_SECONDS = 86_400.0
SETTLE_SECONDS = 20.0  # after a start; then a bot that is still on its way is called so
LOOK_SECONDS = 0.5
WORDS_MAX = 1_700  # of a message; the rest is for whom and about what


class Outbox:
    """Keeps what is owed, and says it when Discord is there."""

    def __init__(self, manager: Manager, client: discord.Client, place: Place) -> None:
        self._manager = manager
        self._table = manager.store.outbox
        self._client = client
        self._place = place
        self._owed: dict[str, Owed] = {}
        self._queue = Reconciler("outbox", workers=2)
        self._began = time.monotonic()
        self._connected = asyncio.Event()

    def connected(self) -> None:
        """Discord is there for the first time: what is owed can be said."""
        self._connected.set()

    async def load(self) -> None:
        """Take over what an earlier controller owes. Before anything new can be asked."""
        self._owed = {owed.request: owed for owed in await self._table.all()}

    async def run(self) -> None:
        """Say what is owed, until cancelled."""
        await self._drop_old()
        await self._connected.wait()
        for request in self._owed:
            self._queue.poke(request)
        await self._queue.run(self._settle)

    def open(self, interaction: discord.Interaction, act: str) -> None:
        """From here on, whoever asked for this by that interaction is owed an answer."""
        if act in ASKS:
            interaction.extras["outbox"] = self
            interaction.extras["asked"] = act

    async def told(self, interaction: discord.Interaction) -> None:
        """The answer was given. Trouble with the disk means at worst that it is given twice."""
        try:
            await self._table.drop(str(interaction.id))
        except ControllerError as error:
            log.warning("an answer that was given is still noted as owed: %s", error)

    async def keep(self, interaction: discord.Interaction, words: str, why: Exception) -> None:
        """The answer could not be given: keep its words and say them later."""
        named = getattr(interaction.namespace, "name", "")
        words = self._manager.redactor(words)
        owed = Owed(
            request=str(interaction.id),
            user_id=interaction.user.id,
            action=str(interaction.extras["asked"]),
            bot_name=named if isinstance(named, str) else "",
            asked_at=interaction.created_at.timestamp(),
            words=words if len(words) <= WORDS_MAX else words[: WORDS_MAX - 1] + "…",
        )
        log.warning("an answer could not be given: %s; it is said later", why)
        try:
            owed = await self._table.keep(owed)
        except ControllerError as error:
            log.warning("it is not on the disk: %s", error)
        self._owed[owed.request] = owed
        self._queue.poke(owed.request)

    async def _drop_old(self) -> None:
        for request, owed in list(self._owed.items()):
            if _old(owed):
                await self._give_up(request, owed)

    async def _give_up(self, request: str, owed: Owed) -> None:
        log.warning(
            "dropped an answer of %s about %s that nobody could be told for a day",
            time.strftime("%Y-%m-%d %H:%M", time.gmtime(owed.asked_at)),
            _about(owed),
        )
        await self._forget(request)

    async def _forget(self, request: str) -> None:
        # From memory whatever the disk says: this controller says nothing twice.
        self._owed.pop(request, None)
        try:
            await self._table.drop(request)
        except ControllerError as error:
            log.warning("an answer that is settled is still noted as owed: %s", error)

    async def _settle(self, request: str) -> float | None:
        owed = self._owed.get(request)
        if owed is None:
            return None
        if _old(owed):
            await self._give_up(request, owed)
            return None
        if owed.words is None:
            words = self._now(owed)
            if words is None:
                return LOOK_SECONDS
            # Kept, so that every further try says the same.
            owed = self._owed[request] = await self._table.keep(replace(owed, words=words))
        try:
            with answers.speaking():
                await self._say(owed)
        except answers.TROUBLE as error:
            raise DiscordTrouble(f"an answer is still owed: {error}") from error
        await self._forget(request)
        return None

    def _now(self, owed: Owed) -> str | None:
        """How the bot is now, for who asked a controller that died; None while it is not known."""
        text = "The controller was restarted before it could answer. This is how it is now:\n"
        view = self._manager.fleet.get(owed.bot_id)
        if owed.action in {"grant", "revoke"}:
            return text + "/access list shows it."
        if view is None and owed.action == "create":
            return text + f"**{plain(owed.bot_name)}** was not made. Ask again: /bot create."
        if view is not None:
            known = view.seen and view.phase.settled and not view.bot.ended_run
            if not known and time.monotonic() < self._began + SETTLE_SECONDS:
                return None
        text += outcome(self._manager, view, owed.bot_name, "on its way")
        if owed.action == "action":
            text += "\nWhether what you asked of it was done is not known."
        if view is not None and owed.action == "edit":
            text += f"\nNot sure what was stored? /bot edit {owed.bot_name} shows what is set."
        if view is not None and owed.action in {"secrets", "enter secrets"}:
            text += f"\nNot sure what was stored? /bot secrets {owed.bot_name} asks again."
        return text[:WORDS_MAX]

    async def _say(self, owed: Owed) -> None:
        text = f"📨 You asked {moment(owed.asked_at)}: {_about(owed)}. The answer, late:\n"
        text += owed.words or ""
        # Discord drops a second message with this nonce: an answer that was lost costs no double.
        nonce = hashlib.sha256(f"outbox {owed.request}".encode()).hexdigest()[:25]
        try:
            direct = await self._client.create_dm(discord.Object(owed.user_id))
            await direct.send(text[:MESSAGE_MAX], allowed_mentions=answers.NO_MENTIONS, nonce=nonce)
        except discord.HTTPException as error:
            if error.status not in {400, 403, 404}:
                raise
        else:
            return
        channel = self._client.get_partial_messageable(
            self._place.channel_id, guild_id=self._place.guild_id
        )
        text = f"<@{owed.user_id}> {text}"
        await channel.send(text[:MESSAGE_MAX], allowed_mentions=answers.NO_MENTIONS, nonce=nonce)


def _old(owed: Owed) -> bool:
    return owed.asked_at < time.time() - KEPT_SECONDS


def _about(owed: Owed) -> str:
    """`**start** of **shop**`."""
    action = owed.action.removeprefix("bot ").removeprefix("button ").removeprefix("modal ")
    return f"**{action}** of **{plain(owed.bot_name, 40)}**" if owed.bot_name else f"**{action}**"
