"""A BotMaker in a simulated Discord with an engine that only exists in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from simcord.env import Env

from controller.runtime.memory import MemoryRuntime
from demo.world import World
from tests.chat.handy import HANDY, OPEN
from tests.chat.house import House, built

ECHO = """
schema = 1
id = "echo"
title = "Echo bot"
description = "Repeats what it hears."
[image]
ref = "echo:1"
pull = "missing"
[run]
user = "1000:1000"
fatal_exit_codes = [78]
[state]
path = "/data"
[providers.anthropic]
title = "Anthropic"
models = ["claude-small", "claude-large"]
[[providers.anthropic.secrets]]
name = "api_key"
label = "Anthropic API key"
hint = "Anthropic keys begin with `sk-test-`"
pattern = '^sk-test-[\\w-]{8,}$'
[providers.openai]
title = "OpenAI"
models = ["gpt-one"]
[[providers.openai.secrets]]
name = "api_key"
label = "OpenAI API key"
[channels.telegram]
title = "Telegram"
[[channels.telegram.secrets]]
name = "channel_token"
label = "Telegram bot token"
[channels.slack]
title = "Slack"
[[channels.slack.secrets]]
name = "channel_token"
label = "Slack bot token"
"""

# Seven inputs: two steps.
LONG = (
    """
schema = 1
id = "long"
title = "Long form"
description = "Asks for more than one modal can hold."
[image]
ref = "echo:1"
pull = "never"
[run]
user = "1000:1000"
"""
    + "".join(
        f"""
[[secrets]]
name = "secret_{i}"
label = "Secret {i}"
pattern = '^[a-z0-9]{{6,}}$'
"""
        for i in range(1, 6)
    )
    + """
[[fields]]
name = "colour"
label = "Colour"
choices = ["red", "blue"]
default = "red"
env = "COLOUR"
[[fields]]
name = "size"
label = "Size"
env = "SIZE"
"""
)

# Everything that the checked one has, from an image that nobody can get.
NO_IMAGE = ECHO.replace('id = "echo"', 'id = "noimage"').replace("echo:1", "nowhere/nothing:1")

CHECKED = (
    ECHO.replace('id = "echo"', 'id = "checked"')
    + """
[health]
test = ["CMD", "/bin/check"]
"""
)

PLAIN = """
schema = 1
id = "plain"
title = "Plain bot"
description = "Has nothing to ask."
[image]
ref = "echo:1"
pull = "never"
[run]
user = "1000:1000"
"""


@pytest.fixture
def templates(tmp_path: Path) -> Path:
    """A folder with the templates of these tests."""
    folder = tmp_path / "templates"
    folder.mkdir()
    texts = {"echo": ECHO, "long": LONG, "noimage": NO_IMAGE, "checked": CHECKED, "plain": PLAIN}
    texts |= {"handy": HANDY, "open": OPEN}
    for name, text in texts.items():
        (folder / f"{name}.toml").write_text(text)
    return folder


@pytest.fixture
def engine() -> MemoryRuntime:
    """An engine without an engine; it has the image of the templates `echo`, `long`, `checked`."""
    return MemoryRuntime(images={"echo:1"})


@pytest.fixture
async def house(tmp_path: Path, templates: Path, engine: MemoryRuntime) -> AsyncIterator[House]:
    """A place in which controllers come and go."""
    async with built(tmp_path, templates, engine) as house:
        yield house


@pytest.fixture
def env(house: House) -> Env:
    """SimCord's environment: its plugin adds the transcript to a failure."""
    return house.env


@pytest.fixture
async def world(house: House, env: Env) -> AsyncIterator[World]:
    """BotMaker in its admin channel, with Ann as its admin."""
    assert env is house.env
    async with house.controller() as world:
        yield world
