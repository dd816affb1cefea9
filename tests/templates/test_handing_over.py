"""The four ways in which a bot gets its secret, each in a container, and where it then can be seen.

The bots are shell scripts on the demo image: they print a digest of what they got, never that.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from pathlib import Path

import docker
import pytest

from tests.process.process import eventually, said
from tests.templates.shop import environment, log_of, make, open_shop, run_inside

pytestmark = [pytest.mark.engine, pytest.mark.timeout(120)]

HEAD = """
schema = 1
id = "{id}"
title = "A bot that gets its secret"
image = {{ ref = "botmaker-demo:2", pull = "never" }}
"""
SECRET = """
[[secrets]]
name = "channel_token"
label = "Token"
"""
STAY = 'echo "got $(printf %s "$GOT" | sha256sum)"; while sleep 1; do :; done'


def template(name: str, script: str, *, run: str = "", secret: str = "", more: str = "") -> str:
    """A whole template file whose bot is this script."""
    return (
        HEAD.format(id=name)
        + f"""
[run]
user = "1000:1000"
entrypoint = ["/bin/sh", "-c"]
command = ['''{script}; {STAY}''']
stop_timeout = 1
{run}
"""
        + SECRET
        + secret
        + more
    )


TEMPLATES = {
    "by-file": template("by-file", "GOT=$(cat /run/secrets/channel_token)"),
    "by-path": template(
        "by-path", 'GOT=$(cat "$BOT_TOKEN_FILE")', secret='env_file = "BOT_TOKEN_FILE"\n'
    ),
    "by-config": template(
        "by-config",
        "GOT=$(sed -n 's/.*token = \"\\(.*\\)\".*/\\1/p' /run/secrets/bot_config)",
        more="""
[[files]]
path = "/run/secrets/bot_config"
format = "toml"
secret = true
content = { chat = { token = "{{secret.channel_token}}" } }
""",
    ),
    "by-shim": template(
        "by-shim",
        "GOT=$BOT_TOKEN",
        run='secret_exposure = "process-env"',
        secret='process_env = "BOT_TOKEN"\n',
    ),
}


def a_token() -> str:
    """A fake that quoting, escaping or a shell would change if anything pasted it."""
    return f"FAKE $HOME `id` '{secrets.token_hex(12)}' $(id) %s &"


def got(token: str) -> str:
    """What the script prints when it has exactly that value."""
    return f"got {hashlib.sha256(token.encode()).hexdigest()}"


@pytest.mark.parametrize("way", ["by-file", "by-path", "by-config"])
async def test_by_a_file_the_bot_has_its_secret_and_no_environment_has_it(
    tmp_path: Path, docker_client: docker.APIClient, demo_image: str, way: str
) -> None:
    """As a file, as the path in a variable, in a config: byte for byte, and nowhere else."""
    token = a_token()
    async with open_shop(tmp_path, docker_client, TEMPLATES) as place:
        bot_id = await make(place, "bot", way, {"channel_token": token})
        await place.card_says("bot", "— running", timeout=30)
        await eventually(lambda: got(token) in log_of(place, bot_id))

        files = place.controller.secrets_dir / bot_id
        modes = {file.name: file.stat().st_mode & 0o7777 for file in files.iterdir()}
        expected = {"channel_token", *(["bot_config"] if way == "by-config" else [])}
        assert modes == dict.fromkeys(expected, 0o600)
        seen = json.dumps(place.controller.inspect(bot_id)) + environment(place, bot_id)
        assert token not in seen
        assert ("BOT_TOKEN_FILE=/run/secrets/channel_token" in seen) == (way == "by-path")
        assert place.controller.leaks() == []


async def test_by_the_shim_the_process_has_it_and_the_engine_does_not_and_it_is_said_aloud(
    tmp_path: Path, docker_client: docker.APIClient, demo_image: str
) -> None:
    """In /proc of the bot's process, in nothing that Docker or BotMaker keeps or shows."""
    token = a_token()
    async with open_shop(tmp_path, docker_client, TEMPLATES) as place:
        answer = await place.create("bot", "by-shim")
        assert "environment variable" in answer.text
        # Its process has the value, as it says itself: so the rig's own search must not fail.
        bot_id = await make(place, "bot-2", "by-shim", {"channel_token": token}, entered=False)
        await place.card_says("bot-2", "— running", timeout=30)
        await eventually(lambda: got(token) in log_of(place, bot_id))

        assert f"BOT_TOKEN={token}" in environment(place, bot_id)
        inside = run_inside(place, bot_id, "/bin/sh", "-c", "cat /proc/[0-9]*/environ")
        assert f"BOT_TOKEN={token}" in inside
        made = place.controller.inspect(bot_id)
        image = docker_client.inspect_image(demo_image)
        stored = "".join(
            file.read_bytes().decode("latin-1")
            for file in place.controller.data.rglob("*")
            if file.is_file()
        )
        places = {
            "inspect": json.dumps(made),
            "image": json.dumps(image),
            "log of the bot": log_of(place, bot_id),
            "log of the controller": place.controller.log,
            "data folder": stored,
            "Discord": place.world.traffic_text("from_bot"),
        }
        assert [where for where, text in places.items() if token in text] == []
        await said(await place.ann.slash("bot show", name="bot-2"), "environment variable")


async def test_a_replaced_secret_reaches_each_of_them(
    tmp_path: Path, docker_client: docker.APIClient, demo_image: str
) -> None:
    """Also where it stands in a rendered config, and where a shell read it before the bot."""
    async with open_shop(tmp_path, docker_client, TEMPLATES) as place:
        for way in ("by-config", "by-shim"):
            bot_id = await make(place, way, way, {"channel_token": a_token()}, entered=False)
            await place.card_says(way, "— running", timeout=30)
            token = a_token()
            before = len([message for message in place.ann.dms if message.labels()])
            await place.ann.slash("bot secrets", name=way)
            await eventually(lambda n=before: len([m for m in place.ann.dms if m.labels()]) > n)
            modal = await place.open_form(way)
            await place.ann.submit(modal, {"channel_token": token}, wait=False)
            await eventually(lambda b=bot_id, t=token: got(t) in log_of(place, b), 30)
