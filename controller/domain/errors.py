"""The one tree of errors. Adapters raise these; each edge (chat, api, cli) words them once.

ControllerError
├── BadInput            what a person gave can't be used
├── NotSignedIn         nobody knows who asks
├── Denied              this person may not do this
├── NotFound            no such bot, form, container …
├── Conflict            it exists already, or something else is in the way
├── NotReady            the bot is not in a state for this
├── BadTemplate         a template file with an error
├── BadSetting          a start that can't work: exit status 78
├── StorageTrouble      database or disk
├── DiscordTrouble      refused or not reachable
├── Unreachable         no controller answers whoever asks it from outside: exit status 3
└── RuntimeTrouble      the container engine
    ├── EngineUnavailable   not reachable or not answering; nothing was done
    ├── EngineBusy          no thread became free in time; the engine was never asked
    ├── RegistryUnavailable the registry of an image doesn't answer; the engine does
    ├── OutcomeUnknown      the answer to a write was lost: look again, never call it failed
    ├── ImageMissing        the image is not here and could not be pulled
    └── BadSpec             the engine refused the container as described
"""

from __future__ import annotations

from collections.abc import Mapping


class ControllerError(Exception):
    """An error with a stable kebab-case `code`, a `message` for the person and a `hint`.

    `retryable` says that the same request may succeed later without anybody changing anything.
    """

    code = "internal"
    retryable = False

    def __init__(self, message: str, *, hint: str = "", code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        if code is not None:
            self.code = code

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()


class BadInput(ControllerError):
    """What a person gave can't be used. `inputs` says what is wrong with which, by their names."""

    code = "bad-input"

    def __init__(
        self,
        message: str,
        *,
        hint: str = "",
        code: str | None = None,
        inputs: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message, hint=hint, code=code)
        self.inputs = dict(inputs or {})

    def of_input(self, name: str, label: str) -> BadInput:
        """The same, said of one input."""
        words = f"{label}: {self.message}"
        return BadInput(words, hint=self.hint, code=self.code, inputs={name: words})


class NotSignedIn(ControllerError):
    """Nobody knows who asks: no token or session came along, or one that doesn't count."""

    code = "not-signed-in"


class Denied(ControllerError):
    """This person may not do this; the message says which role is needed."""

    code = "denied"


class NotFound(ControllerError):
    """There is no such thing, or no longer."""

    code = "not-found"


class Conflict(ControllerError):
    """Something of that name exists, or stands in the way."""

    code = "conflict"


class NotReady(ControllerError):
    """The bot is not in a state in which this makes sense."""

    code = "not-ready"


class BadTemplate(ControllerError):
    """A template file with an error; the message names file, line and reason."""

    code = "bad-template"


class BadSetting(ControllerError):
    """A start that can't work; the console script ends with status 78."""

    code = "bad-setting"


class StorageTrouble(ControllerError):
    """The database or the disk refused."""

    code = "storage"
    retryable = True


class DiscordTrouble(ControllerError):
    """Discord refused or is not reachable; what was to be said is said later."""

    code = "discord"
    retryable = True


class Unreachable(ControllerError):
    """No controller answers where it was asked; the console script ends with status 3."""

    code = "unreachable"
    retryable = True


class RuntimeTrouble(ControllerError):
    """The container engine refused."""

    code = "engine-error"


class EngineUnavailable(RuntimeTrouble):
    """The engine is not reachable or does not answer; nothing was done."""

    code = "engine-unavailable"
    retryable = True


class EngineBusy(RuntimeTrouble):
    """Other calls held all threads for too long. The engine was never asked."""

    code = "engine-busy"
    retryable = True


class RegistryUnavailable(RuntimeTrouble):
    """The registry that has an image went silent. That says nothing about the engine."""

    code = "registry-unavailable"
    retryable = True


class OutcomeUnknown(RuntimeTrouble):
    """The answer to a write was lost. Observe again; this is not a failure."""

    code = "outcome-unknown"
    retryable = True


class ImageMissing(RuntimeTrouble):
    """The image is not on this machine and could not be pulled."""

    code = "image-missing"


class BadSpec(RuntimeTrouble):
    """The engine refused the container as described."""

    code = "bad-spec"
