"""What is shown and what is done next, for everything that can be wished and seen."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.domain.bot import Bot, Crash, Problem, Wish
from controller.domain.crashes import LOOPING_AT, WINDOW_SECONDS
from controller.domain.observation import ContainerState, Health, Observation, Proof, World
from controller.domain.phase import Phase, derive
from controller.domain.plan import Step, decide
from controller.domain.run import Run

NOW = 1_000_000.0
RUN = "2026-01-01T00:00:00Z"
S, H, W, P = ContainerState, Health, Wish, Phase
LOOP = tuple(Crash(NOW - n, 1) for n in range(LOOPING_AT))
GAVE_UP = Problem("crash-loop", "m", "h", NOW)
BROKEN = Problem("image-missing", "m", "h", NOW)


def bot(
    wish: Wish = W.RUN, problem: Problem | None = None, ended: str = "", reload: str = ""
) -> Bot:
    return Bot(
        id="6f1c1b9e-7a60-4b8e-9a55-0d6f3f3c2f11",
        name="shop",
        template="demo",
        provider="demo",
        model="m",
        channel="demo",
        wish=wish,
        problem=problem,
        run=Run(to_end=ended, to_reload=reload),
    )


def world(
    state: ContainerState | None = None,
    health: Health = H.NONE,
    missing: tuple[str, ...] = (),
    spec: str = "now",
    made: str = "now",
    **more: Any,
) -> World:
    seen = state and Observation(
        container_id="c", state=state, health=health, started_at=RUN, spec=made
    )
    return World(container=seen, missing=missing, spec=spec, **more)


# The phase of a bot that shall run, has its secrets, no problem and no crashes.
SHOWN = {
    (None, H.NONE): P.STARTING,
    (S.CREATED, H.NONE): P.STARTING,
    (S.RUNNING, H.NONE): P.RUNNING,
    (S.RUNNING, H.HEALTHY): P.RUNNING,
    (S.RUNNING, H.STARTING): P.STARTING,
    (S.RUNNING, H.UNHEALTHY): P.UNHEALTHY,
    (S.PAUSED, H.NONE): P.UNHEALTHY,
    (S.RESTARTING, H.NONE): P.STARTING,
    (S.REMOVING, H.NONE): P.STARTING,
    (S.EXITED, H.NONE): P.STARTING,
    (S.DEAD, H.NONE): P.STARTING,
}
EVERY = [
    *itertools.product(
        W,
        [(None, H.NONE), *itertools.product(S, H)],
        [None, GAVE_UP, BROKEN],
        [(), ("api_key",)],
        [(), LOOP],
    )
]


def expected(  # the rules in the order of their weight, one line each
    wish: Wish,
    place: tuple[ContainerState | None, Health],
    problem: Problem | None,
    missing: tuple[str, ...],
    crashes: tuple[Crash, ...],
) -> Phase:
    state, health = place
    active = state in {S.RUNNING, S.PAUSED, S.RESTARTING}
    rules = [
        (wish is W.REMOVE, P.REMOVING),
        (wish is W.STOP, P.STOPPING if active else P.STOPPED),
        (problem is GAVE_UP, P.ERROR),
        (problem is BROKEN, P.ERROR),
        (bool(missing) and not active, P.CREATED),
        (bool(crashes), P.CRASH_LOOPING),
        (True, SHOWN[state, health if state is S.RUNNING else H.NONE]),
    ]
    return next(phase for holds, phase in rules if holds)


def test_every_wish_and_sight_has_its_phase() -> None:
    """Wish × container × health × problem × missing secrets × crashes."""
    for wish, place, problem, missing, crashes in EVERY:
        shown = derive(bot(wish, problem), world(*place, missing), crashes, NOW)
        said = (wish, place, problem, missing, crashes)
        assert shown is expected(wish, place, problem, missing, crashes), said


def test_every_phase_can_be_reached() -> None:
    """No phase is only a word."""
    assert {expected(*case) for case in EVERY} == set(Phase)


def test_the_words_are_those_of_the_contract() -> None:
    """People and machines read these; they do not change by accident."""
    words = "created starting running unhealthy crash-looping stopping stopped error removing"
    assert [phase.value for phase in Phase] == words.split()
    assert {phase for phase in Phase if not phase.settled} == {P.STARTING, P.STOPPING, P.REMOVING}
    assert {phase for phase in Phase if phase.bad} == {P.UNHEALTHY, P.CRASH_LOOPING, P.ERROR}


def test_a_run_that_shall_end_is_starting() -> None:
    """Between the order to restart and the new run nobody reads `running`."""
    assert derive(bot(ended=RUN), world(S.RUNNING), (), NOW) is P.STARTING
    assert derive(bot(ended="another"), world(S.RUNNING), (), NOW) is P.RUNNING


def test_old_crashes_no_longer_make_a_loop() -> None:
    """After ten minutes the phase is `running` again."""
    later = NOW + WINDOW_SECONDS
    assert derive(bot(), world(S.RUNNING), LOOP, NOW) is P.CRASH_LOOPING
    assert derive(bot(), world(S.RUNNING), LOOP, later) is P.RUNNING


T = Step
# What is next for a bot that shall run, by its container; then with an outdated container.
NEXT = {
    (None, H.NONE): (T.CREATE, T.CREATE),
    (S.CREATED, H.NONE): (T.START, T.REMOVE_CONTAINER),
    (S.EXITED, H.NONE): (T.START, T.REMOVE_CONTAINER),
    (S.DEAD, H.NONE): (T.REMOVE_CONTAINER, T.REMOVE_CONTAINER),
    (S.PAUSED, H.NONE): (T.START, T.START),
    (S.RUNNING, H.NONE): (T.SETTLED, T.SETTLED),
    (S.RUNNING, H.HEALTHY): (T.SETTLED, T.SETTLED),
    (S.RUNNING, H.UNHEALTHY): (T.SETTLED, T.SETTLED),
    (S.RUNNING, H.STARTING): (T.LOOK_AGAIN, T.LOOK_AGAIN),
    (S.RESTARTING, H.NONE): (T.LOOK_AGAIN, T.LOOK_AGAIN),
    (S.REMOVING, H.NONE): (T.LOOK_AGAIN, T.LOOK_AGAIN),
}


@pytest.mark.parametrize(("state", "health"), NEXT)
@pytest.mark.parametrize("outdated", [False, True])
def test_the_way_to_running(state: ContainerState | None, health: Health, outdated: bool) -> None:
    """A running bot is never touched for a new template; one that stands is made anew."""
    seen = world(state, health, made="before" if outdated else "now")
    assert decide(bot(), seen) is NEXT[state, health][outdated]


@pytest.mark.parametrize("state", [S.RUNNING, S.RESTARTING])
def test_a_run_that_shall_end_is_restarted(state: ContainerState) -> None:
    """In its container, or in a new one where the template changed; another run is left alone."""
    assert decide(bot(ended=RUN), world(state)) is T.RESTART
    assert decide(bot(ended=RUN), world(state, made="before")) is T.REMOVE_CONTAINER
    assert decide(bot(ended="another"), world(state)) is not T.RESTART


def test_a_step_under_way_is_waited_for() -> None:
    """Whatever is wished meanwhile and whatever is seen: nothing else begins before its end."""
    for wish, state in itertools.product(W, [None, *S]):
        assert decide(bot(wish, ended=RUN), world(state, step="stop")) is T.WAIT


def test_a_reload_waits_for_a_command_that_runs_in_the_bot() -> None:
    """Two programs beside the bot's own are too many; a restart waits for nobody."""
    seen = world(S.RUNNING, command=True)
    assert decide(bot(reload=RUN), seen) is T.LOOK_AGAIN
    assert decide(bot(ended=RUN), seen) is T.RESTART
    assert decide(bot(), seen) is T.SETTLED


