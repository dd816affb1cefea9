"""The operations on releases: which a bot had, what an update would change, update and rollback."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated

from pydantic import Field

from controller.api.deeds import DEED_SECONDS
from controller.api.operation import Answer, Call, Given, Nothing, Operation, Operations, Values
from controller.api.resources import (
    OperationOut,
    Page,
    ProblemOut,
    Resource,
    Who,
    at,
    moment,
    problem_out,
    who_out,
)
from controller.domain import acts
from controller.domain.release import Outcome, Release
from controller.domain.spec_changes import Difference


class ReleasesWanted(Given):
    """How many releases, the newest ones."""

    limit: Annotated[int, Field(ge=1, le=200)] = 20


class UpdateWanted(Given):
    """The `mark` of what `getUpdate` answered; left out: whatever it is now."""

    mark: Annotated[str, Field(max_length=64)] = ""


class RollbackWanted(Given):
    """Which release; left out: the last one before this that worked."""

    release: Annotated[int, Field(ge=1, le=999_999_999)] | None = None


class ReleaseOut(Resource):
    """A release of a bot. It never changes, but for how it ended."""

    number: int
    current: bool  # whether it's the newest that has proved itself
    why: str
    by: Who
    at: datetime
    outcome: Outcome
    ended_at: datetime | None
    problem: ProblemOut | None  # why it failed
    last_lines: list[str]  # of its log then, redacted
    template: str
    provider: str
    model: str
    channel: str
    settings: Values
    limits: dict[str, str]  # its own
    image: str
    reference: str  # what the image was resolved from


class DifferenceOut(Resource):
    """One thing that would be different; empty where it isn't there."""

    name: str
    before: str
    after: str


class UpdateOut(Resource):
    """What an update would change. The `mark` is the same while this is."""

    changes: bool
    mark: str
    image: DifferenceOut
    reference: DifferenceOut
    template: bool
    config: list[DifferenceOut]
    versions: list[DifferenceOut]  # what the images' labels say
    failed_before: str  # why the same was taken back, if it was


def release_out(one: Release, current: int) -> ReleaseOut:
    """A release as it is answered."""
    content = one.content
    return ReleaseOut(
        number=one.number,
        current=one.number == current,
        why=one.why,
        by=who_out(one.author.principal),
        at=at(one.at),
        outcome=one.outcome,
        ended_at=moment(one.ended_at),
        problem=problem_out(one.problem),
        last_lines=list(one.tail),
        template=content.template,
        provider=content.provider,
        model=content.model,
        channel=content.channel,
        settings=dict(content.fields),
        limits=dict(content.limits),
        image=content.image,
        reference=content.image_ref,
    )


async def list_releases(call: Call[ReleasesWanted, Nothing]) -> Answer:
    """The newest releases of a bot."""
    bot = await call.bot(acts.BOT_RELEASES)
    found = await call.manager.releases.listed(call.caller, bot, call.query.limit)
    return Answer(Page(items=[release_out(one, bot.release) for one in found]))


def _differences(found: Iterable[Difference]) -> list[DifferenceOut]:
    return [DifferenceOut(name=one.name, before=one.before, after=one.after) for one in found]


async def get_update(call: Call[Nothing, Nothing]) -> Answer:
    """What an update would change."""
    bot = await call.bot(acts.BOT_UPDATE)
    found = await call.manager.releases.preview(call.caller, bot)
    return Answer(
        UpdateOut(
            changes=bool(found),
            mark=found.mark,
            image=DifferenceOut(name="image", before=found.image[0], after=found.image[1]),
            reference=DifferenceOut(
                name="reference", before=found.reference[0], after=found.reference[1]
            ),
            template=found.template,
            config=_differences(found.config),
            versions=_differences(found.versions),
            failed_before=found.failed,
        )
    )


async def update_bot(call: Call[Nothing, UpdateWanted]) -> Answer:
    """Bring it up to date."""
    bot = await call.bot(acts.BOT_UPDATE)
    await call.manager.releases.update(call.caller, bot, call.body.mark, DEED_SECONDS)
    return Answer()


async def roll_back_bot(call: Call[Nothing, RollbackWanted]) -> Answer:
    """Make it what it was."""
    bot = await call.bot(acts.BOT_ROLLBACK)
    await call.manager.releases.rollback(call.caller, bot, call.body.release, DEED_SECONDS)
    return Answer()


RELEASE_OPERATIONS: Operations = (
    Operation(
        id="listReleases",
        method="GET",
        path="/bots/{bot}/releases",
        act=acts.BOT_RELEASES,
        summary="What a bot was made of, who changed that, and how it went; newest first.",
        query=ReleasesWanted,
        body=Nothing,
        answer=Page[ReleaseOut],
        handler=list_releases,
    ),
    Operation(
        id="getUpdate",
        method="GET",
        path="/bots/{bot}/update",
        act=acts.BOT_UPDATE,
        summary="What an update of a bot would change. It may pull the image first.",
        query=Nothing,
        body=Nothing,
        answer=UpdateOut,
        handler=get_update,
    ),
    Operation(
        id="updateBot",
        method="POST",
        path="/bots/{bot}/update",
        act=acts.BOT_UPDATE,
        summary="Bring a bot to what its template and image are now. It's tried first.",
        query=Nothing,
        body=UpdateWanted,
        answer=OperationOut,
        deed=True,
        handler=update_bot,
    ),
    Operation(
        id="rollBackBot",
        method="POST",
        path="/bots/{bot}/rollback",
        act=acts.BOT_ROLLBACK,
        summary="Make a bot what it was in a release, but for its secrets and its own data.",
        query=Nothing,
        body=RollbackWanted,
        answer=OperationOut,
        deed=True,
        handler=roll_back_bot,
    ),
)
