"""Templates and a bot that the tests of this folder start from."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

from controller.catalog import Template, load, rendered_files
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

# Every part that the echo template has not.
FULL = """\
schema = 1
id = "full"
title = "Full bot"

[image]
ref = "example/full:1"

[run]
user = "1000"
entrypoint = ["/bin/init"]
command = ["/bin/full"]
reload = ["/bin/full", "reload"]
reload_timeout = 12
secret_exposure = "process-env"

[state]
path = "/data"

[health]
test = ["CMD", "/bin/check"]

[[health.log]]
pattern = 'DEGRADED'
means = "A secret could not be read."
until = 'secrets reloaded'

[validation]
command = ["/bin/full", "validate"]
timeout = 20

[[secrets]]
name = "api_key"
label = "Key"
process_env = "API_KEY"
env_file = "API_KEY_FILE"
check = "anthropic"

[providers.acme]
title = "Acme"
models = ["acme-1"]

[channels.telegram]
title = "Telegram"

[channels.telegram.needs]
path = "/app/telegram"
hint = "Use an image with the plugin."

[[channels.telegram.secrets]]
name = "channel_token"
label = "Token"

[channels.telegram.config]
token = "{{secret.channel_token}}"
allow = "{{field.allow_from}}"

[[channels.telegram.fields]]
name = "allow_from"
label = "Who"
list = true

[channels.letter]
title = "Letter"

[[channels.letter.secrets]]
name = "seal"
label = "Seal"
required = false
env_file = "SEAL_FILE"

[channels.letter.config]
seal = "{{secret.seal}}"

[[fields]]
name = "policy"
label = "Policy"
choices = ["open", "pairing"]
default = "pairing"

[fields.when.pairing.channels.telegram]
dmPolicy = "pairing"

[[fields]]
name = "persona"
label = "Persona"
multiline = true
later = true

[[files]]
path = "/run/secrets/channel_config"
format = "yaml"
secret = true

[files.content]
key = "{{secret.api_key}}"

[[files]]
path = "/etc/full/x.toml"
format = "toml"

[files.content]
model = "{{provider/model}}"

[[seeds]]
path = "workspace/SOUL.md"
text = "{{field.persona}}"

[[seeds]]
path = "workspace/A.md"
text = "Hello.\\n"
keep = false

[actions.pairing-approve]
title = "Approve a pairing code"
role = "operator"
command = ["/bin/full", "approve", "{{channel}}", "{{field.code}}"]
channels = ["telegram"]
hide = ['\\d{6}']

[[actions.pairing-approve.args]]
name = "code"
label = "Pairing code"
pattern = '^[A-Z0-9]{6,12}$'
"""

MINIMAL = """\
schema = 1
id = "ten"
title = "Ten lines"
[image]
ref = "example/ten:1"
[run]
user = "1000:1000"
[[secrets]]
name = "api_key"
label = "API key"
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


def full(**changes: Any) -> Template:
    """The full template, with top-level tables exchanged."""
    return template(FULL, **changes)


def full_bot(**changes: Any) -> Bot:
    """A bot of the full template."""
    return replace(BOT, **{"template": "full", "channel": "telegram", **changes})


def render_all(one: Template, which: Bot) -> dict[str, str]:
    """The plain config files by their full path."""
    return {f"{file.folder}/{file.name}": file.text for file in rendered_files(one, which)}
