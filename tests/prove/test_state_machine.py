"""The state machine of tests/loop at length: thousands of steps, each of them counted.
Next door: tests/loop/test_state_machine.py has the rules and the invariants."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis.stateful import invariant, run_state_machine_as_test

from tests.loop.test_state_machine import Installation
from tests.prove.tally import Tally

RULES = settings(Installation.TestCase.settings, stateful_step_count=30)


@pytest.mark.timeout(600)
def test_whatever_people_and_the_world_do_world_is_wish_in_the_end(tally: Tally) -> None:
    """Commands, crashes, a vanishing engine and a killed controller leave no orphan or stray."""

    class Counted(Installation):
        @invariant()
        def counted(self) -> None:
            """Count one more step."""
            tally.tried["state machine steps"] += 1

    run_state_machine_as_test(Counted, settings=settings(RULES, max_examples=tally.pick(5, 300)))
