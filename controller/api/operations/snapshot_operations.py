"""The operations on snapshots: which a bot has, and putting one in place of its state."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import Field

from controller.api.deeds import DEED_SECONDS
from controller.api.operation import Answer, Call, Given, Nothing, Operation, Operations
from controller.api.resources import OperationOut, Page, Resource, at
from controller.domain import acts
from controller.domain.snapshot import Snapshot


class RestoreWanted(Given):
    """Which snapshot, by its number."""

    snapshot: Annotated[int, Field(ge=1, le=999_999_999)]


class SnapshotOut(Resource):
    """All that was in a bot's volume, at one moment."""

    number: int
    at: datetime
    size: int  # bytes
    why: str  # of the release that it was taken before, or `restore`
    release: int


def snapshot_out(one: Snapshot) -> SnapshotOut:
    """A snapshot as it is answered."""
    return SnapshotOut(
        number=one.number, at=at(one.at), size=one.size, why=one.why, release=one.release
    )


async def list_snapshots(call: Call[Nothing, Nothing]) -> Answer:
    """All of a bot, newest first."""
    bot = await call.bot(acts.BOT_SNAPSHOTS)
    found = await call.manager.snapshots.listed(call.caller, bot)
    return Answer(Page(items=[snapshot_out(one) for one in found]))


async def restore_snapshot(call: Call[Nothing, RestoreWanted]) -> Answer:
    """Make the bot's state what it was."""
    bot = await call.bot(acts.BOT_RESTORE)
    await call.manager.snapshots.restore(call.caller, bot, call.body.snapshot, DEED_SECONDS)
    return Answer()


SNAPSHOT_OPERATIONS: Operations = (
    Operation(
        id="listSnapshots",
        method="GET",
        path="/bots/{bot}/snapshots",
        act=acts.BOT_SNAPSHOTS,
        summary="The copies of a bot's state from before its updates, newest first.",
        query=Nothing,
        body=Nothing,
        answer=Page[SnapshotOut],
        handler=list_snapshots,
    ),
    Operation(
        id="restoreSnapshot",
        method="POST",
        path="/bots/{bot}/snapshots",
        act=acts.BOT_RESTORE,
        summary="Put a snapshot in place of a bot's state, which becomes a snapshot itself.",
        query=Nothing,
        body=RestoreWanted,
        answer=OperationOut,
        deed=True,
        handler=restore_snapshot,
    ),
)
