"""What is owed to a bot's runs, and what is already known about runs that ended.

A run is one life of a bot's process. Its name is the container's StartedAt in the engine's own
words: comparing names for equality needs no agreement between two clocks, and acts only once.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from controller.domain.observation import Observation

# In place of a run's name: whichever run the next look finds. The run that was seen last may be
# over, and its successor may have begun too early to know what was changed.
PRESENT = "present"
# Seconds after a run's end within which the engine still notes its last lines.
LAST_LINES = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """The part of a bot's row that is about its runs. It changes by the functions below only."""

    to_end: str = ""  # the run that has to be over: a restart was asked for
    to_reload: str = ""  # the run that has to read replaced secrets, where the program can do that
    # The end of a run, in the engine's time, that has been accounted for. Any other end is news.
    # It is in the row so that a restart of the controller neither forgets a crash nor takes an old
    # stop for one.
    accounted_end: float = 0.0
    # Log lines before this moment aren't shown: they may hold a secret that was replaced since, and
    # a controller that started later couldn't know it. Seconds since the epoch.
    log_floor: float = 0.0

    @property
    def owes(self) -> bool:
        """Whether the present run still has to end or to reload."""
        return bool(self.to_end or self.to_reload)

    def end(self, name: str) -> Run:
        """The run of that name, or the PRESENT one, has to be over.

        A name never takes the place of PRESENT: whoever knows it may not have seen the newest run.
        """
        return self if self.to_end == PRESENT else replace(self, to_end=name)

    def reload(self, name: str) -> Run:
        """The run of that name, or the PRESENT one, has to read its secrets again."""
        return replace(self, to_reload=name)

    def hide_log(self, before: float) -> Run:
        """Don't show log lines from before that moment."""
        return replace(self, log_floor=before)

    def reloaded(self, name: str, at: float) -> Run:
        """That run has read its secrets. If they were replaced again meanwhile, it still owes."""
        if self.to_reload != name:
            return self
        return replace(self, to_reload="", log_floor=at)

    def end_instead(self, name: str) -> Run:
        """The reload that was owed to that run didn't work: its secrets come with a new run."""
        if self.to_reload != name:
            return self
        return replace(self, to_reload="", to_end=name)

    def account(self, end: float) -> Run:
        """That end is accounted for."""
        return replace(self, accounted_end=end)

    def name_present(self, seen: Observation | None) -> Run:
        """Give the present run its name, where something is owed to whichever that is."""
        if seen is None or not seen.state.active or not seen.started_at:
            return self
        return replace(
            self,
            to_end=seen.started_at if self.to_end == PRESENT else self.to_end,
            to_reload=seen.started_at if self.to_reload == PRESENT else self.to_reload,
        )


def is_over(name: str, seen: Observation | None) -> bool:
    """Whether the run of that name has ended, as far as this look tells."""
    return seen is None or seen.started_at != name or not seen.state.active


def raised_floor(floor: float, before: Observation | None, after: Observation | None) -> float:
    """Where a bot's log may be shown from once a run is over.

    What a run wrote after its secrets were replaced, while it still used the old ones, stays hidden
    too. Never from a run's own start: the engine notes that a moment after the first lines, and a
    run's end a moment before its last ones (measured on 20.10). So the floor lies between the two
    where both are known, and just behind the end where no new run has begun.
    """
    was_that_run = before is None or before.started < floor
    if not floor or after is None or not after.finished_at or not was_that_run:
        return floor
    if after.started > after.finished_at:
        return max(floor, (after.finished_at + after.started) / 2)
    return max(floor, after.finished_at + LAST_LINES)
