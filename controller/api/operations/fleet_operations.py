"""The operations on all bots together: how they are, what happened, doctor, templates."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import Annotated, Any

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
from controller.api.resources import (
    BotName,
    EngineOut,
    OperationOut,
    Page,
    Resource,
    Who,
    at,
    moment,
    operation_out,
    who_out,
)
from controller.api.template_resources import TemplateOut, template_out
from controller.domain import acts
from controller.domain.journal import Kind
from controller.domain.phase import Phase
from controller.fleet.views import EngineState
from controller.manager.history import Choice, Event


class HistoryWanted(Given):
    """Which events: the newest, or what the cursor leads to."""

    limit: Annotated[int, Field(ge=1, le=200)] = 50
    cursor: Annotated[str, Field(max_length=200)] = ""
    by: Annotated[str, Field(max_length=40, description="The id of whoever asked.")] = ""
    refusals: Annotated[bool, Field(description="Also what was refused.")] = False


class EventOut(Resource):
    """Something that happened. A request that was let through is an operation as well."""

    id: str
    at: datetime
    kind: str
    bot: BotName | None
    by: Who
    act: str
    data: dict[str, Any]
    operation: OperationOut | None


def engine_out(engine: EngineState) -> EngineOut:
    """The engine's state as it is answered."""
    return EngineOut(reachable=engine.reachable, since=moment(engine.since), reason=engine.reason)


class FleetOut(Resource):
    """The bots that you may see, counted; and the engine."""

    engine: EngineOut
    bots: int
    phases: dict[Phase, int]
    started_at: datetime  # of the controller


class FindingOut(Resource):
    """What the doctor found. `ok` is null for what is neither good nor bad."""

    subject: str
    ok: bool | None
    message: str
    remedy: str


def event_out(event: Event) -> EventOut:
    """An event as it is answered."""
    entry = event.entry
    data = {name: value for name, value in entry.data.items() if name != "act"}
    return EventOut(
        id=str(entry.seq),
        at=at(entry.at),
        kind=entry.kind.value,
        bot=BotName(id=entry.bot_id, name=entry.bot_name) if entry.bot_id else None,
        by=who_out(entry.author.principal),
        act=str(entry.data.get("act", "")),
        data=data,
        operation=operation_out(event) if entry.kind is Kind.ASKED else None,
    )


def _choice(wanted: HistoryWanted) -> Choice:
    return Choice(
        before=number_of(wanted.cursor),
        refusals=wanted.refusals,
        by=wanted.by,
        limit=wanted.limit + 1,
    )


def _page(events: list[Event], limit: int) -> Answer:
    shown = events[:limit]
    more = cursor_of(shown[-1].entry.seq) if len(events) > limit else None
    return Answer(Page[EventOut](items=[event_out(event) for event in shown], next=more))


async def bot_history(call: Call[HistoryWanted, Nothing]) -> Answer:
    """What happened to a bot."""
    bot = await call.bot(acts.BOT_HISTORY)
    found = await call.manager.history.of_bot(call.caller, bot, _choice(call.query))
    return _page(found, call.query.limit)


async def fleet_history(call: Call[HistoryWanted, Nothing]) -> Answer:
    """What happened to everything."""
    found = await call.manager.history.of_everything(call.caller, _choice(call.query))
    return _page(found, call.query.limit)


async def get_fleet(call: Call[Nothing, Nothing]) -> Answer:
    """Counts, and the engine."""
    views = await call.manager.bots.status(call.caller)
    phases = Counter(view.phase for view in views)
    return Answer(
        FleetOut(
            engine=engine_out(call.manager.bots.engine),
            bots=len(views),
            phases={phase: phases[phase] for phase in Phase},
            started_at=at(call.manager.started_at),
        )
    )


async def run_doctor(call: Call[Nothing, Nothing]) -> Answer:
    """Examine everything below Discord."""
    found = await call.manager.doctor.examine(call.caller)
    items = [
        FindingOut(subject=one.subject, ok=one.ok, message=one.message, remedy=one.remedy)
        for one in found
    ]
    return Answer(Page[FindingOut](items=items))


async def list_templates(call: Call[Nothing, Nothing]) -> Answer:
    """What a new bot can be made of."""
    found = await call.manager.bots.offered(call.caller)
    return Answer(Page[TemplateOut](items=[template_out(template) for template in found]))


FLEET_OPERATIONS: Operations = (
    Operation(
        id="getFleet",
        method="GET",
        path="/fleet",
        act=acts.FLEET_STATUS,
        summary="The bots that you may see, counted by phase; and the engine.",
        query=Nothing,
        body=Nothing,
        answer=FleetOut,
        handler=get_fleet,
        assistant=Assistant.LOOK,
    ),
    Operation(
        id="botHistory",
        method="GET",
        path="/bots/{bot}/history",
        act=acts.BOT_HISTORY,
        summary="What happened to a bot, newest first.",
        query=HistoryWanted,
        body=Nothing,
        answer=Page[EventOut],
        handler=bot_history,
        assistant=Assistant.LOOK,
    ),
    Operation(
        id="fleetHistory",
        method="GET",
        path="/fleet/history",
        act=acts.FLEET_HISTORY,
        summary="What happened to everything, newest first.",
        query=HistoryWanted,
        body=Nothing,
        answer=Page[EventOut],
        handler=fleet_history,
        assistant=Assistant.LOOK,
    ),
    Operation(
        id="runDoctor",
        method="GET",
        path="/fleet/doctor",
        act=acts.FLEET_DOCTOR,
        summary="Examine engine, secrets, disk, database and templates.",
        query=Nothing,
        body=Nothing,
        answer=Page[FindingOut],
        handler=run_doctor,
        assistant=Assistant.LOOK,
    ),
    Operation(
        id="listTemplates",
        method="GET",
        path="/templates",
        act=acts.BOT_CREATE,
        summary="The templates that a new bot can be made of, and what each asks for.",
        query=Nothing,
        body=Nothing,
        answer=Page[TemplateOut],
        handler=list_templates,
    ),
)
