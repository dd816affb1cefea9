"""Which part of a log may be shown after a rotation: none of the old run, all of the new one."""

from __future__ import annotations

import pytest

from controller.domain.observation import ContainerState, Observation
from controller.domain.run import raised_floor

ROTATED = 100.0
OLD = Observation(container_id="c", state=ContainerState.RUNNING, started=50.0)


def seen(started: float, finished: float, state: ContainerState) -> Observation:
    """The same container, later."""
    return Observation(container_id="c", state=state, started=started, finished_at=finished)


def test_the_new_runs_first_lines_are_shown_and_the_old_runs_last_are_not() -> None:
    """The engine notes a start after the first lines of a run, and an end before its last ones."""
    floor = raised_floor(ROTATED, OLD, seen(101.4, 101.0, ContainerState.RUNNING))
    assert 101.05 < floor < 101.35


def test_the_lines_between_the_rotation_and_the_end_stay_hidden_before_there_is_a_new_run() -> None:
    """Seen between stop and start: behind the end, and before any new run can write."""
    floor = raised_floor(ROTATED, OLD, seen(50.0, 101.0, ContainerState.EXITED))
    assert 101.0 < floor < 101.1


@pytest.mark.parametrize(
    ("floor", "container"),
    [
        (0.0, seen(101.4, 101.0, ContainerState.RUNNING)),  # nothing was ever replaced
        (ROTATED, None),  # its log went with it
        (ROTATED, seen(101.4, 0.0, ContainerState.RUNNING)),  # a new container has a log of its own
    ],
)
def test_a_floor_stays_where_no_old_line_is_in_the_way(
    floor: float, container: Observation | None
) -> None:
    """No more is hidden than has to be."""
    assert raised_floor(floor, OLD, container) == floor


def test_a_run_that_began_after_the_rotation_hides_nothing_by_its_end() -> None:
    """It had the new values from the start."""
    new = Observation(container_id="c", state=ContainerState.RUNNING, started=102.0)
    later = seen(110.0, 109.0, ContainerState.RUNNING)
    assert raised_floor(ROTATED, new, later) == ROTATED
