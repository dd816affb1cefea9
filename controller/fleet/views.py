"""The fleet in memory: every bot with its last look, and the feed of what changed.

Lists, autocomplete and the health page read here: no query, no engine call. Only `wishes` (after
the store has a change) and the loop (after a look) write here.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from controller.domain import crashes as crash_rules
from controller.domain.bot import Bot, Crash
from controller.domain.errors import NotFound
from controller.domain.observation import World
from controller.domain.phase import Phase, derive

UNSEEN = World()
_DATED = {(Phase.STARTING, Phase.RUNNING), (Phase.STOPPING, Phase.STOPPED)}


@dataclass(frozen=True, slots=True)
class ByHand:
    """What somebody did to a bot's container outside BotMaker, and when that was noticed."""

    what: str  # stopped, paused, renamed or removed
    at: float  # seconds since the epoch, by our clock


@dataclass(frozen=True, slots=True)
class View:
    """One bot as it is shown: the wish, the last look, what follows from both."""

    bot: Bot
    world: World = UNSEEN
    seen: bool = False  # whether `world` comes from a look at all
    held_up: str = ""  # what the way to the wish waits for, in words; empty while it goes on
    crashes: tuple[Crash, ...] = ()
    phase: Phase = Phase.STARTING
    since: float = 0.0  # when this phase began, seconds since the epoch
    tail: tuple[str, ...] = ()  # the last log lines before the last crash, already redacted
    by_hand: ByHand | None = None  # the last such thing, for as long as it is news
    flood: float = 0.0  # lines a second that its log is flooded with; 0: it isn't

    @property
    def may_have_container(self) -> bool:
        """Whether a container was seen, or may exist because nobody has looked yet."""
        return not self.seen or self.world.container is not None

    @property
    def may_run(self) -> bool:
        """Whether a run was seen, or may be under way because nobody has looked yet."""
        container = self.world.container
        return not self.seen or (container is not None and container.state.active)

    @property
    def last_crash(self) -> Crash | None:
        """The newest remembered crash."""
        return self.crashes[-1] if self.crashes else None


@dataclass(frozen=True, slots=True)
class EngineState:
    """Whether the engine answers, since when, and why not."""

    reachable: bool = False
    since: float = 0.0
    reason: str = "Docker wasn't asked yet."

    @property
    def away(self) -> bool:
        """Whether it was asked and did not answer."""
        return bool(self.since) and not self.reachable