# What is next for a bot whose present run is owed a reload, by its container.
OWED = {
    (S.RUNNING, H.NONE): T.RELOAD,
    (S.RUNNING, H.HEALTHY): T.RELOAD,
    (S.RUNNING, H.UNHEALTHY): T.RELOAD,
    (S.RUNNING, H.STARTING): T.LOOK_AGAIN,
    (S.RESTARTING, H.NONE): T.LOOK_AGAIN,
    (S.PAUSED, H.NONE): T.START,
    (S.EXITED, H.NONE): T.START,
    (S.CREATED, H.NONE): T.START,
    (S.DEAD, H.NONE): T.REMOVE_CONTAINER,
    (S.REMOVING, H.NONE): T.LOOK_AGAIN,
    (None, H.NONE): T.CREATE,
}


@pytest.mark.parametrize(("state", "health"), OWED)
def test_a_run_that_is_owed_a_reload_gets_it_once_it_has_a_verdict(
    state: ContainerState | None, health: Health
) -> None:
    """Not on its way up; another run has read the new secrets; a run to be ended is ended."""
    seen = world(state, health)
    assert decide(bot(reload=RUN), seen) is OWED[state, health]
    assert decide(bot(reload="another"), seen) is NEXT[state, health][0]
    assert decide(bot(reload=RUN, ended=RUN), seen) is not T.RELOAD
    assert decide(bot(W.STOP, reload=RUN), seen) is not T.RELOAD
    assert decide(bot(problem=BROKEN, reload=RUN), seen) is not T.RELOAD


