"""One machine instead of fifty tests: whatever people and the world do, world == wish in the end.

More of it: BOTMAKER_MACHINE_EXAMPLES=500 (and BOTMAKER_MACHINE_STEPS).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import tempfile
import time
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import Phase as Phases
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, precondition, rule

from controller.domain.bot import Bot, Wish
from controller.domain.errors import Conflict, NotFound, NotReady, OutcomeUnknown
from controller.domain.phase import Phase
from tests.manager.rig import ANN_ASKS, Rig, eventually

EXAMPLES = int(os.environ.get("BOTMAKER_MACHINE_EXAMPLES", "40"))
STEPS = int(os.environ.get("BOTMAKER_MACHINE_STEPS", "20"))
WISHES = {"start": Wish.RUN, "stop": Wish.STOP, "restart": Wish.RUN, "delete": Wish.REMOVE}
ORDERS = tuple(WISHES)
CALM = 0.02  # seconds


class Installation(RuleBasedStateMachine):
    """People, the engine and the controller, each doing what they may at any time."""

    bots = Bundle("bots")

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.folder = Path(tempfile.mkdtemp(prefix="machine-"))
        self.rig = Rig(self.folder)
        self.wished: dict[str, str] = {}  # the last order that was taken, by bot id
        self.made: dict[str, Bot] = {}
        self.runner.run(self.rig.open())
        self.runner.run(self._go())

    async def _go(self) -> None:
        self.rig.run()
        await eventually(lambda: self.rig.manager.fleet.engine.reachable)

    async def _order(self, bot: Bot, what: str) -> None:
        """Give an order and do not wait for its end, as an impatient person does."""
        task = asyncio.create_task(getattr(self.rig.manager.lifecycle, what)(ANN_ASKS, bot))

        def taken() -> bool:
            view = self.rig.manager.fleet.get(bot.id)
            return task.done() or view is None or view.bot.wish is WISHES[what]

        await asyncio.sleep(0.001)
        await eventually(taken, "the order is taken")
        task.cancel()
        (answer,) = await asyncio.gather(task, return_exceptions=True)
        if isinstance(answer, NotFound | NotReady):
            assert self.wished[bot.id] == "delete"
        elif self.wished[bot.id] != "delete":
            self.wished[bot.id] = what

    async def _settled(self) -> None:
        self.rig.runtime.lose_answers(0)
        if self.rig.runtime.away:
            self.rig.runtime.come_back()
        calm_since = time.monotonic()

        def calm() -> bool:
            # A step under way may still land, and is then put right: what counts is what stays.
            nonlocal calm_since
            if not self.rig.at_rest():
                calm_since = time.monotonic()
            return time.monotonic() - calm_since > CALM

        await eventually(calm, "world == wish", 10)

    # What people do

    @rule(target=bots)
    def create(self) -> Bot:
        """A new bot, without secrets."""
        bot = self.runner.run(self.rig.create())
        self.made[bot.id] = bot
        self.wished[bot.id] = "start"
        return bot

    @rule(bot=bots, rotate=st.booleans())
    def secrets(self, bot: Bot, rotate: bool) -> None:
        """Somebody enters or replaces its secrets."""
        try:
            self.runner.run(self.rig.submit(bot, rotate=rotate))
        except NotFound:
            assert self.wished[bot.id] == "delete"

    @rule(bot=bots, what=st.sampled_from(ORDERS))
    def order(self, bot: Bot, what: str) -> None:
        """Somebody orders something."""
        self.runner.run(self._order(bot, what))

    @rule(bot=bots, orders=st.lists(st.sampled_from(ORDERS[:3]), min_size=2, max_size=3))
    def orders(self, bot: Bot, orders: list[str]) -> None:
        """Somebody changes their mind quickly."""
        for what in orders:
            self.runner.run(self._order(bot, what))

    @rule(bot=bots)
    def name_again(self, bot: Bot) -> None:
        """A name is free when its bot is gone."""
        taken = any(view.bot.name == bot.name for view in self.rig.manager.fleet)
        try:
            twin = self.runner.run(self.rig.create(name=bot.name))
        except Conflict:
            assert taken
            return
        self.made[twin.id] = twin
        self.wished[twin.id] = "start"

    # What the world does

    @rule(bot=bots, exit_code=st.sampled_from([0, 1, 78, 137]))
    def crash(self, bot: Bot, exit_code: int) -> None:
        """A bot's program ends."""
        held = self.rig.runtime.containers.get(bot.id)
        if held is not None and held.seen.state == "running":
            self.rig.runtime.crash(bot.id, exit_code)

    @rule(bot=bots, what=st.sampled_from(["stop", "start", "remove"]))
    def by_hand(self, bot: Bot, what: str) -> None:
        """Somebody uses the engine directly."""
        if bot.id in self.rig.runtime.containers and not self.rig.runtime.away:
            call = getattr(self.rig.runtime, what)
            with contextlib.suppress(OutcomeUnknown, NotFound):
                self.runner.run(call(bot.id) if what == "start" else call(bot.id, 1))

    @precondition(lambda self: not self.rig.runtime.away)
    @rule()
    def engine_goes(self) -> None:
        """The engine goes away."""
        self.rig.runtime.go_away()

    @precondition(lambda self: self.rig.runtime.away)
    @rule()
    def engine_comes(self) -> None:
        """It is back."""
        self.rig.runtime.come_back()

    @rule(count=st.integers(1, 4))
    def lose_answers(self, count: int) -> None:
        """The next answers get lost."""
        self.rig.runtime.lose_answers(count)

    @rule()
    def controller_restarts(self) -> None:
        """The controller is killed, and started again."""
        self.runner.run(self.rig.restart())

    @rule(seconds=st.sampled_from([0.0, 0.001, 0.005]))
    def time_passes(self, seconds: float) -> None:
        """The controller gets on with it."""
        self.runner.run(asyncio.sleep(seconds))

    # What has to be so

    @rule()
    def quiesce(self) -> None:
        """Left in peace with an engine, the world becomes what was wished for."""
        self.runner.run(self._settled())
        self._compare()

    def _compare(self) -> None:
        rig = self.rig
        views = {view.bot.id: view for view in rig.manager.fleet}
        kept = {bot.id for bot in self.runner.run(rig.manager.store.bots())}
        removed = {bot_id for bot_id, what in self.wished.items() if what == "delete"}
        assert kept == set(views) == set(self.wished) - removed
        assert set(rig.runtime.containers) <= kept, "an orphan container"
        assert rig.runtime.volumes <= kept, "an orphan volume"
        assert rig.secrets_on_disk() <= kept, "secrets of a bot that is gone"
        assert self.runner.run(rig.manager.orphans.find()) == []
        for bot_id, view in views.items():
            if self.wished[bot_id] == "stop":
                assert view.phase is Phase.STOPPED
                assert not rig.active(view.bot)
            elif view.bot.problem is not None:
                assert view.bot.problem.code in {"crash-loop", "fatal-exit"}
                assert view.phase in {Phase.CRASH_LOOPING, Phase.ERROR}
                assert not rig.active(view.bot)
            else:
                waits = view.phase is Phase.CREATED
                assert rig.active(view.bot) is not waits
                assert view.phase in {Phase.CREATED, Phase.RUNNING, Phase.CRASH_LOOPING}

    @invariant()
    def a_bot_has_one_container_of_its_own(self) -> None:
        """At every moment, settled or not, nothing exists that nobody made."""
        assert set(self.rig.runtime.containers) <= set(self.made)

    def teardown(self) -> None:
        """Every run ends settled."""
        try:
            self.quiesce()
        finally:
            self.runner.run(self.rig.kill())
            self.runner.close()
            shutil.rmtree(self.folder)


Installation.TestCase.settings = settings(
    max_examples=EXAMPLES,
    stateful_step_count=STEPS,
    deadline=None,
    # Two runs never meet the same moments: a shorter way to a failure would be another failure.
    phases=[Phases.generate],
    database=None,
    report_multiple_bugs=False,
    suppress_health_check=list(HealthCheck),
)


class TestInstallation(Installation.TestCase):  # type: ignore[misc]
    """World == wish, no orphan, no stray secret."""
