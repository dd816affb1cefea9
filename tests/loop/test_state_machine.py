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

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import Phase as Phases
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from controller.domain.bot import Bot, Wish
from controller.domain.errors import (
    Conflict,
    EngineUnavailable,
    NotFound,
    NotReady,
    OutcomeUnknown,
)
from controller.domain.phase import Phase
from controller.fleet.views import View
from controller.runtime import ProbeResult
from controller.runtime.memory import MemoryRuntime
from tests.manager.rich import RELOAD, RICH
from tests.manager.rig import ANN_ASKS, API_KEY, DEMO_IMAGE, TOKEN, Rig, eventually

EXAMPLES = int(os.environ.get("BOTMAKER_MACHINE_EXAMPLES", "40"))
STEPS = int(os.environ.get("BOTMAKER_MACHINE_STEPS", "20"))
WISHES = {"start": Wish.RUN, "stop": Wish.STOP, "restart": Wish.RUN, "delete": Wish.REMOVE}
ORDERS = tuple(WISHES)
CALM = 0.02  # seconds


class Reader(MemoryRuntime):
    """A runtime whose programs read their key when they start, and when they are told to."""

    secrets = Path()

    def __init__(self) -> None:
        super().__init__(images=(DEMO_IMAGE, "example/plain:1"))
        self.read: dict[str, str] = {}  # the key that each run has, by the run's name

    def emit(
        self, bot_id: str, action: str, exit_code: int | None = None, *, ending: bool = False
    ) -> None:
        """At each start the program reads."""
        if action == "start":
            self._read_key(bot_id)
        super().emit(bot_id, action, exit_code, ending=ending)

    def do_execute(self, bot_id: str, command: tuple[str, ...]) -> ProbeResult:
        """At a reload that works too."""
        done = super().do_execute(bot_id, command)
        if command == RELOAD and done.exit_code == 0:
            self._read_key(bot_id)
        return done

    def _read_key(self, bot_id: str) -> None:
        path = self.secrets / bot_id / "api_key"
        if path.exists():
            self.read[self.containers[bot_id].seen.started_at] = path.read_text()