class Fleet:
    """All views, by id and by name, and who waits for their change."""

    def __init__(
        self,
        clock: Callable[[], float] = time.time,
        engine_time: Callable[[], float] | None = None,
    ) -> None:
        self._clock = clock
        self._engine_time = engine_time or clock  # for what the engine dates: crashes
        self._views: dict[str, View] = {}
        self._ids: dict[str, str] = {}
        self._listeners: set[Callable[[str], None]] = set()
        self._engine_listeners: set[Callable[[], None]] = set()
        self.engine = EngineState()

    def __iter__(self) -> Iterator[View]:
        return iter(list(self._views.values()))

    def __len__(self) -> int:
        return len(self._views)

    def get(self, bot_id: str) -> View | None:
        """The view of that id, if the bot exists."""
        return self._views.get(bot_id)

    def require(self, bot_id: str) -> View:
        """The view of that id; NotFound when the bot is gone."""
        view = self._views.get(bot_id)
        if view is None:
            raise NotFound("That bot is gone.", code="no-such-bot")
        return view

    def named(self, name: str) -> View:
        """The view of that name; NotFound says how to find the right one."""
        view = self._views.get(self._ids.get(name.strip().lower(), ""))
        if view is None:
            raise NotFound(
                "There is no bot of that name.",
                hint="/bot list shows them all.",
                code="no-such-bot",
            )
        return view

    def show_bot(self, bot: Bot) -> View:
        """Show this row from now on."""
        old = self._views.get(bot.id, View(bot))
        if old.bot.name != bot.name:
            self._ids.pop(old.bot.name, None)
        self._ids[bot.name] = bot.id
        return self._show(replace(old, bot=bot))

    def add(self, bot: Bot, world: World, *, seen: bool = True) -> View:
        """Show a new bot. Nobody hears of it before its first phase is right.

        Without `seen`, `world` is what can be known without asking the engine.
        """
        self._ids[bot.name] = bot.id
        return self._show(View(bot, world, seen=seen))

    def show_world(self, bot_id: str, world: World) -> View | None:
        """Show what a look found; None when the bot is gone."""
        view = self._views.get(bot_id)
        if view is None:
            return None
        return self._show(replace(view, world=world, seen=True), first=not view.seen)

    def show_crashes(self, bot_id: str, crashes: tuple[Crash, ...]) -> View | None:
        """Show these crashes: all that are remembered. Without any, no last lines either."""
        view = self._views.get(bot_id)
        if view is None:
            return None
        return self._show(replace(view, crashes=crashes, tail=view.tail if crashes else ()))

    def show_tail(self, bot_id: str, tail: tuple[str, ...]) -> None:
        """Show these last log lines before the last crash. They are redacted already."""
        view = self._views.get(bot_id)
        if view is not None and view.crashes:
            self._show(replace(view, tail=tail))

    def show_held_up(self, bot_id: str, why: str) -> None:
        """Show what the way to the bot's wish waits for; an empty text when it goes on."""
        view = self._views.get(bot_id)
        if view is not None and view.held_up != why:
            self._show(replace(view, held_up=why))

    def show_by_hand(self, bot_id: str, what: str) -> None:
        """Show for a while that somebody stopped, paused or renamed it outside BotMaker."""
        view = self._views.get(bot_id)
        if view is not None:
            self._show(replace(view, by_hand=ByHand(what, self._clock())))

    def show_flood(self, bot_id: str, lines: float) -> None:
        """Show that its log is flooded with so many lines a second, or, with 0, that it isn't.

        Only a beginning or an end is news: how many lines it is changes all the time.
        """
        view = self._views.get(bot_id)
        if view is not None and bool(view.flood) is not bool(lines):
            self._show(replace(view, flood=lines))

    def forget(self, bot_id: str) -> None:
        """The bot is gone."""
        view = self._views.pop(bot_id, None)
        if view is not None:
            self._ids.pop(view.bot.name, None)
            self._tell(bot_id)

    def note_engine(self, reachable: bool, reason: str = "") -> None:
        """Note whether the engine answers; a flip is told once, not for every bot."""
        if (self.engine.reachable, self.engine.reason) == (reachable, reason):
            return
        flipped = self.engine.reachable != reachable or not self.engine.since
        since = self._clock() if flipped else self.engine.since
        self.engine = EngineState(reachable, since, reason)
        if flipped:
            for listener in tuple(self._engine_listeners):
                listener()

    @contextlib.contextmanager
    def hearing_engine(self, listener: Callable[[], None]) -> Iterator[None]:
        """Call `listener()` when the engine goes or comes back, while the block runs."""
        self._engine_listeners.add(listener)
        try:
            yield
        finally:
            self._engine_listeners.discard(listener)

    def next_decay(self, bot_id: str) -> float | None:
        """Seconds until something that is shown gets too old: a crash, which may change the phase,
        or what somebody did by hand. None if nothing does."""
        view = self._views.get(bot_id)
        if view is None:
            return None
        ages = []
        if view.phase is Phase.CRASH_LOOPING and not view.bot.problem:
            now = self._engine_time()
            ages.append(now - crash_rules.recent(view.crashes, now)[0].at)
        if view.by_hand is not None:
            ages.append(self._clock() - view.by_hand.at)
        return max(1.0, crash_rules.WINDOW_SECONDS - max(ages)) if ages else None

    def _show(self, view: View, *, first: bool = False) -> View:
        now = self._clock()
        phase = derive(view.bot, view.world, view.crashes, self._engine_time())
        since = view.since if phase is view.phase and view.since else now
        # The phase began before this process did; or it is dated by the engine's own time, as it
        # will be after our next start.
        if first or (view.phase, phase) in _DATED:
            since = _beginning(view, phase) or since
        view = replace(view, phase=phase, since=since, by_hand=_if_news(view.by_hand, now))
        if self._views.get(view.bot.id) != view:
            self._views[view.bot.id] = view
            self._tell(view.bot.id)
        return view

    def _tell(self, bot_id: str) -> None:
        for listener in tuple(self._listeners):
            listener(bot_id)

    @contextlib.contextmanager
    def listening(self, listener: Callable[[str], None]) -> Iterator[None]:
        """Call `listener(bot_id)` at every change while the block runs. It must not block."""
        self._listeners.add(listener)
        try:
            yield
        finally:
            self._listeners.discard(listener)

    async def wait_for(
        self, bot_id: str, done: Callable[[View | None], bool], seconds: float
    ) -> View | None:
        """Wait until `done(view)`, or until the time is up; the view then (None: gone)."""
        ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def listener(changed: str) -> None:
            if changed == bot_id and not ended.done() and done(self.get(bot_id)):
                ended.set_result(None)

        with self.listening(listener), contextlib.suppress(TimeoutError):
            if not done(self.get(bot_id)):
                async with asyncio.timeout(seconds):
                    await ended
        return self.get(bot_id)


def _if_news(by_hand: ByHand | None, now: float) -> ByHand | None:
    """The same while it is news. A clock that was set back ends that too."""
    if by_hand is None or abs(now - by_hand.at) >= crash_rules.WINDOW_SECONDS:
        return None
    return by_hand


def _beginning(view: View, phase: Phase) -> float:
    """When the phase of a first look began, by the container's own times; 0 when unknown."""
    container = view.world.container
    if view.bot.problem is not None:
        return view.bot.problem.at
    if container is None:
        return view.bot.created_at if phase is Phase.CREATED else 0.0
    running = phase in {Phase.RUNNING, Phase.UNHEALTHY, Phase.STARTING}
    return container.started if running else container.finished_at
