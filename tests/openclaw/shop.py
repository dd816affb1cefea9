"""A controller with a real OpenClaw behind it, and both services that the bot talks to, on this
machine. Next door: telegram.py and model.py, the services; ../process/process.py, controller."""

from __future__ import annotations

import contextlib
import io
import json
import re
import secrets
import tarfile
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
from aiohttp import web

from tests.conftest import bridge_address
from tests.loopback import Invocation
from tests.openclaw.model import Model
from tests.openclaw.telegram import Telegram
from tests.process.process import Place, disguises, environment_of, open_place, said

ANN = 777001  # Ann's id in the stand-in's Telegram
PERSONA = "You are Claw, the keeper of the stand-in.\nYou never mention the weather."
START = 150.0  # seconds until it runs: it needs ten of its own, on a machine that does much else


def a_token() -> str:
    """A value of the form of a Telegram token."""
    return f"{secrets.randbelow(9 * 10**9) + 10**9}:{secrets.token_hex(17)}x"


def a_key() -> str:
    """A value of the form of a provider's key."""
    return f"sk-stand-in-{secrets.token_hex(20)}"


@dataclass
class Shop:
    """The place, the two services, and where the bot finds them."""

    place: Place
    telegram: Telegram
    model: Model
    url: str

    @property
    def engine(self) -> docker.APIClient:
        return self.place.controller.engine

    def admit(self, token: str = "", key: str = "") -> tuple[str, str]:
        """A token and a key that the services take from now on, and that must never leak."""
        token, key = token or a_token(), key or a_key()
        self.telegram.tokens.add(token)
        self.model.keys.add(key)
        self.place.controller.entered += [token, key]
        return token, key

    async def edit(self, name: str, page: str = "", **values: str) -> Invocation:
        """Ann changes these settings of the page; the others stay as the form shows them."""
        opened = await self.place.ann.slash("bot edit", name=name, page=page or None)
        modal = await opened.modal_sent
        fields = {field["custom_id"]: field["value"] or "" for field in modal.fields}
        assert set(values) <= set(fields), (sorted(fields), sorted(values))
        return await self.place.ann.submit(modal, {**fields, **values})

    async def prepare(self, name: str, template: str = "openclaw", **settings: str) -> None:
        """Ann makes a bot and sets it up; it waits for its secrets."""
        await self.place.create(
            name,
            template,
            provider="openai-compatible",
            model="small",
            channel="telegram",
        )
        wanted = {"base_url": f"{self.url}/v1", "api_root": self.url, **settings}
        for page in dict.fromkeys(self.page_of(field) for field in wanted):
            mine = {f: value for f, value in wanted.items() if self.page_of(f) == page}
            await said(await self.edit(name, page, **mine), "it still waits for its secrets")

    def page_of(self, field: str) -> str:
        """The page of settings that a field of a Telegram bot is on."""
        from controller.catalog import load
        from controller.chat.forms.pages import settings_pages
        from tests.openclaw.samples import bot

        template = load().get("openclaw")
        shaped = bot(template, "openai-compatible", "telegram")
        pages = settings_pages(template.fields_for(shaped.provider, shaped.channel))
        return next(page.key for page in pages if field in {f.name for f in page.inputs})

    async def hand_over(self, name: str, token: str, key: str) -> Invocation:
        """Ann fills in the form; returns without waiting."""
        form = await self.place.open_form(name)
        return await self.place.submit(form, api_key=key, channel_token=token)

    async def running(self, name: str, template: str = "openclaw", **settings: str) -> str:
        """A bot that runs; returns its id."""
        token, key = self.admit()
        await self.prepare(name, template, **settings)
        await self.hand_over(name, token, key)
        await self.place.card_says(name, "running", START)
        return self.place.controller.bot_id(name)

    async def act(self, name: str, action: str, **values: str) -> Invocation:
        """Ann runs an action and waits for what it says."""
        asked = await self.place.ann.slash("bot do", name=name, action=action)
        if values:
            asked = await self.place.ann.submit(await asked.modal_sent, values, wait=False)
        return await asked.until(lambda i: i.message is not None and not i.message.loading, 90)

    async def answered(
        self, text: str, answer: str, person: int = ANN, within: float = 90
    ) -> float:
        """A person writes, and the model's answer arrives; how long that took."""
        self.model.answer = answer
        began = time.monotonic()
        self.telegram.write(person, text)

        def seen() -> bool:
            return any(answer in one for one in self.telegram.seen_by(person))

        await self.telegram.until(seen, within, "the reply")
        return time.monotonic() - began

    # What it left.

    def container(self, bot_id: str) -> dict[str, Any]:
        found = self.place.controller.inspect(bot_id)
        assert found is not None
        return found

    def peak_memory(self, bot_id: str) -> int:
        """The most memory that the container ever had, in bytes."""
        usage = self.engine.stats(f"botmaker-{bot_id}", stream=False)["memory_stats"]
        return int(usage.get("max_usage") or usage["usage"])

    def memory(self, bot_id: str) -> int:
        """What it has now, without the page cache."""
        usage = self.engine.stats(f"botmaker-{bot_id}", stream=False)["memory_stats"]
        cache = usage["stats"].get("total_inactive_file", usage["stats"].get("inactive_file", 0))
        return int(usage["usage"]) - int(cache)

    def leaks(self, bot_id: str) -> list[str]:
        """Where, beside its own secrets folder, a value of the bot's can be found."""
        home = self.place.controller.secrets_dir / bot_id
        values = {file.read_text() for file in home.iterdir()} | {*self.place.controller.entered}
        values.discard("")
        assert len(values) >= 4  # two tokens, a key, the gateway's own
        found = list(self.place.controller.leaks())
        for where, text in self._traces(bot_id):
            for value in values:
                found += [f"{where}: {d}" for d in disguises(value) if d in text]
        return found

    def _traces(self, bot_id: str) -> list[tuple[str, str]]:
        name = f"botmaker-{bot_id}"
        made = self.container(bot_id)
        logs = self.engine.logs(name, stdout=True, stderr=True).decode("latin-1")
        found = [("inspect", json.dumps(made)), ("container log", logs)]
        found.append(("processes", environment_of(made["State"]["Pid"])))
        found += [("state volume", text) for text in self._tree(name, "/home/node/.openclaw")]
        # The tmpfs is not in an archive of the container: it is read from within.
        told = self.engine.exec_create(name, ["sh", "-c", "cat $(find /tmp -type f) 2>/dev/null"])
        found.append(("/tmp", self.engine.exec_start(told["Id"]).decode("latin-1")))
        return found

    def _tree(self, name: str, path: str) -> list[str]:
        stream, _ = self.engine.get_archive(name, path)
        texts = []
        with tarfile.open(fileobj=io.BytesIO(b"".join(stream))) as archive:
            for member in archive:
                if member.isfile():
                    content = archive.extractfile(member)
                    texts.append(content.read().decode("latin-1") if content else "")
        return texts

    def pairing_code(self, person: int = ANN) -> str:
        """The code that stands in what the bot wrote to that person."""
        for text in self.telegram.seen_by(person):
            if found := re.search(r"\b[A-HJ-NP-Z2-9]{8}\b", text):
                return found[0]
        return ""


@contextlib.asynccontextmanager
async def open_shop(folder: Path, engine: docker.APIClient, **env: str) -> AsyncIterator[Shop]:
    """Controller and services, and in the end nothing of them."""
    telegram, model = Telegram(), Model()
    app = web.Application()
    app.add_routes([*telegram.routes(), *model.routes()])
    runner = web.AppRunner(app, shutdown_timeout=1)
    await runner.setup()
    site = web.TCPSite(runner, bridge_address(engine), 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    wanted = {"BOTMAKER_IMAGES": "openclaw=openclaw:latest", "BOTMAKER_LIVE_CHECKS": "off"}
    try:
        async with open_place(folder, engine, **{**wanted, **env}) as place:
            yield Shop(place, telegram, model, f"http://{host}:{port}")
    finally:
        await runner.cleanup()
