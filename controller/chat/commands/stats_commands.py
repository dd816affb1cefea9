"""`/bot stats` and `/fleet stats`: what bots use, in words and as a picture."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import discord
from discord import app_commands

from controller.charts import Chart, Line
from controller.chat.commands.suggestions import Choices, suggest
from controller.chat.commands.with_request import with_request
from controller.chat.languages import say
from controller.chat.requests.request import Request
from controller.chat.words.stats_words import bot_stats, fleet_stats
from controller.domain.acts import BOT_STATS
from controller.domain.usage import Point
from controller.manager import Manager

_MIB = 1024.0 * 1024.0
_SHOWN = 5  # bots in the fleet's picture
_SPANS = [
    app_commands.Choice(name=name, value=hours)
    for name, hours in (("last hour", 1), ("last day", 24), ("last week", 168), ("90 days", 2160))
]


class StatsCommands:
    """A command for `/bot`, and one for `/fleet`."""

    def __init__(self, manager: Manager) -> None:
        self._manager = manager

    def of_bot(self) -> app_commands.Command[Any, ..., Any]:
        """`/bot stats`."""
        command: app_commands.Command[Any, ..., Any] = app_commands.Command(
            name="stats", description="What a bot uses, with a chart", callback=self.bot
        )
        command.autocomplete("name")(self.names)
        return command

    def of_fleet(self) -> app_commands.Command[Any, ..., Any]:
        """`/fleet stats`."""
        return app_commands.Command(
            name="stats", description="What all bots use, with a chart", callback=self.fleet
        )

    @app_commands.describe(name="Which bot", span="How far back the chart goes (a day)")
    @app_commands.choices(span=_SPANS)
    @with_request
    async def bot(self, request: Request, name: str, span: int = 24) -> None:
        """One bot's figures."""
        view = await self._manager.bots.named(request.caller, BOT_STATS, name)
        request.is_about(view.bot)
        await request.acknowledge()
        usage = await self._manager.stats.of_bot(request.caller, view, float(span))
        chart = _bot_chart(view.bot.name, usage.points)
        await self._answer(request, bot_stats(usage), chart)

    @with_request
    async def fleet(self, request: Request) -> None:
        """All bots' figures."""
        await request.acknowledge()
        stats = self._manager.stats
        found = await stats.of_fleet(request.caller)
        rows = []
        for one in found[:_SHOWN]:
            usage = await stats.of_bot(request.caller, one.view, 24.0)
            rows.append((one.view.bot.name, usage.points))
        await self._answer(request, fleet_stats(found), _fleet_chart(rows))

    async def _answer(self, request: Request, text: str, chart: Chart) -> None:
        """The words at once; the picture, which takes a second or two, in their place."""
        charts = self._manager.charts
        if not charts.available or len(chart.at) < 2:
            await request.reply(text)
            return
        await request.reply(text, more=True)
        picture = await charts.draw(chart)
        if picture is None:
            await request.reply(text)
            return
        await request.reply(
            text, make_file=lambda: discord.File(io.BytesIO(picture), filename="chart.png")
        )

    @with_request
    async def names(self, request: Request, typed: str) -> Choices:
        """The bots that the person may see."""
        shown = self._manager.bots.visible(request.caller.principal, BOT_STATS)
        return suggest(typed, (view.bot.name for view in shown))


def _bot_chart(name: str, points: Sequence[Point]) -> Chart:
    cpu = Line(
        name="CPU",
        values=[100 * one.cpu for one in points],
        most=[100 * one.cpu_most for one in points],
    )
    memory = Line(
        name=say("memory"),
        values=[one.memory / _MIB for one in points],
        most=[one.memory_most / _MIB for one in points],
    )
    traffic = [
        Line(name=say("network"), values=[one.network / 1024 for one in points]),
        Line(name=say("disk"), values=[one.disk / 1024 for one in points]),
    ]
    return Chart(
        title=name,
        at=[float(one.at) for one in points],
        panels=[(say("% of a core"), [cpu]), ("MiB", [memory]), ("KiB/s", traffic)],
    )


def _fleet_chart(rows: Sequence[tuple[str, Sequence[Point]]]) -> Chart:
    """The bots that use the most, over the time that all of them have."""
    known = {name: {one.at // 60: one for one in points} for name, points in rows if points}
    times = sorted(set.intersection(*(set(one) for one in known.values()))) if known else []
    cpu = [
        Line(name=name, values=[100 * points[at].cpu for at in times])
        for name, points in known.items()
    ]
    memory = [
        Line(name=name, values=[points[at].memory / _MIB for at in times])
        for name, points in known.items()
    ]
    return Chart(
        title=say("The busiest bots"),
        at=[60.0 * at for at in times],
        panels=[(say("% of a core"), cpu), ("MiB", memory)],
    )