@pytest.mark.parametrize(
    ("health", "shown"),
    [
        (H.NONE, P.UNHEALTHY),
        (H.HEALTHY, P.UNHEALTHY),
        (H.UNHEALTHY, P.UNHEALTHY),
        (H.STARTING, P.STARTING),
    ],
)
def test_a_bot_that_cannot_do_its_work_is_unhealthy(health: Health, shown: Phase) -> None:
    """What its log says weighs as much as its health check, once that has a verdict."""
    seen = replace(world(S.RUNNING, health), degraded=("It cannot answer.",))
    assert derive(bot(), seen, (), NOW) is shown
    assert decide(bot(), seen) is NEXT[S.RUNNING, health][0]


def test_a_template_that_is_gone_makes_nothing_outdated() -> None:
    """With no spec to compare, what stands is started as it is."""
    assert decide(bot(), world(S.EXITED, spec="")) is T.START


@pytest.mark.parametrize("state", [None, *S])
def test_a_bot_with_a_problem_is_only_stopped(state: ContainerState | None) -> None:
    """The controller gave up: what still runs ends, and nothing begins."""
    active = state is not None and state.active
    assert decide(bot(problem=BROKEN), world(state)) is (T.STOP if active else T.SETTLED)


@pytest.mark.parametrize("state", [None, *S])
def test_missing_secrets_hold_back_every_step(state: ContainerState | None) -> None:
    """Never started without them, never stopped for them."""
    assert decide(bot(), world(state, missing=("api_key",))) is T.SETTLED


@pytest.mark.parametrize("wish", [W.RUN, W.STOP])
@pytest.mark.parametrize("state", [None, *S])
def test_a_state_is_replaced_once_no_container_has_it(
    wish: Wish, state: ContainerState | None
) -> None:
    """Its run ends first, as one that somebody wished to end; whatever else would be next waits."""
    steps = {None: T.RESTORE, S.REMOVING: T.LOOK_AGAIN}
    active = state is not None and state.active
    wanted = steps.get(state, T.STOP if active else T.REMOVE_CONTAINER)
    wished = replace(bot(wish), restoring=2)
    assert decide(wished, world(state)) is wanted
    assert decide(replace(wished, problem=BROKEN), world(state)) is not T.RESTORE
    removed = replace(wished, wish=W.REMOVE)
    assert decide(removed, world(state)) is decide(bot(W.REMOVE), world(state))


def test_a_state_is_replaced_only_once_a_trial_has_ended() -> None:
    """A parked container has the volume as well."""
    tried = replace(bot(), restoring=2, release=4, candidate=5)
    assert decide(tried, beside(None)) is T.CREATE
    assert decide(replace(tried, candidate=0), beside(None)) is T.UNPARK


def test_a_removal_goes_from_the_container_to_the_row() -> None:
    """Container, volume, folder, row: each only when the one before is gone."""
    removed = bot(W.REMOVE)
    for state in S:
        wanted = T.LOOK_AGAIN if state is S.REMOVING else T.REMOVE_CONTAINER
        assert decide(removed, world(state, volume=True, folder=True)) is wanted
    assert decide(removed, world(volume=True, folder=True)) is T.REMOVE_VOLUME
    assert decide(removed, world(folder=True)) is T.DROP_FOLDER
    assert decide(removed, world()) is T.FORGET


# A bot of release 4 that has a parked container, beside what its candidate made of it.


def beside(
    state: ContainerState | None,
    label: int = 5,
    *,
    parked: ContainerState = S.EXITED,
    armed: bool = False,
    made: str = "now",
    **more: Any,
) -> World:
    """A world with a parked container."""
    held = replace(world(state, made=made, **more), previous=None)
    seen = held.container and replace(held.container, release=label)
    previous = Observation(container_id="p", state=parked, armed=armed, release=4)
    return replace(held, container=seen, previous=previous)


