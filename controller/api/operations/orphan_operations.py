"""The operations on what belongs to no bot: list it, remove it."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from pydantic import Field

from controller.api.operation import (
    Answer,
    Assistant,
    Call,
    Given,
    Nothing,
    Operation,
    Operations,
)
from controller.api.resources import Page, Resource
from controller.domain import acts
from controller.domain.orphan import Leftover, Orphan

ORPHANS_MOST = 1000


class OrphanOut(Resource):
    """Something of ours that belongs to no bot."""

    id: str  # names it when it is to be removed
    kind: Leftover
    name: str
    state: str
    age_seconds: int | None  # since it was created; null: not known
    bytes: int | None  # on the disk; null: not known


class OrphansIn(Given):
    """Which ones, by their ids as they were listed."""

    ids: Annotated[
        list[Annotated[str, Field(max_length=200)]], Field(min_length=1, max_length=ORPHANS_MOST)
    ]


class RemovalOut(Resource):
    """What became of one of them: removed, or why not."""

    id: str
    removed: bool
    reason: str


def orphan_out(one: Orphan) -> OrphanOut:
    """An orphan as it is answered."""
    return OrphanOut(
        id=one.key,
        kind=one.kind,
        name=one.name,
        state=one.state,
        age_seconds=round(timedelta(seconds=one.age).total_seconds()) if one.age else None,
        bytes=one.size,
    )


async def list_orphans(call: Call[Nothing, Nothing]) -> Answer:
    """What belongs to no bot."""
    found = await call.manager.orphans.find(call.caller)
    return Answer(Page[OrphanOut](items=[orphan_out(one) for one in found]))


async def remove_orphans(call: Call[Nothing, OrphansIn]) -> Answer:
    """Remove exactly these."""
    done = await call.manager.orphans.remove(call.caller, call.body.ids)
    items = [RemovalOut(id=one.orphan.key, removed=one.done, reason=one.reason) for one in done]
    return Answer(Page[RemovalOut](items=items))


ORPHAN_OPERATIONS: Operations = (
    Operation(
        id="listOrphans",
        method="GET",
        path="/fleet/orphans",
        act=acts.FLEET_ORPHANS,
        summary="What BotMaker made and no bot has any more.",
        query=Nothing,
        body=Nothing,
        answer=Page[OrphanOut],
        handler=list_orphans,
        assistant=Assistant.LOOK,
    ),
    Operation(
        id="removeOrphans",
        method="POST",
        path="/fleet/orphans/remove",
        act=acts.ORPHANS_REMOVE,
        summary="Remove exactly these orphans; nothing if one of them isn't an orphan any more.",
        query=Nothing,
        body=OrphansIn,
        answer=Page[RemovalOut],
        handler=remove_orphans,
    ),
)
