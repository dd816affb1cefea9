"""What becomes of an incident: one story, from its beginning to its end."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from controller.domain.bot import Bot, Problem, Wish
from controller.domain.incident import (
    Condition,
    Details,
    Ending,
    Incident,
    Look,
    News,
    Pace,
    Trouble,
    acknowledged,
    advance,
    look_at,
    muted,
    telling_line,
    with_tail,
)
from controller.domain.observation import ContainerState, Health, Observation, World
from controller.domain.phase import Phase

PACE = Pace()
WELL = Look(condition=Condition.WELL)
UNSURE = Look(condition=Condition.UNSURE)
BOT = Bot(id="b", name="shop", template="t", provider="p", model="m", channel="c")
RUNNING = Observation(container_id="1", state=ContainerState.RUNNING, release=1)
GAVE_UP = Problem("crash-loop", "Gave up after 5 crashes.", "Read its log.", 1.0)


def crash(at: float = 100.0, code: int = 1) -> Look:
    """One look right after a crash; its program runs again."""
    news = (News(at=at, trouble=Trouble.CRASHED, exit_code=code),)
    return Look(condition=Condition.WELL, news=news)


def ill(trouble: Trouble, cause: str = "") -> Look:
    """A trouble that lasts."""
    return Look(condition=Condition.ILL, trouble=trouble, details=Details(cause=cause))


def opened(look: Look, at: float = 100.0) -> Incident:
    """A new incident."""
    found = advance(None, look, at, PACE)
    assert found is not None
    return replace(found, id=1, subject="b")


@pytest.mark.parametrize(
    ("bot", "world", "phase", "held_up", "expected"),
    [
        (BOT, World(container=RUNNING), Phase.RUNNING, "", Condition.WELL),
        (BOT, World(), Phase.STARTING, "", Condition.UNSURE),
        (replace(BOT, wish=Wish.STOP), World(), Phase.STOPPED, "", Condition.UNWANTED),
        (BOT, World(missing=("api_key",)), Phase.CREATED, "", Condition.UNWANTED),
        (BOT, World(), Phase.STARTING, "no image", Trouble.HELD_UP),
        (BOT, World(), Phase.CRASH_LOOPING, "", Trouble.LOOPING),
        (replace(BOT, problem=GAVE_UP), World(), Phase.ERROR, "", Trouble.DOWN),
        (
            replace(BOT, problem=replace(GAVE_UP, code="restored")),
            World(),
            Phase.ERROR,
            "",
            Condition.UNWANTED,
        ),
        (
            BOT,
            World(container=replace(RUNNING, health=Health.UNHEALTHY)),
            Phase.UNHEALTHY,
            "",
            Trouble.UNHEALTHY,
        ),
        (
            BOT,
            World(container=replace(RUNNING, health=Health.STARTING), late=True),
            Phase.UNHEALTHY,
            "",
            Trouble.UNHEALTHY,
        ),
        (
            BOT,
            World(container=RUNNING, degraded=("It isn't connected.",)),
            Phase.UNHEALTHY,
            "",
            Trouble.DEGRADED,
        ),
        (
            replace(BOT, candidate=2, release=1, problem=GAVE_UP),
            World(container=RUNNING, previous=RUNNING),
            Phase.ERROR,
            "",
            Condition.UNSURE,
        ),
        (
            replace(BOT, candidate=1, problem=GAVE_UP),
            World(container=RUNNING),
            Phase.ERROR,
            "",
            Trouble.DOWN,
        ),
        (
            BOT,
            World(container=replace(RUNNING, state=ContainerState.PAUSED)),
            Phase.UNHEALTHY,
            "",
            Condition.UNSURE,
        ),
    ],
)
def test_what_is_wrong_with_a_bot_follows_from_one_look(
    bot: Bot, world: World, phase: Phase, held_up: str, expected: Condition | Trouble
) -> None:
    """A requested stop, missing secrets, a pause and a trial that can go back are no trouble."""
    found = look_at(bot, world, phase, held_up)
    assert (found.trouble or found.condition) == expected


def test_a_crash_opens_one_incident_and_steady_running_ends_it_when_it_began() -> None:
    """Its duration is that of the trouble, not of the watching."""
    first = opened(crash())
    assert (first.trouble, first.crashes, first.details.exit_code) == (Trouble.CRASHED, 1, 1)
    assert advance(first, WELL, 129.0, PACE) == first
    over = advance(first, WELL, 130.0, PACE)
    assert over is not None
    assert (over.over_at, over.ending, over.version) == (100.0, Ending.RECOVERED, 2)


def test_more_crashes_belong_to_the_same_incident() -> None:
    """Counted, with the last exit code; what runs again is watched from the last one on."""
    second = advance(opened(crash()), crash(110.0, 137), 110.0, PACE)
    assert second is not None
    assert (second.crashes, second.details.exit_code, second.well_since) == (2, 137, 110.0)
    assert second.version == 2


def test_a_crash_that_leads_to_giving_up_keeps_its_exit_code_and_forgets_who_looked_after_it() -> (
    None
):
    """Whoever acknowledged it knew of a bot that was still tried."""
    looked_after = acknowledged(opened(crash()), "ann", 101.0)
    down = advance(looked_after, ill(Trouble.DOWN, "Gave up."), 120.0, PACE)
    assert down is not None
    assert (down.trouble, down.worse_at, down.acknowledged_by) == (Trouble.DOWN, 120.0, "")
    assert (down.details.exit_code, down.details.cause) == (1, "Gave up.")


def test_what_comes_back_soon_is_the_same_incident_and_later_a_new_one() -> None:
    """Soon is longer the more often it was announced."""
    over = advance(opened(crash()), WELL, 130.0, PACE)
    assert over is not None
    over = replace(over, announced=1)
    again = advance(over, crash(5000.0), 5000.0, PACE)
    assert again is not None
    assert (again.id, again.returns, again.over_at) == (1, 1, 0.0)
    new = advance(over, crash(9000.0), 9000.0, PACE)
    assert new is not None
    assert (new.id, new.returns, new.crashes) == (0, 0, 1)


def test_what_comes_back_is_looked_after_and_muted_by_nobody() -> None:
    """Both were for the trouble that had ended."""
    held = muted(acknowledged(opened(crash()), "ann", 101.0), math.inf)
    again = advance(advance(held, WELL, 130.0, PACE), crash(200.0), 200.0, PACE)
    assert again is not None
    assert (again.returns, again.acknowledged_by, again.acknowledged_at) == (1, "", 0.0)
    assert again.muted_until == 0.0


def test_the_lines_shown_are_those_before_the_newest_crash() -> None:
    """An earlier crash's lines go with the next one; what merely lasts keeps them."""
    first = with_tail(opened(crash()), ["KeyError"])
    down = advance(first, ill(Trouble.DOWN), 105.0, PACE)
    assert down is not None
    assert down.details.tail == ("KeyError",)
    second = advance(first, crash(110.0), 110.0, PACE)
    assert second is not None
    assert second.details.tail == ()


