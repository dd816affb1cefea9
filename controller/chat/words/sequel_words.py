"""What happens to a bot after a change of its secrets or settings, in words."""

from __future__ import annotations

from collections.abc import Mapping

from controller.chat.languages import say, told
from controller.chat.words.text import plain
from controller.manager.edits import Edited
from controller.manager.submission import Sequel

_OF_SECRETS: Mapping[Sequel, str] = {
    Sequel.STARTS: "Starting now…",
    Sequel.RESTARTS: "Restarting to load them…",
    Sequel.RELOADS: "It loads them without a restart.",
    Sequel.STOPPED: "It is stopped and loads them when somebody starts it.",
    Sequel.WAITS: "It loads them when it starts.",
    Sequel.LATER: "It loads them at its next start.",
    Sequel.NOTHING: "Nothing was changed.",
}
_OF_SETTINGS: Mapping[Sequel, str] = {
    Sequel.STARTS: "Starting with them…",
    Sequel.RESTARTS: "Restarting with them…",
    Sequel.RELOADS: "It loads them without a restart.",
    Sequel.STOPPED: "It is stopped and uses them when somebody starts it.",
    Sequel.WAITS: "It uses them when it starts; its secrets are still missing.",
    Sequel.LATER: "It uses them at its next start, because some of its secrets can't be used.",
    Sequel.NOTHING: "Nothing was changed.",
}


def after_secrets(sequel: Sequel) -> str:
    """What happens to the bot now that its secrets were stored."""
    return say(_OF_SECRETS[sequel])


def after_settings(done: Edited) -> str:
    """What happens to the bot now that its settings were changed, and what stays as it was."""
    words = [say(_OF_SETTINGS[done.sequel])]
    for spec in done.reset:
        label = plain(told(spec.label), 60)
        default = say(
            "{label} is back to its default, “{default}”.",
            label=label,
            default=plain(spec.default, 100),
        )
        words.append(default if spec.default else say("{label} is no longer set.", label=label))
    words += [
        say(
            "The file {path} already exists in the bot's folder and stays as it is.",
            path=plain(path, 100),
        )
        for path in done.kept_files
    ]
    return " ".join(words)
