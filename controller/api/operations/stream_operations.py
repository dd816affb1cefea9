"""The operations that go on: what changes in the fleet, and a log while it is written."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Annotated
from weakref import WeakKeyDictionary

from aiohttp import web
from pydantic import Field

from controller.api.operation import Call, Given, Nothing, Operation, Operations
from controller.api.operations.fleet_operations import engine_out
from controller.api.resources import operation_out
from controller.api.stamps import stamp
from controller.api.stream_events import FleetEvent, LogEvent
from controller.api.streams import SSE, Stream
from controller.domain import acts
from controller.domain.access import Principal
from controller.domain.bot import Bot
from controller.domain.errors import Denied
from controller.domain.log_place import place_of
from controller.manager import Manager
from controller.manager.feed import FeedWatch, feed_place_of
from controller.manager.log_reader import Gap, Lines, Said
from controller.manager.logbook import LINES_MAX

LAST = "Last-Event-ID"


class FollowWanted(Given):
    """How much of the log comes first."""

    lines: Annotated[int, Field(ge=0, le=LINES_MAX)] = 50


async def follow_fleet(call: Call[Nothing, Nothing]) -> web.StreamResponse:
    """All that changes, until the reader goes."""
    await call.manager.bots.listed(call.caller)
    return await _FleetStream(call).run()


class _FleetStream:
    """What one reader sees of the fleet."""

    def __init__(self, call: Call[Nothing, Nothing]) -> None:
        self._call = call
        self._manager = call.manager
        self._feed = call.manager.feed
        self._principal = call.identity.principal
        self._place = self._feed.place  # how far the reader has seen, after what was sent
        self._shown: set[str] = set()

    async def run(self) -> web.StreamResponse:
        """Send until it ends."""
        async with self._call.streams.opened(self._call.request, self._call.identity) as stream:
            watch = FeedWatch(stream.wake)
            async with self._feed.watching(watch):
                await self._begin(watch)
                await stream.begin()
                while not stream.ended:
                    await stream.ping()
                    if stream.principal != self._principal:  # their roles in Discord changed
                        self._principal, watch.anew = stream.principal, True
                    await self._send(stream, watch)
                    await stream.rest()
        return stream.response

    async def _begin(self, watch: FeedWatch) -> None:
        """Go on from where the reader was, or with a snapshot."""
        was = feed_place_of(self._call.request.headers.get(LAST, ""))
        resumed = was and await self._feed.resume(watch, was)
        if was and (resumed or watch.requests):
            self._place = replace(self._feed.place, seq=was.seq)
        else:
            self._place = self._feed.place
        # Whoever sees only some bots may never have seen one of those that changed.
        sees_all = self._manager.access.may(self._principal, acts.BOT_SHOW)
        watch.anew = not (resumed and sees_all)
        if was and not watch.anew:
            self._place = replace(self._place, change=was.change)
            self._shown = {view.bot.id for view in self._manager.bots} | watch.bots

    async def _send(self, stream: Stream, watch: FeedWatch) -> None:
        """Send what is new to the reader."""
        events: list[bytes] = []
        if watch.anew:
            events.append(self._snapshot(stream, watch))
        events += self._requests(stream, watch)
        events += self._bots(stream, watch)
        if watch.engine:
            watch.engine = False
            events.append(stream.framed("engine", self._engine(), str(self._place)))
        if events:
            await stream.send(*events)

    def _snapshot(self, stream: Stream, watch: FeedWatch) -> bytes:
        """All bots as they are now."""
        seen = self._manager.access.seen(self._principal)
        self._shown = {view.bot.id for view, _ in seen}
        self._place = replace(self._place, change=self._feed.place.change)
        if not watch.requests:
            self._place = self._feed.place
        watch.anew, watch.engine = False, False
        watch.bots.clear()
        bots = b",".join(self._call.pages.json(view, role) for view, role in seen)
        data = b'{"bots":[%b],"engine":%b}' % (bots, self._engine())
        return stream.framed("snapshot", data, str(self._place))

    def _requests(self, stream: Stream, watch: FeedWatch) -> Iterator[bytes]:
        """Requests that the reader may know of: their own, and those in histories they may read."""
        while watch.requests:
            told = watch.requests.popleft()
            self._place = replace(self._place, seq=told.seq)
            if self._manager.history.may_see(self._principal, told.event.entry):
                data = operation_out(told.event).model_dump_json().encode()
                yield stream.framed("operation", data, str(self._place))

    def _bots(self, stream: Stream, watch: FeedWatch) -> Iterator[bytes]:
        """The bots that changed, as they are now; and those that the reader sees no more."""
        changed = sorted(watch.bots, key=self._feed.change_of)
        watch.bots.clear()
        for bot_id in changed:
            change = max(self._place.change, self._feed.change_of(bot_id))
            self._place = replace(self._place, change=change)
            view = self._manager.bots.get(bot_id)
            access = self._manager.access
            if view is not None and access.may(self._principal, acts.BOT_SHOW, view.bot):
                self._shown.add(bot_id)
                role = access.role(self._principal, view.bot)
                data = self._call.pages.json(view, role)
                yield stream.framed("bot", data, str(self._place))
            elif bot_id in self._shown:
                self._shown.discard(bot_id)
                data = json.dumps({"id": bot_id}).encode()
                yield stream.framed("gone", data, str(self._place))

    def _engine(self) -> bytes:
        return engine_out(self._manager.bots.engine).model_dump_json().encode()


async def follow_log(call: Call[FollowWanted, Nothing]) -> web.StreamResponse:
    """A bot's log, until the reader goes or the bot does."""
    bot = await call.bot(acts.BOT_LOGS)
    place = place_of(call.request.headers.get(LAST, ""))
    async with call.streams.opened(call.request, call.identity) as stream:
        watching = call.manager.following.watch(
            call.caller, bot, stream.wake, start=place, lines=call.query.lines
        )
        async with watching as watch:
            await stream.begin()
            while not stream.ended:
                await stream.ping()
                said = watch.take()
                if said is None and watch.ended:
                    stream.end("gone")
                elif said is None:
                    await stream.rest()
                else:
                    _require_right(call.manager, stream.principal, bot)
                    await stream.send(_framed(stream, said))
    return stream.response


