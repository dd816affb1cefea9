"""Bots' states on their way into a backup: asked for by its writer, read by the loop.

The writer is a thread that takes the pieces as fast as it can encrypt them; the reader waits for
it, so a large volume never lies in memory. Nothing here outlives the controller.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable, Iterator

from controller.domain.bot import Bot
from controller.domain.errors import ControllerError, NotReady, OutcomeUnknown
from controller.domain.observation import Observation
from controller.fleet.blueprint import Blueprints
from controller.runtime import Runtime

PIECES_MOST = 4  # that wait for the writer
BEGIN_SECONDS = 120.0  # that the writer waits for a bot that has something else to do
PIECE_SECONDS = 600.0  # that either of both waits for the other


class Saving:
    """One bot's state on its way. Its methods may be called in any thread."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._pieces: queue.Queue[bytes | ControllerError | None] = queue.Queue(PIECES_MOST)
        self._given_up = threading.Event()
        self.begun = threading.Event()

    @property
    def wanted(self) -> bool:
        """Whether the writer still waits for it."""
        return not self._given_up.is_set()

    def put(self, piece: bytes) -> None:
        """Hand over the next piece; OutcomeUnknown when nobody takes it any more."""
        self._put(piece)

    def end(self, error: ControllerError | None = None) -> None:
        """Everything was handed over, or this is why not."""
        self._put(error)

    def _put(self, one: bytes | ControllerError | None) -> None:
        waited = 0.0
        while self.wanted and waited < PIECE_SECONDS:
            try:
                self._pieces.put(one, timeout=1)
            except queue.Full:
                waited += 1
            else:
                return
        if one is not None:
            raise OutcomeUnknown("The backup ended before the bot's state was read.")

    def pieces(self) -> Iterator[bytes]:
        """All of it, for the writer. Raises what kept it from being read, with the bot's name."""
        try:
            if not self.begun.wait(BEGIN_SECONDS):
                raise NotReady(
                    f"{self._name} was busy for two minutes, so its state couldn't be saved.",
                    hint="Try again later.",
                    code="busy",
                )
            while True:
                try:
                    piece = self._pieces.get(timeout=PIECE_SECONDS)
                except queue.Empty:
                    raise OutcomeUnknown(f"The state of {self._name} can't be read.") from None
                if isinstance(piece, ControllerError):
                    raise piece
                if piece is None:
                    return
                yield piece
        finally:
            self._given_up.set()


class Savings:
    """Which states are wanted. The loop carries out each when its bot has nothing else to do."""

    def __init__(
        self, runtime: Runtime, blueprints: Blueprints, poke: Callable[[str], None]
    ) -> None:
        self._runtime = runtime
        self._blueprints = blueprints
        self._poke = poke
        self._waiting: dict[str, Saving] = {}

    def ask(self, bot: Bot, loop: asyncio.AbstractEventLoop) -> Saving:
        """Ask for a bot's state, from the writer's thread."""
        saving = Saving(bot.name)

        def note() -> None:
            self._waiting[bot.id] = saving
            self._poke(bot.id)

        loop.call_soon_threadsafe(note)
        return saving

    def wanted(self, bot_id: str) -> bool:
        """Whether somebody waits for this bot's state."""
        saving = self._waiting.get(bot_id)
        return saving is not None and saving.wanted

    def must_stop(self, bot: Bot) -> bool:
        """Whether its template wants it stopped for that."""
        return self._how(bot) == "stop"

    async def carry_out(self, bot: Bot, container: Observation | None) -> None:
        """Read it. What goes wrong is the backup's trouble, never the bot's."""
        saving = self._waiting.pop(bot.id, None)
        if saving is None:
            return
        saving.begun.set()
        try:
            spec = None
            if container is None and self._blueprints.fitting(bot) is not None and bot.image:
                spec = self._blueprints.spec(bot)
            pause = self._how(bot) == "pause"
            await self._runtime.save_state(bot.id, spec, saving.put, pause=pause)
        except ControllerError as error:
            what = f"The state of {bot.name} can't be saved: {error.message}"
            # In a thread of its own: the writer may be slow to take it.
            threading.Thread(
                target=saving.end,
                args=(OutcomeUnknown(what, hint=error.hint, code=error.code),),
                daemon=True,
            ).start()
        else:
            threading.Thread(target=saving.end, daemon=True).start()

    def _how(self, bot: Bot) -> str:
        template = self._blueprints.known(bot)
        return template.state.backup if template and template.state else "pause"
