"""Looks that are older than the last one: found out, looked at again, not believed at once."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controller.domain.observation import ContainerState, Observation
from controller.loop.freshness import DOUBTS_MAX, Freshness

A1 = Observation(container_id="a", state=ContainerState.RUNNING, started_at="1")
A1_ENDED = replace(A1, state=ContainerState.EXITED, finished_at=5.0)
A1_AGAIN = replace(A1, state=ContainerState.RESTARTING, finished_at=5.0)
A1_PAUSED = replace(A1, state=ContainerState.PAUSED)
A2 = replace(A1, started_at="2", finished_at=5.0)
A0 = Observation(container_id="a", state=ContainerState.CREATED)
B0 = replace(A0, container_id="b")
B1 = replace(A1, container_id="b", started_at="3")


@pytest.mark.parametrize(
    ("seen", "look", "doubted"),
    [
        ([], A1, False),
        ([], None, False),
        ([A0], A1, False),
        ([A1], A1, False),
        ([A1], A1_ENDED, False),
        ([A1], A1_PAUSED, False),
        ([A1_PAUSED], A1, False),
        ([A1_AGAIN], A1_ENDED, False),
        ([A1, A1_ENDED], A2, False),
        ([A1], A2, False),
        ([A1], B0, False),
        ([A0], None, True),  # absence needs a second look
        ([A1], A0, True),  # it ran
        ([A1_ENDED], A1, True),  # a run that ended doesn't go on
        ([A1_AGAIN], A1, True),
        ([A1, A1_AGAIN, A1_ENDED], A1_AGAIN, True),  # nor does it wait for another any more
        ([A1, A2], A1, True),  # nor does one that was followed by another
        ([A1, A2], A1_ENDED, True),
        ([A1, B0], A1, True),  # a container that was replaced stays gone
        ([A1, A2, B1], A2, True),
        ([A1, None, None, B0], A1, True),
        ([A1, None, None, B1], A1_ENDED, True),
    ],
)
def test_a_look_is_doubted_that_shows_what_was_before(
    seen: list[Observation | None], look: Observation | None, doubted: bool
) -> None:
    """By the names of runs and containers alone: no two clocks are compared."""
    fresh = Freshness()
    for one in seen:
        fresh.doubts("bot", one)
    assert fresh.doubts("bot", look) is doubted
    assert fresh.doubts("other", look) is False


def test_a_container_that_we_bring_back_is_no_look_from_before() -> None:
    """It was parked while another was tried; any other former one stays doubtful."""
    fresh = Freshness()
    for one in (A1, A2, B0, B1):
        fresh.doubts("bot", one)
    fresh.expect_removal("bot")
    fresh.doubts("bot", None)
    fresh.expect_return("bot", A2)
    assert fresh.doubts("bot", replace(A2, state=ContainerState.EXITED)) is False
    assert fresh.doubts("bot", B1) is True
    assert fresh.doubts("bot", A1) is True


def test_an_absence_is_believed_the_second_time() -> None:
    """And at once where we removed the container ourselves."""
    fresh = Freshness()
    fresh.doubts("bot", A1)
    assert [fresh.doubts("bot", None) for _ in range(3)] == [True, False, False]
    fresh.doubts("bot", B1)
    fresh.expect_removal("bot")
    assert fresh.doubts("bot", None) is False


def test_a_removal_that_failed_is_no_reason_to_doubt_the_container() -> None:
    """It's there, and seen; only its absence was expected."""
    fresh = Freshness()
    fresh.doubts("bot", A1)
    fresh.expect_removal("bot")
    assert fresh.doubts("bot", A1) is False
    assert fresh.doubts("bot", None) is True


def test_what_we_removed_was_removed_by_nobody_else() -> None:
    """Not even if a look from before shows it once more; the next container is another matter."""
    fresh = Freshness()
    fresh.doubts("bot", A1)
    assert fresh.is_removed("bot", None)
    fresh.expect_removal("bot")
    assert fresh.doubts("bot", A1) is False
    assert not fresh.is_removed("bot", None)
    fresh.doubts("bot", B1)
    assert fresh.is_removed("bot", None)


def test_what_was_started_is_not_as_it_was_before() -> None:
    """Created or ended, by the name of the run; a run that was going on anyway is as it was."""
    for before in (A0, A1_ENDED, A1_AGAIN):
        fresh = Freshness()
        fresh.doubts("bot", before)
        fresh.expect_run("bot")
        assert fresh.doubts("bot", before) is True
        assert fresh.doubts("bot", A2) is False
    fresh.doubts("bot", A2)
    fresh.expect_run("bot")
    assert fresh.doubts("bot", A2) is False


def test_nothing_is_doubted_for_ever() -> None:
    """What an engine goes on to show is believed, however strange; then it's what counts."""
    fresh = Freshness()
    for one in (A1, A2):
        fresh.doubts("bot", one)
    assert [fresh.doubts("bot", A1) for _ in range(DOUBTS_MAX + 2)] == [
        *([True] * DOUBTS_MAX),
        *([False] * 2),
    ]


def test_a_bot_that_is_gone_is_forgotten() -> None:
    """Its memory goes with it."""
    fresh = Freshness()
    for one in (A1, A2):
        fresh.doubts("bot", one)
    fresh.forget("bot")
    assert fresh.doubts("bot", A1) is False