def _require_right(manager: Manager, principal: Principal, bot: Bot) -> None:
    """Raise Denied when the right to read the log was taken away meanwhile."""
    if not manager.access.may(principal, acts.BOT_LOGS, bot):
        raise Denied(f"You may not read the log of {bot.name} any more.")


# Made once for all who watch: what was said, in either form.
_FRAMES: WeakKeyDictionary[Said, dict[bool, bytes]] = WeakKeyDictionary()


def _framed(stream: Stream, said: Said) -> bytes:
    made = _FRAMES.setdefault(said, {})
    if stream.lines not in made:
        made[stream.lines] = stream.framed(*_event(said))
    return made[stream.lines]


def _event(said: Said) -> tuple[str, bytes, str]:
    """What was said as an event: its name, its data as JSON, its place."""
    if isinstance(said, Lines):
        rows = [
            {"at": stamp(line.at), "stream": line.stream, "text": line.text} for line in said.lines
        ]
        return "lines", json.dumps({"lines": rows}).encode(), str(said.places[-1])
    if isinstance(said, Gap):
        return "gap", json.dumps({"dropped": said.dropped}).encode(), ""
    data = {"run": said.run, "started_at": stamp(said.started)}
    return "run", json.dumps(data).encode(), ""


STREAM_OPERATIONS: Operations = (
    Operation(
        id="followFleet",
        method="GET",
        path="/events",
        act=acts.BOT_LIST,
        summary="What changes, as it changes: a snapshot, then bots, the engine and operations.",
        query=Nothing,
        body=Nothing,
        answer=None,
        handler=follow_fleet,
        media=SSE,
        event=FleetEvent,
    ),
    Operation(
        id="followLog",
        method="GET",
        path="/bots/{bot}/logs/follow",
        act=acts.BOT_LOGS,
        summary="A bot's log while it is written, across its runs, redacted.",
        query=FollowWanted,
        body=Nothing,
        answer=None,
        handler=follow_log,
        media=SSE,
        event=LogEvent,
    ),
)
