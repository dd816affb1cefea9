"""Starts maubot's standalone mode on the rendered config, unless the access token is refused.

maubot itself would ask again every ten seconds for ever. A homeserver that does not answer is left
to that; a refusal is one sentence and status 78, after which BotMaker starts nothing again.
"""

import json
import os
import sys
import urllib.error
import urllib.request
from pathlib import Path

from ruamel.yaml import YAML

CONFIG = Path("/run/secrets/channel_config")
META = "/opt/bot/plugin/maubot.yaml"
NEEDS_A_PERSON = 78


def main() -> int:
    """Ask the homeserver whose token it is, then become maubot."""
    try:
        account = YAML(typ="safe").load(CONFIG)["user"]["credentials"]
    except OSError as error:
        return fail(f"The config with the access token cannot be read: {error.strerror}.")
    server, token = account["homeserver"].rstrip("/"), account["access_token"]
    # Checked by the template's pattern to be http or https.
    question = urllib.request.Request(
        f"{server}/_matrix/client/v3/account/whoami", headers={"Authorization": f"Bearer {token}"}
    )
    try:
        with urllib.request.urlopen(question, timeout=10) as answer:
            found = json.load(answer)["user_id"]
    except urllib.error.HTTPError as error:
        if error.code in (401, 403):
            return fail(
                f"The homeserver {server} refuses the access token. "
                "Log in again and enter the new one with /bot secrets."
            )
        print(f"The homeserver answers {error.code}; maubot goes on asking.")
    except (OSError, ValueError, KeyError) as error:
        print(f"The homeserver cannot be asked ({type(error).__name__}); maubot goes on asking.")
    else:
        if found != account["id"]:
            return fail(f"The access token belongs to {found}, not to {account['id']}.")
    sys.stdout.flush()
    python = sys.executable
    os.execv(python, [python, "-m", "maubot.standalone", "-c", str(CONFIG), "-m", META])
    return 0


def fail(sentence: str) -> int:
    """Say what a person has to do."""
    print(sentence, file=sys.stderr)
    return NEEDS_A_PERSON


if __name__ == "__main__":
    sys.exit(main())
