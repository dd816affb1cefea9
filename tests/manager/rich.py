"""A template that uses everything a template can say, and the bots that are made of it."""

from __future__ import annotations

from controller.domain.bot import Bot
from tests.manager.rig import Rig

RELOAD = ("app", "reload")
CHECK = ("app", "check-config")
DOWN = "Its channel is down."
RICH = """
schema = 1
id = "rich"
title = "Rich bot"
image = { ref = "example/plain:1", pull = "never" }
run = { user = "1000:1000", stop_timeout = 1, reload = ["app", "reload"], reload_timeout = 5 }
state = { path = "/data" }
validation = { command = ["app", "check-config"], timeout = 5 }

[[health.log]]
pattern = 'CHANNEL_DOWN \\d+'
means = "Its channel is down."
until = 'CHANNEL_UP'
[[health.log]]
pattern = 'NO_MODEL'
means = "It has no model."

[providers.demo]
title = "Demo provider"
models = ["small"]
[[providers.demo.secrets]]
name = "api_key"
label = "API key"
pattern = '^\\S{8,200}$'
check = "openai"

[channels.demo]
title = "Demo channel"
[[channels.demo.secrets]]
name = "channel_token"
label = "Channel token"
check = "telegram"
unique = false
[channels.plugged]
title = "Plugged channel"
needs = { path = "/app/plugged", hint = "Build the image with the plugin." }

[[fields]]
name = "greeting"
label = "Greeting"
default = "hello"
[[fields]]
name = "tone"
label = "Tone"
choices = ["soft", "loud"]
later = true
[[fields]]
name = "persona"
label = "Persona"
multiline = true
later = true

[[files]]
path = "/etc/rich/rich.json"
format = "json"
content = { greeting = "{{field.greeting}}", tone = "{{field.tone}}" }
[[files]]
path = "/run/secrets/channel_config"
format = "json"
secret = true
content = { key = "{{secret.api_key}}", greeting = "{{field.greeting}}" }

[[seeds]]
path = "SOUL.md"
text = "{{field.persona}}"
keep = false
[[seeds]]
path = "HELLO.md"
text = "{{field.greeting}}"

[actions.pair]
title = "Approve a code"
role = "operator"
command = ["app", "pair", "{{field.code}}"]
timeout = 5
hide = ['sesame \\d+']
[[actions.pair.args]]
name = "code"
label = "Code"
pattern = '^[A-Z0-9]{4,8}$'
required = true
[actions.status]
title = "Status"
role = "viewer"
command = ["app", "status"]
[actions.plugged-only]
title = "For the plugged"
role = "viewer"
command = ["app", "plugged"]
channels = ["plugged"]
"""
# Seven secrets, one of them optional, one more that is made here, and a field: two pages.
WIDE = """
schema = 1
id = "wide"
title = "Wide bot"
image = { ref = "example/plain:1", pull = "never" }
run = { user = "1000:1000" }
[[secrets]]
name = "made_here"
generate = "hex32"
[[fields]]
name = "greeting"
label = "Greeting"
default = "hello"
""" + "".join(
    f"""
[[secrets]]
name = "key_{number}"
label = "Key {number}"
pattern = '^[\\w-]{{8,}}$'
required = {str(number < 7).lower()}
"""
    for number in range(1, 8)
)


async def with_rich(rig: Rig) -> Rig:
    """The installation, once it has the rich template too."""
    rig.template(RICH, "rich")
    await rig.restart()
    return rig


async def rich_bot(rig: Rig) -> Bot:
    """A bot of the rich template that runs."""
    await with_rich(rig)
    return await rig.running("rich")
