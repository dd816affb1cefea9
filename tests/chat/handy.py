"""Templates of these tests that have more than secrets: actions, settings, a weaker delivery."""

from __future__ import annotations

HANDY = """
schema = 1
id = "handy"
title = "Handy bot"
description = "Has actions and settings."
[image]
ref = "echo:1"
pull = "missing"
[run]
user = "1000:1000"
[run.resources]
memory = "256m"
[state]
path = "/data"
[[secrets]]
name = "api_key"
label = "API key"
[channels.telegram]
title = "Telegram"
[channels.discord]
title = "Discord"
[channels.discord.needs]
path = "/app/discord"
hint = "Use an image that has the Discord plugin."
[[fields]]
name = "tone"
label = "Tone"
choices = ["kind", "curt"]
default = "kind"
env = "TONE"
[[fields]]
name = "greeting"
label = "Greeting"
hint = "Good day"
later = true
env = "GREETING"
[[fields]]
name = "persona"
label = "Persona"
multiline = true
later = true
[[seeds]]
path = "notes/WHO.md"
text = "{{field.persona}}"
keep = false
[actions.status]
title = "Show its status"
role = "viewer"
command = ["tool", "status"]
[actions.approve]
title = "Approve a pairing code"
role = "operator"
command = ["tool", "approve", "{{channel}}", "{{field.code}}"]
channels = ["telegram"]
[[actions.approve.args]]
name = "code"
label = "Pairing code"
hint = "use the eight letters"
pattern = '^[A-Z0-9]{6,12}$'
required = true
[actions.wipe]
title = "Forget everything"
role = "admin"
command = ["tool", "wipe"]
"""

# Its program reads its key from the environment only.
OPEN = """
schema = 1
id = "open"
title = "Open bot"
description = "Wants its key in a variable."
[image]
ref = "echo:1"
pull = "missing"
[run]
user = "1000:1000"
command = ["/bin/open"]
secret_exposure = "process-env"
[[secrets]]
name = "api_key"
label = "API key"
process_env = "API_KEY"
"""