@pytest.mark.parametrize(
    ("candidate", "seen", "step"),
    [
        # While it is tried.
        (5, beside(None), T.CREATE),
        (5, beside(S.CREATED), T.START),
        (5, beside(S.EXITED), T.START),
        (5, beside(S.RUNNING), T.SETTLED),
        (5, beside(S.RUNNING, proof=Proof.PASSED), T.COMMIT),
        (5, beside(S.RUNNING, proof=Proof.FAILED), T.TAKE_BACK),
        (5, beside(S.RESTARTING, proof=Proof.FAILED), T.TAKE_BACK),
        # Parking was cut short: nothing is created or started before it is done.
        (5, beside(None, parked=S.RUNNING, armed=True), T.PARK),
        (5, beside(None, armed=True), T.PARK),
        (5, beside(None, parked=S.RESTARTING), T.PARK),
        # Another candidate's container, or this one's from before its template changed again.
        (6, beside(S.RUNNING), T.REMOVE_CONTAINER),
        (6, beside(S.EXITED), T.REMOVE_CONTAINER),
        (6, beside(S.REMOVING), T.LOOK_AGAIN),
        (5, beside(S.EXITED, made="before"), T.REMOVE_CONTAINER),
        # It failed: its container goes, the parked one comes back.
        (0, beside(S.RUNNING), T.REMOVE_CONTAINER),
        (0, beside(S.REMOVING), T.LOOK_AGAIN),
        (0, beside(None), T.UNPARK),
        (0, beside(None, armed=True), T.UNPARK),
        (0, beside(None, missing=("api_key",)), T.UNPARK),
        # It proved itself: its label is the bot's release, and the former one goes.
        (0, beside(S.RUNNING, 4), T.REMOVE_PREVIOUS),
        (0, beside(S.EXITED, 4), T.REMOVE_PREVIOUS),
    ],
)
def test_a_parked_container_waits_for_what_becomes_of_its_successor(
    candidate: int, seen: World, step: Step
) -> None:
    """From wherever a controller died, there is one next step, and never two at once."""
    tried = replace(bot(), release=4, candidate=candidate)
    assert decide(tried, seen) is step


def test_a_problem_of_a_candidate_takes_it_back() -> None:
    """Where something is parked; what never worked only stops, as ever."""
    tried = replace(bot(problem=GAVE_UP), release=4, candidate=5)
    assert decide(tried, beside(S.RUNNING)) is T.TAKE_BACK
    assert decide(tried, beside(None)) is T.TAKE_BACK
    assert decide(tried, world(S.RUNNING)) is T.STOP


def test_secrets_that_failed_are_taken_back_in_the_same_container() -> None:
    """Where the former ones are kept; a run that is still owed comes later."""
    tried = replace(bot(), release=4, candidate=5)
    kept = {"former_secrets": True}
    assert decide(tried, world(S.RUNNING, proof=Proof.FAILED, **kept)) is T.TAKE_BACK
    assert decide(tried, world(S.RUNNING, proof=Proof.FAILED)) is T.SETTLED
    assert decide(replace(tried, problem=GAVE_UP), world(S.EXITED, **kept)) is T.TAKE_BACK
    assert decide(tried, world(S.RUNNING, **kept)) is T.SETTLED
    assert decide(replace(tried, wish=W.STOP), world(S.RUNNING, **kept)) is T.STOP


def test_a_stop_ends_everything_and_a_removal_takes_it() -> None:
    """Also what is still running while it is being parked."""
    assert decide(bot(W.STOP), beside(None, parked=S.RUNNING)) is T.PARK
    assert decide(bot(W.STOP), beside(S.RUNNING)) is T.STOP
    assert decide(bot(W.STOP), beside(S.EXITED)) is T.SETTLED
    assert decide(bot(W.REMOVE), beside(S.RUNNING)) is T.REMOVE_CONTAINER
    assert decide(bot(W.REMOVE), beside(None, parked=S.RUNNING)) is T.REMOVE_PREVIOUS


@pytest.mark.parametrize(
    ("release", "candidate", "label", "step"),
    [
        (4, 0, 4, T.PROPOSE),  # its template changed, and a person restarts it
        (4, 5, 4, T.PARK),
        (4, 5, 0, T.PARK),  # from before there were releases
        (4, 6, 5, T.REMOVE_CONTAINER),  # it was never proven
        (0, 1, 1, T.REMOVE_CONTAINER),
    ],
)
def test_a_proven_container_is_parked_and_another_removed(
    release: int, candidate: int, label: int, step: Step
) -> None:
    """When a person's change needs another container in place of one that runs."""
    seen = world(S.RUNNING, made="before")
    container = seen.container and replace(seen.container, release=label)
    tried = replace(bot(ended=RUN), release=release, candidate=candidate)
    assert decide(tried, replace(seen, container=container)) is step


