"""A log that is followed in an answer: the message is edited while lines come, ten minutes at most.

It uses the same reading as the API's streams, one for each bot. What comes faster than a person can
read isn't shown line by line: the newest lines are, and how many passed by is counted.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import deque

import discord

from controller.chat.languages import plural, say, speak, spoken, told
from controller.chat.logs.log_answers import LogAnswers
from controller.chat.logs.log_blocks import newest_blocks
from controller.chat.requests.buttons import button, row
from controller.chat.requests.custom_ids import key_in
from controller.chat.requests.discord_trouble import TROUBLE, reading_discord
from controller.chat.requests.quiet import edit_answer, same_way
from controller.chat.requests.request import Request
from controller.chat.words.limits import MESSAGE_MAX
from controller.domain.acts import BOT_LOGS
from controller.domain.bot import Bot
from controller.domain.errors import ControllerError, NotReady
from controller.domain.events import LogLine
from controller.manager import Manager
from controller.manager.following import Watch
from controller.manager.log_reader import Gap, Lines, RunBegan, Said

log = logging.getLogger(__name__)
SECONDS = 600.0  # an answer can be edited for fifteen minutes
BEGIN_SECONDS = 1.0  # that the first lines are waited for
SPACING = 2.0  # seconds between two edits
KEPT = 300  # lines; a message shows some forty
FIRST = 40
MOST, EACH_MOST = 20, 3  # logs that are followed at once, by all and by one person


class _Follower:
    """One message that follows one log."""

    def __init__(self, request: Request, bot: Bot) -> None:
        self.interaction = request.interaction
        self.caller = request.caller
        self.person = request.person
        self.bot = bot
        self.take_way = same_way()
        self.language = spoken()
        self.key = str(request.interaction.id)
        self.until = time.time() + SECONDS
        self.awake = asyncio.Event()
        self.paused = False
        self.shown_paused = False
        self.over = ""  # why it ends, in words
        self.passed = 0  # lines that nobody saw
        self.unknown = False  # whether lines are missing that nobody could count
        self._lines: deque[LogLine] = deque(maxlen=KEPT)
        self._fresh = 0  # lines that came since the message was edited

    def end(self, why: str) -> None:
        """Let it end."""
        self.over = self.over or why
        self.awake.set()

    def hear(self, said: Said) -> None:
        """Note what the log says."""
        if isinstance(said, Lines):
            self._lines.extend(said.lines)
            self._fresh += said.count
        elif isinstance(said, Gap):
            self.passed += said.dropped or 0
            self.unknown |= said.dropped is None
        elif isinstance(said, RunBegan) and self._lines:
            self._lines.append(LogLine(said.started, "stdout", say("──── a new run ────")))

    def words(self) -> str:
        """The message as it is now. What it doesn't show of the new lines has passed by."""
        head = say(
            "**{name}** — {state}; times in UTC, `!` is stderr",
            name=self.bot.name,
            state=self._state(),
        )
        room = MESSAGE_MAX - len(head) - 120
        block, shown = newest_blocks(list(self._lines), room)
        self.passed += max(0, self._fresh - shown)
        self._fresh = 0
        if not self._lines:
            block = say("No lines yet.")
        notes = []
        if self.passed:
            notes.append(say("{lines} passed by unseen", lines=plural(self.passed, "line")))
        if self.unknown:
            notes.append(say("some lines are missing"))
        return "\n".join([head, *([f"-# {', '.join(notes)}"] if notes else []), block])

    def _state(self) -> str:
        if self.over:
            return self.over
        return (
            say("paused")
            if self.paused
            else say("following, until {when}", when=f"<t:{int(self.until)}:t>")
        )

    def controls(self) -> discord.ui.View | None:
        """Pause and Stop while it goes on; afterwards the ways to look again."""
        bot = self.bot.id
        if self.over:
            again = button(say("Refresh"), "refresh", bot, "0", "50", "both", "")
            return row([again, button(say("Follow"), "follow", bot, "on")])
        label = say("Go on") if self.paused else say("Pause")
        hold = button(label, "hold", bot, self.key)
        return row([hold, button(say("Stop following"), "unfollow", bot, self.key)])


