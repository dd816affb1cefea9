"""One machine instead of fifty tests: whatever people and the world do, world == wish in the end.

Each plan has a seed, which a failure prints; time and threads are simulated, so the same seed is
the same course of events, to the moment:

    BOTMAKER_MACHINE_SEED=123456 .venv/bin/pytest tests/loop/test_state_machine.py

With BOTMAKER_MACHINE_SHRINK=1 hypothesis also looks for a shorter plan that fails. A plan that
failed is kept in tests/loop/found, and tried first by the next run; it goes once it holds.
More plans: BOTMAKER_MACHINE_PLANS=500 (and BOTMAKER_MACHINE_STEPS).
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import secrets as entropy
import shutil
import tempfile
import unittest
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, assume, seed, settings
from hypothesis import Phase as Phases
from hypothesis import strategies as st
from hypothesis.database import DirectoryBasedExampleDatabase
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from controller.domain.bot import Bot, Wish
from controller.domain.errors import (
    Conflict,
    EngineUnavailable,
    ImageMissing,
    NotFound,
    NotReady,
    OutcomeUnknown,
)
from controller.domain.observation import ContainerState
from controller.domain.phase import Phase
from controller.fleet.views import View
from controller.runtime import ProbeResult
from tests.loop.ledger import Ledger
from tests.loop.simulation import SimulatedLoop
from tests.loop.unquiet import IMAGES, QUICK, SLOW, UnquietEngine
from tests.manager.rich import RICH
from tests.manager.rig import ANN_ASKS, API_KEY, TOKEN, Rig

PLANS = int(os.environ.get("BOTMAKER_MACHINE_PLANS", "30"))
STEPS = int(os.environ.get("BOTMAKER_MACHINE_STEPS", "25"))
SEED = os.environ.get("BOTMAKER_MACHINE_SEED", "")
SHRINK = bool(os.environ.get("BOTMAKER_MACHINE_SHRINK", ""))
FOUND = Path(__file__).parent / "found"
WISHES = {"start": Wish.RUN, "stop": Wish.STOP, "restart": Wish.RUN, "delete": Wish.REMOVE}
ORDERS = tuple(WISHES)
CALM = 45.0  # seconds without a change: the patrol has been round, and every pause is over
PATIENCE = 900.0  # seconds until everything is as wished, at most
UPDATE = "\n[update]\nhealthy_for = 3\ndeadline = 30\n"
TEMPLATES = st.sampled_from(["plain", "rich", "demo"])
HANDS = ("stop", "start", "remove", "kill", "pause", "unpause", "rename")
UNOBSERVED = (
    "crash",
    "out of memory",
    "stop, start",
    "again",
    "rename",
    "falter",
    "pause",
    "image",
)


class Installation(RuleBasedStateMachine):
    """People, the engine and the controller, each doing what they may at any time."""

    bots = Bundle("bots")
    counted: ClassVar[dict[str, int]] = {"steps": 0, "plans": 0, "stale looks": 0, "crashes": 0}

    def __init__(self) -> None:
        super().__init__()
        self.begun = False

    @initialize(target=bots, schedule=st.integers(0, 2**32 - 1), template=TEMPLATES)
    def begin(self, schedule: int, template: str) -> Bot:
        """The schedule decides how long each answer and each thread takes. There is one bot."""
        assume(schedule)  # hypothesis begins with the smallest plan, which says nothing
        self.runner = asyncio.Runner(loop_factory=lambda: SimulatedLoop(schedule))
        loop = self.runner.get_loop()
        assert isinstance(loop, SimulatedLoop)
        self.loop = loop
        self.folder = Path(tempfile.mkdtemp(prefix="machine-"))
        self.rig = Rig(self.folder)
        self.rig.template(RICH + UPDATE, "rich")
        self.engine = UnquietEngine(loop)
        self.engine.secrets = self.rig.secrets
        self.rig.runtime = self.rig.door = self.engine
        self.wished: dict[str, str] = {}  # the last order that was taken, by bot id
        self.made: dict[str, Bot] = {}
        self.ledgers: dict[str, Ledger] = {}
        self.with_state: set[str] = set()  # bots whose volume holds something
        self.begun, self.refuses = True, False  # whether an image has refused a config
        self.counted["plans"] += 1
        self.run(self.rig.open())
        self.run(self._go())
        return self.create(template, complete=True)

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Let the world go on until that is done."""
        return self.runner.run(work)

    async def _go(self) -> None:
        self.rig.run()
        await self._until(lambda: self.rig.fleet.engine.reachable, "the engine is found")

    async def _until(self, true: Callable[[], Any], why: str, seconds: float = 60.0) -> None:
        end = self.loop.time() + seconds
        while not true():
            assert self.loop.time() < end, f"it did not become so: {why}"
            await asyncio.sleep(0.01)

    async def _order(self, bot: Bot, what: str) -> None:
        """Give an order and do not wait for its end, as an impatient person does."""
        task = asyncio.create_task(getattr(self.rig.manager.lifecycle, what)(ANN_ASKS, bot))

        def taken() -> bool:
            view = self.rig.fleet.get(bot.id)
            return task.done() or view is None or view.bot.wish is WISHES[what]

        await asyncio.sleep(0.05)
        await self._until(taken, "the order is taken")
        task.cancel()
        (answer,) = await asyncio.gather(task, return_exceptions=True)
        if isinstance(answer, NotReady) and answer.code == "secrets-missing":
            assert not self.rig.has_secrets(bot)
        elif isinstance(answer, NotFound | NotReady):
            assert self.wished[bot.id] == "delete"
        elif self.wished[bot.id] != "delete":
            self.wished[bot.id] = what

    async def _settled(self) -> None:
        self.engine.calm_down()
        calm_since, end = self.loop.time(), self.loop.time() + PATIENCE
        while self.loop.time() - calm_since < CALM:
            # A step under way may still land, and is then put right: what counts is what stays.
            if not self.rig.at_rest():
                calm_since = self.loop.time()
            assert self.loop.time() < end, "world == wish"
            await asyncio.sleep(1)

    def _new(self, bot: Bot) -> Bot:
        self.made[bot.id] = bot
        self.wished[bot.id] = "start"
        self.ledgers[bot.id] = Ledger()
        if not self.engine.images:
            self.ledgers[bot.id].forgivable.add("image-missing")
        if self.refuses:
            self.ledgers[bot.id].forgivable.add("config-refused")
        return bot

    # What people do

    @rule(target=bots, template=TEMPLATES, complete=st.booleans())
    def create(self, template: str, complete: bool) -> Bot:
        """A new bot, without secrets; or with them, and a while to start."""
        bot = self._new(self.run(self.rig.create(template)))
        if complete:
            self.run(self.rig.submit(bot, api_key=API_KEY, channel_token=TOKEN))
            self.run(asyncio.sleep(2))
        return bot

    @rule(
        bot=bots, rotate=st.booleans(), key=st.sampled_from([API_KEY, "fake-key-2", "fake-key-3"])
    )
    def secrets(self, bot: Bot, rotate: bool, key: str) -> None:
        """Somebody enters or replaces its secrets."""
        self.ledgers[bot.id].blur()
        try:
            self.run(self.rig.submit(bot, rotate=rotate, api_key=key, channel_token=TOKEN))
        except NotFound:
            assert self.wished[bot.id] == "delete"

    @rule(bot=bots, what=st.sampled_from(ORDERS))
    def order(self, bot: Bot, what: str) -> None:
        """Somebody orders something."""
        self.ledgers[bot.id].blur()
        self.run(self._order(bot, what))

    @rule(bot=bots, orders=st.lists(st.sampled_from(ORDERS[:3]), min_size=2, max_size=3))
    def orders(self, bot: Bot, orders: list[str]) -> None:
        """Somebody changes their mind quickly."""
        self.ledgers[bot.id].blur()
        for what in orders:
            self.run(self._order(bot, what))

    @rule(bot=bots, greeting=st.sampled_from(["", "ahoy", "moin"]))
    def edit(self, bot: Bot, greeting: str) -> None:
        """Somebody changes a setting."""
        self.ledgers[bot.id].blur()
        if bot.template != "rich":
            return
        try:
            self.run(self.rig.edit(bot, greeting=greeting))
        except (NotFound, NotReady):
            assert self.wished[bot.id] == "delete"

    @rule(exit_code=st.sampled_from([0, 0, 1]))
    def check_config(self, exit_code: int) -> None:
        """From now on images take or refuse whatever config they are asked about."""
        answer = ProbeResult(exit_code=exit_code, output="no")
        self.engine.answer_rehearse = lambda *_: answer
        self.refuses = self.refuses or bool(exit_code)
        for ledger in self.ledgers.values() if exit_code else ():
            ledger.forgivable.add("config-refused")

    @rule(bot=bots, number=st.sampled_from([None, 1, 2]))
    def roll_back(self, bot: Bot, number: int | None) -> None:
        """Somebody goes back to an earlier release."""
        self.ledgers[bot.id].blur()
        with contextlib.suppress(NotFound, NotReady, ImageMissing, EngineUnavailable, Conflict):
            self.run(self.rig.manager.releases.rollback(ANN_ASKS, bot, number, 0.0))

    @rule(bot=bots, exit_code=st.sampled_from([0, 0, 1, 137]))
    def act(self, bot: Bot, exit_code: int) -> None:
        """Somebody runs an action, and the bot's program answers so from now on, reloads too."""
        answer = ProbeResult(exit_code=exit_code, output="done")
        self.engine.answer_execute = lambda *_: answer
        if bot.template == "rich":
            self.run(self._act(bot))

    async def _act(self, bot: Bot) -> None:
        """Whatever happens to the bot, the person hears how it ended, and soon."""
        async with asyncio.timeout(50):  # before the minute in which a request is given up
            with contextlib.suppress(NotFound, NotReady, OutcomeUnknown, EngineUnavailable):
                await self.rig.manager.actions.run(ANN_ASKS, bot, "status", {})

    @rule(bot=bots)
    def name_again(self, bot: Bot) -> None:
        """A name is free when its bot is gone."""
        taken = any(view.bot.name == bot.name for view in self.rig.fleet)
        try:
            twin = self.run(self.rig.create(name=bot.name))
        except Conflict:
            assert taken
            return
        self._new(twin)

    # What the world does

    def _held(self, bot: Bot, *states: ContainerState) -> bool:
        held = self.engine.containers.get(bot.id)
        return held is not None and (not states or held.seen.state in states)

    def _counts(self, bot: Bot) -> bool:
        """Whether a crash now has to be counted: nobody wishes for the end of this run."""
        view = self.rig.fleet.get(bot.id)
        return (
            view is not None
            and view.bot.wish is Wish.RUN
            and view.bot.problem is None
            and not view.bot.run.owes
            and view.seen
        )

    def _crash(self, bot: Bot, exit_code: int, seconds: float, *, oom: bool = False) -> None:
        if not self._held(bot, ContainerState.RUNNING):
            return
        at = self.engine.engine_time()
        self.ledgers[bot.id].crashed(at, exit_code, counts=self._counts(bot))
        self.counted["crashes"] += 1
        if seconds:
            self.engine.crash_slowly(bot.id, exit_code, seconds)
        else:
            self.engine.crash(bot.id, exit_code, oom=oom)

    @rule(
        bot=bots,
        exit_code=st.sampled_from([0, 1, 1, 78, 137]),
        seconds=st.sampled_from([0.0, 0.0, 0.1, 3.0]),
    )
    def crash(self, bot: Bot, exit_code: int, seconds: float) -> None:
        """A bot's program ends, and runs again at once or after a while."""
        self._crash(bot, exit_code, seconds)

    @rule(bot=bots, what=st.sampled_from(HANDS))
    def by_hand(self, bot: Bot, what: str) -> None:
        """Somebody uses the engine directly."""
        with contextlib.suppress(Conflict):  # somebody's container has the bot's name
            self._by_hand(bot, what)

    def _by_hand(self, bot: Bot, what: str) -> None:
        engine, ledger = self.engine, self.ledgers[bot.id]
        held = engine.containers.get(bot.id)
        if held is None:
            return
        ledger.blur()
        state = held.seen.state
        match what:
            case "stop":
                ledger.by_hand["stopped"] += state.active
                engine.do_stop(bot.id)
            case "start":
                engine.do_start(bot.id)
            case "remove":
                ledger.by_hand["removed"] += 1
                engine.do_remove(bot.id)
            case "kill" if state is ContainerState.RUNNING:
                ledger.by_hand["stopped"] += 1
                engine.kill(bot.id)
            case "pause" if state is ContainerState.RUNNING:
                ledger.by_hand["paused"] += 1
                engine.pause(bot.id)
            case "unpause" if state is ContainerState.PAUSED:
                engine.do_start(bot.id)
            case "rename" if not held.seen.misnamed:
                ledger.by_hand["renamed"] += 1
                engine.rename_container(bot.id, f"mine-{bot.id[:8]}")
            case _:
                pass

    @rule(bot=bots, acts=st.lists(st.sampled_from(UNOBSERVED), min_size=1, max_size=3))
    def unobserved(self, bot: Bot, acts: list[str]) -> None:
        """Things come and go between two looks."""
        for act in acts:
            with contextlib.suppress(Conflict, ImageMissing):
                self._unobserved(bot, act)

    def _unobserved(self, bot: Bot, act: str) -> None:
        if not self._held(bot):
            return
        engine, ledger = self.engine, self.ledgers[bot.id]
        running = self._held(bot, ContainerState.RUNNING)
        match act:
            case "crash":
                self._crash(bot, 1, 0.0)
            case "out of memory":
                self._crash(bot, 137, 0.0, oom=True)
            case "stop, start" if running:
                self._by_hand(bot, "stop")
                self._by_hand(bot, "start")
            case "again" if engine.image(engine.containers[bot.id].spec.image):
                ledger.blur()
                ledger.by_hand["stopped"] += running
                ledger.by_hand["removed"] += 1
                engine.make_again(bot.id)
            case "rename":
                ledger.by_hand["renamed"] += 1
                engine.rename_and_back(bot.id)
            case "falter":
                engine.falter(bot.id)
            case "pause" if running:
                self._by_hand(bot, "pause")
                self._by_hand(bot, "unpause")
            case "image":
                engine.images.clear()
                engine.images.update(IMAGES)
            case _:
                pass

    @precondition(lambda self: self.begun and not self.engine.deaf)
    @rule()
    def gap_begins(self) -> None:
        """The stream of events breaks; calls still work."""
        self.engine.deaf = True

    @precondition(lambda self: self.begun and self.engine.deaf)
    @rule(remembers=st.booleans())
    def gap_ends(self, remembers: bool) -> None:
        """The stream is there again; the engine may have forgotten what happened meanwhile."""
        self.engine.hear_again(remembers=remembers)

    @rule(
        events=st.sampled_from(["straight", "late", "twice", "mixed"]),
        pace=st.sampled_from([QUICK, SLOW]),
        lost=st.integers(0, 4),
    )
    def conditions(self, events: str, pace: tuple[float, ...], lost: int) -> None:
        """How events come from now on, how long calls take, how many answers get lost."""
        self.engine.events_go, self.engine.pace = events, pace
        self.engine.lose_answers(lost)

    @rule(bot=bots, back=st.integers(1, 3))
    def stale_look(self, bot: Bot, back: int) -> None:
        """The next look at the bot shows what was seen some looks ago."""
        self.engine.stale_looks[bot.id] = back
        if self.rig.fleet.get(bot.id) is not None:
            self.rig.poke(bot)
        self.run(asyncio.sleep(0.05))

    @rule(back=st.integers(1, 3))
    def stale_list(self, back: int) -> None:
        """The next list is a former one."""
        self.engine.stale_list = back

    @rule(bot=bots)
    def name_is_taken(self, bot: Bot) -> None:
        """Somebody makes a container of the bot's name, where there is none."""
        held = self.engine.containers.get(bot.id)
        if bot.container_name not in self.engine.foreign and (held is None or held.seen.misnamed):
            self.engine.make_foreign(bot.container_name)
            self.ledgers[bot.id].forgivable.add("foreign-container")
            self.ledgers[bot.id].blur()

    @rule(gone=st.booleans())
    def images_change(self, gone: bool) -> None:
        """Somebody removes the images that no container uses, or they are there again."""
        if not gone:
            self.engine.images.update(IMAGES)
            return
        self.engine.images.clear()
        self.engine.kept.clear()
        for ledger in self.ledgers.values():
            ledger.forgivable.add("image-missing")

    @precondition(lambda self: self.begun and not self.engine.away)
    @rule()
    def engine_goes(self) -> None:
        """The engine goes away."""
        self.engine.go_away()

    @precondition(lambda self: self.begun and self.engine.away)
    @rule()
    def engine_comes(self) -> None:
        """It is back."""
        self.engine.come_back()

    @rule()
    def controller_restarts(self) -> None:
        """The controller is killed, and started again."""
        for ledger in self.ledgers.values():
            if ledger.fresh > 1:
                ledger.blur()  # the next one sees that there was an end, and not how many
        self.engine.forget_looks()
        self.run(self.rig.restart())

    @rule(seconds=st.sampled_from([0.0, 0.001, 0.005, 0.1, 1.0, 20.0, 700.0]))
    def time_passes(self, seconds: float) -> None:
        """The controller gets on with it."""
        self.run(asyncio.sleep(seconds))

    # What has to be so

    @rule()
    def quiesce(self) -> None:
        """Left in peace with an engine, the world becomes what was wished for."""
        self.run(self._settled())
        self._compare()
        self.run(self._compare_history())

    def _compare(self) -> None:
        rig = self.rig
        views = {view.bot.id: view for view in rig.fleet}
        kept = {bot.id for bot in self.run(rig.store.bots())}
        removed = {bot_id for bot_id, what in self.wished.items() if what == "delete"}
        assert kept == set(views) == set(self.wished) - removed
        assert set(self.engine.containers) <= kept, "an orphan container"
        self._compare_parked(views)
        assert self.engine.volumes <= kept, "an orphan volume"
        assert rig.secrets_on_disk() <= kept, "secrets of a bot that is gone"
        assert self.run(rig.manager.orphans.find(ANN_ASKS)) == []
        for bot_id, view in views.items():
            assert view.world.container == self.engine.truth(bot_id), "what is seen is what is"
            self._compare_inside(view)
            if self.wished[bot_id] == "stop":
                assert view.phase is Phase.STOPPED
                assert not rig.active(view.bot)
            elif view.bot.problem is not None:
                assert view.phase is Phase.ERROR
                assert not rig.active(view.bot)
            else:
                waits = view.phase is Phase.CREATED
                assert rig.active(view.bot) is not waits
                assert view.phase in {Phase.CREATED, Phase.RUNNING, Phase.CRASH_LOOPING}

    def _compare_parked(self, views: dict[str, View]) -> None:
        """Nothing is parked once a release is decided, and what is parked never runs."""
        for bot_id, held in self.engine.parked.items():
            assert (held.seen.state.active, held.seen.armed) == (False, False)
            bot = views[bot_id].bot
            assert bot.wish is Wish.STOP or views[bot_id].world.missing, "nothing is left parked"
        for view in views.values():
            if self.wished[view.bot.id] != "stop" and view.bot.problem is None:
                tried = bool(view.bot.candidate) and not view.world.missing
                assert not tried or view.phase is Phase.CRASH_LOOPING, "every release is decided"

    def _compare_inside(self, view: View) -> None:
        """What runs is made of the settings and reads the secrets that there are now."""
        bot, held = view.bot, self.engine.containers.get(view.bot.id)
        if held is None or not held.seen.state.active:
            return
        assert held.seen.spec == self.rig.house.tools.blueprints.spec(bot).digest()
        assert (bot.run.to_end, bot.run.to_reload) == ("", "")
        stored = (self.rig.secrets / bot.id / "api_key").read_text()
        assert self.engine.read[held.seen.started_at] == stored, "it runs with former secrets"

    async def _compare_history(self) -> None:
        """People are told what was, and of nothing else."""
        for view in self.rig.fleet:
            ledger = self.ledgers[view.bot.id]
            ledger.settle()
            ledger.check(await self.rig.entries(bot=view.bot), view.bot.problem)

    @invariant()
    def nothing_exists_that_nobody_made(self) -> None:
        """At every moment, settled or not."""
        self.counted["steps"] += 1
        assert set(self.engine.containers) | set(self.engine.parked) <= set(self.made)
        for bot_id in set(self.engine.containers) & set(self.engine.parked):
            assert not self.engine.parked[bot_id].seen.state.active, "two run at once"

    @invariant()
    def state_is_never_lost(self) -> None:
        """A volume in which a bot wrote stays, with what it wrote, until the bot is deleted."""
        for bot_id, files in self.engine.seeded.items():
            if "diary" in files:
                self.with_state.add(bot_id)
        for bot_id in self.with_state:
            if self.wished[bot_id] != "delete":
                assert bot_id in self.engine.volumes
                assert self.engine.seeded[bot_id]["diary"] == "written"

    def teardown(self) -> None:
        """Every run ends settled."""
        if not self.begun:
            return
        try:
            self.quiesce()
        except BaseException as error:
            error.add_note(self.rig.stories())
            raise
        finally:
            self.counted["stale looks"] += self.engine.stale_given
            self.run(self.rig.kill())
            self.runner.close()
            shutil.rmtree(self.folder)


