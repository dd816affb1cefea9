"""The operations on newer images: which there are, and having them tried one bot after another."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import Field

from controller.api.operation import Answer, Call, Given, Nothing, Operation, Operations
from controller.api.resources import BotName, Resource, moment
from controller.domain import acts
from controller.manager.update_checks import Found, Rollout


class Approved(Given):
    """The `mark` of what `findUpdates` answered."""

    mark: Annotated[str, Field(max_length=64)]


class OfferOut(Resource):
    """A bot whose image has a newer version."""

    bot: BotName
    reference: str
    before: str
    after: str


class RolloutOut(Resource):
    """How updating several bots goes, or went. `failed` is the bot that ended it, if one did."""

    bots: list[str]
    done: int
    running: bool
    failed: str
    why: str


class UpdatesOut(Resource):
    """What is known of newer images. The `mark` is the same while this is offered."""

    mark: str
    items: list[OfferOut]
    silent: list[str]  # references of which nobody could say what they mean now
    checked_at: datetime | None
    rollout: RolloutOut | None


def rollout_out(rollout: Rollout) -> RolloutOut:
    """A rollout as it is answered."""
    return RolloutOut(
        bots=list(rollout.names),
        done=rollout.done,
        running=rollout.running,
        failed=rollout.failed,
        why=rollout.why,
    )


def updates_out(found: Found) -> UpdatesOut:
    """What was found, as it is answered."""
    return UpdatesOut(
        mark=found.mark,
        items=[
            OfferOut(
                bot=BotName(id=offer.bot.id, name=offer.bot.name),
                reference=offer.bot.image_ref,
                before=offer.bot.image,
                after=offer.image,
            )
            for offer in found.offers
        ],
        silent=list(found.silent),
        checked_at=moment(found.checked_at),
        rollout=rollout_out(found.rollout) if found.rollout else None,
    )


async def find_updates(call: Call[Nothing, Nothing]) -> Answer:
    """Check now."""
    return Answer(updates_out(await call.manager.update_checks.find(call.caller)))


async def approve_updates(call: Call[Nothing, Approved]) -> Answer:
    """Begin to update what was offered."""
    begun = await call.manager.update_checks.approve(call.caller, call.body.mark)
    return Answer(rollout_out(begun))


UPDATE_OPERATIONS: Operations = (
    Operation(
        id="findUpdates",
        method="GET",
        path="/updates",
        act=acts.FLEET_UPDATES,
        summary="Which bots' images have newer versions. The registries are asked; nothing is "
        "pulled.",
        query=Nothing,
        body=Nothing,
        answer=UpdatesOut,
        handler=find_updates,
    ),
    Operation(
        id="approveUpdates",
        method="POST",
        path="/updates",
        act=acts.FLEET_UPDATES,
        summary="Update the bots that were offered, one at a time; the first failure ends it.",
        query=Nothing,
        body=Approved,
        answer=RolloutOut,
        handler=approve_updates,
    ),
)
