"""The operations on incidents: which there are, to look after one, to mute it."""

from __future__ import annotations

import math
from datetime import datetime
from typing import Annotated

from pydantic import Field

from controller.api.cursors import cursor_of, number_of
from controller.api.operation import (
    Answer,
    Assistant,
    Call,
    Given,
    Nothing,
    Operation,
    Operations,
)
from controller.api.resources import BotName, Page, Resource, at, moment
from controller.domain import acts
from controller.domain.incident import Change, Ending, Incident, Trouble
from controller.manager.incidents import MUTE_MOST, Wanted


class IncidentsWanted(Given):
    """Which incidents: the newest, or what the cursor leads to."""

    open: Annotated[bool, Field(description="Only those that aren't over.")] = False
    limit: Annotated[int, Field(ge=1, le=200)] = 50
    cursor: Annotated[str, Field(max_length=200)] = ""


class MuteIn(Given):
    """For how long; left out: until it's over."""

    seconds: Annotated[int, Field(ge=60, le=int(MUTE_MOST))] | None = None


class ChangeOut(Resource):
    """What somebody changed before it went wrong."""

    at: datetime
    kind: str
    by: str
    what: str


class IncidentOut(Resource):
    """Something that is wrong, or was."""

    id: str
    subject: str  # a bot's id, engine, disk, secrets or backup
    bot: BotName | None
    trouble: Trouble
    opened_at: datetime
    over_at: datetime | None
    ending: Ending | None
    crashes: int
    returns: int  # how often it came back after it had seemed over
    exit_code: int | None
    out_of_memory: bool
    cause: str
    hint: str
    last_lines: list[str]  # of its log, redacted
    changes: list[ChangeOut]  # the last ones before it began
    acknowledged_by: str
    acknowledged_at: datetime | None
    muted: bool
    muted_until: datetime | None  # null while muted: until it's over
    announced: int


def change_out(one: Change) -> ChangeOut:
    """A change as it is answered."""
    return ChangeOut(at=at(one.at), kind=one.kind, by=one.by, what=one.what)


def incident_out(one: Incident) -> IncidentOut:
    """An incident as it is answered."""
    details = one.details
    return IncidentOut(
        id=str(one.id),
        subject=one.subject,
        bot=BotName(id=one.bot_id, name=one.bot_name) if one.bot_id else None,
        trouble=one.trouble,
        opened_at=at(one.opened_at),
        over_at=moment(one.over_at),
        ending=one.ending,
        crashes=one.crashes,
        returns=one.returns,
        exit_code=details.exit_code,
        out_of_memory=details.oom_killed,
        cause=details.cause,
        hint=details.hint,
        last_lines=list(details.tail),
        changes=[change_out(change) for change in one.changes],
        acknowledged_by=one.acknowledged_by,
        acknowledged_at=moment(one.acknowledged_at),
        muted=bool(one.muted_until),
        muted_until=moment(one.muted_until) if math.isfinite(one.muted_until) else None,
        announced=one.announced,
    )


async def list_incidents(call: Call[IncidentsWanted, Nothing]) -> Answer:
    """The newest incidents that you may see."""
    wanted = call.query
    choice = Wanted(wanted.open, number_of(wanted.cursor), wanted.limit)
    found, more = await call.manager.incidents.listed(call.caller, choice)
    items = [incident_out(one) for one in found]
    return Answer(Page[IncidentOut](items=items, next=cursor_of(more) if more else None))


async def acknowledge_incident(call: Call[Nothing, Nothing]) -> Answer:
    """Look after it."""
    done = await call.manager.incidents.acknowledge(call.caller, _number(call.path["incident"]))
    return Answer(incident_out(done))


async def mute_incident(call: Call[Nothing, MuteIn]) -> Answer:
    """Hear no more of it."""
    number = _number(call.path["incident"])
    done = await call.manager.incidents.mute(call.caller, number, call.body.seconds)
    return Answer(incident_out(done))


def _number(text: str) -> int:
    """The number that a path names; 0, which no incident has, for anything else."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 16 else 0


INCIDENT_OPERATIONS: Operations = (
    Operation(
        id="listIncidents",
        method="GET",
        path="/incidents",
        act=acts.INCIDENT_LIST,
        summary="What is wrong and what was, newest first.",
        query=IncidentsWanted,
        body=Nothing,
        answer=Page[IncidentOut],
        handler=list_incidents,
        assistant=Assistant.LOOK,
    ),
    Operation(
        id="acknowledgeIncident",
        method="POST",
        path="/incidents/{incident}/acknowledge",
        act=acts.INCIDENT_ACKNOWLEDGE,
        summary="Look after an incident: it isn't announced again, unless it gets worse.",
        query=Nothing,
        body=Nothing,
        answer=IncidentOut,
        handler=acknowledge_incident,
    ),
    Operation(
        id="muteIncident",
        method="POST",
        path="/incidents/{incident}/mute",
        act=acts.INCIDENT_MUTE,
        summary="Tell nobody of an incident for a while, or until it's over.",
        query=Nothing,
        body=MuteIn,
        answer=IncidentOut,
        handler=mute_incident,
    ),
)
