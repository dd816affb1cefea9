"""The difference between two clocks, told by the Date of answers."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.runtime.engine_clock import EngineClock

START = 1_800_000_000.0


class Pair:
    """Our clock, and an engine's that is some seconds ahead."""

    def __init__(self, ahead: float) -> None:
        self.ahead, self.now = ahead, START
        self.clock = EngineClock(lambda: self.now)

    def answer(self, before: float, there: float, back: float) -> None:
        """Some time passes, the engine answers, and the answer takes its way."""
        self.now += before + there
        date = float(math.floor(self.now + self.ahead))
        self.now += back
        self.clock.note(date, there + back)


STEPS = st.lists(
    st.tuples(st.floats(0.001, 20), st.floats(0.0, 0.05), st.floats(0.0, 0.05)), min_size=1
)


@given(st.floats(-90_000, 90_000), STEPS)
def test_one_answer_tells_the_difference_to_a_second_or_so(
    ahead: float, steps: list[tuple[float, float, float]]
) -> None:
    """However far off, and never worse with more answers."""
    pair = Pair(ahead)
    for step in steps:
        pair.answer(*step)
        assert abs(pair.clock.ahead - ahead) <= 1.11
        assert abs(pair.clock.now() - (pair.now + ahead)) <= 1.11


@given(st.floats(-7200, 7200))
def test_many_answers_tell_it_to_a_few_hundredths(ahead: float) -> None:
    """They come at any moment of a second."""
    if abs(ahead) < 0.1:
        return
    pair = Pair(ahead)
    for _ in range(100):
        pair.answer(0.137, 0.005, 0.005)
    assert abs(pair.clock.ahead - ahead) < 0.1


@given(STEPS)
def test_one_machine_has_one_clock(steps: list[tuple[float, float, float]]) -> None:
    """Where no difference is possible, none is assumed: times compare exactly."""
    pair = Pair(0.0)
    for step in steps:
        pair.answer(*step)
        assert pair.clock.ahead == 0.0


@pytest.mark.parametrize("step", [-3600.0, 3600.0, 40.0])
def test_a_clock_that_is_set_is_noticed_with_the_next_answer(step: float) -> None:
    """On either machine."""
    pair = Pair(0.0)
    for _ in range(10):
        pair.answer(1.1, 0.001, 0.001)
    pair.ahead = step
    pair.answer(1.1, 0.001, 0.001)
    assert abs(pair.clock.ahead - step) <= 1.01
    pair.now -= step
    pair.answer(1.1, 0.001, 0.001)
    assert abs(pair.clock.ahead - step) <= 1.01


def test_before_any_answer_the_time_is_ours() -> None:
    """There is nothing better."""
    assert EngineClock(lambda: START).now() == START
