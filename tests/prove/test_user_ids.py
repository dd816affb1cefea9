"""An engine that shifts user ids: the doctor says so, and its remedy is carried out.
Next door: tests/fleet/test_uid_shift.py has what it means for a bot."""

from __future__ import annotations

import json
from pathlib import Path

import docker
import pytest

from controller.cli import offline
from tests.cli.places import reading_of, settings_for, start_once
from tests.prove.private_engine import PrivateEngine

pytestmark = pytest.mark.engine
SHIFTED = "❌ engine: Docker shifts user ids (userns-remap), so no bot can read its secrets"


async def _doctor(engine: PrivateEngine, folder: Path) -> list[str]:
    said: list[str] = []
    settings = settings_for(folder, docker={"DOCKER_HOST": engine.url})
    await offline.doctor(reading_of(settings), said.append)
    return said


async def test_the_remedy_for_shifted_user_ids_works(
    tmp_path: Path, docker_client: docker.APIClient, demo_image: str
) -> None:
    """With userns-remap no secret can be read; without it, as the doctor says, each can."""
    await start_once(tmp_path)
    engine = PrivateEngine()
    try:
        ids = engine.folder / "subids"
        ids.write_text("daemon:200000:65536\n")
        for file in ("/etc/subuid", "/etc/subgid"):  # seen by this engine alone
            engine._in("mount", "--bind", str(ids), file)
        config = engine.folder / "daemon.json"
        config.write_text(json.dumps({"userns-remap": "daemon"}))
        engine.start()
        engine.load(demo_image, docker_client)
        said = await _doctor(engine, tmp_path)
        (found,) = [line for line in said if line.startswith(SHIFTED)]
        assert 'Remove "userns-remap" from Docker\'s daemon.json and restart Docker' in found
        assert any(line.startswith("❌ secrets") for line in said)

        config.write_text("{}")
        engine.stop()
        engine.start()
        engine.load(demo_image, docker_client)
        said = await _doctor(engine, tmp_path)
        assert not any(line.startswith("❌ engine") for line in said)
        assert any(line.startswith("✅ secrets: readable") for line in said)
    finally:
        engine.remove()
    assert engine.leftovers() == []
