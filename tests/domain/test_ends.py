"""Why a run ended: every case of the old behaviour, and what holds for all of them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.domain.bot import Bot, Crash, Problem, Wish
from controller.domain.crashes import DATED_WITHIN, GIVE_UP_AT
from controller.domain.ends import (
    CRASHES_KEPT,
    STOP_WITHIN,
    TOLD_WITHIN,
    Cause,
    Hints,
    Verdict,
    classify,
)
from controller.domain.observation import ContainerState, Observation
from controller.domain.run import LAST_LINES, PRESENT, Run, is_over

S = ContainerState
NOW = 1_000_000.0
BOT = Bot(id="b", name="shop", template="t", provider="p", model="m", channel="c")
# The run r1 goes on, ended, or ended and was followed by r2 in the same container.
R1 = Observation(container_id="c", state=S.RUNNING, started_at="r1", started=NOW - 100, spec="now")
# Its restart failed; without that it was stopped.
ENDED = replace(
    R1, state=S.EXITED, exit_code=3, finished_at=NOW, restart_count=1, error="can't be mounted"
)
BACK = replace(  # by the restart policy, which counts
    R1, started_at="r2", started=NOW + 1, finished_at=NOW, restart_count=1
)
BY_HAND = replace(BACK, restart_count=0)
PROBLEM = Problem("x", "m", "h", NOW)
FATAL = Hints(fatal=(78,))


def told(bot: Bot, after: Observation | None, hints: Hints | None = None) -> Verdict:
    return classify(bot, R1, after, hints or Hints())


def owing(**run: object) -> Bot:
    return replace(BOT, run=Run(**run))  # type: ignore[arg-type]


# (the row, the look now, the hints, the cause, what is owed and known then, the crashes)
C = Crash(NOW, 3)
DONE = Run(accounted_end=NOW)
TABLE: dict[str, tuple[Bot, Observation | None, Hints, Cause, Run, tuple[Crash, ...]]] = {
    # Nothing ended
    "it goes on": (BOT, R1, Hints(), Cause.NOTHING, Run(), ()),
    "no container": (BOT, None, Hints(), Cause.NOTHING, Run(), ()),
    "accounted for": (owing(accounted_end=NOW), ENDED, Hints(), Cause.NOTHING, DONE, ()),
    "accounted, back": (owing(accounted_end=NOW), BACK, Hints(), Cause.NOTHING, DONE, ()),
    # Of a release that only has to make way: its ends are no news.
    "leaving": (BOT, BACK, Hints(leaving=True), Cause.ENGINE, DONE, ()),
    "leaving, fatal": (BOT, ENDED, Hints(leaving=True, fatal=(3,)), Cause.ENGINE, DONE, ()),
    # Wished ends
    "restart, back": (owing(to_end="r1"), BACK, Hints(), Cause.WISH, DONE, ()),
    "restart, ended": (owing(to_end="r1"), ENDED, Hints(), Cause.WISH, DONE, ()),
    "restart, gone": (owing(to_end="r1", accounted_end=5.0), None, Hints(), Cause.WISH, Run(), ()),
    "not over yet": (owing(to_end="r1"), R1, Hints(), Cause.NOTHING, Run(to_end="r1"), ()),
    "present, named": (owing(to_end=PRESENT), R1, Hints(), Cause.NOTHING, Run(to_end="r1"), ()),
    "present, ended": (owing(to_end=PRESENT), ENDED, Hints(), Cause.WISH, DONE, ()),
    "present, gone": (owing(to_end=PRESENT), None, Hints(), Cause.WISH, Run(), ()),
    "present, another runs": (
        *(owing(to_end=PRESENT), BY_HAND, Hints(), Cause.ENGINE),
        *(Run(to_end="r2", accounted_end=NOW), ()),
    ),
    # Still owed: the engine was faster, in the outdated container
    "outdated": (
        *(owing(to_end="r1"), BACK, Hints(spec="newer"), Cause.WISH),
        *(Run(to_end="r2", accounted_end=NOW), ()),
    ),
    "outdated, ended": (owing(to_end="r1"), ENDED, Hints(spec="newer"), Cause.WISH, DONE, ()),
    "up to date": (owing(to_end="r1"), BACK, Hints(spec="now"), Cause.WISH, DONE, ()),
    "no template": (owing(to_end="r1"), BACK, Hints(spec=""), Cause.WISH, DONE, ()),
    "outdated, to stop": (
        *(replace(owing(to_end="r1"), wish=Wish.STOP), BACK, Hints(spec="newer")),
        *(Cause.WISH, DONE, ()),
    ),
    # The engine's doing, or ours
    "stopped": (replace(BOT, wish=Wish.STOP), ENDED, Hints(), Cause.ENGINE, DONE, ()),
    "removed": (replace(BOT, wish=Wish.REMOVE), ENDED, Hints(), Cause.ENGINE, DONE, ()),
    "given up": (replace(BOT, problem=PROBLEM), ENDED, Hints(), Cause.ENGINE, DONE, ()),
    "begun by hand": (BOT, BY_HAND, Hints(), Cause.ENGINE, DONE, ()),
    "ended in a gap": (BOT, ENDED, Hints(in_gap=True), Cause.ENGINE, DONE, ()),
    "counted in a gap": (BOT, BACK, Hints(in_gap=True), Cause.CRASH, DONE, (Crash(NOW, None),)),
    # Somebody's, told by an event: a moment before the end, or as long before as a program may take
    "told a moment later": (BOT, ENDED, Hints(stopped_at=NOW + 1), Cause.HAND, DONE, ()),
    "stubborn": (BOT, ENDED, Hints(stopped_at=NOW - STOP_WITHIN + 1), Cause.HAND, DONE, ()),
    "stopped long before": (
        *(BOT, ENDED, Hints(stopped_at=NOW - STOP_WITHIN), Cause.CRASH, DONE, (C,)),
    ),
    "stopped only after": (
        *(BOT, ENDED, Hints(stopped_at=NOW + TOLD_WITHIN), Cause.CRASH, DONE, (C,)),
    ),
    # Crashes
    "crashed": (BOT, ENDED, Hints(), Cause.CRASH, DONE, (C,)),
    "crashed, back": (BOT, BACK, Hints(), Cause.CRASH, DONE, (Crash(NOW, None),)),
    "another was owed": (
        *(owing(to_reload="r1"), ENDED, Hints(), Cause.CRASH),
        *(DONE, (C,)),
    ),
    "a clock set back": (
        *(owing(accounted_end=NOW + 3600), ENDED, Hints(), Cause.CRASH, DONE, (C,)),
    ),
    "code told of the container before": (
        *(BOT, replace(BACK, container_id="d"), Hints(exits=((NOW - 101, 143), (NOW, 7)))),
        *(Cause.CRASH, DONE, (Crash(NOW, 7),)),
    ),
    # By hand, with an event and without
    "stopped by hand": (
        *(BOT, replace(ENDED, error=""), Hints(stopped_at=NOW - 1), Cause.HAND, DONE, ()),
    ),
    "stopped once, then crashed": (
        *(BOT, BACK, Hints(stopped_at=NOW - 1), Cause.CRASH, DONE, (Crash(NOW, None),)),
    ),
    "noted already": (BOT, ENDED, Hints(known=(C,)), Cause.CRASH, DONE, ()),
    # What an event told
    "code told": (*(BOT, BACK, Hints(exits=((NOW + 1, 7),)), Cause.CRASH, DONE, (Crash(NOW, 7),)),),
    "code told too late": (
        *(BOT, BACK, Hints(exits=((NOW + TOLD_WITHIN, 7),)), Cause.CRASH),
        *(DONE, (Crash(NOW, None),)),
    ),
    "code told of the run before": (
        *(BOT, replace(BACK, started=NOW - 98, finished_at=NOW - 99)),
        *(Hints(exits=((NOW - 101, 143),)), Cause.CRASH),
        *(Run(accounted_end=NOW - 99), (Crash(NOW - 99, None),)),
    ),
    "code seen": (BOT, ENDED, Hints(exits=((NOW, 7),)), Cause.CRASH, DONE, (C,)),
    "memory told": (
        *(BOT, BACK, Hints(exits=((NOW, 137),), oom_at=NOW - 1), Cause.CRASH),
        *(DONE, (Crash(NOW, 137, True),)),
    ),
    "memory told of another end": (
        *(BOT, BACK, Hints(exits=((NOW, 137),), oom_at=NOW - 60), Cause.CRASH),
        *(DONE, (Crash(NOW, 137),)),
    ),
    "memory told of a child": (
        *(BOT, BACK, Hints(exits=((NOW, 1),), oom_at=NOW), Cause.CRASH),
        *(DONE, (Crash(NOW, 1),)),
    ),
    "memory seen": (
        *(BOT, replace(ENDED, exit_code=137, oom_killed=True), Hints(), Cause.CRASH),
        *(DONE, (Crash(NOW, 137, True),)),
    ),
    "memory of a child": (BOT, replace(ENDED, oom_killed=True), Hints(), Cause.CRASH, DONE, (C,)),
    "memory flag, code told": (
        *(BOT, replace(BACK, oom_killed=True), Hints(exits=((NOW, 1),)), Cause.CRASH),
        *(DONE, (Crash(NOW, 1),)),
    ),
    # Reloads close with their run; the floor of the log rises with it
    "reload, over": (
        *(owing(to_reload="r1", log_floor=NOW - 50), BACK, Hints(), Cause.CRASH),
        *(Run(accounted_end=NOW, log_floor=NOW + 0.5), (Crash(NOW, None),)),
    ),
    "reload, gone": (
        *(owing(to_reload="r1", log_floor=9.0), None, Hints(), Cause.NOTHING),
        *(Run(log_floor=9.0), ()),
    ),
    "reload, goes on": (
        *(owing(to_reload=PRESENT), R1, Hints(), Cause.NOTHING, Run(to_reload="r1"), ()),
    ),
    "reload and restart": (
        *(owing(to_reload="r1", to_end="r1", log_floor=NOW - 50), ENDED, Hints(), Cause.WISH),
        *(Run(accounted_end=NOW, log_floor=NOW + LAST_LINES), ()),
    ),
    "restart, floor": (
        *(owing(to_end="r1", log_floor=NOW - 50), BACK, Hints(), Cause.WISH),
        *(Run(accounted_end=NOW, log_floor=NOW + 0.5), ()),
    ),
    "crash, no debt, floor": (
        *(owing(log_floor=NOW - 50), BACK, Hints(), Cause.CRASH),
        *(Run(accounted_end=NOW, log_floor=NOW - 50), (Crash(NOW, None),)),
    ),
}


@pytest.mark.parametrize("case", TABLE)
def test_every_end_has_its_cause(case: str) -> None:
    """The cause, what is owed from then on, and the crashes that are new."""
    bot, after, hints, cause, run, crashes = TABLE[case]
    assert told(bot, after, hints) == Verdict(cause=cause, run=run, crashes=crashes)


WAITS = replace(R1, state=S.RESTARTING, exit_code=3, finished_at=NOW, restart_count=1)
GIVEN_UP = replace(WAITS, state=S.EXITED, finished_at=NOW - 0.07)


def test_a_run_ends_once_however_often_the_engine_dates_its_end() -> None:
    """A restart that is given up moves the end back to where the program ended (20.10)."""
    noted = owing(accounted_end=NOW)
    for before in (WAITS, None):  # also where the controller is another one
        verdict = classify(noted, before, GIVEN_UP, Hints(known=(C,)))
        assert (verdict.cause, verdict.crashes) == (Cause.NOTHING, ())
        assert verdict.run.accounted_end == GIVEN_UP.finished_at
    then = classify(verdict.applied_to(noted), GIVEN_UP, GIVEN_UP, Hints(known=(C,)))
    assert (then.cause, then.crashes) == (Cause.NOTHING, ())


def test_what_its_policy_did_not_run_again_was_stopped_though_nobody_heard_of_it() -> None:
    """A crash is followed by a try, which counts even if it fails; other policies let it end."""
    stopped = replace(ENDED, restart_count=0, error="")
    for before in (R1, None):
        assert classify(BOT, before, stopped, FATAL).cause is Cause.ENGINE
        assert classify(BOT, before, ENDED, FATAL).cause is Cause.CRASH
    for restart in ("no", "on-failure:3"):
        assert told(BOT, stopped, Hints(restart=restart)).cause is Cause.CRASH


def test_crashes_before_a_stop_that_nobody_heard_of_have_no_code() -> None:
    """The engine counted them; the code that is seen is the stop's, who knows."""
    stopped = replace(ENDED, restart_count=2, exit_code=137, error="")
    verdict = told(BOT, stopped, FATAL)
    assert (verdict.cause, [c.exit_code for c in verdict.crashes]) == (Cause.CRASH, [None] * 2)
    exits = ((NOW - 9, 7), (NOW - 8, 8))
    verdict = told(BOT, stopped, Hints(exits=exits))
    assert [c.exit_code for c in verdict.crashes] == [None] * 2  # these were long before
    assert classify(BOT, None, stopped, FATAL).cause is Cause.ENGINE