class Installation(RuleBasedStateMachine):
    """People, the engine and the controller, each doing what they may at any time."""

    bots = Bundle("bots")

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.folder = Path(tempfile.mkdtemp(prefix="machine-"))
        self.rig = Rig(self.folder)
        self.rig.template(RICH, "rich")
        self.runtime = Reader()
        self.runtime.secrets = self.rig.secrets
        self.rig.runtime = self.rig.door = self.runtime
        self.wished: dict[str, str] = {}  # the last order that was taken, by bot id
        self.made: dict[str, Bot] = {}
        self.runner.run(self.rig.open())
        self.runner.run(self._go())

    async def _go(self) -> None:
        self.rig.run()
        await eventually(lambda: self.rig.fleet.engine.reachable)

    async def _order(self, bot: Bot, what: str) -> None:
        """Give an order and do not wait for its end, as an impatient person does."""
        task = asyncio.create_task(getattr(self.rig.manager.lifecycle, what)(ANN_ASKS, bot))

        def taken() -> bool:
            view = self.rig.fleet.get(bot.id)
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

    @rule(target=bots, template=st.sampled_from(["plain", "rich"]))
    def create(self, template: str) -> Bot:
        """A new bot, without secrets."""
        bot = self.runner.run(self.rig.create(template))
        self.made[bot.id] = bot
        self.wished[bot.id] = "start"
        return bot

    @rule(
        bot=bots, rotate=st.booleans(), key=st.sampled_from([API_KEY, "fake-key-2", "fake-key-3"])
    )
    def secrets(self, bot: Bot, rotate: bool, key: str) -> None:
        """Somebody enters or replaces its secrets."""
        try:
            self.runner.run(self.rig.submit(bot, rotate=rotate, api_key=key, channel_token=TOKEN))
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

    @rule(bot=bots, greeting=st.sampled_from(["", "ahoy", "moin"]))
    def edit(self, bot: Bot, greeting: str) -> None:
        """Somebody changes a setting."""
        if bot.template != "rich":
            return
        try:
            self.runner.run(self.rig.edit(bot, greeting=greeting))
        except (NotFound, NotReady):
            assert self.wished[bot.id] == "delete"

    @rule(bot=bots, exit_code=st.sampled_from([0, 0, 1, 137]))
    def act(self, bot: Bot, exit_code: int) -> None:
        """Somebody runs an action, and the bot's program answers so from now on, reloads too."""
        answer = ProbeResult(exit_code=exit_code, output="done")
        self.rig.runtime.answer_execute = lambda *_: answer
        if bot.template == "rich":
            self.runner.run(self._act(bot))

    async def _act(self, bot: Bot) -> None:
        """Whatever happens to the bot, the person hears how it ended, and soon."""
        async with asyncio.timeout(20):  # before the minute in which a request is given up
            with contextlib.suppress(NotFound, NotReady, OutcomeUnknown, EngineUnavailable):
                await self.rig.manager.actions.run(ANN_ASKS, bot, "status", {})

    @rule(bot=bots)
    def name_again(self, bot: Bot) -> None:
        """A name is free when its bot is gone."""
        taken = any(view.bot.name == bot.name for view in self.rig.fleet)
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
        views = {view.bot.id: view for view in rig.fleet}
        kept = {bot.id for bot in self.runner.run(rig.store.bots())}
        removed = {bot_id for bot_id, what in self.wished.items() if what == "delete"}
        assert kept == set(views) == set(self.wished) - removed
        assert set(rig.runtime.containers) <= kept, "an orphan container"
        assert rig.runtime.volumes <= kept, "an orphan volume"
        assert rig.secrets_on_disk() <= kept, "secrets of a bot that is gone"
        assert self.runner.run(rig.manager.orphans.find(ANN_ASKS)) == []
        for bot_id, view in views.items():
            self._compare_inside(view)
            if self.wished[bot_id] == "stop":
                assert view.phase is Phase.STOPPED
                assert not rig.active(view.bot)
            elif view.bot.problem is not None:
                assert view.bot.problem.code in {"crash-loop", "fatal-exit"}
                assert view.phase is Phase.ERROR
                assert not rig.active(view.bot)
            else:
                waits = view.phase is Phase.CREATED
                assert rig.active(view.bot) is not waits
                assert view.phase in {Phase.CREATED, Phase.RUNNING, Phase.CRASH_LOOPING}

    def _compare_inside(self, view: View) -> None:
        """What runs is made of the settings and reads the secrets that there are now."""
        bot, held = view.bot, self.rig.runtime.containers.get(view.bot.id)
        if held is None or not held.seen.state.active:
            return
        assert held.seen.spec == self.rig.house.tools.blueprints.spec(bot).digest()
        assert (bot.run.to_end, bot.run.to_reload) == ("", "")
        stored = (self.rig.secrets / bot.id / "api_key").read_text()
        assert self.runtime.read[held.seen.started_at] == stored, "it runs with former secrets"

    @invariant()
    def a_bot_has_one_container_of_its_own(self) -> None:
        """At every moment, settled or not, nothing exists that nobody made."""
        assert set(self.rig.runtime.containers) <= set(self.made)

    def teardown(self) -> None:
        """Every run ends settled."""
        try:
            self.quiesce()
        except BaseException as error:
            error.add_note(self.rig.stories())
            raise
        finally:
            self.runner.run(self.rig.kill())
            self.runner.close()
            shutil.rmtree(self.folder)


Installation.TestCase.settings = settings(
    max_examples=EXAMPLES,
    stateful_step_count=STEPS,
    deadline=None,
    # Two runs never meet the same moments: a shorter way to a failure would be another failure. A
    # plan that failed is saved in .hypothesis/ and comes first in the next run.
    phases=[Phases.reuse, Phases.generate],
    report_multiple_bugs=False,
    suppress_health_check=list(HealthCheck),
)


def test_a_plan_that_failed_comes_first_in_the_next_run() -> None:
    """With the machine's own settings: whoever mends the fault sees the same plan pass."""
    plans: list[list[int]] = []
    broken = True

    class Fragile(RuleBasedStateMachine):
        def __init__(self) -> None:
            super().__init__()
            plans.append([])

        @rule(number=st.integers())
        def step(self, number: int) -> None:
            """Fail at the first large number."""
            plans[-1].append(number)
            assert not broken or abs(number) < 1000

    def run() -> list[int]:
        plans.clear()
        run_state_machine_as_test(Fragile, settings=Installation.TestCase.settings)
        return plans[0]

    with pytest.raises(AssertionError):
        run()
    failed = plans[-1]
    with pytest.raises(AssertionError):
        run()
    assert plans[0] == failed
    broken = False
    assert run()[: len(failed)] == failed


@pytest.mark.timeout(300)
class TestInstallation(Installation.TestCase):  # type: ignore[misc]
    """World == wish, no orphan, no stray secret."""
