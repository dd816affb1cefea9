"""Which ends are crashes, how they read, and when to give up."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.domain.bot import Crash
from controller.domain.crashes import (
    GIVE_UP_AT,
    LOOPING_AT,
    WINDOW_SECONDS,
    describe_exit,
    detect,
    is_looping,
    judge,
    recent,
    with_exit,
)
from controller.domain.observation import ContainerState, Observation

NOW = 1_000_000.0
EXITED = Observation(
    container_id="c", state=ContainerState.EXITED, exit_code=3, finished_at=NOW, restart_count=0
)
RUNNING = replace(EXITED, state=ContainerState.RUNNING, exit_code=None)


@pytest.mark.parametrize(
    ("exit_code", "oom", "words"),
    [
        (0, False, "exit 0: ended by itself without an error"),
        (1, False, "exit 1"),
        (78, False, "exit 78: a configuration error"),
        (126, False, "exit 126: the program could not be executed"),
        (127, False, "exit 127: the program was not found in the image"),
        (137, False, "exit 137: ended by SIGKILL"),
        (137, True, "exit 137: out of memory"),
        (None, True, "exit 137: out of memory"),
        (139, False, "exit 139: ended by SIGSEGV"),
        (143, False, "exit 143: ended by SIGTERM"),
        (None, False, "an exit that nobody saw"),
    ],
)
def test_an_exit_reads_as_what_it_means(exit_code: int | None, oom: bool, words: str) -> None:
    """The number, and in words what it usually is."""
    assert describe_exit(exit_code, oom_killed=oom) == words


def test_an_end_that_is_accounted_for_is_no_crash() -> None:
    """Neither a stop that was asked for nor a crash already noted counts again."""
    assert detect(NOW, None, EXITED) == ()
    assert detect(NOW, EXITED, RUNNING) == ()
    assert detect(0.0, None, replace(EXITED, finished_at=0.0)) == ()


def test_a_later_end_is_a_crash_with_its_figures() -> None:
    """Seen in time it has its exit code; after a restart nobody knows it."""
    assert detect(NOW - 1, None, EXITED) == (Crash(NOW, 3),)
    assert detect(NOW - 1, None, RUNNING) == (Crash(NOW, None),)


@pytest.mark.parametrize(
    ("seen", "crash"),
    [
        (replace(EXITED, exit_code=137), Crash(NOW, 137, True)),
        (replace(EXITED, exit_code=None), Crash(NOW, None, True)),
        (replace(EXITED, exit_code=3), Crash(NOW, 3)),
        (replace(EXITED, exit_code=0), Crash(NOW, 0)),
        (replace(EXITED, exit_code=143), Crash(NOW, 143)),
        (RUNNING, Crash(NOW, None, True)),  # nobody knows its code yet
    ],
)
def test_out_of_memory_is_an_end_by_the_kernel(seen: Observation, crash: Crash) -> None:
    """The engine's flag stays when only a child was killed and the program ended otherwise."""
    assert detect(NOW - 1, None, replace(seen, oom_killed=True)) == (crash,)
    assert detect(NOW - 1, None, seen) == (replace(crash, oom_killed=False),)


def test_a_clock_set_back_hides_no_crash() -> None:
    """An end that seems to lie before the last one is another end all the same."""
    assert detect(NOW + 3600, RUNNING, EXITED) == (Crash(NOW, 3),)


@pytest.mark.parametrize(
    ("before", "after", "count"), [(0, 1, 1), (0, 4, 4), (2, 5, 3), (4, 0, 1), (3, 3, 1)]
)
def test_the_engines_count_says_how_many_there_were(before: int, after: int, count: int) -> None:
    """A count that fell means that somebody began anew: one end was seen."""
    found = detect(
        NOW - 100,
        replace(RUNNING, restart_count=before, finished_at=NOW - 100),
        replace(RUNNING, restart_count=after),
    )
    assert len(found) == count
    assert found[-1].at == NOW
    assert [crash.at for crash in found] == sorted({crash.at for crash in found})


def test_the_count_of_another_container_says_nothing() -> None:
    """A new container's ends are not compared with the former one's."""
    other = replace(RUNNING, container_id="d", restart_count=0)
    assert len(detect(NOW - 1, other, replace(RUNNING, restart_count=7))) == 1


