"""When crashes become a loop, and when to give up. A restart policy alone would hide both."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from controller.domain.bot import Crash, Problem
from controller.domain.observation import ContainerState, Observation

WINDOW_SECONDS = 600.0
LOOPING_AT = 3  # crashes in the window from which a bot is called crash-looping
GIVE_UP_AT = 5  # crashes in the window after which the controller stops the bot
DATED_WITHIN = 60.0  # seconds between two dates of one end, at most; a clock is set back by more
KILLED = 137  # the exit code of a process that was killed

_SIGNALS = {
    129: "SIGHUP",
    130: "SIGINT",
    134: "SIGABRT",
    135: "SIGBUS",
    136: "SIGFPE",
    137: "SIGKILL",
    139: "SIGSEGV",
    143: "SIGTERM",
}
_MEANINGS = {
    0: "ended by itself without an error",
    126: "the program could not be executed",
    127: "the program was not found in the image",
    128: "Docker couldn't start it",
    78: "a configuration error",
}


def recent(crashes: Iterable[Crash], now: float) -> list[Crash]:
    """The crashes of the last ten minutes, oldest first.

    A clock that was set back leaves crashes in the future; they don't count, or they would count
    until that future has passed. A little ahead is only the difference between two machines.
    """
    return sorted((c for c in crashes if abs(now - c.at) < WINDOW_SECONDS), key=lambda c: c.at)


def is_looping(crashes: Iterable[Crash], now: float) -> bool:
    """Whether to call the bot crash-looping."""
    return len(recent(crashes, now)) >= LOOPING_AT


def describe_exit(exit_code: int | None, *, oom_killed: bool = False) -> str:
    """An exit in words: the number and what it usually means."""
    if oom_killed:
        return f"exit {exit_code if exit_code is not None else 137}: out of memory"
    if exit_code is None:
        return "an exit that nobody saw"
    if exit_code in _MEANINGS:
        return f"exit {exit_code}: {_MEANINGS[exit_code]}"
    if exit_code in _SIGNALS:
        return f"exit {exit_code}: ended by {_SIGNALS[exit_code]}"
    return f"exit {exit_code}"


def detect(
    accounted_end: float, before: Observation | None, after: Observation
) -> tuple[Crash, ...]:
    """The crashes that `after` shows and that are not accounted for, oldest first.

    The caller asks only for bots that are wished to run and that it did not stop itself; what ended
    then ended on its own. Looks may be rarer than crashes: the engine's restart count, compared
    with the look `before`, says how many there were. How all but the last ended no look can tell.
    """
    # Another end than the one accounted for, not a later one: a clock may have been set back.
    if not after.finished_at or abs(after.finished_at - accounted_end) < 1e-6:
        return ()
    if _is_dated_anew(accounted_end, after):
        return ()
    same = before is not None and before.container_id == after.container_id
    grown = after.restart_count - before.restart_count if before is not None and same else 1
    code = None if after.state is ContainerState.RUNNING else after.exit_code
    oom = after.oom_killed and _may_be_oom(code)
    end = after.finished_at
    earlier = (Crash(at=end - 0.001 * i, exit_code=None) for i in range(max(1, grown) - 1, 0, -1))
    return (*earlier, Crash(at=end, exit_code=code, oom_killed=oom))


def _is_dated_anew(accounted_end: float, after: Observation) -> bool:
    """Whether the end that is seen was accounted for by another date: a run ends once.

    A program that is to be restarted is noted as ended when its restart begins. If that is given
    up, because of a stop or because nothing can be mounted, the engine goes back to the moment at
    which the program ended: 70 ms before that, and more on a busy machine (measured on 20.10). The
    run that is seen is the container's last, so an end after its beginning was its own.
    """
    if after.state is ContainerState.RUNNING or not after.started < accounted_end:
        return False
    return 0 < accounted_end - after.finished_at < DATED_WITHIN


def ended_with_engine(container: Observation, *, in_gap: bool) -> bool:
    """Whether the engine ended the last run, by its own stop or death, rather than the bot itself.

    The restart policy starts a program again that ended by itself, and counts that. One that runs
    again uncounted was started by the engine, or by somebody by hand. An engine that was killed
    leaves its containers ended; that was its doing if it happened while it was away (`in_gap`).
    """
    if container.state in {ContainerState.RUNNING, ContainerState.PAUSED}:
        return container.restart_count == 0
    return in_gap and container.state is ContainerState.EXITED


def was_stopped(before: Observation | None, after: Observation, restart: str) -> bool:
    """Whether somebody must have stopped the run that is seen ended, though no event told of it.

    Under `unless-stopped`, which is the template's `restart` here, a program that ends by itself is
    always run again. A try that fails leaves its error.
    """
    if after.state is not ContainerState.EXITED or restart != "unless-stopped" or after.error:
        return False
    same = before is not None and before.container_id == after.container_id
    waited = same and before is not None and before.state is ContainerState.RESTARTING
    return not (waited and before is not None and before.started_at == after.started_at)


def are_more(before: Observation | None, after: Observation) -> bool:
    """Whether the engine counted restarts between the two looks."""
    same = before is not None and before.container_id == after.container_id
    return before is not None and same and after.restart_count > before.restart_count


def judge(
    crashes: Sequence[Crash],
    container: Observation,
    now: float,
    *,
    fatal: Sequence[int],
    restart: str,
) -> Problem | None:
    """Say why to stop trying, or None to let the engine's restart policy go on.

    `fatal` are the exit codes after which no restart makes sense, `restart` the policy in the
    template's words.
    """
    window = recent(crashes, now)
    if not window:
        return None
    last = crashes[-1]  # in the order they were noted: a clock may have been set back in between
    what = describe_exit(last.exit_code, oom_killed=last.oom_killed)
    if last.exit_code in fatal:
        return Problem("fatal-exit", f"Stopped after {what}.", _hint(last), last.at)
    if container.state is ContainerState.EXITED and restart != "unless-stopped":
        return Problem("exited", f"Ended: {what}.", _hint(last), last.at)
    if len(window) >= GIVE_UP_AT:
        return Problem(
            "crash-loop",
            f"Gave up after {len(window)} crashes in ten minutes; the last: {what}.",
            _hint(last),
            last.at,
        )
    return None


def _hint(crash: Crash) -> str:
    if crash.oom_killed:
        return "Give it more memory in its template, then restart it."
    if crash.exit_code in {126, 127}:
        return "Check the template's command and image, then restart it."
    return "Read its log, fix the problem, then restart it."


def with_exit(crash: Crash, exit_code: int | None, *, oom_killed: bool) -> Crash:
    """The crash with what the engine's event told, where the look came too late to see it."""
    code = crash.exit_code if crash.exit_code is not None else exit_code
    oom = (crash.oom_killed or oom_killed) and _may_be_oom(code)
    return replace(crash, exit_code=code, oom_killed=oom)


def _may_be_oom(exit_code: int | None) -> bool:
    """Whether a run that ended so may have run out of memory.

    The engine's OOMKilled alone doesn't say that: it is also set when the kernel killed a child,
    and it stays set while the program goes on and later ends for another reason.
    """
    return exit_code in (None, KILLED)
