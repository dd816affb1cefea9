"""The operations that act on many bots: on exactly those that the body lists."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from functools import partial
from typing import Annotated

from pydantic import Field

from controller.api.operation import Answer, Call, Given, Nothing, Operation, Operations
from controller.api.resources import Resource, Who, at, moment, who_out
from controller.domain import acts
from controller.domain.batches import BOTS_MOST, Batch, BatchState, ItemState, Verb
from controller.domain.errors import NotFound
from controller.domain.names import is_bot_id

_SUMMARIES = {
    Verb.START: "Start these bots, a few at a time.",
    Verb.STOP: "Stop these bots, a few at a time.",
    Verb.RESTART: "Restart these bots, a few at a time.",
    Verb.UPDATE: "Update these bots, a few at a time. Each is tried, and taken back if it fails.",
}


class BotsMeant(Given):
    """Which bots: all of them must exist, and be yours to do this to."""

    bots: Annotated[
        list[Annotated[str, Field(max_length=40)]],
        Field(max_length=BOTS_MOST, description="Ids or names."),
    ]


class BatchItemOut(Resource):
    """One of the bots, and how it went."""

    id: str
    name: str
    state: ItemState
    words: str


class BatchOut(Resource):
    """An act on many bots, and how it goes."""

    id: int
    verb: Verb
    state: BatchState
    cancelled: bool
    by: Who
    asked_at: datetime
    ended_at: datetime | None
    bots: list[BatchItemOut]


def batch_out(batch: Batch) -> BatchOut:
    """A batch as it is answered."""
    return BatchOut(
        id=batch.id,
        verb=batch.verb,
        state=batch.state,
        cancelled=batch.cancelled,
        by=who_out(batch.by),
        asked_at=at(batch.asked_at),
        ended_at=moment(batch.ended_at),
        bots=[
            BatchItemOut(id=item.bot_id, name=item.name, state=item.state, words=item.words)
            for item in batch.items
        ],
    )


async def begin_batch(verb: Verb, call: Call[Nothing, BotsMeant]) -> Answer:
    """Begin with exactly these."""
    bots = call.manager.bots
    await call.manager.access.require(call.caller, verb.act)
    found = []
    for named in call.body.bots:
        ask = bots.known if is_bot_id(named) else bots.named
        found.append((await ask(call.caller, verb.of_one, named)).bot)
    asked = await call.manager.batches.ask(call.caller, verb, found)
    batch = await call.manager.batches.begin(call.caller, asked.id)
    return Answer(batch_out(batch), headers={"Location": f"/api/v1/batches/{batch.id}"})


async def get_batch(call: Call[Nothing, Nothing]) -> Answer:
    """How it goes."""
    return Answer(batch_out(await call.manager.batches.get(call.caller, _number(call))))


async def cancel_batch(call: Call[Nothing, Nothing]) -> Answer:
    """Begin with no further bot."""
    return Answer(batch_out(await call.manager.batches.cancel(call.caller, _number(call))))


def _number(call: Call[Nothing, Nothing]) -> int:
    named = call.path["batch"]
    if not named.isdecimal() or len(named) > 12:
        raise NotFound("There is no such batch.", code="no-such-batch")
    return int(named)


def _beginning(verb: Verb) -> Operation[Nothing, BotsMeant]:
    handler: Callable[[Call[Nothing, BotsMeant]], Awaitable[Answer]] = partial(begin_batch, verb)
    return Operation(
        id=f"{verb.value}Bots",
        method="POST",
        path=f"/fleet/{verb.value}",
        act=verb.act,
        summary=_SUMMARIES[verb],
        query=Nothing,
        body=BotsMeant,
        answer=BatchOut,
        status=201,
        handler=handler,
    )


BATCH_OPERATIONS: Operations = (
    *(_beginning(verb) for verb in Verb),
    Operation(
        id="getBatch",
        method="GET",
        path="/batches/{batch}",
        act=acts.FLEET_STATUS,
        summary="How an act on many bots goes, bot by bot.",
        query=Nothing,
        body=Nothing,
        answer=BatchOut,
        handler=get_batch,
    ),
    Operation(
        id="cancelBatch",
        method="POST",
        path="/batches/{batch}/cancel",
        act=acts.FLEET_STOP,
        summary="Begin with no further bot. Those under way come to their end.",
        query=Nothing,
        body=Nothing,
        answer=BatchOut,
        handler=cancel_batch,
    ),
)
