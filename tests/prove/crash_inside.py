"""A bot with everything: seeds, a config with secrets in it, its check, a reload, an action.

Has the template, and checks from outside what must be true of its bots. Next door: crash_points.py
has the points at which the controller is killed, crash_checker.py all other checks.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.process.process import BRISK

UPDATE = "\n[update]\nhealthy_for = 1.0\n"  # releases are decided while somebody waits
CONFIG = "channel_config"  # the rendered file among the secrets
PERSONA, FIXED = "You are kind.\nBe brief.", "Written anew with each container."
# A key that the bot's program refuses, at a reload and at its start.
WRONG = "wrong:"
PROGRAM = f"! grep -q {WRONG} /run/secrets/api_key || exit 1; exec /bin/demo-bot"
# What the reload, the action and the config check run.
HEAR = (
    f"! grep -q {WRONG} /run/secrets/api_key && "
    "cat /run/secrets/api_key /run/secrets/channel_token >/tmp/h && cp /tmp/h /data/heard"
)
NOTE = 'echo "$1" >>/data/noted; echo key=$(cat /run/secrets/api_key) noted'
CHECK = "grep -q '\"token\"' /run/secrets/channel_config && grep -q model /etc/proof/proof.json"

WHOLE = (
    BRISK.replace('id = "brisk"', 'id = "whole"', 1)
    .replace(
        "[run]\n",
        f"[run]\nreload = [\"/bin/sh\", \"-c\", '''{HEAR}''']\n"
        f"entrypoint = [\"/bin/sh\", \"-c\"]\ncommand = ['''{PROGRAM}''']\n",
        1,
    )
    .replace('path = "/data"\n', 'path = "/data"\nsnapshot = true\n', 1)
    .replace(
        "[channels.demo]\n",
        '[channels.demo.needs]\npath = "/bin/demo-bot"\nhint = "Use the demo bot\'s image."\n\n'
        "[channels.demo]\n",
        1,
    )
    + f"""
[[fields]]
name = "persona"
label = "Persona"
default = '''{PERSONA}'''
multiline = true
later = true

[[files]]
path = "/etc/proof/proof.json"
format = "json"
[files.content]
model = "{{{{provider/model}}}}"

[[files]]
path = "/run/secrets/{CONFIG}"
format = "json"
secret = true
[files.content]
key = "{{{{secret.api_key}}}}"
token = "{{{{secret.channel_token}}}}"

[[seeds]]
path = "notes/persona.md"
text = "{{{{field.persona}}}}"

[[seeds]]
path = "fixed.md"
text = "{FIXED}"
keep = false

[validation]
command = ["/bin/sh", "-c", '''{CHECK}''']

[actions.note]
title = "Note something"
role = "operator"
command = ["/bin/sh", "-c", '''{NOTE}''', "sh", "{{{{field.behaviour}}}}"]
"""
    + UPDATE
)


def is_whole(name: str) -> bool:
    """Whether the bot of that name uses this template."""
    return "whole" in name


def faults_inside(
    name: str, fields: str, container: Mapping[str, Any], home: Path, asked: int
) -> Iterator[str]:
    """What is wrong in a running bot: its state, its config, what it knows of its secrets."""
    root = Path(f"/proc/{container['State']['Pid']}/root")
    for path, text in (("notes/persona.md", PERSONA), ("fixed.md", FIXED)):
        file = root / "data" / path
        if not file.exists() or file.read_text() != text:
            yield f"{name}: the seed {path} is not what it has to be"
            continue
        for place, mode in ((file, 0o600), *([(file.parent, 0o700)] if "/" in path else [])):
            seen = place.stat()
            if (seen.st_mode & 0o777, seen.st_uid, seen.st_gid) != (mode, 1000, 1000):
                yield f"{name}: the seed {place.name} is not the bot's own: {seen}"
    if strays := set(os.listdir(root / "data" / "notes")) - {"persona.md"}:
        yield f"{name}: strays beside the seeds: {strays}"
    values = [(home / secret).read_text() for secret in ("api_key", "channel_token")]
    wanted = dict(zip(("key", "token"), values, strict=True))
    if not (home / CONFIG).exists() or json.loads((home / CONFIG).read_text()) != wanted:
        yield f"{name}: its config has other secrets than the files beside it"
    if values[0].startswith(WRONG):
        yield f"{name}: is left with a key that it refuses"
    interval = json.loads(fields).get("interval", "2")
    if f"DEMO_INTERVAL={interval}" not in container["Config"]["Env"]:
        yield f"{name}: runs with other settings than {fields}"
    noted = root / "data" / "noted"
    if noted.exists() and len(noted.read_text().splitlines()) > asked:
        yield f"{name}: an action was done more often than the {asked} times it was asked for"


def heard(container: Mapping[str, Any], home: Path) -> bool:
    """Whether a reload gave the running bot the secrets that are on disk now."""
    told = Path(f"/proc/{container['State']['Pid']}/root/data/heard")
    values = "".join((home / secret).read_text() for secret in ("api_key", "channel_token"))
    return told.exists() and told.read_text() == values
