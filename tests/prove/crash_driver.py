"""The driver that brings a bot to a point at which the controller is killed, and back.

Next door: crash_points.py names the points, crash_checker.py looks at what is left.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path

import docker

from tests.loopback import Invocation, Modal, Person
from tests.process import fork_server
from tests.process.process import BRISK, Controller, Place, a_secret, eventually, open_place, said
from tests.prove.crash_checker import Checker, Expected
from tests.prove.crash_controller import SIZE, TRACE, TRAP
from tests.prove.crash_inside import UPDATE, WHOLE, WRONG, is_whole
from tests.prove.crash_pages import PAGED
from tests.prove.crash_points import AFTER, BEFORE, FAILS, OF_A_WHOLE, SUBMITS, UNTOUCHED, Point

PROOF = (
    BRISK.replace('id = "brisk"', 'id = "proof"', 1)
    + '\n[[files]]\npath = "/etc/proof/proof.json"\nformat = "json"\n'
    + '[files.content]\nmodel = "{{provider/model}}"\n'
    + UPDATE
)


class Armed(Controller):
    """The controller with points; none is armed until `arm` is called."""

    _at_start: Point | None = None

    def disarm(self) -> None:
        (self.folder / TRAP).open("ab").close()
        with (self.folder / TRAP).open("r+b") as file:
            file.write(b"\0" * SIZE)

    def arm(self, point: Point, later: int = 0) -> None:
        """Kill it at that point, or so many milliseconds later."""
        name, _, nth = point.name.partition("#")
        moment = later or (4 if name.endswith(":during") else 0)
        self._write(f"kill|{name}|{nth or 1}|{moment}")

    async def killed_at_its_start(self, point: Point) -> None:
        """Start it, and kill it at that point before it serves anyone."""
        self._at_start = point
        await self.launch()
        assert self.process is not None
        await asyncio.wait_for(self.process.wait(), 8)

    def trace(self) -> None:
        """Write down every point that is passed."""
        self._write(TRACE)

    def traced(self) -> list[str]:
        return (self.folder / TRACE).read_text().split()

    def _write(self, text: str) -> None:
        with (self.folder / TRAP).open("r+b") as file:
            file.write(text.encode().ljust(SIZE, b"\0"))

    async def launch(self, *_: str) -> None:
        assert self.process is None or self.process.returncode is not None
        self.disarm()
        if self._at_start is not None:
            self.arm(self._at_start)
            self._at_start = None
        with self.log_path.open("ab") as log:
            self.process = await fork_server.start(
                cwd=self.folder,
                env=self.env,
                stdout=log,
                stderr=log,
                module="tests.prove.crash_controller",
            )


class Driver:
    """Ann and her bots: brings one to the state a point needs, and checks what became of it."""

    def __init__(self, place: Place, controller: Armed) -> None:
        self.place, self.controller = place, controller
        self.checker = Checker(place, controller)
        self.bots: dict[str, str] = {}  # name: created, running or stopped
        self._made = 0

    async def case(self, point: Point, rng: random.Random, *, plain: bool = False) -> list[str]:
        """One kill at that point and one start; returns what is wrong afterwards."""
        name = await self.have(BEFORE[point.operation], whole=point.operation in OF_A_WHOLE)
        await self.have("running", other_than=name)
        prepared = await self.prepare(point.operation, name)
        if point.operation in FAILS:
            self.checker.failing.add(name)
        running = [n for n, state in self.bots.items() if state == "running" and n != name]
        busy = "" if plain or rng.random() < 0.5 else rng.choice(running)
        expected = Expected(time.time(), {name: 1} | ({busy: 1} if busy else {}))
        if point.operation in UNTOUCHED:
            expected.acted[name] = 0
            running.append(name)
        for other in running:
            run = self.checker.run_of(self.controller.bot_id(other))
            if other != busy and run is not None:
                expected.untouched[self.controller.bot_id(other)] = run
        self.controller.arm(point, 0 if plain else rng.choice([0, 0, 0, 3, 15]))
        if busy and rng.random() < 0.5:
            await self.place.ann.slash("bot restart", name=busy, wait=False)
        inv = await self.act(point.operation, name, prepared)
        expected.told += [inv] if inv else []
        if busy:
            await self.place.ann.slash("bot restart", name=busy, wait=False)
            expected.acted[busy] = 2
        await self.killed(point)
        await self.controller.start()
        if inv and not plain and rng.random() < 0.3:
            await self._deliver_again(inv)
        found = await self.checker.settled(expected)
        if not found:
            await self.finish(point.operation, name)
        return found

    async def killed(self, point: Point) -> None:
        assert self.controller.process is not None
        try:
            await asyncio.wait_for(self.controller.process.wait(), 8)
        except TimeoutError:
            self.controller.disarm()
            raise AssertionError(f"{point} was never reached") from None

    async def _deliver_again(self, inv: Invocation) -> None:
        """Deliver the same request again: it takes effect now if it didn't before."""
        asked = "SELECT 1 FROM journal WHERE kind = 'asked' AND request = ?"
        before = self.controller.rows(asked, f"discord:{inv.id}")
        await self.place.world.deliver_again(inv)
        await self.place.ann.slash("bot list")
        if not before:
            with contextlib.suppress(AssertionError):  # refused: the bot is gone
                await eventually(lambda: self.controller.rows(asked, f"discord:{inv.id}"), 0.5)

    # Bots in a given state.

    async def have(self, state: str, other_than: str = "", *, whole: bool = False) -> str:
        if state != "none":
            found = [
                name
                for name, present in self.bots.items()
                if present == state and name != other_than and is_whole(name) is whole
            ]
            if found:
                return found[0]
        self._made += 1
        name = f"{'whole' if whole else 'bot'}{self._made}"
        self.checker.names.add(name)
        if state == "none":
            return name
        await self.finish("create", name)
        if state in ("running", "stopped"):
            await self.finish("secrets", name)
        if state == "stopped":
            await self.finish("stop", name)
        if state == "changed":
            await self.finish("secrets", name)
            await self._changed(name)
            self.bots[name] = state
        return name

    async def _changed(self, name: str) -> None:
        """Change the bot's settings, so that it has two releases that work."""
        await self.act("edit", name, await self.prepare("edit", name))
        good = "SELECT 1 FROM releases JOIN bot ON id = bot_id WHERE name = ? AND outcome = 'good'"
        await eventually(lambda: len(self.controller.rows(good, name)) >= 2)

    async def prepare(self, operation: str, name: str) -> Modal | Invocation | None:
        if operation in SUBMITS:
            first = SUBMITS[operation] == "created"
            return await (self._form if first else self._new_form)(name)
        if operation in {"edit", "fail"}:
            return await (await self.place.ann.slash("bot edit", name=name)).modal_sent
        if operation == "delete":
            return await self.place.ann.slash("bot delete", name=name)
        if operation == "restore":
            return await self._snapshots(name)
        return None

    async def _snapshots(self, name: str) -> Invocation:
        """The list of a bot's snapshots; a rollback takes one if there is none yet."""
        if not self._archives(name):
            await self.act("rollback", name, None)
            await eventually(lambda: self._archives(name))
            await self.finish("rollback", name)
        return await self.place.ann.slash("bot snapshots", name=name)

    def _archives(self, name: str) -> list[int]:
        """The numbers of a bot's snapshots."""
        home = self.controller.data / "snapshots" / self.controller.bot_id(name)
        return sorted(int(file.name.partition(".")[0]) for file in home.glob("*.tar"))

    async def _form(self, name: str) -> Modal:
        """A usable form: the one in the direct message, or a new one."""
        with contextlib.suppress(AssertionError, IndexError):
            return await self._open(name)
        return await self._new_form(name)

    async def _new_form(self, name: str) -> Modal:
        sent = len(self.place.ann.dms)
        await said(await self.place.ann.slash("bot secrets", name=name), "direct message")
        await eventually(lambda: len(self.place.ann.dms) > sent)
        return await self._open(name)

    async def _open(self, name: str) -> Modal:
        found = [m for m in self.place.ann.dms if f"**{name}** (" in m.content and m.labels()]
        clicked = await self.place.ann.click(found[-1], label="Enter secrets")
        return await clicked.modal_sent

    async def act(
        self, operation: str, name: str, prepared: Modal | Invocation | None
    ) -> Invocation | None:
        """Ask for it without waiting; None where nobody asks, because the bot does it."""
        ann = self.place.ann
        if operation == "crash":
            return self.crash(name)
        if operation == "create":
            template = "whole" if is_whole(name) else "proof"
            return await ann.slash("bot create", name=name, template=template, wait=False)
        if operation == "delete":
            assert isinstance(prepared, Invocation)
            return await ann.click(prepared, label=f"Delete {name}", wait=False)
        if operation == "restore":
            assert isinstance(prepared, Invocation)
            bot_id, number = self.controller.bot_id(name), self._archives(name)[0]
            address = f"restore:{bot_id}:{number}-{int(time.time()) + 60}"
            return await ann.click(prepared, custom_id=address, forged=True, wait=False)
        if operation == "do":
            self.checker.asked[name] += 1
            return await ann.slash("bot do", name=name, action="note", wait=False)
        if operation in {"edit", "fail"}:
            assert isinstance(prepared, Modal)
            return await self.change(prepared, fails=operation == "fail")
        if operation not in SUBMITS:
            return await ann.slash(f"bot {operation}", name=name, wait=False)
        assert isinstance(prepared, Modal)
        wrong = WRONG if operation == "wrong" else ""
        values = {"api_key": f"{wrong}{a_secret()}", "channel_token": a_secret()}
        self.checker.values.setdefault(name, set()).update(values.values())
        return await self.place.submit(prepared, **values)

    def crash(self, name: str) -> None:
        """Have the bot's process end as a crash ends it; the engine starts it again."""
        found = self.controller.inspect(self.controller.bot_id(name))
        assert found is not None
        self.checker.crashed[name] += 1
        os.kill(found["State"]["Pid"], signal.SIGKILL)

    async def change(
        self, page: Modal, person: Person | None = None, *, fails: bool = False
    ) -> Invocation:
        """Submit a page of settings with a different interval than it shows. One that `fails` has
        the program end at its start."""
        values = {field["custom_id"]: field["value"] or "" for field in page.fields}
        values["interval"] = "3" if values["interval"] == "2" else "2"
        if fails:
            values["behaviour"] = ["exit"]
        return await (person or self.place.ann).submit(page, values, wait=False)

    async def finish(self, operation: str, name: str) -> None:
        """Get it done after all: ask again for whatever the kill lost."""
        if operation not in FAILS and not self._done(operation, name):
            await self.act(operation, name, await self.prepare(operation, name))
        await eventually(lambda: self._done(operation, name))
        self.bots[name] = AFTER[operation]
        if operation == "delete":
            del self.bots[name]
        found = await self.checker.settled(Expected())
        assert not found, f"after {operation} of {name}: {found}"

    def _done(self, operation: str, name: str) -> bool:
        rows = {bot["name"]: bot for bot in self.checker.bots()}
        if operation == "delete" or name not in rows:
            return operation == "delete" and name not in rows
        running = self.checker.run_of(rows[name]["id"]) is not None
        return {"create": True, "stop": not running}.get(operation, running)


@contextlib.asynccontextmanager
async def open_driver(
    folder: Path, engine: docker.APIClient, *people: str
) -> AsyncIterator[Driver]:
    """A place whose controller can be killed; the end checks for leaks and tracebacks."""
    folder.mkdir(parents=True, exist_ok=True)
    async with open_place(folder, engine, start=False) as place:
        (folder / "templates" / "proof.toml").write_text(PROOF)
        (folder / "templates" / "whole.toml").write_text(WHOLE)
        (folder / "templates" / "paged.toml").write_text(PAGED)
        armed = Armed(place.world, engine, folder)
        admins = [place.ann, *(place.world.person(name) for name in people)]
        armed.env = dict(place.controller.env)
        armed.env["BOTMAKER_ADMIN_USER_IDS"] = ",".join(str(person.id) for person in admins)
        place.controller = armed
        await armed.start()
        await place.welcomed()
        try:
            yield Driver(place, armed)
            assert not armed.leaks(), "a secret is where it must not be"
            assert not armed.trouble(), armed.trouble()
        finally:
            if armed.running:
                await armed.kill()