@pytest.mark.parametrize(
    ("condition", "ending"),
    [(Condition.UNWANTED, Ending.STOPPED), (Condition.GONE, Ending.REMOVED)],
)
def test_a_bot_that_nobody_wants_any_more_has_no_incident(
    condition: Condition, ending: Ending
) -> None:
    """It ends at once, and none begins."""
    look = Look(condition=condition)
    over = advance(opened(ill(Trouble.UNHEALTHY)), look, 160.0, PACE)
    assert over is not None
    assert (over.ending, over.over_at) == (ending, 160.0)
    assert advance(None, look, 160.0, PACE) is None
    news = replace(crash(), condition=condition)
    assert advance(None, news, 160.0, PACE) is None


def test_the_same_look_again_changes_nothing() -> None:
    """So nothing is written, and no message is edited."""
    first = opened(ill(Trouble.UNHEALTHY, "no answer"))
    assert advance(first, ill(Trouble.UNHEALTHY, "no answer"), 200.0, PACE) == first
    assert advance(first, UNSURE, 200.0, PACE) == first


def test_the_line_that_names_the_cause_is_the_last_that_sounds_like_an_error() -> None:
    """Nothing where no line does."""
    tail = ["error: retrying", "starting", "KeyError: 'token'", "  at main", "bye"]
    assert telling_line(tail) == "KeyError: 'token'"
    assert telling_line(["starting", "ready"]) == ""
