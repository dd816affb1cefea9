"""Figures follow from two readings of one run; what isn't known isn't made up."""

from __future__ import annotations

import pytest

from controller.domain.usage import Counters, Figures, between, floods, point_of


def read(at: float, cpu: float, **more: int | None) -> Counters:
    return Counters(at=at, cpu=cpu, memory=more.pop("memory", 100) or 0, **more)  # type: ignore[arg-type]


def test_rates_are_what_was_added_in_the_time_between() -> None:
    """In cores and in bytes a second; memory is what it is."""
    before = read(10.0, 5.0, received=1000, sent=0, read=0, written=50)
    after = read(20.0, 7.5, memory=300, received=3000, sent=10, read=0, written=50)
    found = between(before, after, 4.0)
    assert found == Figures(
        cpu=0.25, memory=300.0, received=200.0, sent=1.0, read=0.0, written=0.0, lines=4.0
    )


@pytest.mark.parametrize(
    ("before", "after"), [((10.0, 5.0), (20.0, 4.0)), ((10.0, 5.0), (10.0, 6.0))]
)
def test_two_readings_of_different_runs_say_nothing(
    before: tuple[float, float], after: tuple[float, float]
) -> None:
    """A counter that went back is another run's; and no time, no rate."""
    assert between(read(*before), read(*after)) is None


def test_what_was_not_read_stays_unknown() -> None:
    """Also when it was read once, or began anew."""
    for pair in ((None, 5), (5, None), (9, 5)):
        before, after = (
            read(at, at, received=one) for at, one in zip((1.0, 2.0), pair, strict=True)
        )
        found = between(before, after)
        assert found is not None
        assert found.received == -1.0


def test_a_share_needs_a_limit() -> None:
    """Without one it is nothing."""
    assert Figures(cpu=0, memory=50, limit=200).share == 0.25
    assert Figures(cpu=0, memory=50).share == 0


def test_a_point_has_the_means_and_the_most() -> None:
    """Unknown rates count as nothing."""
    some = [
        Figures(cpu=0.1, memory=100, received=10, sent=30),
        Figures(cpu=0.3, memory=300, received=-1, sent=-1),
    ]
    point = point_of(60, some)
    assert (point.cpu, point.cpu_most) == (pytest.approx(0.2), 0.3)
    assert (point.memory, point.memory_most, point.network) == (200, 300, 20)


def test_a_flood_begins_high_and_ends_low() -> None:
    """So it doesn't flicker."""
    assert [floods(False, one) for one in (-1.0, 600.0, 1000.0)] == [False, False, True]
    assert [floods(True, one) for one in (600.0, 400.0)] == [True, False]
