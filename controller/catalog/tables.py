"""The tables of a template's file, one class each. What must fit across them is in `rules`."""

from __future__ import annotations

import posixpath
import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from controller.catalog.asked import FieldSpec, SecretSpec
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
        refuse("must lie between 8m and 4096g")
    return text


def _tmpfs(text: str) -> str:
    if not 4096 <= size_in_bytes(text) <= 64 * _GIB:
        refuse("must lie between 4k and 64g")
    return text


def _models(models: tuple[str, ...]) -> tuple[str, ...]:
    for index, model in enumerate(models):
        try:
            check_model(model)
        except BadInput:
            refuse("is no model's name: letters, digits and . _ - / : @ +, at most 100", index)
    return models


def _health_test(test: tuple[str, ...]) -> tuple[str, ...]:
    if len(test) < 2 or test[0] not in {"CMD", "CMD-SHELL"}:
        refuse('must be like ["CMD", "/bin/check"] or ["CMD-SHELL", "a line for its shell"]')
    return test


def _below(path: str) -> str:
    if not path or path.startswith("/") or posixpath.normpath(path) != path or path in {".", ".."}:
        refuse('must be a path below the state\'s, like "notes/first.md", without "." or ".."')
    if path.startswith("../"):
        refuse("leads out of the state's folder")
    if not path.isprintable():
        refuse("has an invisible character in it")
    return path


class Image(Part):
    """Which image, whether to pull it, and what to do where it is missing."""

    ref: Annotated[str, Field(max_length=255), AfterValidator(_image)]
    pull: Literal["missing", "always", "never"] = "missing"
    hint: Annotated[OneLine, Field(max_length=300)] = ""


class Resources(Part):
    """What one bot may use. Swap on top is never allowed."""

    memory: Annotated[Size, AfterValidator(_memory)] = "256m"
    cpus: Annotated[float, Field(ge=0.05, le=256)] = 0.5
    pids: Annotated[int, Field(ge=4, le=32768)] = 128

    @property
    def memory_bytes(self) -> int:
        """The memory limit in bytes."""
        return size_in_bytes(self.memory)

    @property
    def nano_cpus(self) -> int:
        """The CPU limit in the engine's unit."""
        return round(self.cpus * 1_000_000_000)


class Run(Part):
    """How the container is run."""

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
    reload: Arguments = ()  # inside the bot: makes it read replaced secrets; without it a restart
    reload_timeout: Annotated[float, Field(ge=1, le=300)] = 30
    secret_exposure: Literal["process-env"] | None = None

    @model_validator(mode="after")
    def _sound(self) -> Run:
        if "reload_timeout" in self.model_fields_set and not self.reload:
            refuse("has no `reload` that it could be for", "reload_timeout")
        return self


class State(Part):
    """Where the named volume goes."""

    path: MountPoint


class LogSign(Part):
    """A log line that means that the bot runs and yet cannot answer, until another line."""

    pattern: NoEmptyPattern
    means: Words
    until: Pattern = ""


class HealthCheck(Part):
    """The engine's healthcheck (times in seconds), and signs in the log that something is wrong."""

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


class Seed(Part):
    """A text file that is put into the state volume, before the bot first sees it."""

    path: Annotated[str, Field(max_length=255), AfterValidator(_below)]
    text: Annotated[str, Field(max_length=16384)] = ""
    keep: bool = True


class Validation(Part):
    """A command of the image that refuses a rendered config that it would not start with."""

    command: Command
    timeout: Annotated[float, Field(ge=1, le=600)] = 60


class Needs(Part):
    """What an image must have inside for a provider or a channel to work."""

    path: Path
    hint: Words


class Action(Part):
    """A command inside the bot's container that people may run from the chat."""

    title: Annotated[OneLine, Field(min_length=1, max_length=45)]  # Discord's limit for a modal
    role: Literal["viewer", "operator", "admin"]
    command: Command
    timeout: Annotated[float, Field(ge=1, le=300)] = 30
    hide: Annotated[tuple[NoEmptyPattern, ...], Field(strict=False)] = ()
    channels: Annotated[tuple[str, ...], Field(strict=False)] = ()
    args: Fields = ()


class Option(Part):
    """What a provider and a channel have in common."""

    title: Title
    secrets: Secrets = ()
    fields: Fields = ()
    config: dict[str, Any] = Field(default_factory=dict)
    needs: Needs | None = None


class Provider(Option):
    """Where the bot's intelligence comes from; `models` are suggestions."""

    models: Annotated[tuple[str, ...], Field(strict=False), AfterValidator(_models)] = ()


class Channel(Option):
    """Where the bot talks to people."""


class ConfigFile(Part):
    """A config file, mounted read-only with its folder.

    With `secret` it may hold secrets and stands among them; else it never holds one.
    """

    path: MountPoint
    format: Literal["json", "yaml", "toml"]
    content: dict[str, Any] = Field(default_factory=dict)
    secret: bool = False

    @model_validator(mode="after")
    def _sound(self) -> ConfigFile:
        if self.secret and (self.folder != SECRETS_TARGET or not is_secret_name(self.name)):
            refuse(
                f"must be like {SECRETS_TARGET}/channel_config, as the file is secret: "
                "lower-case letters, digits and _",
                "path",
            )
        if self.path.count("/") < 2:
            refuse('needs a folder of its own, like "/etc/echo/echo.json"', "path")
        return self

    @property
    def folder(self) -> str:
        """The folder in the container that is mounted for it."""
        return posixpath.dirname(self.path)

    @property
    def name(self) -> str:
        """Its name in that folder."""
        return posixpath.basename(self.path)


class Tables(Part):
    """The whole file, each table by itself in order."""

    version: Literal[1] = Field(alias="schema")
    id: str
    title: Title
    description: Annotated[OneLine, Field(max_length=300)] = ""
    image: Image
    run: Run
    state: State | None = None
    health: HealthCheck | None = None
    providers: dict[str, Provider] = Field(default_factory=dict)
    channels: dict[str, Channel] = Field(default_factory=dict)
    secrets: Secrets = ()
    fields: Fields = ()
    files: Annotated[tuple[ConfigFile, ...], Field(strict=False)] = ()
    seeds: Annotated[tuple[Seed, ...], Field(strict=False)] = ()
    validation: Validation | None = None
    actions: dict[str, Action] = Field(default_factory=dict)
