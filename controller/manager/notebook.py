"""What an edge has to remember across restarts: its cards, the answers it owes or gave, small
facts."""

from __future__ import annotations

from controller.store import Card, KeptAnswer, Owed, Store


class Notebook:
    """Reads and writes what belongs to an edge alone. No use-case depends on it."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def recall(self, key: str) -> str:
        """A remembered fact, or an empty text."""
        return await self._store.recall(key)

    async def remember(self, key: str, value: str) -> None:
        """Remember a fact about the installation."""
        async with self._store.transaction() as write:
            await write.remember(key, value)

    async def cards(self) -> list[Card]:
        """Every card, also of bots that are gone and whose last edit is still due."""
        return await self._store.cards()

    async def save_card(self, card: Card) -> None:
        """Remember what was published where."""
        async with self._store.transaction() as write:
            await write.save_card(card)

    async def drop_card(self, bot_id: str) -> None:
        """Forget a card."""
        async with self._store.transaction() as write:
            await write.drop_card(bot_id)

    async def owed(self, reply_via: str) -> list[Owed]:
        """The answers that this edge owes, oldest first."""
        return [owed for owed in await self._store.owed() if owed.reply_via == reply_via]

    async def keep_owed(self, owed: Owed) -> Owed:
        """Keep the words of an answer; what was noted with its request stays."""
        async with self._store.transaction() as write:
            return await write.keep_owed(owed)

    async def drop_owed(self, request: str) -> None:
        """The answer was given, or is given up."""
        async with self._store.transaction() as write:
            await write.drop_owed(request)

    async def kept_answer(self, request: str) -> KeptAnswer | None:
        """What was answered to a request that may come again, if it came before."""
        return await self._store.kept_answer(request)

    async def keep_answer(self, kept: KeptAnswer) -> None:
        """Keep it for a day."""
        async with self._store.transaction() as write:
            await write.keep_answer(kept)

    async def drop_answer(self, request: str) -> None:
        """Forget it: nothing was done."""
        async with self._store.transaction() as write:
            await write.drop_answer(request)

    async def number_of(self, request: str) -> int:
        """The number of the journal's entry of a request; 0 when nothing was written down."""
        asked = await self._store.asked(request=request)
        return asked.seq if asked else 0
