"""The tables of a template file, one class each. `template_rules` checks how they fit together."""

from __future__ import annotations

import posixpath
import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from controller.catalog.inputs import FieldSpec, SecretSpec
from controller.catalog.parts import (
    Arguments,
    MountPoint,
    OneLine,
    Part,
    Path,
    Pattern,
    Size,
    refuse,
    size_in_bytes,
)
from controller.domain.errors import BadInput
from controller.domain.names import check_model, is_secret_name
from controller.domain.spec import SECRETS_TARGET

_USER = re.compile(r"([1-9]\d{0,8})(?::([1-9]\d{0,8}))?", re.ASCII)
_IMAGE = re.compile(r"[a-z0-9][\w.:/@-]*", re.ASCII)
_RESTART = re.compile(r"unless-stopped|no|on-failure:[1-9]\d?")
_GIB = 1024**3

Secrets = Annotated[tuple[SecretSpec, ...], Field(strict=False)]
Fields = Annotated[tuple[FieldSpec, ...], Field(strict=False)]
Title = Annotated[OneLine, Field(min_length=1, max_length=80)]
Words = Annotated[OneLine, Field(min_length=1, max_length=300)]
Command = Annotated[Arguments, Field(min_length=1)]
NoEmptyPattern = Annotated[Pattern, Field(min_length=1)]


def _image(text: str) -> str:
    if not _IMAGE.fullmatch(text) or ".." in text or "//" in text:
        refuse('must name an image like "example/echo:1"')
    return text


def _user(text: str) -> str:
    match = _USER.fullmatch(text)
    if match is None:
        refuse('must be numeric and never 0, like "1000:1000"')
    return f"{match[1]}:{match[2] or match[1]}"


def _restart(text: str) -> str:
    if not _RESTART.fullmatch(text):
        refuse('must be "unless-stopped", "no" or "on-failure:5" with 1 to 99 in place of 5')
    return text


def _memory(text: str) -> str:
    if not 8 * 1024**2 <= size_in_bytes(text) <= 4096 * _GIB:
        refuse("must be between 8m and 4096g")
    return text


def _tmpfs(text: str) -> str:
    if not 4096 <= size_in_bytes(text) <= 64 * _GIB:
        refuse("must be between 4k and 64g")
    return text


def _models(models: tuple[str, ...]) -> tuple[str, ...]:
    for index, model in enumerate(models):
        try:
            sound = check_model(model) == model
        except BadInput:
            sound = False
        if not sound:
            refuse("must be a model's name: at most 200 characters, all of them visible", index)
    return models


def _health_test(test: tuple[str, ...]) -> tuple[str, ...]:
    if len(test) < 2 or test[0] not in {"CMD", "CMD-SHELL"}:
        refuse('must be like ["CMD", "/bin/check"] or ["CMD-SHELL", "a line for the shell"]')
    return test


def _below(path: str) -> str:
    if not path or path.startswith("/") or posixpath.normpath(path) != path or path in {".", ".."}:
        refuse('must be a path inside the state volume, like "notes/first.md", without "." or ".."')
    if path.startswith("../"):
        refuse("leads out of the state volume")
    if not path.isprintable():
        refuse("can't contain invisible characters")
    return path


class Image(Part):
    """The image, when to pull it, and a hint for people when it's missing."""

    ref: Annotated[str, Field(max_length=255), AfterValidator(_image)]
    pull: Literal["missing", "always", "never"] = "missing"
    hint: Annotated[OneLine, Field(max_length=300)] = ""


class Resources(Part):
    """The limits of one bot. It never gets swap on top of its memory."""

    memory: Annotated[Size, AfterValidator(_memory)] = "256m"
    cpus: Annotated[float, Field(ge=0.05, le=256)] = 0.5
    pids: Annotated[int, Field(ge=4, le=32768)] = 128

    @property
    def memory_bytes(self) -> int:
        """The memory limit in bytes."""
        return size_in_bytes(self.memory)

    @property
    def nano_cpus(self) -> int:
        """The CPU limit in billionths of a CPU, which is the engine's unit."""
        return round(self.cpus * 1_000_000_000)


class Run(Part):
    """How the container runs. All timeouts are in seconds."""

    user: Annotated[str, AfterValidator(_user)]
    entrypoint: Arguments = ()
    command: Arguments = ()
    workdir: Path = ""
    init: bool = True
    env: dict[str, Annotated[str, Field(max_length=4096)]] = Field(default_factory=dict)
    tmpfs: dict[MountPoint, Annotated[Size, AfterValidator(_tmpfs)]] = Field(
        default_factory=lambda: {"/tmp": "64m"}  # noqa: S108 - a path in the container
    )
    stop_timeout: Annotated[int, Field(ge=1, le=600)] = 10
    start_timeout: Annotated[int, Field(ge=1, le=3600)] = 60
    restart: Annotated[str, AfterValidator(_restart)] = "unless-stopped"
    fatal_exit_codes: Annotated[
        tuple[Annotated[int, Field(ge=1, le=255)], ...], Field(strict=False)
    ] = (78,)
    resources: Resources = Resources()
    reload: Arguments = ()  # run inside the bot to load replaced secrets; empty: it's restarted
    reload_timeout: Annotated[float, Field(ge=1, le=300)] = 30
    secret_exposure: Literal["process-env"] | None = None
    host_gateway: bool = False  # the host can be reached by name, if a bot's settings name it

    @model_validator(mode="after")
    def _sound(self) -> Run:
        if "reload_timeout" in self.model_fields_set and not self.reload:
            refuse("has no effect without `reload`", "reload_timeout")
        return self


