"""`botmaker edge …` as an admin types it: a real controller, and a stand-in for Cloudflare's API
that serves what it is given."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import docker
import pytest

from tests.edge_worker.cloud import ACCOUNT, TOKEN, Cloud
from tests.edge_worker.node import LocalWorker, Node
from tests.process.console import botmaker
from tests.process.process import Controller, open_place

pytestmark = [pytest.mark.engine, pytest.mark.timeout(120)]
VERSION = re.compile(r"The Worker is now ([0-9a-f]{12})(?:, in place of ([0-9a-f]{12}))?\.\n")


@dataclass
class Admin:
    """Who sits at the console."""

    controller: Controller
    cloud: Cloud

    async def types(self, *words: str) -> tuple[int, str, str]:
        """`botmaker edge` and these words: status, output, complaints."""
        return await botmaker(self.controller, "edge", *words)

    async def changes(self, what: str) -> tuple[str, str]:
        """The version that is served then, and the one before."""
        status, out, err = await self.types(what)
        assert (status, err) == (0, "")
        found = VERSION.fullmatch(out)
        assert found is not None, out
        return found[1], found[2] or ""

    async def served(self) -> str:
        """The version that answers, as `botmaker edge status` tells it."""
        _, out, _ = await self.types("status")
        found = re.search(r"^worker +\w+, version ([0-9a-f]{12})", out, re.MULTILINE)
        assert found is not None, out
        return found[1]


@pytest.fixture
async def admin(tmp_path: Path, docker_client: docker.APIClient) -> AsyncIterator[Admin]:
    """An empty account, and the settings as `botmaker edge init` prints them."""
    (tmp_path / "cloud").mkdir()
    (tmp_path / "cloudflare-token").write_text(TOKEN)
    worker = LocalWorker(tmp_path / "cloud", "")
    await Node.open(worker)
    try:
        async with (
            Cloud(worker) as cloud,
            open_place(tmp_path, docker_client, start=False) as place,
        ):
            controller = place.controller
            status, out, err = await botmaker(controller, "edge", "init")
            assert (status, "botmaker edge deploy" in err) == (0, True)
            controller.env |= dict(line.split("=", 1) for line in out.splitlines())
            controller.env |= {
                "BOTMAKER_API": "1",
                "BOTMAKER_EDGE_URL": worker.url,
                "BOTMAKER_EDGE_ORIGIN": f"http://127.0.0.1:{controller.port}",
                "BOTMAKER_EDGE_ROLES": "deploy=admin",
                "BOTMAKER_EDGE_ACCOUNT": ACCOUNT,
                "BOTMAKER_EDGE_CLOUDFLARE_TOKEN_FILE": str(tmp_path / "cloudflare-token"),
                "BOTMAKER_EDGE_API_URL": cloud.url,
            }
            keys = [Path(controller.env[f"BOTMAKER_EDGE_{n}_FILE"]) for n in ("KEYS", "JWT_KEYS")]
            controller.entered += [TOKEN, *(key.read_text().split()[-1] for key in keys)]
            await controller.start()
            await place.welcomed()
            yield Admin(controller, cloud)
    finally:
        await worker.kill()


async def test_the_worker_is_deployed_changed_and_rolled_back(admin: Admin) -> None:
    """First, unchanged, a new version, one that is broken, back again, and a token that was
    revoked: each says what is served now, and that is what answers."""
    status, out, _ = await admin.types("status")
    assert (status, "worker        unreachable" in out) == (1, True)
    status, _, err = await admin.types("rollback")
    assert status == 1
    assert "There is no version to go back to." in err

    first, before = await admin.changes("deploy")
    assert (before, await admin.served()) == ("", first)
    status, out, _ = await admin.types("deploy")
    assert (status, out) == (0, f"Nothing to do: the Worker is {first}.\n")
    async with asyncio.timeout(10):  # the events that had to wait go on at once
        while (await admin.types("status"))[0] != 0:
            await asyncio.sleep(0.1)

    admin.controller.env["BOTMAKER_EDGE_JWT_ISSUER"] = "https://signer.example.org"
    await admin.controller.restart()
    second, before = await admin.changes("deploy")
    assert (before, await admin.served()) == (first, second)
    assert await admin.changes("rollback") == (first, second)
    assert await admin.served() == first

    admin.cloud.spoiled = {"worker.js": "export default {"}
    status, _, err = await admin.types("deploy")
    assert status == 1
    assert "Cloudflare refused it" in err
    assert await admin.served() == first
    admin.cloud.spoiled = {}
    admin.cloud.token = "another"
    status, _, err = await admin.types("deploy")
    assert status == 1
    assert "Cloudflare doesn't take the token." in err
    assert await admin.served() == first


async def test_init_writes_private_files_once(admin: Admin) -> None:
    """Again it changes nothing, and prints the same settings."""
    files = sorted((admin.controller.folder / "edge").iterdir())
    assert [file.name for file in files] == ["callers.keys", "edge.keys"]
    texts = [file.read_text() for file in files]
    assert [os.stat(file).st_mode & 0o777 for file in files] == [0o600, 0o600]
    status, out, err = await admin.types("init")
    assert status == 0
    assert err.count("is there already, and stays as it is.") == 2
    assert [file.read_text() for file in files] == texts
    assert not [text for text in texts if text.split()[-1] in out + err]