def test_a_paused_run_that_was_begun_by_hand_followed_no_crash() -> None:
    """As one that runs."""
    assert told(BOT, replace(BY_HAND, state=S.PAUSED)).cause is Cause.ENGINE
    assert told(BOT, replace(BACK, state=S.PAUSED)).cause is Cause.CRASH


def test_an_end_that_was_not_accounted_for_counts_at_its_second_date() -> None:
    """The look that showed the first one failed before anything was noted."""
    verdict = classify(BOT, WAITS, GIVEN_UP, Hints())
    assert (verdict.cause, [c.exit_code for c in verdict.crashes]) == (Cause.CRASH, [3])


def many(count: int, code: int = 1) -> tuple[Crash, ...]:
    return tuple(Crash(NOW - 10 * n, code) for n in range(count, 0, -1))


@pytest.mark.parametrize(
    ("after", "hints", "code"),
    [
        (ENDED, Hints(), ""),
        (ENDED, Hints(known=many(GIVE_UP_AT - 2)), ""),
        (ENDED, Hints(known=many(GIVE_UP_AT - 1)), "crash-loop"),
        (BACK, Hints(known=many(GIVE_UP_AT - 1)), "crash-loop"),
        (ENDED, Hints(known=(*many(GIVE_UP_AT - 1), C)), "crash-loop"),  # judged all the same
        (ENDED, Hints(known=tuple(Crash(NOW - 700 - n, 1) for n in range(20))), ""),
        (replace(ENDED, exit_code=78), FATAL, "fatal-exit"),
        (replace(ENDED, exit_code=78), Hints(), ""),
        (BACK, replace(FATAL, exits=((NOW, 78),)), "fatal-exit"),
        (BACK, replace(FATAL, exits=((NOW - 60, 78),)), ""),
        (ENDED, Hints(restart="no"), "exited"),
        (replace(ENDED, exit_code=0), Hints(restart="on-failure:3"), "exited"),
        (BACK, Hints(restart="on-failure:3"), ""),
        (ENDED, Hints(restart="unless-stopped"), ""),
    ],
)
def test_a_crash_is_judged_by_what_came_before_and_by_the_template(
    after: Observation, hints: Hints, code: str
) -> None:
    """Five in ten minutes, a fatal code, or a policy that doesn't start it again."""
    verdict = told(BOT, after, hints)
    assert verdict.cause is Cause.CRASH
    assert (verdict.problem.code if verdict.problem else "") == code


