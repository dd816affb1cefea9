"""Seed files on a real volume: there before the bot is, the bot's own, and kept or written anew."""

from __future__ import annotations

from pathlib import Path

import docker
import pytest

from tests.process.process import a_secret, eventually
from tests.templates.shop import make, open_shop, run_inside

pytestmark = [pytest.mark.engine, pytest.mark.timeout(120)]

# The image has nothing at /home/bot: the volume gets its owner together with the seeds.
DIARY = """
schema = 1
id = "diary"
title = "A bot with files of its own"
image = { ref = "botmaker-demo:2", pull = "never" }
state = { path = "/home/bot" }

[run]
user = "1000:1000"
entrypoint = ["/bin/sh", "-c"]
command = ["cat /home/bot/workspace/* && touch /home/bot/mine; while sleep 1; do :; done"]
stop_timeout = 1

[[secrets]]
name = "channel_token"
label = "Token"

[[fields]]
name = "persona"
label = "Persona"
default = "Be kind."
multiline = true
later = true

[[seeds]]
path = "workspace/NOTES.md"
text = "Nothing yet.\\n"

[[seeds]]
path = "workspace/SOUL.md"
text = "{{field.persona}}"
keep = false
"""


async def test_a_bot_finds_its_seeds_and_keeps_what_it_may_keep_when_a_field_changes(
    tmp_path: Path, docker_client: docker.APIClient, demo_image: str
) -> None:
    """Its own files with its own rights; the persona is new with /bot edit, its notes are not."""
    async with open_shop(tmp_path, docker_client, {"diary": DIARY}) as place:
        bot_id = await make(place, "diary", "diary", {"channel_token": a_secret()})
        await place.card_says("diary", "— running", timeout=30)

        def inside(line: str) -> str:
            return run_inside(place, bot_id, "/bin/sh", "-c", f"cd /home/bot/workspace && {line}")

        assert inside("cat SOUL.md") == "Be kind."
        assert inside("cat NOTES.md") == "Nothing yet.\n"
        assert inside("stat -c '%u %a' . SOUL.md NOTES.md").split("\n")[:-1] == [
            "1000 700",
            "1000 600",
            "1000 600",
        ]
        await eventually(lambda: inside("ls ..").split() == ["mine", "workspace"])
        assert inside("echo Mine. >NOTES.md; echo Mine. >SOUL.md") == ""

        opened = await place.ann.slash("bot edit", name="diary", page="persona")
        modal = await opened.modal_sent
        assert [field["value"] for field in modal.fields] == ["Be kind."]
        text = "Be brief.\nBe kind, {{name}} `$(id)`."
        await place.ann.submit(modal, {"persona": text}, wait=False)
        await eventually(lambda: inside("cat SOUL.md") == text, 30)
        assert inside("cat NOTES.md") == "Mine.\n"
