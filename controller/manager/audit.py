"""Who asked for what, and how it ended: one line a request, written before anything is done."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

from controller.domain.access import Person
from controller.domain.bot import Bot
from controller.domain.errors import Conflict, ControllerError, OutcomeUnknown
from controller.store import Entry, Store

SYSTEM = Person(0, name="BotMaker")
CUT_SHORT = "the controller was restarted; see its public message"


@dataclass(frozen=True, slots=True)
class Asker:
    """A person together with the id of the request, by which a request acts once."""

    person: Person
    request: str | None = None


@dataclass(slots=True)
class Outcome:
    """How a request ended, for the audit; set by whoever carries it out."""

    text: str = "done"


class Audit:
    """Writes and reads the audit."""

    def __init__(self, store: Store) -> None:
        self._store = store

    @contextlib.asynccontextmanager
    async def entry(
        self, asker: Asker, action: str, bot: Bot | None = None, detail: str = ""
    ) -> AsyncIterator[Outcome]:
        """Write the request down, let it be carried out, write down how it ended.

        Raises Conflict (code `duplicate`) when this very request is there already.
        """
        entry_id = await self._store.begin_entry(_entry(asker, action, bot, detail))
        if entry_id is None:
            raise Conflict("That was already asked and is being done.", code="duplicate")
        outcome = Outcome()
        try:
            yield outcome
        except OutcomeUnknown as error:
            outcome.text = f"not known: {error.code}"
            raise
        except ControllerError as error:
            outcome.text = f"refused: {error.code}"
            raise
        except asyncio.CancelledError:
            outcome.text = "the controller ended before it was known"
            raise
        except Exception:  # any bug of ours is an end that the audit must know; it goes on up
            outcome.text = "failed"
            raise
        finally:
            await self._store.end_entry(entry_id, outcome.text, time.time())

    async def refused(
        self, asker: Asker, action: str, bot: Bot | None, why: str, code: str = "denied"
    ) -> None:
        """Write down a request that was not let through."""
        now = time.time()
        entry = replace(_entry(asker, action, bot, why), outcome=f"refused: {code}", ended_at=now)
        await self._store.begin_entry(entry)

    async def note(self, action: str, bot: Bot, outcome: str) -> None:
        """Write down something that happened without anybody asking."""
        entry = _entry(Asker(SYSTEM), action, bot, "")
        await self._store.begin_entry(replace(entry, outcome=outcome, ended_at=time.time()))

    async def end_open(self) -> int:
        """End what a controller that died left open; how many requests. At the start only."""
        return await self._store.end_open_entries(CUT_SHORT, time.time())

    async def history(self, bot_id: str = "", limit: int = 20) -> list[Entry]:
        """The newest lines, newest first."""
        return await self._store.entries(bot_id, limit)


def _entry(asker: Asker, action: str, bot: Bot | None, detail: str) -> Entry:
    return Entry(
        at=time.time(),
        request=asker.request,
        user_id=asker.person.user_id,
        user_name=asker.person.name,
        action=action,
        bot_id=bot.id if bot else "",
        bot_name=bot.name if bot else "",
        detail=detail,
    )