@pytest.mark.parametrize("case", [case for case, row in TABLE.items() if row[3] is not Cause.CRASH])
def test_only_a_crash_is_a_reason_to_give_up(case: str) -> None:
    """However many were noted before, and whatever the policy is."""
    bot, after, hints, *_ = TABLE[case]
    hints = replace(hints, known=many(40), restart="no", fatal=(3,))
    assert told(bot, after, hints).problem is None


def test_many_crashes_between_two_looks_are_all_found() -> None:
    """By the engine's count; events tell how they ended."""
    after = replace(BACK, restart_count=4)
    exits = tuple((NOW - ago, 9 - ago) for ago in (3, 2, 1, 0))
    found = told(BOT, after, Hints(exits=exits)).crashes
    assert [crash.exit_code for crash in found] == [6, 7, 8, 9]
    assert found[-1].at == NOW
    # With one missing, or one too many, nobody knows whose they are.
    for some in (exits[:-1], ((NOW - 4, 143), *exits)):
        unknown = told(BOT, after, Hints(exits=some)).crashes
        assert [crash.exit_code for crash in unknown] == [None] * 4
    waits = replace(after, state=S.RESTARTING, exit_code=9)
    seen = told(BOT, waits, Hints(exits=exits[:-1])).crashes
    assert [crash.exit_code for crash in seen] == [None, None, None, 9]
    assert told(BOT, replace(BACK, restart_count=9)).problem is not None


