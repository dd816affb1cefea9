"""Commands that run in a bot's container, or wait for their turn: at most one of a bot at a time.

People queue them through `manager/actions.py`. Only the loop begins them and gives them up, so it
stays the one writer. Nothing here outlives the controller: whoever still waits then is told so.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from controller.domain.errors import ControllerError, NotFound, NotReady, OutcomeUnknown
from controller.runtime import ProbeResult, Runtime

WAITING_MAX = 3  # a bot, beside the one that runs
BEGIN_WITHIN = 60.0  # seconds that a person waits for their turn


@dataclass(slots=True)
class _Errand:
    """One command, and the future that tells who waits how it ended."""

    title: str
    command: tuple[str, ...]
    timeout: float
    end: asyncio.Future[ProbeResult]
    begun: asyncio.Event = field(default_factory=asyncio.Event)


class Errands:
    """What is queued for each bot, and what runs in it now."""

    def __init__(self, runtime: Runtime, poke: Callable[[str], None]) -> None:
        self._runtime = runtime
        self._poke = poke
        self._waiting: dict[str, deque[_Errand]] = {}
        self._running: dict[str, tuple[_Errand, asyncio.Task[None]]] = {}
        self.begin_within = BEGIN_WITHIN

    async def ask(
        self, bot_id: str, title: str, command: tuple[str, ...], limit: float
    ) -> ProbeResult:
        """Have the command run when its turn comes, and wait for its end.

        Raises NotReady (`busy`, `not-running`) with nothing done, and OutcomeUnknown.
        """
        queue = self._waiting.setdefault(bot_id, deque())
        if len(queue) >= WAITING_MAX:
            raise _busy("Others are already waiting for the same bot.")
        errand = _Errand(title, command, limit, asyncio.get_running_loop().create_future())
        # Whoever gave up waiting doesn't ask how it ended.
        errand.end.add_done_callback(lambda end: end.cancelled() or end.exception())
        queue.append(errand)
        self._poke(bot_id)
        try:
            await self._wait_for_turn(errand)
            return await errand.end
        finally:
            with contextlib.suppress(ValueError):
                queue.remove(errand)

    async def _wait_for_turn(self, errand: _Errand) -> None:
        begun = asyncio.ensure_future(errand.begun.wait())
        either: set[asyncio.Future[Any]] = {begun, errand.end}
        try:
            await asyncio.wait(
                either,
                timeout=self.begin_within,
                return_when=asyncio.FIRST_COMPLETED,
            )
        finally:
            begun.cancel()
        if not errand.begun.is_set() and not errand.end.done():
            raise _busy("The bot was busy with something else for a minute.")

    def busy(self, bot_id: str) -> bool:
        """Whether a command runs in the bot now."""
        return bot_id in self._running

    def begin(self, bot_id: str) -> None:
        """The bot was just seen running, with nothing else to do: begin what has waited longest."""
        queue = self._waiting.get(bot_id)
        if not queue or bot_id in self._running:
            return
        errand = queue.popleft()
        errand.begun.set()
        task = asyncio.create_task(self._run(bot_id, errand), name=f"errand-{bot_id}")
        self._running[bot_id] = (errand, task)

    def give_up(self, bot_id: str, why: str) -> None:
        """The bot's run is about to end, for a reason in words: nobody waits any longer."""
        self.refuse(bot_id, not_running(f"The bot {why}."))
        running = self._running.pop(bot_id, None)
        if running is not None:
            errand, task = running
            _fail(
                errand,
                OutcomeUnknown(
                    f"The bot {why}; nobody knows whether “{errand.title}” was done.",
                    hint="See how the bot is, then try again.",
                ),
            )
            task.cancel()

    def refuse(self, bot_id: str, why: ControllerError) -> None:
        """Tell those who wait that their turn won't come. What runs goes on."""
        for errand in self._waiting.pop(bot_id, ()):
            _fail(errand, why)

    def close(self) -> None:
        """The controller ends."""
        for bot_id in [*self._waiting, *self._running]:
            self.give_up(bot_id, "was left alone when the controller ended")

    async def _run(self, bot_id: str, errand: _Errand) -> None:
        try:
            result = await self._runtime.execute(bot_id, errand.command, errand.timeout, asked=True)
        except NotFound:
            _fail(errand, not_running("The bot no longer has a container."))
        except ControllerError as error:
            _fail(errand, error)
        except asyncio.CancelledError:
            _fail(errand, OutcomeUnknown("It was given up; nobody knows whether it was done."))
            raise
        except Exception as error:  # noqa: BLE001 - a bug of ours ends the waiting, not the loop
            _fail(errand, error)
        else:
            if not errand.end.done():
                errand.end.set_result(result)
        finally:
            # If it was given up, its place may already be another's.
            if self._running.get(bot_id, (None,))[0] is errand:
                del self._running[bot_id]
            self._poke(bot_id)


def not_running(why: str) -> NotReady:
    """The refusal of a command for a bot that isn't running."""
    return NotReady(why, hint="Start it, then try again.", code="not-running")


def _busy(why: str) -> NotReady:
    return NotReady(f"{why} Nothing was done.", hint="Try again in a minute.", code="busy")


def _fail(errand: _Errand, error: Exception) -> None:
    if not errand.end.done():
        errand.end.set_exception(error)
