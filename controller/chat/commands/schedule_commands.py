"""`/bot schedule …`: what a bot does by itself, and when."""

from __future__ import annotations

from discord import app_commands

from controller.chat.commands.suggestions import Choices, suggest, suggest_titled
from controller.chat.commands.with_request import with_request
from controller.chat.languages import say, told
from controller.chat.requests.request import Request
from controller.chat.words.schedule_words import added_words, changed_words, schedules_words
from controller.chat.words.text import fitted
from controller.domain.acts import (
    SCHEDULE_ADD,
    SCHEDULE_LIST,
    SCHEDULE_PAUSE,
    SCHEDULE_REMOVE,
    SCHEDULE_RESUME,
    Act,
)
from controller.domain.bot import Bot
from controller.domain.errors import BadInput
from controller.domain.schedules import Chore
from controller.manager import Manager
from controller.manager.schedules import ScheduleOrder

_CHORES = [
    app_commands.Choice(name=name, value=chore.value)
    for chore, name in (
        (Chore.RESTART, "restart"),
        (Chore.START, "start"),
        (Chore.STOP, "stop"),
        (Chore.CHECK, "check for an update, changing nothing"),
        (Chore.BACKUP, "back everything up, all bots"),
    )
]


class ScheduleCommands(app_commands.Group):
    """What a bot does by itself."""

    def __init__(self, manager: Manager) -> None:
        super().__init__(name="schedule", description="What a bot does by itself, and when")
        self._manager = manager
        self._schedules = manager.schedules

    @app_commands.command(description="Let a bot act by itself at set times")
    @app_commands.describe(
        name="Which bot",
        what="What is done",
        at="When: daily 4:30, weekdays 09:00, mon,thu 22:15, hourly, or cron like 30 4 * * 1",
        zone="Time zone, like Europe/Berlin; if left out, your last one, or UTC",
    )
    @app_commands.choices(what=_CHORES)
    @with_request
    async def add(
        self, request: Request, name: str, what: str, at: str, zone: str | None = None
    ) -> None:
        """Add a schedule, and say when it runs first."""
        bot = await self._named(request, SCHEDULE_ADD, name)
        await request.acknowledge()
        order = ScheduleOrder(what, at, zone or "")
        made = await self._schedules.add(request.caller, bot, order)
        await request.reply(added_words(bot, made))

    @app_commands.command(name="list", description="A bot's schedules")
    @app_commands.describe(name="Which bot")
    @with_request
    async def list_schedules(self, request: Request, name: str) -> None:
        """Every schedule of one bot."""
        bot = await self._named(request, SCHEDULE_LIST, name)
        found = await self._schedules.listed(request.caller, bot)
        await request.reply(fitted(schedules_words(bot, found)))

    @app_commands.command(description="Let a schedule rest")
    @app_commands.describe(name="Which bot", schedule="Its number")
    @with_request
    async def pause(self, request: Request, name: str, schedule: str) -> None:
        """What is due meanwhile isn't made up for."""
        bot = await self._named(request, SCHEDULE_PAUSE, name)
        now = await self._schedules.pause(request.caller, bot, _number(schedule))
        await request.reply(changed_words(bot, now))

    @app_commands.command(description="Let a paused schedule go on")
    @app_commands.describe(name="Which bot", schedule="Its number")
    @with_request
    async def resume(self, request: Request, name: str, schedule: str) -> None:
        """From its next time on."""
        bot = await self._named(request, SCHEDULE_RESUME, name)
        now = await self._schedules.resume(request.caller, bot, _number(schedule))
        await request.reply(changed_words(bot, now))

    @app_commands.command(description="Remove a schedule")
    @app_commands.describe(name="Which bot", schedule="Its number")
    @with_request
    async def remove(self, request: Request, name: str, schedule: str) -> None:
        """It never runs again."""
        bot = await self._named(request, SCHEDULE_REMOVE, name)
        gone = await self._schedules.remove(request.caller, bot, _number(schedule))
        await request.reply(
            say(
                "✅ Removed schedule {id} of **{name}** ({chore}).",
                id=gone.id,
                name=bot.name,
                chore=told(gone.chore.value),
            )
        )

    async def _named(self, request: Request, act: Act, name: str) -> Bot:
        view = await self._manager.bots.named(request.caller, act, name)
        request.is_about(view.bot)
        return view.bot

    # Suggestions

    @add.autocomplete("name")
    @list_schedules.autocomplete("name")
    @pause.autocomplete("name")
    @resume.autocomplete("name")
    @remove.autocomplete("name")
    @with_request
    async def _names(self, request: Request, typed: str) -> Choices:
        assert request.way is not None
        shown = self._manager.bots.visible(request.caller.principal, request.way.act)
        return suggest(typed, (view.bot.name for view in shown))

    @add.autocomplete("zone")
    @with_request
    async def _zones(self, _: Request, typed: str) -> Choices:
        return suggest(typed.replace(" ", "_"), await self._schedules.zones())

    @pause.autocomplete("schedule")
    @resume.autocomplete("schedule")
    @remove.autocomplete("schedule")
    @with_request
    async def _numbers(self, request: Request, typed: str) -> Choices:
        wanted = request.option("name").strip().lower()
        seen = self._manager.bots.visible(request.caller.principal, SCHEDULE_LIST)
        bot = next((view.bot for view in seen if view.bot.name == wanted), None)
        if bot is None:
            return []
        found = await self._schedules.listed(request.caller, bot)
        return suggest_titled(
            typed,
            {
                str(one.id): say(
                    "{id} {chore} at {cron}", id=one.id, chore=told(one.chore.value), cron=one.cron
                )
                for one in found
            },
        )


def _number(typed: str) -> int:
    word = (typed.split() or [""])[0]
    if not word.isdecimal() or len(word) > 12:
        raise BadInput("A schedule is a number.", hint="/bot schedule list shows them.")
    return int(word)
