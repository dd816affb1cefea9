"""What to do next, in Discord: hints by an error's code. Only chat knows its own commands."""

from __future__ import annotations

from controller.domain.errors import ControllerError

HINTS = {
    "denied": "An admin can give it with /access grant.",
    "no-such-bot": "/bot list shows all bots.",
    "no-such-action": "/bot do suggests the actions that it has.",
    "no-such-grant": "/access list shows every grant; roles set in `.env` are changed there.",
    "no-such-token": "/access token list shows them.",
    "no-such-session": "/access sessions shows who is signed in.",
    "no-log": "/bot show says how it is.",
    "not-running": "Start it with /bot start, then try again.",
    "form-expired": "Get a new one: /bot secrets.",
    "form-used": "To replace a value, get a new form: /bot secrets.",
    "config-refused": "Change them with /bot edit, then restart it.",
}


def hint_for(error: ControllerError) -> str:
    """What to do next: chat's own hint where it has one, else the error's."""
    if error.code == "denied" and error.hint:
        return error.hint  # it names the right place or the right form
    return HINTS.get(error.code, error.hint)
