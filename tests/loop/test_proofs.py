"""How long a run has been well, for the release that has yet to prove itself."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controller.domain.bot import Bot
from controller.domain.observation import ContainerState, Health, Observation, Proof
from controller.domain.release import Gate
from controller.loop.proofs import Proofs

BOT = Bot(
    id="b", name="shop", template="t", provider="p", model="m", channel="c", release=1, candidate=2
)
FIRST = Observation(
    container_id="c",
    state=ContainerState.RUNNING,
    health=Health.HEALTHY,
    started_at="2026-11-28T12:00:00Z",
    started=1.0,
    release=2,
)
SECOND = replace(FIRST, started_at="2026-11-28T12:00:19Z")
ILL = replace(FIRST, health=Health.UNHEALTHY)


@pytest.mark.parametrize(
    ("between", "ailing"),
    [(SECOND, False), (ILL, False), (FIRST, True)],
    ids=["run", "check", "log"],
)
def test_only_seconds_without_a_break_prove_a_release(between: Observation, ailing: bool) -> None:
    """Another run, a failing check, or a log that tells of trouble: the time begins anew."""
    now = 0.0
    proofs = Proofs(lambda: now, lambda: now)

    def looked(at: float, container: Observation, *, ailing: bool = False) -> Proof:
        nonlocal now
        now = at
        return proofs(BOT, container, Gate(), ailing=ailing, replaces=False)[0]

    after = SECOND if between is SECOND else FIRST
    assert looked(0, FIRST) is Proof.WAITING
    assert looked(19, between, ailing=ailing) is Proof.WAITING
    assert looked(25, after) is Proof.WAITING
    assert looked(38, after) is Proof.WAITING
    assert looked(45, after) is Proof.PASSED