def test_a_clock_set_back_gives_up_by_the_newest_crash() -> None:
    """Crashes that it left in the future don't count; the last one is the one just found."""
    later = tuple(Crash(NOW + 3600 + n, 78) for n in range(CRASHES_KEPT))
    assert told(BOT, ENDED, replace(FATAL, known=later)).problem is None


def test_a_verdict_keeps_an_earlier_problem() -> None:
    """And a new one takes its place in the row."""
    kept = Verdict(cause=Cause.ENGINE, run=DONE)
    assert kept.applied_to(replace(BOT, problem=PROBLEM)).problem is PROBLEM
    new = replace(kept, problem=replace(PROBLEM, code="y"))
    assert new.applied_to(BOT) == replace(BOT, run=DONE, problem=replace(PROBLEM, code="y"))


times = st.sampled_from([0.0, NOW - 100, NOW - 50, NOW, NOW + 1, NOW + 50]) | st.floats(0, 2 * NOW)
run_names = st.sampled_from(["", "r0", "r1", "r2", PRESENT])
looks = st.builds(
    Observation,
    container_id=st.sampled_from(["c", "d"]),
    state=st.sampled_from(S),
    exit_code=st.none() | st.sampled_from([0, 1, 78, 137]),
    oom_killed=st.booleans(),
    started_at=st.sampled_from(["", "r1", "r2"]),
    started=times,
    finished_at=times,
    restart_count=st.integers(0, 7),
    spec=st.sampled_from(["now", "before"]),
)
runs = st.builds(Run, to_end=run_names, to_reload=run_names, accounted_end=times, log_floor=times)
rows = st.builds(
    lambda wish, run, problem: replace(BOT, wish=wish, run=run, problem=problem),
    st.sampled_from(Wish),
    runs,
    st.none() | st.just(PROBLEM),
)
all_hints = st.builds(
    Hints,
    known=st.lists(st.builds(Crash, times, st.none() | st.integers(0, 255)), max_size=6).map(tuple),
    exits=st.lists(st.tuples(times, st.sampled_from([0, 1, 78, 137])), max_size=4).map(tuple),
    oom_at=times,
    in_gap=st.booleans(),
    spec=st.sampled_from(["", "now", "newer"]),
    fatal=st.sampled_from([(), (78,)]),
    restart=st.sampled_from(["unless-stopped", "no", "on-failure:2"]),
)


