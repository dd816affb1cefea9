"""Several people who use their bots until the controller is killed, and then go on.

Next door: crash_driver.py creates the place, crash_checker.py looks at what is left.
"""

from __future__ import annotations

import asyncio
import contextlib
import random

from tests.loopback import Invocation, Person
from tests.process.process import a_secret
from tests.prove.crash_checker import Expected
from tests.prove.crash_driver import Driver
from tests.prove.crash_inside import is_whole

PEOPLE = ("ben", "cleo", "dan")
BOTS_EACH = 2
ACTIONS = (
    *("start", "stop", "restart", "restart", "delete", "secrets", "secrets", "create"),
    *("do", "edit"),  # only for bots with everything
)


class Load:
    """The people of one place. Each has their own bots and does one thing after another."""

    def __init__(self, driver: Driver, seed: int) -> None:
        self.driver, self.place = driver, driver.place
        self.rng = random.Random(seed)
        self.people = list(self.place.world.people.values())[1:]  # all but the server's owner
        self.told: dict[str, Invocation] = {}  # the last request for each bot
        self.asked = 0

    async def until_killed(self) -> None:
        """Everybody works until the controller is killed, at a random moment."""
        self.told.clear()
        work = [asyncio.create_task(self._work(person)) for person in self.people]
        await asyncio.sleep(self.rng.uniform(0.02, 1.2))
        await self.driver.controller.kill()
        for task in work:
            task.cancel()
        await asyncio.gather(*work, return_exceptions=True)

    async def look(self) -> list[str]:
        """What is wrong some seconds after the next start, while nobody asks for anything."""
        return await self.driver.checker.settled(Expected(told=list(self.told.values())))

    async def _work(self, person: Person) -> None:
        while True:
            # Something a person can't do just now (no such bot, an old button) isn't a loss.
            with contextlib.suppress(AssertionError, LookupError):
                await self._act(person)
            await asyncio.sleep(self.rng.uniform(0.0, 0.1))

    def _own(self, person: Person) -> list[str]:
        rows = self.driver.controller.rows("SELECT name FROM bot WHERE created_by = ?", person.id)
        return [str(name) for (name,) in rows]

    async def _act(self, person: Person) -> None:
        own, action = self._own(person), self.rng.choice(ACTIONS)
        if len(own) < BOTS_EACH and (not own or action == "create"):
            self.asked += 1
            template = self.rng.choice(("proof", "whole"))
            name = f"{person.name}-{template}{self.asked}"
            self.driver.checker.names.add(name)
            await self._note(name, await person.slash("bot create", name=name, template=template))
            await self._secrets(person, name)
            return
        name = self.rng.choice(own)
        self.told.pop(name, None)  # what was said before no longer needs to be true
        if action == "secrets":
            await self._secrets(person, name)
        elif action == "delete":
            asked = await person.slash("bot delete", name=name)
            await self._note(name, await person.click(asked, label=f"Delete {name}"))
        elif action in {"do", "edit"}:
            await self._inside(person, name, action)
        elif action != "create":
            await self._note(name, await person.slash(f"bot {action}", name=name))

    async def _inside(self, person: Person, name: str, action: str) -> None:
        if not is_whole(name):
            return
        if action == "do":
            self.driver.checker.asked[name] += 1
            await self._note(name, await person.slash("bot do", name=name, action="note"))
            return
        asked = await person.slash("bot edit", name=name)
        if asked.modal is not None:
            await self._note(name, await self.driver.change(asked.modal, person))

    async def _secrets(self, person: Person, name: str) -> None:
        """Enter secrets with the newest direct message's button, or one from a new /bot secrets."""
        found = [m for m in person.dms if f"**{name}** (" in m.content and m.labels()]
        if not found or self.rng.random() < 0.3:
            await person.slash("bot secrets", name=name)
            await asyncio.sleep(0.05)
            found = [m for m in person.dms if f"**{name}** (" in m.content and m.labels()]
        pressed = await person.click(found[-1], label="Enter secrets")
        if pressed.modal is None:
            return
        values = {"api_key": a_secret(), "channel_token": a_secret()}
        self.driver.checker.values.setdefault(name, set()).update(values.values())
        self.told.pop(name, None)
        await self._note(name, await self.place.submit(pressed.modal, person, **values))

    async def _note(self, name: str, inv: Invocation) -> None:
        self.told[name] = inv
        self.asked += 1
        with contextlib.suppress(AssertionError):
            await inv.until(lambda i: i.text, 6)
