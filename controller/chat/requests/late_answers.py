"""Answers that couldn't be given are said later, once: by direct message or in the admin channel.

An answer is owed from the moment its request is in the journal. If Discord takes it, the debt is
settled. If not, its words are kept and said here. If the controller died in between, the next one
says how the bot is now.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
from dataclasses import replace

import discord

from controller.chat.languages import command, say, speak, spoken
from controller.chat.requests.audience import servers_language
from controller.chat.requests.discord_trouble import TROUBLE, reading_discord
from controller.chat.requests.place import Place
from controller.chat.requests.quiet import QUIETLY
from controller.chat.requests.request import REPLY_VIA, Request
from controller.chat.words.bot_facts import outcome_of
from controller.chat.words.fitting import fit
from controller.chat.words.limits import NONCE_MAX
from controller.chat.words.text import fitted, moment, plain
from controller.domain import acts
from controller.domain.batches import Verb
from controller.domain.errors import ControllerError, DiscordTrouble
from controller.loop.queue import Queue
from controller.manager import Manager
from controller.store import Owed

log = logging.getLogger(__name__)
KEPT_SECONDS = 86_400.0
SETTLE_SECONDS = 20.0  # after a start; a bot that hasn't settled by then is reported as it is
LOOK_SECONDS = 0.5
NOTE = "… and {count} more lines."
WORDS_MAX = 1_700  # characters; the rest of the message says whose request it was


class LateAnswers:
    """Keeps the answers that are owed, and gives them as soon as Discord takes them."""

    def __init__(self, manager: Manager, client: discord.Client, place: Place) -> None:
        self._manager = manager
        self._notebook = manager.notebook
        self._client = client
        self._place = place
        self._owed: dict[str, Owed] = {}
        self._languages: dict[str, str] = {}  # of those who asked this controller
        self._queue = Queue("late answer", workers=2)
        self._began = time.monotonic()
        self._connected = asyncio.Event()

    def connected(self) -> None:
        """Discord is connected for the first time: what is owed can be said."""
        self._connected.set()

    async def load(self) -> None:
        """Take over what an earlier controller owes. Call it before anything new can be asked."""
        self._owed = {owed.request: owed for owed in await self._notebook.owed(REPLY_VIA)}

    async def run(self) -> None:
        """Say what is owed, until cancelled."""
        await self._drop_old()
        await self._connected.wait()
        for request in self._owed:
            self._queue.poke(request)
        await self._queue.run(self._settle)

    async def settle(self, request: Request) -> None:
        """The answer was given. If the disk fails here, it may be given twice."""
        try:
            await self._notebook.drop_owed(request.id)
        except ControllerError as error:
            log.warning("an answer that was given is still noted as owed: %s", error)

    async def keep(self, request: Request, words: str, why: Exception) -> None:
        """The answer couldn't be given: keep its words and say them later."""
        owed = Owed(
            request=request.id,
            reply_via=REPLY_VIA,
            recipient=str(request.interaction.user.id),
            act=request.way.act.id if request.way else request.name,
            bot_name=request.bot_name,
            asked_at=request.interaction.created_at.timestamp(),
            words=fit(self._manager.redact(words), WORDS_MAX, NOTE).text,
        )
        log.warning("an answer could not be given: %s; it will be said later", why)
        try:
            owed = await self._notebook.keep_owed(owed)
        except ControllerError as error:
            log.warning("an answer that is owed is not on the disk: %s", error)
        self._owed[owed.request] = owed
        self._languages[owed.request] = spoken()
        self._queue.poke(owed.request)

    async def _drop_old(self) -> None:
        for request, owed in list(self._owed.items()):
            if _old(owed):
                await self._give_up(request, owed)

    async def _give_up(self, request: str, owed: Owed) -> None:
        log.warning(
            "dropped an answer of %s (%s) that could not be given for a day",
            time.strftime("%Y-%m-%d %H:%M", time.gmtime(owed.asked_at)),
            owed.act,
        )
        await self._forget(request)

    async def _forget(self, request: str) -> None:
        # From memory in any case: this controller says nothing twice.
        self._owed.pop(request, None)
        self._languages.pop(request, None)
        try:
            await self._notebook.drop_owed(request)
        except ControllerError as error:
            log.warning("an answer that was given is still noted as owed: %s", error)

    async def _settle(self, request: str) -> float | None:
        owed = self._owed.get(request)
        if owed is None:
            return None
        if _old(owed):
            await self._give_up(request, owed)
            return None
        here = servers_language(self._client, self._place)
        await speak(self._languages.get(request, here))
        if owed.words is None:
            words = self._now(owed)
            if words is None:
                return LOOK_SECONDS
            # Kept, so that each try says the same.
            owed = self._owed[request] = await self._notebook.keep_owed(replace(owed, words=words))
        try:
            with reading_discord():
                await self._say(owed)
        except TROUBLE as error:
            raise DiscordTrouble(f"an answer is still owed: {error}") from error
        await self._forget(request)
        return None

    def _now(self, owed: Owed) -> str | None:
        """How the bot is now, for a request to a controller that died; None if not known yet."""
        text = say("The controller restarted before it could answer. This is how things are now:")
        text += "\n"
        view = self._manager.bots.get(owed.bot_id)
        if owed.act in {acts.ACCESS_GRANT.id, acts.ACCESS_REVOKE.id}:
            return text + say("See /access list.")
        if owed.act in {verb.act.id for verb in Verb}:
            return text + say("Its message in the admin channel shows how it goes.")
        if owed.act == acts.TOKEN_REVOKE.id:
            return text + say("See /access token list.")
        if view is None and owed.act == acts.BOT_CREATE.id:
            return text + say(
                "**{bot_name}** was not created. Ask again: /bot create.",
                bot_name=plain(owed.bot_name),
            )
        if view is not None:
            known = view.seen and view.phase.settled and not view.bot.run.to_end
            if not known and time.monotonic() < self._began + SETTLE_SECONDS:
                return None
        text += outcome_of(self._manager, view, owed.bot_name, say("working on it"))
        return fit(text + _unsure(owed, exists=view is not None), WORDS_MAX, NOTE).text

    async def _say(self, owed: Owed) -> None:
        text = say(
            "📨 About your request of {when} ({about}):",
            when=moment(owed.asked_at),
            about=_about(owed),
        )
        text += "\n" + (owed.words or "")
        # Discord drops a second message with the same nonce, so a try that was lost does no harm.
        nonce = hashlib.sha256(f"outbox {owed.request}".encode()).hexdigest()[:NONCE_MAX]
        try:
            direct = await self._client.create_dm(discord.Object(int(owed.recipient)))
            await direct.send(fitted(text), nonce=nonce, **QUIETLY)
        except discord.HTTPException as error:
            if error.status not in {400, 403, 404}:
                raise
        else:
            return
        channel = self._client.get_partial_messageable(
            self._place.channel_id, guild_id=self._place.guild_id
        )
        text = f"<@{owed.recipient}> {text}"
        # A channel pings nobody by itself, so this one person is let know.
        whom = discord.AllowedMentions(
            everyone=False, roles=False, users=[discord.Object(int(owed.recipient))]
        )
        await channel.send(fitted(text), nonce=nonce, allowed_mentions=whom, suppress_embeds=True)


def _unsure(owed: Owed, *, exists: bool) -> str:
    """What the bot's state doesn't tell about this request, and how to find out."""
    if owed.act == acts.BOT_DO.id:
        return "\n" + say("Whether the action ran isn't known.")
    if exists and owed.act == acts.BOT_EDIT.id:
        return "\n" + say(
            "Not sure what was stored? /bot edit {bot_name} shows the settings.",
            bot_name=owed.bot_name,
        )
    if exists and owed.act == acts.BOT_SECRETS.id:
        return "\n" + say(
            "Not sure what was stored? /bot secrets {bot_name} asks again.",
            bot_name=owed.bot_name,
        )
    return ""


def _old(owed: Owed) -> bool:
    return owed.asked_at < time.time() - KEPT_SECONDS


def _about(owed: Owed) -> str:
    """`**start** on **shop**`."""
    act = plain(command(owed.act.replace(".", " "))[1:].removeprefix("bot "), 40)
    return (
        say("**{act}** on **{bot_name}**", act=act, bot_name=plain(owed.bot_name, 40))
        if owed.bot_name
        else f"**{act}**"
    )
