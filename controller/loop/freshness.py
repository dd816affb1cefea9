"""Whether a look shows what is, or what was before: an answer may be older than the last one.

What runs are called makes that certain without comparing clocks: a run that was followed by another
never comes back, one that ended doesn't go on, and a container that was replaced stays gone.
Absence has no name, so it's believed only when two looks in a row show it.
"""

from __future__ import annotations

from dataclasses import dataclass

from controller.domain.observation import ContainerState, Observation

DOUBTS_MAX = 3  # looks in a row that are doubted; the next one is believed, whatever it shows
NAMES_KEPT = 32  # of one bot's former containers and runs
_GOING_ON = {ContainerState.RUNNING, ContainerState.PAUSED}
# How far a run is. It may wait for its successor, but it never goes back; other states: it's over.
_ORDER = {ContainerState.RUNNING: 0, ContainerState.PAUSED: 0, ContainerState.RESTARTING: 1}


@dataclass(slots=True)
class _Seen:
    """What was seen of one bot."""

    last: Observation | None = None
    former: tuple[str, ...] = ()
    doubts: int = 0
    may_be_gone: bool = False  # whether we have it removed: its absence is no surprise
    removed_by_us: str = ""  # the container that we had removed last
    runs: bool = False  # whether we have started it since the last look


class Freshness:
    """Remembers the runs of every bot, and doubts a look that shows a former one."""

    def __init__(self) -> None:
        self._bots: dict[str, _Seen] = {}

    def doubts(self, bot_id: str, look: Observation | None) -> bool:
        """Whether to look again before anything is done. A look that isn't doubted is noted."""
        seen = self._bots.setdefault(bot_id, _Seen())
        if _is_doubtful(seen, look):
            if seen.doubts < DOUBTS_MAX:
                seen.doubts += 1
                return True
            seen.former = ()  # what was concluded from them was wrong
        _note(seen, look)
        return False

    def is_removed(self, bot_id: str, look: Observation | None) -> bool:
        """Whether the container that was there is gone, and not by us. Ask before `doubts`."""
        seen = self._bots.get(bot_id)
        if look is not None or seen is None or seen.last is None:
            return False
        # By name, because a look from before our removal may have shown it once more.
        return seen.last.container_id != seen.removed_by_us

    def expect_removal(self, bot_id: str) -> None:
        """We have the container removed: its absence needs no second look."""
        seen = self._bots.get(bot_id)
        if seen is not None:
            seen.may_be_gone = True
            seen.removed_by_us = "" if seen.last is None else seen.last.container_id

    def expect_return(self, bot_id: str, container: Observation) -> None:
        """We have a parked container become the bot's own again: it's no look from before."""
        seen = self._bots.get(bot_id)
        if seen is not None:
            for name in (container.container_id, container.started_at):
                seen.former = tuple(one for one in seen.former if one != name)

    def expect_run(self, bot_id: str) -> None:
        """We have started the container: a look that shows it before its start is out of date."""
        seen = self._bots.get(bot_id)
        if seen is not None:
            seen.runs = True

    def forget(self, bot_id: str) -> None:
        """The bot is gone."""
        self._bots.pop(bot_id, None)


def _is_doubtful(seen: _Seen, look: Observation | None) -> bool:
    if look is None:
        return seen.last is not None and not seen.doubts and not seen.may_be_gone
    if look.container_id in seen.former or look.started_at in seen.former:
        return True
    last = seen.last
    if last is None or last.container_id != look.container_id:
        return False
    if seen.runs and last.started_at == look.started_at and last.state not in _GOING_ON:
        return True
    if last.started_at != look.started_at:
        return not look.started_at  # it ran, so it can't be as it was before its first run
    return bool(look.started_at) and _ORDER.get(look.state, 2) < _ORDER.get(last.state, 2)


def _note(seen: _Seen, look: Observation | None) -> None:
    last, seen.last = seen.last, look
    seen.doubts, seen.may_be_gone, seen.runs = 0, False, False
    if last is None:
        return
    if look is None or look.container_id != last.container_id:
        seen.former = (*seen.former, last.container_id)[-NAMES_KEPT:]
    if last.started_at and (look is None or look.started_at != last.started_at):
        seen.former = (*seen.former, last.started_at)[-NAMES_KEPT:]
