"""What is owed to runs: each transition, when one is over, and where its log may begin."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controller.domain.observation import ContainerState, Observation
from controller.domain.run import LAST_LINES, PRESENT, Run, is_over, raised_floor

S = ContainerState
UP = Observation(
    container_id="c", state=S.RUNNING, started_at="r2", started=200.0, finished_at=190.0
)
DOWN = replace(UP, state=S.EXITED, finished_at=300.0)
ACTIVE = {S.RUNNING, S.PAUSED, S.RESTARTING}


@pytest.mark.parametrize(
    ("before", "act", "after"),
    [
        (Run(), lambda r: r.end("r1"), Run(to_end="r1")),
        (Run(to_end="r1"), lambda r: r.end(PRESENT), Run(to_end=PRESENT)),
        (Run(to_end="r1"), lambda r: r.end(""), Run()),
        (Run(), lambda r: r.reload("r1"), Run(to_reload="r1")),
        (Run(to_end="r1"), lambda r: r.reload("r1"), Run(to_end="r1", to_reload="r1")),
        (Run(log_floor=1.0), lambda r: r.hide_log(5.0), Run(log_floor=5.0)),
        (Run(to_reload="r1"), lambda r: r.reloaded("r1", 5.0), Run(log_floor=5.0)),
        (Run(to_reload="r2"), lambda r: r.reloaded("r1", 5.0), Run(to_reload="r2")),
        (Run(to_reload=PRESENT), lambda r: r.reloaded("r1", 5.0), Run(to_reload=PRESENT)),
        (Run(), lambda r: r.reloaded("r1", 5.0), Run()),
        (Run(to_reload="r1"), lambda r: r.end_instead("r1"), Run(to_end="r1")),
        (Run(to_reload=PRESENT), lambda r: r.end_instead("r1"), Run(to_reload=PRESENT)),
        (Run(), lambda r: r.end_instead("r1"), Run()),
        (Run(to_end="r1"), lambda r: r.account(5.0), Run(to_end="r1", accounted_end=5.0)),
    ],
)
def test_each_transition_changes_what_it_says(before: Run, act: object, after: Run) -> None:
    """And leaves a newer debt alone: what was owed again meanwhile is still owed."""
    assert act(before) == after  # type: ignore[operator]


@pytest.mark.parametrize("state", [None, *S])
@pytest.mark.parametrize("started_at", ["r2", ""])
def test_the_present_run_gets_its_name_once_it_is_seen(
    state: ContainerState | None, started_at: str
) -> None:
    """Only where one runs and has a name; other debts keep theirs."""
    seen = state and replace(UP, state=state, started_at=started_at)
    named = state in ACTIVE and started_at == "r2"
    both = Run(to_end=PRESENT, to_reload=PRESENT)
    assert both.name_present(seen) == (Run(to_end="r2", to_reload="r2") if named else both)
    one = Run(to_end="r1", to_reload=PRESENT)
    assert one.name_present(seen) == (Run(to_end="r1", to_reload="r2") if named else one)
    assert Run().name_present(seen) == Run()


@pytest.mark.parametrize("state", S)
def test_a_run_is_over_when_another_runs_or_none(state: ContainerState) -> None:
    """By its name; a container that is restarting or paused still has its run."""
    seen = replace(UP, state=state)
    assert is_over("r2", seen) is (state not in ACTIVE)
    assert is_over("r1", seen)
    assert is_over("r2", None)


def test_something_is_owed_or_nothing() -> None:
    """One debt is enough; what is accounted for is none."""
    assert Run(to_end="r").owes
    assert Run(to_reload=PRESENT).owes
    assert not Run(accounted_end=1.0, log_floor=1.0).owes


OLD = replace(UP, started_at="r1", started=100.0, finished_at=90.0)  # the run before


@pytest.mark.parametrize(
    ("floor", "before", "after", "raised"),
    [
        (0.0, OLD, UP, 0.0),  # nothing was replaced
        (150.0, OLD, UP, 195.0),  # between the old run's end and the new one's start
        (150.0, None, UP, 195.0),
        (150.0, OLD, replace(DOWN, finished_at=250.0, started=100.0), 250.0 + LAST_LINES),
        (150.0, OLD, DOWN, 300.0 + LAST_LINES),
        (199.0, OLD, UP, 199.0),  # never lower than it was
        (500.0, OLD, DOWN, 500.0),
        (150.0, UP, DOWN, 150.0),  # that run began after the floor: it had the new secrets
        (150.0, OLD, None, 150.0),
        (150.0, OLD, replace(UP, finished_at=0.0), 150.0),
    ],
)
def test_the_log_is_shown_from_behind_the_run_that_had_the_old_secrets(
    floor: float, before: Observation | None, after: Observation | None, raised: float
) -> None:
    """What it wrote after they were replaced stays hidden; the next run's first line is shown."""
    assert raised_floor(floor, before, after) == raised
    if after is not None and after.started > after.finished_at and before is OLD and floor < 200:
        assert raised <= after.started
