"""A template written from docs/templates.md alone: its ten lines are taken from there and run.

Next door: ../docs/test_reference.py holds the page's tables of keys to the code.
"""

from __future__ import annotations

import hashlib
import io
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from controller.catalog import Template
from tests.conftest import ROOT
from tests.docs.pages import DOCS, blocks, code_in
from tests.process.process import a_secret, eventually
from tests.templates.shop import log_of, make, open_shop

IMAGE = "botmaker-test-newcomer:1"
# What the page says of `my-bot:1`: it runs as uid 1000 and reads its token from a file.
PROGRAM = """FROM botmaker-demo:2
ENTRYPOINT ["/bin/sh", "-c", \
"echo $GREETING $(sha256sum </run/secrets/channel_token) as $(id -u); while sleep 1; do :; done"]
"""


PAGE = DOCS / "templates.md"


def ten_lines() -> str:
    """The template that the page shows."""
    (found,) = blocks(PAGE, "toml")
    return found


@pytest.fixture
def my_bot(docker_client: docker.APIClient, demo_image: str) -> Iterator[str]:
    """An image as the page describes it."""
    made = docker_client.build(
        fileobj=io.BytesIO(PROGRAM.encode()), tag=IMAGE, rm=True, network_mode="none"
    )
    said = b"".join(made).decode()
    assert "Successfully tagged" in said, said
    yield IMAGE
    docker_client.remove_image(IMAGE, force=True)


@pytest.mark.engine
@pytest.mark.timeout(120)
async def test_the_ten_lines_of_the_page_are_a_bot_that_runs(
    tmp_path: Path, docker_client: docker.APIClient, my_bot: str
) -> None:
    """Copied as they stand; only the image is called something else here."""
    text = ten_lines()
    assert len(text.splitlines()) <= 10
    token = a_secret()
    shop = open_shop(tmp_path, docker_client, {"my-bot": text}, BOTMAKER_IMAGES=f"my-bot={my_bot}")
    async with shop as place:
        values = {"channel_token": token, "greeting": "Hi!"}
        bot_id = await make(place, "mine", "my-bot", values)
        await place.card_says("mine", "— running", timeout=30)
        digest = hashlib.sha256(token.encode()).hexdigest()
        await eventually(lambda: f"Hi! {digest} - as 1000" in log_of(place, bot_id))
        assert place.controller.leaks() == []


def test_the_ten_lines_pass_the_check_that_the_page_names(tmp_path: Path) -> None:
    """And a mistake in them does not: it is told with its line."""
    file = tmp_path / "my-bot.toml"
    command = [sys.executable, "-m", "controller", "templates", "check", str(file)]
    file.write_text(ten_lines())
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")

    file.write_text(ten_lines().replace('user = "1000:1000"', 'user = "root"'))
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    wrong = 1 + next(i for i, line in enumerate(ten_lines().splitlines()) if "run =" in line)
    assert done.returncode == 1
    assert f"my-bot.toml:{wrong}: " in done.stdout + done.stderr


def test_each_way_of_handing_over_stands_on_the_page_as_it_is_written() -> None:
    """What the table says can be copied into the ten lines: each loads, or tells what it needs."""
    lines = ten_lines()
    shim = lines.replace(
        'run = { user = "1000:1000" }',
        'run = { user = "1000:1000", command = ["/bin/bot"], secret_exposure = "process-env" }',
    )
    config = '[[files]]\npath = "/run/secrets/bot_config"\nformat = "yaml"\nsecret = true\n'
    config += 'content = { token = "{{secret.channel_token}}" }\n'
    for said, text in {
        'env_file = "BOT_TOKEN_FILE"': lines + 'env_file = "BOT_TOKEN_FILE"\n',
        'process_env = "BOT_TOKEN"': shim + 'process_env = "BOT_TOKEN"\n',
        'secret_exposure = "process-env"': shim + 'process_env = "BOT_TOKEN"\n',
        'path = "/run/secrets/bot_config"': lines + config,
        '"{{secret.channel_token}}"': lines + config,
    }.items():
        assert said in code_in(PAGE)
        Template.model_validate(tomllib.loads(text))