@given(st.floats(0, 1e10), st.floats(0, 1e10), st.integers(0, 50), st.integers(0, 50))
def test_accounting_compares_the_engines_times_alone(
    accounted: float, finished: float, before: int, after: int
) -> None:
    """Whatever the controller's clock says; and what was found once is not found again."""
    seen = replace(RUNNING, finished_at=finished, restart_count=after)
    found = detect(accounted, replace(RUNNING, restart_count=before), seen)
    assert bool(found) is (finished > 0 and abs(finished - accounted) >= 1e-6)
    assert detect(finished, seen, seen) == ()


def test_only_the_last_ten_minutes_count() -> None:
    """Older ones are history; the window is sorted."""
    old = Crash(NOW - WINDOW_SECONDS, 1)
    young = [Crash(NOW - n, 1) for n in range(LOOPING_AT - 1)]
    assert recent([old, *young], NOW) == sorted(young, key=lambda crash: crash.at)
    assert not is_looping([old, *young], NOW)
    assert is_looping([*young, Crash(NOW - WINDOW_SECONDS + 1, 1)], NOW)


def judged(
    *crashes: Crash, container: Observation = RUNNING, restart: str = "unless-stopped"
) -> tuple[str, str, str] | None:
    problem = judge(crashes, container, NOW, fatal=(78,), restart=restart)
    return problem and (problem.code, problem.message, problem.hint)


def test_a_single_crash_is_the_engines_business() -> None:
    """Its restart policy goes on."""
    assert judged(Crash(NOW, 1)) is None
    assert judged() is None


def test_a_fatal_exit_is_the_end() -> None:
    """With its meaning and what to do."""
    assert judged(Crash(NOW, 78)) == (
        "fatal-exit",
        "Stopped after exit 78: a configuration error.",
        "Read its log, fix the problem, then restart it.",
    )
    assert judged(Crash(NOW - 1, 78), Crash(NOW, 1)) is None


def test_five_in_ten_minutes_are_the_end() -> None:
    """Four are not."""
    many = [Crash(NOW - n, 1) for n in range(GIVE_UP_AT)]
    assert judged(*many[1:]) is None
    found = judged(*many)
    assert found is not None
    assert found[:2] == ("crash-loop", "Gave up after 5 crashes in ten minutes; the last: exit 1.")


@pytest.mark.parametrize("restart", ["no", "on-failure:3"])
def test_an_end_that_the_policy_accepts_is_said(restart: str) -> None:
    """Where the engine will not start it again the bot ended; with unless-stopped it did not."""
    assert judged(Crash(NOW, 0), container=EXITED, restart=restart) == (
        "exited",
        "Ended: exit 0: ended by itself without an error.",
        "Read its log, fix the problem, then restart it.",
    )
    assert judged(Crash(NOW, 0), container=RUNNING, restart=restart) is None
    assert judged(Crash(NOW, 0), container=EXITED) is None


@pytest.mark.parametrize(
    ("crash", "remedy"),
    [(Crash(NOW, 137, True), "memory"), (Crash(NOW, 127), "image"), (Crash(NOW, 9), "log")],
)
def test_the_hint_fits_the_exit(crash: Crash, remedy: str) -> None:
    """More memory, another command, or the logs."""
    found = judged(crash, container=EXITED, restart="no")
    assert found is not None
    assert remedy in found[2]


def test_an_event_tells_what_the_look_came_too_late_for() -> None:
    """What was seen stays; what was not is filled in."""
    assert with_exit(Crash(1.0, None), 137, oom_killed=True) == Crash(1.0, 137, True)
    assert with_exit(Crash(1.0, 3), 9, oom_killed=False) == Crash(1.0, 3)
    assert with_exit(Crash(1.0, 137, True), 9, oom_killed=False) == Crash(1.0, 137, True)


def test_an_event_tells_that_it_was_not_for_lack_of_memory() -> None:
    """A flag that was set for a child counts until the run's own exit code is known."""
    assert with_exit(Crash(1.0, None, True), 9, oom_killed=False) == Crash(1.0, 9)
    assert with_exit(Crash(1.0, 3), None, oom_killed=True) == Crash(1.0, 3)
    assert with_exit(Crash(1.0, None, True), None, oom_killed=False) == Crash(1.0, None, True)
