"""An engine that tells the truth late, twice, out of order or not at all, and is used by others.

Three classes of a controller's bugs come from that: kills between two steps, stale looks (an answer
from before the last change) and unobserved states (what came and went between two looks).
"""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from controller.domain.events import ContainerEvent
from controller.domain.observation import ContainerState, Health, ListedContainer, Observation
from controller.runtime import ProbeResult
from controller.runtime.memory import MemoryRuntime
from tests.loop.simulation import SimulatedLoop
from tests.manager.rich import RELOAD
from tests.manager.rig import DEMO_IMAGE

T = TypeVar("T")
IMAGES = (DEMO_IMAGE, "example/plain:1")
QUICK = (0.0, 0.0, 0.0005, 0.003)  # seconds for a request, and for its answer
SLOW = (0.0, 0.003, 0.2, 2.0)
HEALTHY_AFTER = 1.0  # seconds
KEPT_LOOKS = 6
KEPT_EVENTS = 256  # as many as an engine remembers


class UnquietEngine(MemoryRuntime):
    """An engine whose answers and events can't be relied on, and whose programs read their key."""

    secrets = Path()

    def __init__(self, loop: SimulatedLoop) -> None:
        super().__init__(images=IMAGES, clock=loop.wall_clock)
        self._sim = loop
        self.read: dict[str, str] = {}  # the key that each run has, by the run's name
        self.pace = QUICK
        self.events_go = "straight"  # or: late, twice, mixed
        self.deaf = False
        self._missed: deque[ContainerEvent] = deque(maxlen=KEPT_EVENTS)
        self._looks: dict[str, deque[Observation | None]] = defaultdict(
            lambda: deque(maxlen=KEPT_LOOKS)
        )
        self._lists: deque[list[ListedContainer]] = deque(maxlen=KEPT_LOOKS)
        self.stale_looks: dict[str, int] = {}  # bot → how many looks back the next answer is
        self._misled: set[str] = set()  # bots whose last look was a former one
        self.stale_list = 0
        self.stale_given = 0

    # Answers that are late, or from before

    async def _ask(self, name: str, do: Callable[[], T]) -> T:
        """A request takes its time, and so does its answer: the world goes on meanwhile."""
        await asyncio.sleep(self._sim.random.choice(self.pace))
        answer = await super()._ask(name, do)
        await asyncio.sleep(self._sim.random.choice(self.pace))
        return answer

    async def observe(self, bot_id: str) -> Observation | None:
        """Look at the bot's container, or show a former look once more.

        Never twice in a row: an absence that two looks show is believed.
        """
        answer = await super().observe(bot_id)
        known = self._looks[bot_id]
        back = 0 if bot_id in self._misled else self.stale_looks.pop(bot_id, 0)
        if back and known:
            self.stale_given += 1
            self._misled.add(bot_id)
            return known[-min(back, len(known))]
        self._misled.discard(bot_id)
        if not known or known[-1] != answer:
            known.append(answer)
        return answer

    async def list_containers(self) -> list[ListedContainer]:
        """List all containers, or show a former list once more."""
        answer = await super().list_containers()
        back, self.stale_list = self.stale_list, 0
        if back and self._lists:
            self.stale_given += 1
            return self._lists[-min(back, len(self._lists))]
        self._lists.append(answer)
        return answer

    def forget_looks(self) -> None:
        """A new controller asks: no answer is older than its question by a whole controller."""
        self._looks.clear()
        self._lists.clear()

    # Events that are late, doubled, out of order or lost

    def tell(self, event: ContainerEvent) -> None:
        """Hand an event to whoever listens, sooner or later."""
        if self.deaf:
            self._missed.append(event)
            return
        soon = self._sim.random.uniform
        match self.events_go:
            case "late":
                self._sim.call_later(soon(0, 20), self._deliver, event)
            case "twice":
                self._deliver(event)
                self._sim.call_later(soon(0, 5), self._deliver, event)
            case "mixed":
                self._sim.call_later(soon(0, 0.1), self._deliver, event)
            case _:
                self._deliver(event)

    def _deliver(self, event: ContainerEvent) -> None:
        if not self.away and not self.deaf:
            super().tell(event)

    def hear_again(self, *, remembers: bool) -> None:
        """A new subscription: a resync, and what the engine remembers of the gap."""
        if self.deaf:
            self.deaf = False
            self._deliver(ContainerEvent(action="resync"))
            for event in self._missed if remembers else ():
                self._deliver(event)
            self._missed.clear()

    def calm_down(self) -> None:
        """From now on everything is as it should be."""
        self.lose_answers(0)
        self.pace, self.events_go = QUICK, "straight"
        self.stale_looks.clear()
        self.stale_list = 0
        self.foreign.clear()
        self.foreign_volumes.clear()
        self.images.update(IMAGES)
        self.hear_again(remembers=True)
        if self.away:
            self.come_back()

    # Programs

    def emit(
        self, bot_id: str, action: str, exit_code: int | None = None, *, ending: bool = False
    ) -> None:
        """At each start the program reads its key and keeps its diary; its check takes a while."""
        if action == "start":
            held = self.containers[bot_id]
            self._read_key(bot_id)
            if held.spec.state_path:
                self.seeded[bot_id]["diary"] = "written"
            if held.spec.health:
                run = held.seen.started_at
                self._sim.call_later(HEALTHY_AFTER, self._check, bot_id, run)
        super().emit(bot_id, action, exit_code, ending=ending)

    def do_execute(self, bot_id: str, command: tuple[str, ...]) -> ProbeResult:
        """At a reload that works the program reads its key too."""
        done = super().do_execute(bot_id, command)
        if command == RELOAD and done.exit_code == 0:
            self._read_key(bot_id)
        return done

    def _read_key(self, bot_id: str) -> None:
        path = self.secrets / bot_id / "api_key"
        if path.exists():
            self.read[self.containers[bot_id].seen.started_at] = path.read_text()

    def _check(self, bot_id: str, run: str) -> None:
        held = self.containers.get(bot_id)
        if held is None or held.seen.started_at != run or not held.seen.state.active:
            return
        if held.seen.state is ContainerState.RUNNING:
            self.set_health(bot_id, Health.HEALTHY)
        else:
            self._sim.call_later(HEALTHY_AFTER, self._check, bot_id, run)

    # Other hands. Each of these leaves nothing that a later look could see but what it says.

    def crash_slowly(self, bot_id: str, exit_code: int, seconds: float) -> None:
        """A crash after which the engine waits before it runs the program again."""
        self.restart_at_once = False
        self.crash(bot_id, exit_code)
        self.restart_at_once = True

        def again() -> None:
            if bot_id in self.containers:
                self.revive(bot_id)

        self._sim.call_later(seconds, again)

    def kill(self, bot_id: str) -> None:
        """`docker kill`: the end isn't followed by a restart."""
        held = self.containers[bot_id]
        self.emit(bot_id, "kill", ending=True)
        self._end(bot_id, held, 137)

    def make_again(self, bot_id: str) -> None:
        """Remove the container and make one like it, as programs that update images do."""
        held = self.containers[bot_id]
        name, runs = held.seen.misnamed, held.seen.state.active
        self.do_remove(bot_id)
        self.do_create(held.spec)
        if name:
            self.rename_container(bot_id, name)
        if runs:
            self.do_start(bot_id)

    def rename_and_back(self, bot_id: str) -> None:
        """Another name for a moment."""
        held = self.containers[bot_id]
        if not held.seen.misnamed:
            self.rename_container(bot_id, f"other-{bot_id[:8]}")
            self.rename_container(bot_id, f"botmaker-{bot_id}")

    def falter(self, bot_id: str) -> None:
        """A health check that fails once."""
        held = self.containers[bot_id]
        if held.spec.health and held.seen.state is ContainerState.RUNNING:
            self.set_health(bot_id, Health.UNHEALTHY, "no answer")
            self.set_health(bot_id, Health.HEALTHY)

    def truth(self, bot_id: str) -> Observation | None:
        """What a look would show, if it showed what is."""
        held = self.containers.get(bot_id)
        return None if held is None else replace(held.seen)