class LogFollowing:
    """Begins and ends followers. They run in `run`, not in whatever handled the press."""

    def __init__(self, manager: Manager, answers: LogAnswers) -> None:
        self._manager = manager
        self._answers = answers
        self.spacing = SPACING
        self._followers: dict[str, _Follower] = {}
        self._fresh: asyncio.Queue[_Follower] = asyncio.Queue()

    async def run(self) -> None:
        """Keep the messages true until cancelled."""
        async with asyncio.TaskGroup() as group:
            while True:
                follower = await self._fresh.get()
                group.create_task(self._follow(follower), name="followed log in Discord")

    async def begin(self, request: Request, bot: Bot) -> None:
        """Follow the log in the message with the button."""
        await self._manager.access.require(request.caller, BOT_LOGS, bot)
        key_in(request.arguments)
        own = sum(one.person == request.person for one in self._followers.values())
        if len(self._followers) >= MOST or own >= EACH_MOST:
            raise NotReady(
                "Too many logs are followed at the moment.",
                hint="Stop another one first.",
                code="too-many-followed",
            )
        await request.acknowledge_in_place()
        follower = _Follower(request, bot)
        self._followers[follower.key] = follower
        self._fresh.put_nowait(follower)

    async def pause(self, request: Request, bot: Bot) -> None:
        """Let the message rest, or go on."""
        follower = await self._known(request, bot)
        if follower is not None:
            follower.paused = not follower.paused
            follower.awake.set()

    async def stop(self, request: Request, bot: Bot) -> None:
        """End it; the last lines stay."""
        follower = await self._known(request, bot)
        if follower is not None:
            follower.end(say("stopped"))

    async def _known(self, request: Request, bot: Bot) -> _Follower | None:
        """The follower that a button means. One that is over, or of a controller that ended, gives
        way to the log as it is now."""
        follower = self._followers.get(key_in(request.arguments))
        if follower is None or follower.person != request.person:
            await self._answers.newest(request, bot)
            return None
        await self._manager.access.require(request.caller, BOT_LOGS, bot)
        await request.acknowledge_in_place()
        return follower

    async def _follow(self, follower: _Follower) -> None:
        follower.take_way()
        await speak(follower.language)
        watching = self._manager.following.watch(
            follower.caller, follower.bot, follower.awake.set, lines=FIRST
        )
        try:
            async with watching as watch:
                with contextlib.suppress(TimeoutError):  # what is there comes at once
                    async with asyncio.timeout(BEGIN_SECONDS):
                        await follower.awake.wait()
                while not follower.over:
                    await self._step(follower, watch)
        except ControllerError as error:
            follower.end(told(error.message))
        except TROUBLE as error:  # the message is gone, or Discord is: nobody is reading
            log.info("a followed log isn't shown any more: %s", error)
        except Exception:  # a bug in one must not end all others
            log.exception("a log can't be followed")
        finally:
            self._followers.pop(follower.key, None)
        if follower.over:
            with contextlib.suppress(*TROUBLE):
                await self._edit(follower)

    async def _step(self, follower: _Follower, watch: Watch) -> None:
        """Take what came, show it, and rest a little."""
        follower.awake.clear()
        while (said := watch.take()) is not None:
            follower.hear(said)
        if watch.ended:
            follower.end(say("the bot is gone"))
        elif time.time() >= follower.until:
            follower.end(say("ended after ten minutes"))
        elif not self._manager.access.may(follower.caller.principal, BOT_LOGS, follower.bot):
            follower.end(say("you may not read this log any more"))
        if follower.over:
            return
        if not follower.paused or not follower.shown_paused:
            await self._edit(follower)
        await asyncio.sleep(self.spacing)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, follower.until - time.time())):
                await follower.awake.wait()

    async def _edit(self, follower: _Follower) -> None:
        follower.shown_paused = follower.paused
        with reading_discord():
            await edit_answer(follower.interaction, follower.words(), follower.controls(), [])
