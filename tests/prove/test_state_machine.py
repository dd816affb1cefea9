"""The state machine of tests/loop at length: thousands of steps, each of them counted.
Next door: tests/loop/test_state_machine.py has the rules and the invariants."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import settings

from tests.loop.test_state_machine import RULES, Installation, play, seeds
from tests.prove.tally import Tally


@pytest.mark.timeout(1200)
def test_whatever_people_and_the_world_do_world_is_wish_in_the_end(tally: Tally) -> None:
    """Kills, stale looks and unobserved states leave no orphan, no stray and no untruth."""
    rules = settings(RULES, stateful_step_count=30)
    before = dict(Installation.counted)
    for number in itertools.islice(seeds(fresh=tally.full), tally.pick(3, 250)):
        play(number, rules)
    for what, count in Installation.counted.items():
        tally.tried[f"state machine: {what}"] += count - before[what]
