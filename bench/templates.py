"""The templates of real bots: small, quiet, at work as soon as their process runs."""

from __future__ import annotations

from pathlib import Path

from bench.engine import IMAGE

SECRETS = ("api_key", "channel_token", "spare_key")
_SECRETS = "\n".join(f'[[secrets]]\nname = "{name}"\nlabel = "{name}"' for name in SECRETS)
# The demo bot without its healthcheck, whose first verdict would take two seconds.
_BENCH = f"""
schema = 1
id = "bench"
title = "Bench bot"
description = "Runs."
[image]
ref = "{IMAGE}"
pull = "never"
[run]
user = "1000:1000"
stop_timeout = 1
resources = {{ memory = "32m", cpus = 0.5, pids = 32 }}
[state]
path = "/data"
{_SECRETS}
"""
# Has a health check that may take its time.
_WAITING = (
    _BENCH.replace('id = "bench"', 'id = "waiting"').replace(
        "stop_timeout = 1", "stop_timeout = 1\nstart_timeout = 600"
    )
    + """
[health]
test = ["CMD", "/bin/demo-bot", "check"]
interval = 2
"""
)
# Proves itself at once, and has something to change.
_CHANGING = (
    _BENCH.replace('id = "bench"', 'id = "changing"')
    + """
[update]
healthy_for = 0

[[fields]]
name = "number"
label = "Number"
default = "none"
env = "NUMBER"
"""
)
STUBBORN_SECONDS = 6
# Ignores SIGTERM, so each of its stops takes the whole grace.
_STUBBORN = (
    _BENCH.replace('id = "bench"', 'id = "stubborn"')
    .replace("stop_timeout = 1", f"stop_timeout = {STUBBORN_SECONDS}")
    .replace("pids = 32 }", 'pids = 32 }\nenv = { DEMO_BEHAVIOUR = "hang" }')
)
# As little as a container can be: it sleeps, and keeps nothing.
_TINY = f"""
schema = 1
id = "tiny"
title = "Tiny bot"
description = "Sleeps."
[image]
ref = "{IMAGE}"
pull = "never"
[run]
user = "1000:1000"
entrypoint = ["/bin/sleep"]
command = ["1000000"]
stop_timeout = 5
resources = {{ memory = "8m", cpus = 0.1, pids = 8 }}
{_SECRETS}
"""


def write_templates(folder: Path) -> Path:
    """Write them into `folder`/templates and return that."""
    place = folder / "templates"
    place.mkdir(parents=True)
    for text in (_BENCH, _WAITING, _CHANGING, _STUBBORN, _TINY):
        name = text.split('id = "', 1)[1].split('"', 1)[0]
        (place / f"{name}.toml").write_text(text)
    return place