@pytest.mark.parametrize("state", [S.CREATED, S.EXITED])
def test_what_came_back_starts_as_it_is(state: ContainerState) -> None:
    """An idle container gives way to a changed template, but not the one that was just restored."""
    seen, good = world(state, made="before"), replace(bot(), release=4)
    assert decide(good, seen) is T.PROPOSE
    assert decide(replace(good, candidate=5), seen) is T.REMOVE_CONTAINER
    assert decide(replace(good, setback=BROKEN), seen) is T.START


def test_a_candidate_without_a_former_proves_itself_too() -> None:
    """A new bot, or one whose change was tried at a start; what it owes comes first."""
    seen = world(S.RUNNING, proof=Proof.PASSED)
    assert decide(replace(bot(), candidate=1), seen) is T.COMMIT
    assert decide(bot(), seen) is T.SETTLED
    owing = replace(bot(ended="another"), candidate=1)
    assert decide(owing, seen) is T.SETTLED
    failed = world(S.RUNNING, proof=Proof.FAILED)
    assert decide(replace(bot(), candidate=1), failed) is T.SETTLED


words = st.sampled_from(["", RUN, "another"])
specs = st.sampled_from(["", "now", "before"])
problems = st.none() | st.builds(
    Problem, st.sampled_from(["crash-loop", "x"]), st.text(), st.text(), st.floats(0, 2 * NOW)
)
crashes = st.lists(
    st.builds(Crash, st.floats(0, 2 * NOW), st.none() | st.integers(-1, 300), st.booleans()),
    max_size=8,
)
numbers = st.integers(0, 3)
any_bot = st.builds(
    lambda one, release, candidate: replace(one, release=release, candidate=candidate),
    st.builds(bot, wish=st.sampled_from(W), problem=problems, ended=words, reload=words),
    numbers,
    numbers,
)
observations = st.builds(
    Observation,
    container_id=st.text(),
    state=st.sampled_from(S),
    health=st.sampled_from(H),
    exit_code=st.none() | st.integers(),
    started_at=words,
    finished_at=st.floats(0, 2 * NOW),
    restart_count=st.integers(0, 99),
    spec=specs,
    release=numbers,
    armed=st.booleans(),
)
any_world = st.builds(
    World,
    container=st.none() | observations,
    previous=st.none() | observations,
    proof=st.sampled_from(Proof),
    volume=st.booleans(),
    folder=st.booleans(),
    missing=st.sampled_from([(), ("api_key",)]),
    degraded=st.sampled_from([(), ("It cannot answer.",)]),
    spec=specs,
)


@given(any_bot, any_world, crashes)
def test_neither_raises_and_they_agree(wished: Bot, seen: World, ended: list[Crash]) -> None:
    """Whatever is seen there is a phase and a step, and the step never works against the wish."""
    phase, step = derive(wished, seen, ended, NOW), decide(wished, seen)
    assert phase in Phase
    if wished.wish is not W.RUN or wished.problem is not None:
        assert step not in {T.CREATE, T.START, T.RESTART, T.RELOAD}
    if seen.container is not None or seen.volume or seen.folder or wished.wish is not W.REMOVE:
        assert step is not T.FORGET
    if wished.wish is not W.REMOVE:
        assert step not in {T.REMOVE_VOLUME, T.DROP_FOLDER}
    if wished.wish is W.RUN and wished.problem is None:
        assert step is not T.STOP
    if seen.missing and wished.wish is W.RUN and wished.problem is None:
        assert step not in {T.CREATE, T.START, T.RESTART, T.RELOAD}
        assert step is T.SETTLED or seen.previous is not None
    if seen.previous is not None and (seen.previous.state.active or seen.previous.armed):
        assert step not in {T.CREATE, T.START, T.RESTART}, "never two at once"
    if step is T.SETTLED:
        assert phase not in {P.STOPPING, P.REMOVING}


@given(any_bot, any_world)
def test_a_healthy_run_without_a_problem_is_running_and_settled(wished: Bot, seen: World) -> None:
    """For every such bot, whatever else is seen of it."""
    container = seen.container
    fits = (
        wished.wish is W.RUN
        and wished.problem is None
        and not wished.candidate
        and seen.previous is None
        and container is not None
        and container.state is S.RUNNING
        and container.health in {H.NONE, H.HEALTHY}
        and not (container.started_at and container.started_at == wished.run.to_end)
    )
    if fits:
        assert derive(wished, seen, (), NOW) is (P.UNHEALTHY if seen.degraded else P.RUNNING)
        owed = container is not None and container.started_at == wished.run.to_reload != ""
        reloads = owed and not seen.missing
        assert decide(wished, seen) is (T.RELOAD if reloads else T.SETTLED)
