"""A bot's life by a client that was generated from the description: `bots_life.py URL TOKEN_FILE
SECRETS_FILE`, beside the package `generated`. Prints what it saw as JSON.

In an environment of its own.
"""

import json
import sys
from pathlib import Path

from generated import AuthenticatedClient
from generated.api.bots import (
    create_bot,
    delete_bot,
    get_bot,
    get_settings,
    list_bots,
    list_secrets,
    put_secrets,
    read_log,
    restart_bot,
    stop_bot,
)
from generated.api.fleet import fleet_history, get_fleet, run_doctor
from generated.api.session import who_am_i
from generated.api.templates import list_templates
from generated.models import NewBot, Problem, SecretsIn, SecretsInValues

url, token_file, secrets_file = sys.argv[1:]
seen = {}


def told(name, answer, kind):
    """What was answered: of that type, or the program ends with the problem."""
    assert type(answer).__name__ == kind, (name, answer)
    seen[name] = answer.to_dict()
    return answer


with AuthenticatedClient(url, token=Path(token_file).read_text().strip(), timeout=60) as client:
    told("me", who_am_i.sync(client=client), "Me")
    told("templates", list_templates.sync(client=client), "PageTemplateOut")
    new = NewBot(name="made", template="brisk")
    bot = told("created", create_bot.sync(client=client, body=new), "BotOut")
    again = create_bot.sync(client=client, body=new)
    assert isinstance(again, Problem), again
    seen["again"] = again.to_dict()
    values = SecretsInValues.from_dict(json.loads(Path(secrets_file).read_text()))
    body = SecretsIn(values=values)
    told("secrets", put_secrets.sync(bot.id, client=client, body=body), "SecretsPut")
    told("fingerprints", list_secrets.sync(bot.id, client=client), "PageSecretOut")
    done = restart_bot.sync("made", client=client, prefer="wait=30", idempotency_key="one")
    told("restarted", done, "OperationOut")
    done = restart_bot.sync("made", client=client, prefer="wait=30", idempotency_key="one")
    told("repeated", done, "OperationOut")
    told("bot", get_bot.sync("made", client=client), "BotOut")
    told("bots", list_bots.sync(client=client, name="mad"), "PageBotOut")
    told("log", read_log.sync("made", client=client, lines=5), "PageLineOut")
    told("settings", get_settings.sync("made", client=client), "SettingsOut")
    told("history", fleet_history.sync(client=client, refusals=True), "PageEventOut")
    told("fleet", get_fleet.sync(client=client), "FleetOut")
    told("doctor", run_doctor.sync(client=client), "PageFindingOut")
    told("stopped", stop_bot.sync("made", client=client, prefer="wait=30"), "OperationOut")
    told("deleted", delete_bot.sync("made", client=client, prefer="wait=30"), "OperationOut")
    seen["gone"] = get_bot.sync("made", client=client).to_dict()

print(json.dumps(seen))