class State(Part):
    """Where the bot's volume is mounted, what happens to the bot while it is backed up, and whether
    its state is copied before an update: how many copies are kept, and how large one may be."""

    path: MountPoint
    backup: Literal["pause", "stop", "live"] = "pause"
    snapshot: bool = False
    snapshots: Annotated[int, Field(ge=1, le=10)] = 2
    snapshot_most: Size = "1g"

    @property
    def snapshot_bytes(self) -> int:
        """The most bytes of one snapshot."""
        return size_in_bytes(self.snapshot_most)


class LogSign(Part):
    """A log line which means that the bot runs but can't answer, until a line matches `until`."""

    pattern: NoEmptyPattern
    means: Words
    until: Pattern = ""


class HealthCheck(Part):
    """The engine's health check, with times in seconds, and signs of trouble in the log."""

    test: Annotated[Arguments, AfterValidator(_health_test)] = ()
    interval: Annotated[float, Field(ge=1, le=3600)] = 30
    timeout: Annotated[float, Field(ge=1, le=600)] = 10
    start_period: Annotated[float, Field(ge=0, le=3600)] = 30
    retries: Annotated[int, Field(ge=1, le=100)] = 3
    log: Annotated[tuple[LogSign, ...], Field(strict=False)] = ()

    @model_validator(mode="after")
    def _sound(self) -> HealthCheck:
        if not self.test and self.model_fields_set != {"log"}:
            refuse("is missing", "test")
        return self


class Update(Part):
    """When a change has proved itself: healthy for so long, within the deadline. In seconds."""

    healthy_for: Annotated[float, Field(ge=0, le=3600)] = 20
    deadline: Annotated[float, Field(ge=1, le=7200)] | None = None

    @model_validator(mode="after")
    def _sound(self) -> Update:
        if self.deadline is not None and self.deadline <= self.healthy_for:
            refuse("must be more than `healthy_for`, or no change could prove itself", "deadline")
        return self


class Seed(Part):
    """A text file that is written to the state volume before the bot first sees it."""

    path: Annotated[str, Field(max_length=255), AfterValidator(_below)]
    text: Annotated[str, Field(max_length=16384)] = ""
    keep: bool = True


class Validation(Part):
    """A command of the image that fails if the bot wouldn't start with the rendered config."""

    command: Command
    timeout: Annotated[float, Field(ge=1, le=600)] = 60


class Needs(Part):
    """A path that the image must contain for a provider or a channel to work."""

    path: Path
    hint: Words


class Action(Part):
    """A command that people with the role can run in the bot's container."""

    title: Annotated[OneLine, Field(min_length=1, max_length=45)]  # fits as the title of a form
    role: Literal["viewer", "operator", "admin"]
    command: Command
    timeout: Annotated[float, Field(ge=1, le=300)] = 30
    hide: Annotated[tuple[NoEmptyPattern, ...], Field(strict=False)] = ()
    channels: Annotated[tuple[str, ...], Field(strict=False)] = ()
    args: Fields = ()


class Option(Part):
    """What providers and channels have in common."""

    title: Title
    secrets: Secrets = ()
    fields: Fields = ()
    config: dict[str, Any] = Field(default_factory=dict)
    needs: Needs | None = None


class Provider(Option):
    """The service that runs the bot's model; `models` are suggestions."""

    models: Annotated[tuple[str, ...], Field(strict=False), AfterValidator(_models)] = ()


class Channel(Option):
    """The service where the bot talks to people."""


class ConfigFile(Part):
    """A config file; its folder is mounted read-only.

    With `secret` it may contain secrets and is stored with them. Otherwise it never contains one.
    """

    path: MountPoint
    format: Literal["json", "yaml", "toml"]
    content: dict[str, Any] = Field(default_factory=dict)
    secret: bool = False

    @model_validator(mode="after")
    def _sound(self) -> ConfigFile:
        if self.secret and (self.folder != SECRETS_TARGET or not is_secret_name(self.name)):
            refuse(
                f"must be like {SECRETS_TARGET}/channel_config because the file is secret; "
                "its name may have lower-case letters, digits and _",
                "path",
            )
        if self.path.count("/") < 2:
            refuse('needs a folder of its own, like "/etc/echo/echo.json"', "path")
        return self

    @property
    def folder(self) -> str:
        """The folder of the file in the container."""
        return posixpath.dirname(self.path)

    @property
    def name(self) -> str:
        """The name of the file in its folder."""
        return posixpath.basename(self.path)


class Tables(Part):
    """A whole file. Each table is valid by itself; `Template` also checks them together."""

    version: Literal[1] = Field(alias="schema")
    id: str
    title: Title
    description: Annotated[OneLine, Field(max_length=300)] = ""
    image: Image
    run: Run
    state: State | None = None
    health: HealthCheck | None = None
    update: Update | None = None
    providers: dict[str, Provider] = Field(default_factory=dict)
    channels: dict[str, Channel] = Field(default_factory=dict)
    secrets: Secrets = ()
    fields: Fields = ()
    files: Annotated[tuple[ConfigFile, ...], Field(strict=False)] = ()
    seeds: Annotated[tuple[Seed, ...], Field(strict=False)] = ()
    validation: Validation | None = None
    actions: dict[str, Action] = Field(default_factory=dict)
