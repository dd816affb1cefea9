"""Templates and a bot that the tests of this folder start from."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

from controller.catalog import Template, load
from controller.domain.bot import Bot

BOT = Bot(
    id="6f1c1b9e-7a60-4b8e-9a55-0d6f3f3c2f11",
    name="shop-helper",
    template="echo",
    provider="acme",
    model="acme-1",
    channel="post",
)

ECHO = """\
schema = 1
id = "echo"
title = "Echo bot"
description = "Repeats what it hears."

[image]
ref = "example/echo:1"

[run]
user = "1000"
command = ["/bin/echo-bot"]
env = { LANG = "C.UTF-8", BOT_NAME = "{{name}}", KEY_SECRET_FILE = "/run/secrets/api_key" }
restart = "on-failure:5"
resources = { memory = "256m", cpus = 0.5, pids = 128 }

[state]
path = "/data"

[health]
test = ["CMD", "/bin/check"]
interval = 30

[providers.acme]
title = "Acme"
models = ["acme-1", "acme-2"]
config = { llm = { vendor = "{{provider}}", region = "{{field.region}}" } }

[[providers.acme.secrets]]
name = "api_key"
label = "Acme key"
hint = "begins with ak-"
pattern = '^ak-\\w{8,}$'

[[providers.acme.fields]]
name = "region"
label = "Region"
choices = ["eu", "us"]

[channels.post]
title = "Post"

[[channels.post.secrets]]
name = "channel_token"
label = "Post token"

[[channels.post.fields]]
name = "allow_from"
label = "Who may write"
list = true
pattern = '\\d+'
env = "ALLOW_FROM"

[[secrets]]
name = "inner"
generate = "hex32"

[[fields]]
name = "mood"
label = "Mood"
default = "calm"

[[files]]
path = "/etc/echo/echo.json"
format = "json"

[files.content]
model = "{{provider/model}}"
mood = "{{field.mood}}"
llm = { limit = 3 }
"""


def template(text: str = ECHO, **changes: Any) -> Template:
    """The echo template, with top-level tables exchanged."""
    return Template.model_validate({**tomllib.loads(text), **changes})


def bot(**changes: Any) -> Bot:
    """The bot of the echo template, with other values."""
    return replace(BOT, **changes)


def builtin(name: str) -> Template:
    """A template that comes with the program."""
    return load().get(name)


def folder_with(folder: Path, **texts: str) -> Path:
    """A templates folder with these files."""
    folder.mkdir(exist_ok=True)
    for name, text in texts.items():
        (folder / f"{name}.toml").write_text(text, encoding="utf-8")
    return folder
