"""The operations on what bots do by themselves."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from controller.api.operation import Answer, Assistant, Call, Given, Nothing, Operation, Operations
from controller.api.resources import Page, Resource, Who, at, moment, who_out
from controller.domain import acts
from controller.domain.errors import NotFound
from controller.domain.schedules import CRON_MAX, Schedule
from controller.manager.schedules import ScheduleOrder


class NewSchedule(Given):
    """What is done, and when. Five fields of cron, or words: `daily 4:30`, `mon,thu 22:15`."""

    chore: Literal["start", "stop", "restart", "update-check", "backup"]
    at: Annotated[str, Field(max_length=CRON_MAX)]
    zone: Annotated[str, Field(max_length=60, description="Like Europe/Berlin.")] = "UTC"


class ScheduleOut(Resource):
    """What a bot does by itself."""

    id: int
    chore: str
    cron: str
    zone: str
    paused: bool
    next_at: datetime
    by: Who
    created_at: datetime
    last_at: datetime | None
    last_code: str  # of the error that the last run ended with
    last_words: str
    missed: int  # runs that weren't made, since the last one that was
    missed_at: datetime | None


def schedule_out(one: Schedule) -> ScheduleOut:
    """A schedule as it is answered."""
    return ScheduleOut(
        id=one.id,
        chore=one.chore.value,
        cron=one.cron,
        zone=one.zone,
        paused=one.paused,
        next_at=at(one.next_at),
        by=who_out(one.by),
        created_at=at(one.created_at),
        last_at=moment(one.last_at),
        last_code=one.last_code,
        last_words=one.last_words,
        missed=one.missed,
        missed_at=moment(one.missed_at),
    )


async def list_schedules(call: Call[Nothing, Nothing]) -> Answer:
    """A bot's schedules."""
    bot = await call.bot(acts.SCHEDULE_LIST)
    found = await call.manager.schedules.listed(call.caller, bot)
    return Answer(Page[ScheduleOut](items=[schedule_out(one) for one in found]))


async def add_schedule(call: Call[Nothing, NewSchedule]) -> Answer:
    """Add one."""
    bot, given = await call.bot(acts.SCHEDULE_ADD), call.body
    order = ScheduleOrder(given.chore, given.at, given.zone)
    made = await call.manager.schedules.add(call.caller, bot, order)
    return Answer(schedule_out(made))


async def pause_schedule(call: Call[Nothing, Nothing]) -> Answer:
    """Let it rest."""
    bot = await call.bot(acts.SCHEDULE_PAUSE)
    found = await call.manager.schedules.pause(call.caller, bot, _number(call))
    return Answer(schedule_out(found))


async def resume_schedule(call: Call[Nothing, Nothing]) -> Answer:
    """Let it go on."""
    bot = await call.bot(acts.SCHEDULE_RESUME)
    found = await call.manager.schedules.resume(call.caller, bot, _number(call))
    return Answer(schedule_out(found))


async def remove_schedule(call: Call[Nothing, Nothing]) -> Answer:
    """Remove it."""
    bot = await call.bot(acts.SCHEDULE_REMOVE)
    await call.manager.schedules.remove(call.caller, bot, _number(call))
    return Answer()


def _number(call: Call[Nothing, Nothing]) -> int:
    """The schedule that the path names."""
    named = call.path["schedule"]
    if not named.isdecimal() or len(named) > 12:
        raise NotFound("There is no such schedule.", code="no-such-schedule")
    return int(named)


SCHEDULE_OPERATIONS: Operations = (
    Operation(
        id="listSchedules",
        method="GET",
        path="/bots/{bot}/schedules",
        act=acts.SCHEDULE_LIST,
        summary="What a bot does by itself, when next, and how the last runs went.",
        query=Nothing,
        body=Nothing,
        answer=Page[ScheduleOut],
        handler=list_schedules,
        assistant=Assistant.LOOK,
    ),
    Operation(
        id="addSchedule",
        method="POST",
        path="/bots/{bot}/schedules",
        act=acts.SCHEDULE_ADD,
        summary="Let a bot do something by itself. Its principal must be allowed to do it by hand.",
        query=Nothing,
        body=NewSchedule,
        answer=ScheduleOut,
        status=201,
        handler=add_schedule,
    ),
    Operation(
        id="pauseSchedule",
        method="POST",
        path="/bots/{bot}/schedules/{schedule}/pause",
        act=acts.SCHEDULE_PAUSE,
        summary="Let a schedule rest. What is due meanwhile isn't made up for.",
        query=Nothing,
        body=Nothing,
        answer=ScheduleOut,
        handler=pause_schedule,
    ),
    Operation(
        id="resumeSchedule",
        method="POST",
        path="/bots/{bot}/schedules/{schedule}/resume",
        act=acts.SCHEDULE_RESUME,
        summary="Let a paused schedule go on from its next time.",
        query=Nothing,
        body=Nothing,
        answer=ScheduleOut,
        handler=resume_schedule,
    ),
    Operation(
        id="removeSchedule",
        method="DELETE",
        path="/bots/{bot}/schedules/{schedule}",
        act=acts.SCHEDULE_REMOVE,
        summary="Remove a schedule.",
        query=Nothing,
        body=Nothing,
        answer=None,
        status=204,
        handler=remove_schedule,
    ),
)
