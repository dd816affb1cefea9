"""Starts maubot's standalone mode with the rendered config, unless the access token is refused.

maubot itself would ask again every ten seconds forever. That is right for a homeserver that doesn't
answer. For a refused token this prints one sentence and exits with 78, so that BotMaker doesn't
start it again.
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
    """Ask the homeserver whose token it is, then turn into maubot."""
    try:
        account = YAML(typ="safe").load(CONFIG)["user"]["credentials"]
    except OSError as error:
        return fail(f"The config with the access token can't be read: {error.strerror}.")
    server, token = account["homeserver"].rstrip("/"), account["access_token"]
    # The template's pattern allows only http and https.
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
        print(f"The homeserver answered {error.code}; maubot will ask again.")
    except (OSError, ValueError, KeyError) as error:
        print(f"The homeserver can't be reached ({type(error).__name__}); maubot will ask again.")
    else:
        if found != account["id"]:
            return fail(f"The access token belongs to {found}, not to {account['id']}.")
    sys.stdout.flush()
    python = sys.executable
    os.execv(python, [python, "-m", "maubot.standalone", "-c", str(CONFIG), "-m", META])
    return 0


def fail(sentence: str) -> int:
    """Print what a person has to do; returns the exit status."""
    print(sentence, file=sys.stderr)
    return NEEDS_A_PERSON


if __name__ == "__main__":
    sys.exit(main())