@settings(max_examples=400)
@given(rows, st.none() | looks, looks, all_hints)
def test_no_unaccounted_end_is_lost(
    bot: Bot, before: Observation | None, after: Observation, hints: Hints
) -> None:
    """Whatever is owed or known besides: another end than the one accounted for has a cause."""
    verdict = classify(bot, before, after, hints)
    news = after.finished_at > 0 and abs(after.finished_at - bot.run.accounted_end) >= 1e-6
    earlier = 0 < bot.run.accounted_end - after.finished_at < DATED_WITHIN
    if news and earlier and after.started < bot.run.accounted_end and after.state is not S.RUNNING:
        assert verdict.cause in {Cause.NOTHING, Cause.WISH}  # the same end, dated anew
        assert verdict.run.accounted_end == after.finished_at
    elif news:
        assert verdict.cause is not Cause.NOTHING
        assert verdict.run.accounted_end == after.finished_at
    elif verdict.cause is not Cause.WISH:
        assert (verdict.cause, verdict.crashes) == (Cause.NOTHING, ())
    if verdict.cause is Cause.CRASH:
        assert bot.wish is Wish.RUN
        assert bot.problem is None
        known = {crash.at for crash in hints.known}
        assert verdict.crashes or after.finished_at in known
    else:
        assert verdict.crashes == ()
        assert verdict.problem is None


@settings(max_examples=400)
@given(rows, st.none() | looks, st.none() | looks, all_hints)
def test_a_verdict_is_given_once(
    bot: Bot, before: Observation | None, after: Observation | None, hints: Hints
) -> None:
    """The row with the verdict in it, judged by the same look again, doesn't change."""
    first = classify(bot, before, after, hints)
    row = first.applied_to(bot)
    known = (*hints.known, *first.crashes)
    for earlier in (before, after):
        again = classify(row, earlier, after, replace(hints, known=known))
        assert again == Verdict(cause=Cause.NOTHING, run=row.run)
        assert again.applied_to(row) == row


@settings(max_examples=400)
@given(rows, st.none() | looks, st.none() | looks, all_hints)
def test_nothing_is_owed_to_a_run_that_is_over(
    bot: Bot, before: Observation | None, after: Observation | None, hints: Hints
) -> None:
    """Neither an end nor a reload; and no debt is invented for a run that nobody named."""
    run = classify(bot, before, after, hints).run
    for debt in (run.to_end, run.to_reload):
        assert not debt or not is_over(debt, after)
    if not bot.run.owes:
        assert not run.owes
    assert run.log_floor >= bot.run.log_floor


@settings(max_examples=200)
@given(rows, st.none() | looks, looks, all_hints)
def test_lack_of_memory_is_told_only_of_a_kill(
    bot: Bot, before: Observation | None, after: Observation, hints: Hints
) -> None:
    """Whatever flags are set: an end with another code has another cause."""
    for crash in classify(bot, before, after, hints).crashes:
        assert not crash.oom_killed or crash.exit_code in {None, 137}