RULES = settings(
    max_examples=1,
    stateful_step_count=STEPS,
    deadline=None,
    phases=[Phases.generate, *([Phases.shrink] if SHRINK else [])],
    database=DirectoryBasedExampleDatabase(FOUND),
    print_blob=True,
    report_multiple_bugs=False,
    suppress_health_check=list(HealthCheck),
)


def seeds(*, fresh: bool) -> Iterator[int]:
    """The one that was asked for; or new ones without end, or the same ones each time."""
    if SEED:
        return iter([int(SEED)])
    return (entropy.randbits(32) for _ in itertools.count()) if fresh else itertools.count(1)


def play(number: int, rules: settings = RULES) -> None:
    """Play the plan of that seed; a failure says how to play it again."""
    try:
        run_state_machine_as_test(seed(number)(Installation), settings=rules)
    except BaseException as error:
        steps = rules.stateful_step_count
        error.add_note(f"The same: BOTMAKER_MACHINE_SEED={number} BOTMAKER_MACHINE_STEPS={steps}")
        raise


def play_found() -> None:
    """Play what failed before. What holds by now isn't kept any longer."""
    rules = settings(RULES, phases=[Phases.reuse], max_examples=100)
    with contextlib.suppress(unittest.SkipTest):  # nothing was found
        run_state_machine_as_test(Installation, settings=rules)


@pytest.mark.timeout(600)
def test_whatever_happens_world_is_wish_in_the_end() -> None:
    """No orphan, no stray secret, no lost state, no word that isn't true."""
    if not SEED:
        play_found()
    for number in itertools.islice(seeds(fresh=False), PLANS):
        play(number)
