"""A controller with templates of the test's own, and people who make bots from them.

The rig itself is in tests/process; what the bots talk to is in tests/loopback and matrix.py.
"""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import docker
from docker.errors import APIError

from tests.conftest import ROOT
from tests.loopback import Invocation
from tests.process.process import Place, environment_of, open_place

BUILTIN = ROOT / "controller/catalog/builtin"


@contextlib.asynccontextmanager
async def open_shop(
    folder: Path,
    engine: docker.APIClient,
    templates: Mapping[str, str] | None = None,
    **env: str,
) -> AsyncIterator[Place]:
    """A place whose controller also has these templates; it asks no service about a token."""
    env = {"BOTMAKER_LIVE_CHECKS": "off"} | env
    async with open_place(folder, engine, start=False, **env) as place:
        for name, text in (templates or {}).items():
            (folder / "templates" / f"{name}.toml").write_text(text)
        await place.controller.start()
        yield place


def copy_of(template: str, name: str, changes: Mapping[str, str]) -> str:
    """A built-in template under another id; each change must find its place once."""
    text = (BUILTIN / f"{template}.toml").read_text()
    for old, new in {f'id = "{template}"': f'id = "{name}"', **changes}.items():
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return text


def a_discord_token() -> str:
    """A fake of the right shape, unlike any other."""
    return f"FAKE{secrets.token_hex(10)}.FAKEFA.FAKE{secrets.token_hex(14)}"


async def fill_in(
    place: Place, name: str, values: Mapping[str, str], *, entered: bool = True
) -> Invocation:
    """Ann opens the form of the bot's newest direct message and sends it."""
    modal = await place.open_form(name)
    known = {field["custom_id"]: field["value"] or "" for field in modal.fields}
    if entered:  # what must be found nowhere
        place.controller.entered += [
            values[key] for key in values if key.endswith(("token", "key"))
        ]
    return await place.ann.submit(modal, {**known, **values}, wait=False)


async def make(
    place: Place, name: str, template: str, values: Mapping[str, str], *, entered: bool = True
) -> str:
    """A bot from the template, its form filled in; returns its id without waiting for its run."""
    await place.create(name, template)
    await fill_in(place, name, values, entered=entered)
    return place.controller.bot_id(name)


def log_of(place: Place, bot_id: str) -> str:
    """What the bot's container has printed, as the engine has it: not redacted."""
    found = place.controller.engine.logs(f"botmaker-{bot_id}")
    return str(found.decode(errors="replace"))


def run_inside(place: Place, bot_id: str, *command: str) -> str:
    """What a command says that runs in the bot's container as its user; nothing between two."""
    engine = place.controller.engine
    try:
        made = engine.exec_create(f"botmaker-{bot_id}", list(command))
        return str(engine.exec_start(made["Id"]).decode(errors="replace"))
    except APIError:
        return ""


def environment(place: Place, bot_id: str) -> str:
    """The environment of every process of the bot."""
    made = place.controller.inspect(bot_id)
    assert made is not None
    return environment_of(made["State"]["Pid"])


def hardening(made: Mapping[str, Any]) -> dict[str, Any]:
    """What the engine was told about a container, as far as it keeps the bot in."""
    host = made["HostConfig"]
    return {
        "user": made["Config"]["User"],
        "root": "read-only" if host["ReadonlyRootfs"] else "writable",
        "capabilities": (host["CapDrop"], host["CapAdd"] or []),
        "no new privileges": any("no-new-privileges" in one for one in host["SecurityOpt"]),
        "ports": host["PortBindings"] or {},
        "swap": host["MemorySwap"] - host["Memory"],
    }


HARDENED = {
    "user": "1000:1000",
    "root": "read-only",
    "capabilities": (["ALL"], []),
    "no new privileges": True,
    "ports": {},
    "swap": 0,
}
