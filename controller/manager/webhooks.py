"""Webhooks: who is told of events, added, tested, sent again and removed by admins."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from urllib.parse import urlsplit

from controller.domain import webhook_progress as progress
from controller.domain.acts import (
    WEBHOOK_ADD,
    WEBHOOK_LIST,
    WEBHOOK_REMOVE,
    WEBHOOK_REPLAY,
    WEBHOOK_TEST,
)
from controller.domain.errors import BadInput, Conflict, ControllerError, NotFound
from controller.domain.names import new_bot_id
from controller.domain.webhook_bodies import Event
from controller.domain.webhook_urls import Destination, check_url
from controller.domain.webhooks import (
    TEST_EVENT,
    WEBHOOKS_MOST,
    DeadLetter,
    Format,
    Verdict,
    Webhook,
    check_events,
    check_webhook_name,
)
from controller.fleet.journal import Caller, Journal
from controller.fleet.threads import Threads
from controller.manager.access import Access
from controller.manager.courier import Courier
from controller.manager.webhook_sender import WebhookSender
from controller.store import Store, archive
from controller.vault import Fingerprints, Redactor, WebhookKeys, WebhookVault, new_signing_key

log = logging.getLogger(__name__)
ANSWER_SHOWN = 300  # characters
DEAD_LETTERS_SHOWN = 200
_TELLING = 16  # characters of a path's part, from which on it is hidden wherever it appears


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookOrder:
    """A webhook that somebody wants."""

    name: str
    url: str = field(repr=False)
    format: Format | None = None  # None: what its address tells
    events: Sequence[str] = ()
    plain: bool = False


@dataclass(frozen=True, slots=True)
class AddedWebhook:
    """A webhook that was just added, and its signing key, which is shown this once."""

    webhook: Webhook
    key: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class WebhookSeen:
    """A webhook, and how many events wait for it."""

    webhook: Webhook
    waiting: int


@dataclass(frozen=True, slots=True)
class WebhookTested:
    """What came of a test. No `status`: there was no answer. `answer` is outside text."""

    webhook: Webhook
    event_id: str
    delivered: bool
    status: int
    reason: str
    answer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookTools:
    """What the use-cases work with."""

    instance: str
    store: Store
    journal: Journal
    access: Access
    vault: WebhookVault
    threads: Threads
    fingerprints: Fingerprints
    redactor: Redactor
    sender: WebhookSender
    courier: Courier
    clock: Callable[[], float]


class Webhooks:
    """What admins do with webhooks. What is sent to them is the courier's."""

    def __init__(self, tools: WebhookTools) -> None:
        self._tools = tools
        self._store = tools.store

    async def load(self) -> None:
        """Sweep what a crash left, and hide the webhooks' URLs in every text from now on."""
        tools, known = self._tools, await self._with_keys()

        def learn(webhook_id: str) -> None:
            tools.redactor.learn(webhook_id, hidden_in(tools.vault.read(webhook_id)))

        try:
            await tools.threads.secrets(lambda: tools.vault.sweep(known))
        except ControllerError as error:
            log.warning("the webhooks' files can't be swept: %s", error)
        for trouble in await tools.threads.secrets_of_each(learn, known):
            if trouble is not None:  # its delivery says so too, and tries again
                log.warning("a webhook's URL can't be read: %s", trouble)

    async def _with_keys(self) -> list[str]:
        webhooks = await self._store.webhooks()
        return [webhook.id for webhook in webhooks if webhook.format is not Format.EDGE]

    async def add(self, caller: Caller, order: WebhookOrder) -> AddedWebhook:
        """A new webhook that is sent what happens from now on.

        Raises BadInput (`bad-name`, `bad-event`, `bad-webhook-url`, `plain-webhook`,
        `edge-webhook`) and Conflict
        (`webhook-name-taken`, `too-many-webhooks`).
        """
        tools = self._tools
        await tools.access.require(caller, WEBHOOK_ADD)
        if order.format is Format.EDGE:
            raise _of_the_edge()
        name, events = check_webhook_name(order.name), check_events(order.events)
        destination = check_url(order.url, plain=order.plain)
        webhook = self._made(caller, order, name, events, destination)
        keys = WebhookKeys(destination.url, new_signing_key() if webhook.format.signed else "")
        tools.redactor.learn(webhook.id, hidden_in(keys))
        detail = _about(webhook) | {"format": webhook.format.value, "events": list(events)}
        async with tools.journal.request(caller, WEBHOOK_ADD, None, detail):
            if len(await self._store.webhooks()) >= WEBHOOKS_MOST:
                raise Conflict(
                    f"There are {WEBHOOKS_MOST} webhooks, and that is the most.",
                    hint="Remove one first.",
                    code="too-many-webhooks",
                )
            await tools.threads.secrets(lambda: tools.vault.write(webhook.id, keys))
            try:
                async with self._store.transaction() as write:
                    await write.add_webhook(webhook)
            except ControllerError:
                await self._drop_keys(webhook.id)
                raise
        tools.courier.changed(webhook.id)
        return AddedWebhook(webhook, keys.key)

    def _made(
        self,
        caller: Caller,
        order: WebhookOrder,
        name: str,
        events: tuple[str, ...],
        destination: Destination,
    ) -> Webhook:
        return Webhook(
            id=new_bot_id(),
            name=name,
            format=order.format or destination.format,
            host=destination.host,
            fingerprint=self._tools.fingerprints("url", destination.url),
            plain=order.plain,
            events=events,
            created_at=self._tools.clock(),
            created_by=caller.principal.name,
        )

    async def listed(self, caller: Caller) -> list[WebhookSeen]:
        """Every webhook, by name, and how it is doing."""
        await self._tools.access.require(caller, WEBHOOK_LIST)
        return [await self._seen(webhook) for webhook in await self._store.webhooks()]

    async def dead_letters(self, caller: Caller, name: str) -> list[DeadLetter]:
        """The newest events of a webhook that were given up, newest first."""
        await self._tools.access.require(caller, WEBHOOK_LIST)
        webhook = await self._named(name)
        return await self._store.dead_letters(webhook.id, DEAD_LETTERS_SHOWN)

    async def test(self, caller: Caller, name: str) -> WebhookTested:
        """Send one event that tells of nothing, and say what the receiver answers."""
        tools = self._tools
        await tools.access.require(caller, WEBHOOK_TEST)
        webhook = await self._find(name)
        async with tools.journal.request(caller, WEBHOOK_TEST, None, _about(webhook)) as deed:
            found = _there(webhook)
            if found.format is Format.EDGE:
                raise _of_the_edge()
            ident = f"{tools.instance}-test-{secrets.token_hex(6)}"
            data = {"webhook": found.name, "by": caller.principal.name}
            text = f"A test of the webhook {found.name}."
            event = Event(ident, TEST_EVENT, tools.clock(), text, data)
            attempt = await tools.sender.send(found, event)
            delivered = attempt.verdict is Verdict.DELIVERED
            deed.ended(delivered=delivered, status=attempt.status, reason=attempt.reason)
        answer = " ".join(tools.redactor(attempt.text, ends=False).split())[:ANSWER_SHOWN]
        return WebhookTested(found, ident, delivered, attempt.status, attempt.reason, answer)

    async def replay(
        self, caller: Caller, name: str, *, number: int = 0, since: float = 0.0
    ) -> WebhookSeen:
        """Send again from the entry of that number or that time on; without either go on at once.

        Also where the receiver was gone. BadInput (`bad-replay`) for both, or for a number that no
        entry has.
        """
        tools = self._tools
        await tools.access.require(caller, WEBHOOK_REPLAY)
        webhook = await self._find(name)
        chosen = {"number": number} if number else {"since": since} if since else {}
        detail = _about(webhook) | chosen
        async with tools.journal.request(caller, WEBHOOK_REPLAY, None, detail) as deed:
            found = _there(webhook)
            cursor = await self._place(found, number, since)
            after = progress.sent_again(found, cursor)
            async with self._store.transaction() as write:
                saved = await write.move_webhook(after)
                await write.drop_dead_letters(after.id, cursor)
            if not saved:
                raise _unknown()
            deed.ended(number=cursor + 1)
        tools.courier.changed(after.id)
        return await self._seen(after)

    async def remove(self, caller: Caller, name: str) -> None:
        """Send it nothing more, and forget its URL and key."""
        tools = self._tools
        await tools.access.require(caller, WEBHOOK_REMOVE)
        webhook = await self._find(name)
        async with tools.journal.request(caller, WEBHOOK_REMOVE, None, _about(webhook)):
            found = _there(webhook)
            async with self._store.transaction() as write:
                await write.drop_webhook(found.id)
            tools.courier.changed(found.id)
            await self._drop_keys(found.id)

    async def _place(self, webhook: Webhook, number: int, since: float) -> int:
        """The cursor from which what is wanted follows."""
        newest = await self._store.newest()
        if number and since:
            raise BadInput("Give a number or a time, not both.", code="bad-replay")
        if number > newest or number < 0:
            raise BadInput(
                f"There is no entry {number}.",
                hint=f"The newest one is {newest}; botmaker history --json shows numbers.",
                code="bad-replay",
            )
        if number:
            return number - 1
        if since:
            return (await self._number_at(since) or newest + 1) - 1
        return webhook.cursor

    async def _number_at(self, since: float) -> int:
        """The first entry of that time or later, in the monthly files too; 0 when there is none."""
        folder = self._tools.journal.folder

        def old() -> int:
            return next((row[0] for row in archive.read(folder) if row[1] >= since), 0)

        return await self._tools.threads(old) or await self._store.number_at(since)

    async def _seen(self, webhook: Webhook) -> WebhookSeen:
        return WebhookSeen(webhook, await self._store.waiting(webhook.cursor, webhook.kinds))

    async def _find(self, name: str) -> Webhook | None:
        wanted = name.strip().lower()
        found = await self._store.webhooks()
        return next((one for one in found if wanted in (one.name, one.id)), None)

    async def _named(self, name: str) -> Webhook:
        return _there(await self._find(name))

    async def _drop_keys(self, webhook_id: str) -> None:
        """The next start removes what can't be removed now."""
        try:
            await self._tools.threads.secrets(partial(self._tools.vault.drop, webhook_id))
        except ControllerError as error:
            log.warning("the URL of a removed webhook is still on the disk: %s", error)


def _there(webhook: Webhook | None) -> Webhook:
    if webhook is None:
        raise _unknown()
    return webhook


def _of_the_edge() -> BadInput:
    return BadInput(
        "Events to the Worker are set up by the settings, not as a webhook.",
        hint="`botmaker edge status` says how they are.",
        code="edge-webhook",
    )


def _unknown() -> NotFound:
    return NotFound("There is no webhook of that name.", code="no-such-webhook")


def _about(webhook: Webhook | None) -> dict[str, object]:
    """What the journal may tell of it."""
    if webhook is None:
        return {}
    about = {"webhook": webhook.id, "name": webhook.name}
    return {**about, "host": webhook.host, "fingerprint": webhook.fingerprint}


def hidden_in(keys: WebhookKeys) -> list[str]:
    """What is hidden wherever it appears: the URL, the long parts of its path, and the key."""
    return [*_secret_parts(keys.url), *([keys.key] if keys.key else [])]


def _secret_parts(url: str) -> Iterator[str]:
    parts = urlsplit(url)
    if len(parts.path) + len(parts.query) > 1:
        yield url
    for part in (*parts.path.split("/"), *parts.query.split("&")):
        if len(part) >= _TELLING:
            yield part
