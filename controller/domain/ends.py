"""Why a run ended: because somebody wished so, because of the engine, or by a crash. Pure.

`classify` compares two looks with the bot's row. `loop/account.py` collects its hints and saves the
verdict; what counts as a loop of crashes, and when to give up, is in `crashes`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from controller.domain import crashes as crash_rules
from controller.domain.bot import Bot, Crash, Problem, Wish
from controller.domain.observation import Observation
from controller.domain.run import PRESENT, Run, is_over, raised_floor

TOLD_WITHIN = 5.0  # seconds between an end and the event that tells of it, at most
STOP_WITHIN = 600.0  # seconds between a stop by hand and the end of a stubborn program, at most
CRASHES_KEPT = 50  # of one bot


class Cause(StrEnum):
    """What ended the last run."""

    NOTHING = "nothing"  # nothing ended, or it was accounted for before
    WISH = "wish"
    ENGINE = "engine"  # the engine's own stop or death, or a restart by hand
    HAND = "hand"  # somebody stopped or killed it past BotMaker
    CRASH = "crash"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hints:
    """What is known beside the two looks."""

    known: tuple[Crash, ...] = ()  # crashes that are noted already, oldest first
    # Exits that events told of, oldest first: when (the engine's time), and the code. Without those
    # that somebody asked for.
    exits: tuple[tuple[float, int], ...] = ()
    oom_at: float = 0.0  # when an event told that memory ran out
    stopped_at: float = 0.0  # when an event told that the present run was stopped or killed
    in_gap: bool = False  # the engine was away when the run may have ended
    # The row changed after the look began, or a step was under way: the run that the look found may
    # not be the one that PRESENT stands for. The next look tells.
    overlaps: bool = False
    # The container is of a release that is no longer wished for: it only has to make way.
    leaving: bool = False
    spec: str = ""  # the hash that a container made now would carry
    fatal: tuple[int, ...] = ()  # exit codes after which a restart makes no sense
    restart: str = "unless-stopped"  # the restart policy in the template's words


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What came of the last run: the cause, what is owed from now on, and what is new."""

    cause: Cause
    run: Run
    crashes: tuple[Crash, ...] = ()  # those that are new, oldest first
    problem: Problem | None = None  # why to stop trying

    def applied_to(self, bot: Bot) -> Bot:
        """The bot's row with this verdict in it."""
        return replace(bot, run=self.run, problem=self.problem or bot.problem)


def classify(
    bot: Bot, before: Observation | None, after: Observation | None, hints: Hints
) -> Verdict:
    """Tell ends that were wished for, or the engine's doing, from crashes."""
    run = bot.run if hints.overlaps else bot.run.name_present(after)
    floor = raised_floor(run.log_floor, before, after)
    if _is_over(run.to_reload, after, hints):
        run = replace(run, to_reload="", log_floor=floor)
    if _is_over(run.to_end, after, hints):
        return Verdict(cause=Cause.WISH, run=_ended(bot, run, after, hints.spec, floor))
    if after is None or (hints.overlaps and run.to_end == PRESENT):
        # Whether the run that ended is the one that had to, the next look can tell.
        return Verdict(cause=Cause.NOTHING, run=run)
    found = crash_rules.detect(run.accounted_end, before, after)
    if not found:
        if after.finished_at:
            run = run.account(after.finished_at)
        return Verdict(cause=Cause.NOTHING, run=run)
    run = run.account(after.finished_at)
    engines = crash_rules.ended_with_engine(after, in_gap=hints.in_gap)
    if engines or hints.leaving or bot.wish is not Wish.RUN or bot.problem is not None:
        return Verdict(cause=Cause.ENGINE, run=run)
    if _by_hand(after, hints):
        return Verdict(cause=Cause.HAND, run=run)
    if crash_rules.was_stopped(before, after, hints.restart):
        if not crash_rules.are_more(before, after):
            return Verdict(cause=Cause.ENGINE, run=run)  # or by hand: nobody knows
        # There were crashes before the stop. The code that is seen may be the stop's own.
        found = tuple(replace(crash, exit_code=None, oom_killed=False) for crash in found)
    noted = {crash.at for crash in hints.known}
    fresh = tuple(crash for crash in _told(found, before, hints) if crash.at not in noted)
    problem = crash_rules.judge(
        (*hints.known, *fresh)[-CRASHES_KEPT:],
        after,
        after.finished_at,  # by the engine's own time: that of the crash that was just found
        fatal=hints.fatal,
        restart=hints.restart,
    )
    return Verdict(cause=Cause.CRASH, run=run, crashes=fresh, problem=problem)


def _by_hand(after: Observation, hints: Hints) -> bool:
    """Whether somebody asked the engine to end the run. A crash has no such event.

    What runs again, or is about to, was started by its restart policy: after a stop that does
    nothing, so the stop was that of an earlier run.
    """
    if after.state.active:
        return False
    since = after.finished_at - hints.stopped_at
    return hints.stopped_at > 0 and -TOLD_WITHIN < since < STOP_WITHIN


def _is_over(owed: str, after: Observation | None, hints: Hints) -> bool:
    """Whether the run that owes something is over, as far as this look can tell."""
    if not owed or (owed == PRESENT and hints.overlaps):
        return False
    return is_over(owed, after)


def _ended(bot: Bot, run: Run, after: Observation | None, spec: str, floor: float) -> Run:
    """The run that had to be over is over. What is owed then, if anything."""
    return replace(
        run,
        to_end=_still_owed(bot, after, spec),
        accounted_end=after.finished_at if after else 0.0,
        log_floor=floor,
    )


def _still_owed(bot: Bot, after: Observation | None, spec: str) -> str:
    """The run that has to be over in place of one that is, or nothing.

    A program that ended just before it was to be replaced may be up again, by the engine, in the
    same container. The settings that a person changed are in a new container only.
    """
    if after is None or not after.state.active or bot.wish is not Wish.RUN:
        return ""
    return after.started_at if spec and after.spec != spec else ""


def _told(found: tuple[Crash, ...], before: Observation | None, hints: Hints) -> tuple[Crash, ...]:
    """The crashes with what events told of them, where the look came too late to see it.

    There is one event for each end. If there are more or fewer, nobody knows whose they are.
    """
    end = found[-1].at
    since = end - TOLD_WITHIN
    # Else it shows the next run already: a first verdict couldn't be saved.
    if before is not None and before.started <= end:
        since = before.started
    told = [one for one in hints.exits if since < one[0] < end + TOLD_WITHIN]
    if len(told) != len(found) or abs(told[-1][0] - end) >= TOLD_WITHIN:
        return found
    return tuple(
        crash_rules.with_exit(crash, code, oom_killed=_of_memory(at, code, hints))
        for crash, (at, code) in zip(found, told, strict=True)
    )


def _of_memory(at: float, code: int, hints: Hints) -> bool:
    return code == crash_rules.KILLED and abs(hints.oom_at - at) < TOLD_WITHIN
