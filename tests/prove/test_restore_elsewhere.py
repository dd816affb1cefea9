"""A backup made beside a running controller, restored on another machine: an engine of its own.

Next door: ../backups has the format, what is refused, and every place where a restore can be cut.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import tarfile
from pathlib import Path

import docker
import pyrage
import pytest
from docker.errors import APIError

from tests.process.console import botmaker
from tests.process.process import Controller, Place, disguises, open_place
from tests.prove.engine_fixtures import engine
from tests.prove.private_engine import PrivateEngine
from tests.prove.tally import Tally

__all__ = ["engine"]
pytestmark = [pytest.mark.engine, pytest.mark.timeout(120)]
STATE_BYTES = 6 << 20  # more than one part


def put_state(client: docker.APIClient, bot_id: str, data: bytes) -> None:
    """Have the bot's program own some files in its volume."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name in ("notes/deep/one.bin", "two é.bin"):
            entry = tarfile.TarInfo(name)
            entry.size, entry.uid, entry.gid, entry.mode = len(data), 1000, 1000, 0o640
            archive.addfile(entry, io.BytesIO(data))
        link = tarfile.TarInfo("link")
        link.type, link.linkname, link.uid, link.gid = tarfile.SYMTYPE, "two é.bin", 1000, 1000
        archive.addfile(link)
    client.put_archive(f"botmaker-{bot_id}", "/data", buffer.getvalue())


def state_of(client: docker.APIClient, bot_id: str) -> dict[str, tuple[object, ...]]:
    """All that is in the bot's volume: kind, owner, mode and content of each name.

    But for the bot's own count of its starts, which goes on.
    """
    pieces, _ = client.get_archive(f"botmaker-{bot_id}", "/data/.")
    found = {}
    with tarfile.open(fileobj=io.BytesIO(b"".join(pieces))) as archive:
        for entry in archive:
            file = archive.extractfile(entry) if entry.isfile() else None
            digest = hashlib.sha256(file.read()).hexdigest() if file else entry.linkname
            found[entry.name] = (entry.type, entry.uid, entry.gid, entry.mode, digest)
    found.pop("./starts")
    return found


def starts_of(client: docker.APIClient, bot_id: str) -> int:
    """How often the bot's program counted a start of its own."""
    pieces, _ = client.get_archive(f"botmaker-{bot_id}", "/data/starts")
    with tarfile.open(fileobj=io.BytesIO(b"".join(pieces))) as archive:
        file = archive.extractfile("starts")
        assert file is not None
        return int(file.read())


async def fingerprints(controller: Controller, name: str) -> list[tuple[str, str]]:
    """How the bot's secrets are shown."""
    status, text, err = await botmaker(controller, "show", name, "--json")
    assert status == 0, err
    return [(one["name"], one["fingerprint"]) for one in json.loads(text)["secrets"]]


async def history(controller: Controller, name: str) -> list[str]:
    """What happened to the bot, oldest first."""
    status, text, err = await botmaker(controller, "history", name, "--lines", "100")
    assert status == 0, err
    return text.splitlines()[::-1]


def moved(place: Place, engine: PrivateEngine, folder: Path) -> Controller:
    """The same settings on another machine."""
    folder.mkdir()
    found = Controller(place.world, engine.client, folder)
    for name, value in place.controller.env.items():
        found.env.setdefault(name, value)
    found.env |= {
        "DOCKER_HOST": engine.url,
        "BOTMAKER_TEMPLATES_DIR": str(folder / "templates"),
        "BOTMAKER_ADMIN_USER_IDS": place.controller.env["BOTMAKER_ADMIN_USER_IDS"],
    }
    found.entered = place.controller.entered
    return found


async def test_all_bots_come_back_on_another_machine(
    engine: PrivateEngine,
    docker_client: docker.APIClient,
    demo_image: str,
    tmp_path: Path,
    tally: Tally,
) -> None:
    """The same secrets by fingerprint, the same history with its chain, every state byte for byte;
    and none starts before somebody says so."""
    identity = pyrage.x25519.Identity.generate()
    key, file, new = tmp_path / "key.txt", tmp_path / "copy.age", tmp_path / "new"
    key.touch(0o600)
    key.write_text(f"# a comment\n{identity}\n")
    (tmp_path / "old").mkdir()
    async with open_place(tmp_path / "old", docker_client) as place:
        old = place.controller
        ids = {name: await place.bot(name) for name in ("one", "two")}
        data = os.urandom(STATE_BYTES)
        for bot_id in ids.values():
            put_state(docker_client, bot_id, data)
        runs = {bot_id: old.started_at(bot_id) for bot_id in ids.values()}
        words = ("backup", "--recipient", str(identity.to_public()), "--out", str(file))
        status, _, err = await botmaker(old, *words, "--volumes")
        assert status == 0, err
        assert {bot_id: old.started_at(bot_id) for bot_id in runs} == runs  # only frozen
        before = {bot_id: state_of(docker_client, bot_id) for bot_id in runs}
        shown = {name: await fingerprints(old, name) for name in ids}
        told = {name: await history(old, name) for name in ids}
        encrypted = file.read_bytes().decode("latin-1")
        assert not [v for v in old.entered for d in disguises(v) if d in encrypted]
        await old.stop()
        restored = moved(place, engine, new)
        try:
            command = ("restore", str(file), "--identity", str(key))
            status, out, err = await botmaker(restored, *command, "--dry-run")
            assert status == 0, err
            assert "one (brisk)" in out
            assert not restored.data.exists()
            status, out, err = await botmaker(restored, *command)
            assert status == 0, err
            assert "the old ones may still be running: one, two" in out
            await restored.start()
            await place.card_says("one", "the old installation may still be running")
            assert restored.containers() == []
            status, out, err = await botmaker(restored, "start", "one", "two", "--wait")
            assert status == 0, out + err
            for name, bot_id in ids.items():
                await place.card_says(name, "— running")
                assert await fingerprints(restored, name) == shown[name]
                assert (await history(restored, name))[: len(told[name])] == told[name]
                assert state_of(engine.client, bot_id) == before[bot_id]
                assert starts_of(engine.client, bot_id) == 2
            status, out, _ = await botmaker(restored, "history", "--verify")
            assert status == 0, out
            assert restored.leaks() == []
            assert restored.trouble() == []
            status, _, err = await botmaker(restored, *command)
            assert status == 1
            assert "isn't empty" in err
        finally:
            if restored.running:
                await restored.stop()
            with contextlib.suppress(APIError):
                for row in engine.client.containers(all=True):
                    engine.client.remove_container(row["Id"], force=True, v=True)
        tally.tried["restores on another machine"] += 1
