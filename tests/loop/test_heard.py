"""Events by their own times: which exits nobody asked for, however the events came."""

from __future__ import annotations

import itertools
from collections.abc import Callable

from controller.loop.heard import KEPT, Heard

# It ran, was stopped by hand (143), was started again, and crashed (3).
COURSE: tuple[Callable[[Heard], None], ...] = (
    lambda heard: heard.start(1.0),
    lambda heard: heard.stop(2.0),
    lambda heard: heard.exit(2.1, 143),
    lambda heard: heard.start(3.0),
    lambda heard: heard.exit(4.0, 3),
)


def test_an_exit_that_somebody_asked_for_is_left_out_in_whatever_order_it_is_heard() -> None:
    """Also where everything is heard twice; the stop was that of the first run."""
    for order in itertools.permutations(COURSE):
        heard = Heard()
        for tell in (*order, *order):
            tell(heard)
        assert heard.exits == ((4.0, 3),)
        assert heard.stopped_at == 0.0


def test_the_present_run_was_stopped() -> None:
    """Until the next one begins."""
    heard = Heard()
    heard.start(1.0)
    heard.stop(2.0)
    assert heard.stopped_at == 2.0
    heard.start(2.5)
    assert heard.stopped_at == 0.0


def test_only_the_newest_are_kept() -> None:
    """A bot that crashes for weeks fills no memory."""
    heard = Heard()
    for second in range(100):
        heard.exit(float(second), 1)
    assert [at for at, _ in heard.exits] == [float(second) for second in range(100 - KEPT, 100)]
