"""The events of the streams, as the description of the API has them.

What is sent is written by hand (`operations/stream_operations.py`), once for all readers; the tests
hold it to these.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field, RootModel

from controller.api.resources import BotOut, EngineOut, LineOut, OperationOut, Resource


class Snapshot(Resource):
    """All bots that the reader may see, and the engine."""

    bots: list[BotOut]
    engine: EngineOut


class Gone(Resource):
    """Which bot was deleted, or may no longer be seen."""

    id: str


class Lines(Resource):
    """Lines of a log, oldest first."""

    lines: list[LineOut]


class Missing(Resource):
    """How many lines are missing here; null when nobody knows."""

    dropped: int | None


class RunBegun(Resource):
    """The run that the following lines are of."""

    run: str
    started_at: datetime


class NoData(Resource):
    """Nothing."""


class Ended(Resource):
    """Why nothing more comes: `gone`, `shutting-down`, or the code of a problem."""

    reason: str


class _Event(Resource):
    id: str | None  # to go on behind it; null: behind the last that had one


class SnapshotEvent(_Event):
    """Forget what you knew: this is all."""

    event: Literal["snapshot"]
    data: Snapshot


class BotEvent(_Event):
    """A bot that is new or has changed."""

    event: Literal["bot"]
    data: BotOut


class GoneEvent(_Event):
    """A bot that is gone for the reader."""

    event: Literal["gone"]
    data: Gone


class EngineEvent(_Event):
    """The engine answers again, or no longer."""

    event: Literal["engine"]
    data: EngineOut


class OperationEvent(_Event):
    """A request that was let through, or has ended."""

    event: Literal["operation"]
    data: OperationOut


class LinesEvent(_Event):
    """What was written to the log."""

    event: Literal["lines"]
    data: Lines


class GapEvent(_Event):
    """Some lines are missing here."""

    event: Literal["gap"]
    data: Missing


class RunEvent(_Event):
    """A new run of the bot."""

    event: Literal["run"]
    data: RunBegun


class PingEvent(_Event):
    """The stream goes on; it comes every 15 seconds."""

    event: Literal["ping"]
    data: NoData


class EndEvent(_Event):
    """Nothing more comes."""

    event: Literal["end"]
    data: Ended


FleetEvents = SnapshotEvent | BotEvent | GoneEvent | EngineEvent | OperationEvent
LogEvents = LinesEvent | GapEvent | RunEvent


class FleetEvent(
    RootModel[Annotated[FleetEvents | PingEvent | EndEvent, Field(discriminator="event")]]
):
    """One event of `/events`."""


class LogEvent(
    RootModel[Annotated[LogEvents | PingEvent | EndEvent, Field(discriminator="event")]]
):
    """One event of `/bots/{bot}/logs/follow`."""
