"""Canaries in what runs inside a bot: a config with secrets in it, its check, a reload, an action;
and in the services that are asked about a value. None of them reveals one.
Next door: test_canary.py has the long run and the search."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import docker
import pytest

from tests.process.process import BRISK, Place, eventually, free_port, said
from tests.prove.canary import canary
from tests.prove.tally import Tally
from tests.prove.test_canary import TELL, born, hunt, leftovers, tellers

pytestmark = pytest.mark.engine

IDLE = "trap exit TERM; while :; do sleep 0.2; done"
FILES = """
[[files]]
path = "/etc/it/it.json"
format = "json"
content = { plain = "nothing secret" }

[[files]]
path = "/run/secrets/channel_config"
format = "json"
secret = true
content = { key = "{{secret.api_key}}", token = "{{secret.channel_token}}" }
"""


def script(last: str) -> str:
    """A command that prints all it knows in every shape, and then does this."""
    text = (TELL + f"tell inside; cat /run/secrets/channel_config; {last}").replace("'''", "")
    return f"[\"/bin/sh\", \"-c\", '''{text}''']"


def template(name: str, *, run: str = "", more: str = "") -> str:
    """The template of a bot that does nothing by itself, with these additions."""
    text = BRISK.replace('id = "brisk"', f'id = "{name}"', 1)
    entry = f'[run]\nentrypoint = ["/bin/sh", "-c", "{IDLE}"]\n{run}'
    return text.replace("[run]\n", entry, 1) + FILES + more


TEMPLATES = {
    "actor": template(
        "actor",
        more='\n[actions.tell]\ntitle = "Tell"\nrole = "viewer"\n'
        f'command = {script("exit 3")}\nhide = ["plain [a-z]+"]\n',
    ),
    "picky": template("picky", more=f"\n[validation]\ncommand = {script('exit 1')}\n"),
    "reader": template("reader", run=f"reload = {script('exit 0')}\n"),
    "deaf": template("deaf", run=f"reload = {script('exit 1')}\n"),
    "checked": template("checked")
    .replace('name = "api_key"\n', 'name = "api_key"\ncheck = "openai"\n', 1)
    .replace('name = "channel_token"\n', 'name = "channel_token"\ncheck = "telegram"\n', 1),
}


class Gossip:
    """A service that repeats whatever it is asked, as an error page might."""

    def __init__(self) -> None:
        self.port = free_port()
        self.status = "401 Unauthorized"
        self.heard = b""

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        """Listen for questions."""
        server = await asyncio.start_server(self._answer, "127.0.0.1", self.port)
        try:
            yield
        finally:
            server.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = await reader.readuntil(b"\r\n\r\n")
        self.heard += asked
        text = f"{self.status} because of\n{asked.decode()}".encode()
        head = f"HTTP/1.1 {self.status}\r\nContent-Length: {len(text)}\r\nConnection: close\r\n\r\n"
        writer.write(head.encode() + text)
        with contextlib.suppress(ConnectionError):
            await writer.drain()
        writer.close()


async def replaced(place: Place, name: str, words: str) -> None:
    """Replace both secrets; these words say how the bot gets them."""
    before = len(place.ann.dms)
    await place.ann.slash("bot secrets", name=name)
    await place.world.until(lambda _: len(place.ann.dms) > before)
    form = await place.open_form(name)
    await said(await place.submit(form, api_key=canary(), channel_token=canary(60)), words)


async def asked_about(place: Place, gossip: Gossip) -> None:
    """Enter values that services refuse, and values that they can't judge."""
    await place.create("checked", "checked")
    for status, words in (("401 Unauthorized", "❌"), ("503 Unavailable", "fingerprint")):
        gossip.status = status
        form = await place.open_form("checked")
        await said(
            await place.submit(form, api_key=canary(), channel_token=f"12345:{canary()}"), words
        )
    value = place.controller.entered[-1]
    assert value.encode() in gossip.heard or value.replace(":", "%3A").encode() in gossip.heard


@pytest.mark.timeout(170)
async def test_what_is_done_inside_a_bot_says_no_value(
    tmp_path: Path, docker_client: docker.APIClient, demo_image: str, tally: Tally
) -> None:
    """An action, a config check, a good and a failing reload print all they know, and services
    repeat what they are asked: zero hits in files, logs, engine, processes and Discord."""
    gossip = Gossip()
    base = f"http://127.0.0.1:{gossip.port}"
    places = tellers(tmp_path, docker_client, TEMPLATES, BOTMAKER_LIVE_CHECKS=base)
    async with gossip.listening(), places as place:
        for name in ("actor", "reader", "deaf", "picky"):
            await born(place, name, name)
        for name in ("actor", "reader", "deaf"):
            await place.card_says(name, "running")
        inv = await said(await place.ann.slash("bot do", name="actor", action="tell"), "redacted")
        assert "3" in inv.text
        await place.card_says("picky", "redacted")
        await said(await place.ann.slash("bot show", name="picky"), "redacted")
        await replaced(place, "reader", "without a restart")
        await eventually(lambda: {"ok": True, "reason": ""} in reloads(place))
        await replaced(place, "deaf", "without a restart")
        await eventually(lambda: any(not told["ok"] for told in reloads(place)))
        await asked_about(place, gossip)
        await place.controller.restart()
        await said(await place.ann.slash("bot do", name="actor", action="tell"), "redacted")
        hits = await hunt(place, tally, tmp_path)
        place.controller.entered.clear()  # or the place's own search finds the check's output
        assert hits == []
        assert leftovers(place) == []


def reloads(place: Place) -> list[dict[str, Any]]:
    """What the journal says about reloads."""
    return place.controller.noted("reload")
