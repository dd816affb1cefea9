"""What is owed to "whichever run is there": named by a look that can know, and by no other."""

from __future__ import annotations

import pytest

from controller.domain.bot import Bot
from controller.domain.ends import Cause, Hints, classify
from controller.domain.observation import ContainerState, Observation
from controller.domain.run import PRESENT, Run

OWED = [Run(to_end=PRESENT), Run(to_reload=PRESENT)]
RUNNING = Observation(container_id="c", state=ContainerState.RUNNING, started_at="R")
EXITED = Observation(container_id="c", state=ContainerState.EXITED, started_at="R")


def bot(run: Run) -> Bot:
    """A bot whose run owes that."""
    return Bot(id="i", name="n", template="t", provider="p", model="m", channel="c", run=run)


@pytest.mark.parametrize("run", OWED)
def test_a_look_names_the_run_that_it_finds(run: Run) -> None:
    """From then on that run owes it, and no later one."""
    verdict = classify(bot(run), None, RUNNING, Hints())
    named = Run(to_end=run.to_end and "R", to_reload=run.to_reload and "R")
    assert (verdict.cause, verdict.run) == (Cause.NOTHING, named)


@pytest.mark.parametrize("run", OWED)
@pytest.mark.parametrize("seen", [RUNNING, EXITED, None])
def test_a_look_that_overlaps_a_wish_or_a_step_names_none(
    run: Run, seen: Observation | None
) -> None:
    """What it found may be over already: it is owed still, until the next look."""
    assert classify(bot(run), None, seen, Hints(overlaps=True)).run == run


@pytest.mark.parametrize("run", OWED)
@pytest.mark.parametrize("seen", [EXITED, None])
def test_nothing_is_owed_where_nothing_runs(run: Run, seen: Observation | None) -> None:
    """The next run reads everything when it starts."""
    assert not classify(bot(run), None, seen, Hints()).run.owes


def test_a_name_is_compared_by_every_look() -> None:
    """An overlap keeps no run that has a name from being over."""
    later = Observation(container_id="c", state=ContainerState.RUNNING, started_at="S")
    verdict = classify(bot(Run(to_end="R")), RUNNING, later, Hints(overlaps=True))
    assert (verdict.cause, verdict.run.to_end) == (Cause.WISH, "")


@pytest.mark.parametrize("name", ["R", "", PRESENT])
def test_a_name_never_takes_the_place_of_whichever_run_is_found(name: str) -> None:
    """A restart by somebody who saw an older run doesn't forget what is owed to the newest one."""
    assert Run(to_end=PRESENT).end(name).to_end == PRESENT
    assert Run(to_end="S").end(name).to_end == name


def test_an_end_is_not_judged_while_nobody_knows_whose_it_is() -> None:
    """Our own stop of a run that had to end anyway is nobody's hand and no crash."""
    ended = Observation(
        container_id="c",
        state=ContainerState.EXITED,
        started_at="R",
        finished_at=9.0,
        exit_code=143,
    )
    hints = Hints(overlaps=True, stopped_at=8.9)
    first = classify(bot(Run(to_end=PRESENT)), RUNNING, ended, hints)
    assert (first.cause, first.run) == (Cause.NOTHING, Run(to_end=PRESENT))
    then = classify(bot(first.run), ended, ended, Hints(stopped_at=8.9))
    assert (then.cause, then.crashes) == (Cause.WISH, ())
