"""Seven requests at once under one Discord fault, and what must be true afterwards.
Next door: test_discord_faults.py has the faults; ../loopback/faults.py makes them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.loopback import Invocation, Message
from tests.process.process import Place, a_secret, eventually, said

LATE = "About your request"
CALLBACK = r"^/interactions/.*/callback$"
FINAL = r"^/webhooks/.*/messages/@original$"
ACTS = 7
DEMO = ("one", "two", "three", "four")


@dataclass(frozen=True)
class Trouble:
    """One fault: where and how it strikes; `times` None means while the requests are handled."""

    name: str
    method: str
    path: str
    how: dict[str, Any]
    late: bool  # whether only a late answer can tell the people


@dataclass
class Asked:
    """One request: its name in a late answer, and the words of its outcome."""

    about: str
    words: str
    inv: Invocation


@dataclass
class Scene:
    """A place with four bots, for any number of rounds of requests."""

    place: Place
    rounds: int = 0
    secrets: dict[str, str] = field(default_factory=dict)

    async def furnish(self) -> None:
        """Create four running bots and stop the second."""
        await asyncio.gather(*(self.place.bot(name) for name in DEMO))
        await said(await self.place.ann.slash("bot stop", name="two"), "stopped")

    def runs(self, name: str) -> bool:
        found = self.place.controller.inspect(self.place.controller.bot_id(name))
        return found is not None and found["State"]["Running"]

    def late(self) -> list[Message]:
        """Every answer that came another way than through its interaction."""
        found = [*self.place.ann.dms, *self.place.cards]
        return [message for message in found if LATE in message.content]

    async def round(self, trouble: Trouble) -> None:
        """Ask for everything under that fault; then check the world and what was said."""
        place, controller = self.place, self.place.controller
        self.rounds += 1
        made, gone = f"made-{self.rounds}", f"gone-{self.rounds}"
        await place.create(gone)
        red = await place.ann.slash("bot delete", name=gone)
        await said(await place.ann.slash("bot secrets", name="four"), "direct message")
        form = await place.open_form("four")
        values = {"api_key": a_secret(), "channel_token": a_secret()}
        before, spun = len(self.late()), controller.started_at(controller.bot_id("three"))
        gone_id = controller.bot_id(gone)
        with place.world.fault(trouble.method, trouble.path, **trouble.how) as fault:
            asked = await self._ask(made, gone, red, form, values)
            assert await place.world.reached(lambda: fault.hits > 0, 5)
            await eventually(lambda: len(self._answered(asked, before)) == len(asked), 25)
        await eventually(lambda: not controller.owed(), 10)
        await self._check_world(made, gone_id, values, spun)
        self._check_words(asked, before, trouble)
        assert not controller.unended()
        assert not controller.trouble()
        await self._tidy(made)

    async def _ask(
        self, made: str, gone: str, red: Invocation, form: Any, values: dict[str, str]
    ) -> list[Asked]:
        ann = self.place.ann
        stop = await ann.slash("bot stop", name="one", wait=False)
        start = await ann.slash("bot start", name="two", wait=False)
        restart = await ann.slash("bot restart", name="three", wait=False)
        create = await ann.slash("bot create", name=made, template="brisk", wait=False)
        refused = await ann.slash("bot start", name="nobody", wait=False)
        delete = await ann.click(red, label=f"Delete {gone}", wait=False)
        secrets = await self.place.submit(form, **values)
        return [
            Asked("**stop** on **one**", "stopped", stop),
            Asked("**start** on **two**", "running", start),
            Asked("**restart** on **three**", "running", restart),
            Asked(f"**create** on **{made}**", "is created", create),
            Asked("**start** on **nobody**", "There is no bot of that name", refused),
            Asked(f"**delete** on **{gone}**", "Nothing is left of it", delete),
            Asked("**secrets** on **four**", "fingerprint", secrets),
        ]

    def _answered(self, asked: list[Asked], before: int) -> list[str]:
        """How each answer came: `own` or `late`; a repeated one is listed twice."""
        found = []
        late = self._since(before)
        for one in asked:
            if one.words in one.inv.text:
                found.append(f"own {one.about}")
            found += [
                f"late {one.about}"
                for message in late
                if f"({one.about})" in message.content and one.words in message.content
            ]
        return found

    def _since(self, before: int) -> list[Message]:
        return sorted(self.late(), key=lambda message: message.id)[before:]

    def _check_words(self, asked: list[Asked], before: int, trouble: Trouble) -> None:
        found = self._answered(asked, before)
        # A refusal is the first answer itself, so a fault in a later edit doesn't touch it.
        spared = "**nobody**" if trouble.path == FINAL else "\0"
        wanted = sorted(
            f"{'late' if trouble.late and spared not in one.about else 'own'} {one.about}"
            for one in asked
        )
        texts = [message.content for message in self._since(before)]
        assert sorted(found) == wanted, (sorted(found), texts)

    async def _check_world(
        self, made: str, gone_id: str, values: dict[str, str], spun: str
    ) -> None:
        controller = self.place.controller
        three = controller.bot_id("three")
        await eventually(lambda: not self.runs("one"))
        await eventually(lambda: self.runs("two"))
        await eventually(lambda: (controller.started_at_or_none(three) or "") > spun)
        await eventually(lambda: self.runs("four"))
        assert controller.rows("SELECT wish FROM bot WHERE name = ?", made) == [("run",)]
        assert controller.rows("SELECT 1 FROM bot WHERE id = ?", gone_id) == []
        assert gone_id not in controller.folders()
        for name, value in values.items():
            kept = controller.secrets_dir / controller.bot_id("four") / name
            assert kept.read_text() == value
        wishes = dict(controller.rows("SELECT name, wish FROM bot"))
        assert [wishes[name] for name in DEMO] == ["stop", "run", "run", "run"]

    async def _tidy(self, made: str) -> None:
        ann = self.place.ann
        start = await ann.slash("bot start", name="one")
        stop = await ann.slash("bot stop", name="two")
        await said(start, "running")
        await said(stop, "stopped")
        red = await ann.slash("bot delete", name=made)
        await said(await ann.click(red, label=f"Delete {made}"), "Nothing is left of it")
        await eventually(lambda: self.runs("one") and not self.runs("two"))


@contextlib.contextmanager
def closed(place: Place) -> Iterator[None]:
    """Ann accepts no direct messages."""
    place.ann.dm_closed = True
    try:
        yield
    finally:
        place.ann.dm_closed = False
