"""The operations about what bots use."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Annotated

from pydantic import Field

from controller.api.operation import Answer, Assistant, Call, Given, Nothing, Operation, Operations
from controller.api.resources import BotName, Page, Resource, at
from controller.domain import acts
from controller.domain.usage import Figures, Point
from controller.manager.stats import HOURS_MOST, Measured


class StatsWanted(Given):
    """How far back: five-minute points for a week, hours beyond that."""

    hours: Annotated[int, Field(ge=1, le=HOURS_MOST)] = 24


class FiguresOut(Resource):
    """What a bot used a moment ago. What isn't known is null."""

    at: datetime
    cpu: float  # cores
    memory: int  # bytes
    memory_limit: int | None
    received: float | None  # bytes a second, as the three that follow
    sent: float | None
    read: float | None
    written: float | None
    log_lines: float | None  # a second


class PointOut(Resource):
    """What a bot used over a while: means, and the most that was seen."""

    at: datetime  # its beginning
    cpu: float
    cpu_most: float
    memory: int
    memory_most: int
    network: float  # bytes a second, both ways
    disk: float


class StatsOut(Resource):
    """What a bot uses and used. `step` is how many seconds a point stands for; 0: a moment."""

    bot: BotName
    now: FiguresOut | None
    restarts: int
    flooded: bool  # whether its log is
    step: int
    points: list[PointOut]


class FleetStatsOut(Resource):
    """What a bot uses."""

    bot: BotName
    now: FiguresOut
    flooded: bool


def figures_out(figures: Figures, age: float) -> FiguresOut:
    """Figures as they are answered."""

    def known(value: float) -> float | None:
        return None if value < 0 else round(value, 3)

    return FiguresOut(
        at=at(time.time() - age),
        cpu=round(figures.cpu, 4),
        memory=int(figures.memory),
        memory_limit=int(figures.limit) or None,
        received=known(figures.received),
        sent=known(figures.sent),
        read=known(figures.read),
        written=known(figures.written),
        log_lines=known(figures.lines),
    )


def _point_out(one: Point) -> PointOut:
    return PointOut(
        at=at(one.at),
        cpu=round(one.cpu, 4),
        cpu_most=round(one.cpu_most, 4),
        memory=int(one.memory),
        memory_most=int(one.memory_most),
        network=round(one.network, 1),
        disk=round(one.disk, 1),
    )


def _name(one: Measured) -> BotName:
    return BotName(id=one.view.bot.id, name=one.view.bot.name)


async def bot_stats(call: Call[StatsWanted, Nothing]) -> Answer:
    """What one bot uses."""
    view = await call.view(acts.BOT_STATS)
    usage = await call.manager.stats.of_bot(call.caller, view, call.query.hours)
    now, container = usage.now, view.world.container
    return Answer(
        StatsOut(
            bot=_name(now),
            now=figures_out(now.figures, now.age) if now.figures else None,
            restarts=container.restart_count if container else 0,
            flooded=view.flood > 0,
            step=usage.step,
            points=[_point_out(one) for one in usage.points],
        )
    )


async def fleet_stats(call: Call[Nothing, Nothing]) -> Answer:
    """What all bots use."""
    found = await call.manager.stats.of_fleet(call.caller)
    return Answer(
        Page[FleetStatsOut](
            items=[
                FleetStatsOut(
                    bot=_name(one),
                    now=figures_out(one.figures, one.age),
                    flooded=one.view.flood > 0,
                )
                for one in found
                if one.figures is not None
            ]
        )
    )


STATS_OPERATIONS: Operations = (
    Operation(
        id="botStats",
        method="GET",
        path="/bots/{bot}/stats",
        act=acts.BOT_STATS,
        summary="What a bot uses: processor, memory, network, disk; now and before.",
        query=StatsWanted,
        body=Nothing,
        answer=StatsOut,
        handler=bot_stats,
        assistant=Assistant.LOOK,
    ),
    Operation(
        id="fleetStats",
        method="GET",
        path="/fleet/stats",
        act=acts.FLEET_STATS,
        summary="What the bots that you may see use now, the nearest to its limit first.",
        query=Nothing,
        body=Nothing,
        answer=Page[FleetStatsOut],
        handler=fleet_stats,
        assistant=Assistant.LOOK,
    ),
)
