"""The operations on webhooks."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AwareDatetime, Field

from controller.api.operation import Answer, Call, Given, Nothing, Operation, Operations
from controller.api.resources import Page, Resource, at, moment
from controller.domain import acts
from controller.domain.webhook_progress import state
from controller.domain.webhook_urls import URL_MAX
from controller.domain.webhooks import Format
from controller.manager.webhooks import WebhookOrder, WebhookSeen

EventName = Annotated[str, Field(max_length=40)]


class NewWebhookIn(Given):
    """Whom to tell of which events. The URL is kept in a file and never answered."""

    name: Annotated[str, Field(max_length=100)]
    url: Annotated[str, Field(max_length=URL_MAX)]
    format: Annotated[Format | None, Field(description="None: what the address tells.")] = None
    events: Annotated[
        tuple[EventName, ...],
        Field(max_length=50, description="Like `bot.crash`, `bot.*` or `*`; none: `bot.*`."),
    ] = ()
    plain_http: Annotated[bool, Field(description="Allow http to another machine.")] = False


class ReplayIn(Given):
    """From where on events are sent again; neither: go on at once."""

    number: Annotated[int, Field(ge=1, description="Of the journal's entry.")] | None = None
    since: AwareDatetime | None = None


class WebhookOut(Resource):
    """A webhook without its URL, and how it is doing."""

    id: str
    name: str
    format: Format
    host: str
    fingerprint: str  # of the whole URL
    events: list[str]
    created_at: datetime
    state: Literal["ok", "failing", "stopped"]
    reason: str  # of the last failure
    failing_since: datetime | None
    delivered_at: datetime | None
    waiting: int  # events that it has yet to be sent
    settled: int  # the number of the last entry that it has been sent, or that isn't for it
    dead: int  # events that were given up
    lost: int  # entries that were no longer in the journal when their turn came


class WebhookAdded(WebhookOut):
    """A webhook that was just added. `key` checks its signatures; empty where nothing is signed."""

    key: str


class WebhookTestOut(Resource):
    """What came of a test. `status` is 0 where there was no answer."""

    event: str
    delivered: bool
    status: int
    reason: str
    answer: str  # the beginning of the receiver's answer


class DeadLetterOut(Resource):
    """An event that was given up, by the number of its entry."""

    number: int
    at: datetime
    reason: str


async def list_webhooks(call: Call[Nothing, Nothing]) -> Answer:
    """Every webhook."""
    found = await call.manager.webhooks.listed(call.caller)
    return Answer(Page[WebhookOut](items=[webhook_out(one) for one in found]))


async def add_webhook(call: Call[Nothing, NewWebhookIn]) -> Answer:
    """A new webhook."""
    wanted = call.body
    order = WebhookOrder(
        name=wanted.name,
        url=wanted.url,
        format=wanted.format,
        events=wanted.events,
        plain=wanted.plain_http,
    )
    added = await call.manager.webhooks.add(call.caller, order)
    out = webhook_out(WebhookSeen(added.webhook, 0)).model_dump()
    return Answer(WebhookAdded(**out, key=added.key))


async def remove_webhook(call: Call[Nothing, Nothing]) -> Answer:
    """Send it nothing more."""
    await call.manager.webhooks.remove(call.caller, call.path["webhook"])
    return Answer()


async def test_webhook(call: Call[Nothing, Nothing]) -> Answer:
    """Send one event that tells of nothing."""
    tested = await call.manager.webhooks.test(call.caller, call.path["webhook"])
    return Answer(
        WebhookTestOut(
            event=tested.event_id,
            delivered=tested.delivered,
            status=tested.status,
            reason=tested.reason,
            answer=tested.answer,
        )
    )


async def replay_webhook(call: Call[Nothing, ReplayIn]) -> Answer:
    """Send events again."""
    since = call.body.since.timestamp() if call.body.since else 0.0
    seen = await call.manager.webhooks.replay(
        call.caller, call.path["webhook"], number=call.body.number or 0, since=since
    )
    return Answer(webhook_out(seen))


async def list_dead_letters(call: Call[Nothing, Nothing]) -> Answer:
    """What was given up."""
    found = await call.manager.webhooks.dead_letters(call.caller, call.path["webhook"])
    letters = [DeadLetterOut(number=one.seq, at=at(one.at), reason=one.reason) for one in found]
    return Answer(Page[DeadLetterOut](items=letters))


def webhook_out(seen: WebhookSeen) -> WebhookOut:
    """A webhook as it is answered."""
    webhook = seen.webhook
    return WebhookOut(
        id=webhook.id,
        name=webhook.name,
        format=webhook.format,
        host=webhook.host,
        fingerprint=webhook.fingerprint,
        events=list(webhook.events),
        created_at=at(webhook.created_at),
        state=state(webhook),
        reason=webhook.reason,
        failing_since=moment(webhook.failing_since or 0.0),
        delivered_at=moment(webhook.delivered_at or 0.0),
        waiting=seen.waiting,
        settled=webhook.cursor,
        dead=webhook.dead,
        lost=webhook.lost,
    )


WEBHOOK_OPERATIONS: Operations = (
    Operation(
        id="listWebhooks",
        method="GET",
        path="/webhooks",
        act=acts.WEBHOOK_LIST,
        summary="The webhooks, without their URLs, and how each is doing.",
        query=Nothing,
        body=Nothing,
        answer=Page[WebhookOut],
        handler=list_webhooks,
    ),
    Operation(
        id="addWebhook",
        method="POST",
        path="/webhooks",
        act=acts.WEBHOOK_ADD,
        summary="A new webhook. Its signing key is answered this once.",
        query=Nothing,
        body=NewWebhookIn,
        answer=WebhookAdded,
        status=201,
        secret=True,
        handler=add_webhook,
    ),
    Operation(
        id="removeWebhook",
        method="DELETE",
        path="/webhooks/{webhook}",
        act=acts.WEBHOOK_REMOVE,
        summary="Send a webhook nothing more, by its name or id.",
        query=Nothing,
        body=Nothing,
        answer=None,
        status=204,
        handler=remove_webhook,
    ),
    Operation(
        id="testWebhook",
        method="POST",
        path="/webhooks/{webhook}/test",
        act=acts.WEBHOOK_TEST,
        summary="Send a webhook one test event, and say what its receiver answers.",
        query=Nothing,
        body=Nothing,
        answer=WebhookTestOut,
        handler=test_webhook,
    ),
    Operation(
        id="replayWebhook",
        method="POST",
        path="/webhooks/{webhook}/replay",
        act=acts.WEBHOOK_REPLAY,
        summary="Send a webhook's events again from an entry or a time on, or go on at once.",
        query=Nothing,
        body=ReplayIn,
        answer=WebhookOut,
        handler=replay_webhook,
    ),
    Operation(
        id="listDeadLetters",
        method="GET",
        path="/webhooks/{webhook}/dead-letters",
        act=acts.WEBHOOK_LIST,
        summary="The newest events of a webhook that were given up.",
        query=Nothing,
        body=Nothing,
        answer=Page[DeadLetterOut],
        handler=list_dead_letters,
    ),
)
