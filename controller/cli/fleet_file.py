"""Fleets as TOML: reading files with all that is wrong with them, and writing them."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import tomli_w
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from controller.domain.disk_words import reason
from controller.domain.errors import BadInput
from controller.domain.fleet_plan import FleetGrant, Wanted, WantedBot, WantedSecret
from controller.domain.keys import looks_like_key

SECRET_MOST = 8000  # characters of a secret
FILE_MOST = 1_048_576  # bytes of a fleet's file
REPEATED_MIN = 8  # characters of a secret that stands in a setting by mistake
HINT = "docs/fleet-files.md, in the project's repository, shows what it takes."
HEADER = """\
# BotMaker's fleet. Secrets stand here by their fingerprints; to give a value, write
# `api_key = { file = "path/of/a/file" }`, beside this file.
"""
_SUBJECTS = {"user": "user", "role": "discord_role"}
Word = Annotated[str, Field(min_length=1, max_length=300)]
Name = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$")]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class _Secret(_Part):
    """Where a value comes from: a file, or somebody who is asked; and how it was exported."""

    file: str = ""
    ask: bool = False
    fingerprint: str = ""


class _Bot(_Part):
    template: Word
    provider: Word | None = None
    model: Word | None = None
    channel: Word | None = None
    wish: Literal["running", "stopped"] | None = None
    settings: dict[str, str] | None = None
    secrets: dict[str, _Secret] = Field(default_factory=dict)


class _Grant(_Part):
    user: Annotated[str, Field(pattern=r"^[1-9][0-9]{0,18}$")] = ""
    discord_role: Annotated[str, Field(pattern=r"^[1-9][0-9]{0,18}$")] = ""
    role: Literal["viewer", "operator", "admin"]
    bot: str = ""

    @model_validator(mode="after")
    def _whole(self) -> _Grant:
        if bool(self.user) == bool(self.discord_role):
            raise ValueError("needs either `user` or `discord_role`, an id in quotes")
        if self.bot and self.role == "admin":
            raise ValueError("admin is for all bots; it can't be given for one")
        return self


class _File(_Part):
    fleet: Name | None = None
    bots: dict[Name, _Bot] = Field(default_factory=dict)
    grants: list[_Grant] = Field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Fleet:
    """What the files say, and the values of secrets that they lead to."""

    wanted: Wanted
    values: Mapping[str, Mapping[str, str]] = field(default_factory=dict, repr=False)  # by bot
    unnamed: Path | None = None  # a file that doesn't name its fleet

    def require_named(self) -> None:
        """Raise BadInput unless it is known whose files these are: for what removes things."""
        if self.unnamed is not None:
            raise BadInput(
                f"{self.unnamed} doesn't name its fleet, so nobody knows what it created.",
                hint='Write `fleet = "shop"` at its top; --prune removes what is created from then '
                "on.",
            )


def read(paths: Iterable[Path]) -> Fleet:
    """Read files, and the `*.toml` of folders. BadInput names the file and all that is wrong."""
    bots: dict[str, WantedBot] = {}
    grants: dict[tuple[str, str, str], FleetGrant] = {}
    values: dict[str, dict[str, str]] = {}
    fleets: set[str] = set()
    unnamed = None
    for path in _files(paths):
        file = _parsed(path)
        fleet = file.fleet or ""
        fleets |= {fleet} - {""}
        unnamed = unnamed or (None if fleet else path)
        for name, bot in file.bots.items():
            if name in bots:
                raise BadInput(f"{path}: the bot {name} is in two files.", hint=HINT)
            bots[name] = _wanted(name, bot, fleet)
            values[name] = _values(path, bot)
            _check_settings(path, name, bot, values[name])
        for given in file.grants:
            grant = _granted(given, fleet)
            if grant.key in grants:
                raise BadInput(f"{path}: a grant for {grant.subject} is there twice.", hint=HINT)
            grants[grant.key] = grant
    wanted = Wanted(tuple(bots.values()), tuple(grants.values()), frozenset(fleets))
    return Fleet(wanted, values, unnamed)


def _files(paths: Iterable[Path]) -> list[Path]:
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(path.glob("*.toml"))
            if not inside:
                raise BadInput(f"{path} has no *.toml in it.", hint=HINT)
            found += inside
        else:
            found.append(path)
    return found


def _parsed(path: Path) -> _File:
    try:
        with path.open("rb") as opened:
            data = opened.read(FILE_MOST + 1)
        if len(data) > FILE_MOST:
            raise BadInput(f"{path} is larger than {FILE_MOST // 1024} KiB.", hint=HINT)
        return _File.model_validate(tomllib.loads(data.decode()))
    except OSError as error:
        raise BadInput(f"{path} can't be read: {reason(error)}.") from error
    except UnicodeError:
        raise BadInput(f"{path} isn't UTF-8 text.", hint=HINT) from None
    except tomllib.TOMLDecodeError as error:
        raise BadInput(f"{path} isn't TOML: {error}.", hint=HINT) from None
    except ValidationError as error:
        raise BadInput(f"{path}: {_worded(error)}.", hint=HINT) from None


def _worded(error: ValidationError) -> str:
    """All that is wrong, by its place, without what was written: it may be a secret."""
    found = []
    for item in error.errors(include_input=False, include_url=False, include_context=False):
        place = ".".join(str(step) for step in item["loc"]).removesuffix(".[key]") or "the file"
        found.append(f"`{place}` {_reason(place, item['type'], item['msg'])}")
    return "; ".join(dict.fromkeys(found))


def _reason(place: str, kind: str, message: str) -> str:
    if kind == "extra_forbidden":
        return "isn't known"
    if kind == "string_pattern_mismatch":
        is_id = place.endswith(("user", "discord_role"))
        return "must be a Discord id" if is_id else "isn't a name: use a–z, 0–9 and dashes"
    if kind == "string_type":
        return 'must be text in quotes, like "2"'
    if kind == "missing":
        return "is missing"
    if ".secrets." in place and kind in {"model_type", "dict_type", "model_attributes_type"}:
        return 'must not be a value: write { file = "…" } or { ask = true }'
    return message.removeprefix("Value error, ").replace("Input should be", "must be")


def _wanted(name: str, bot: _Bot, fleet: str) -> WantedBot:
    return WantedBot(
        name=name,
        template=bot.template,
        provider=bot.provider,
        model=bot.model,
        channel=bot.channel,
        settings=bot.settings,
        running=None if bot.wish is None else bot.wish == "running",
        secrets={
            key: WantedSecret(bool(secret.file), secret.fingerprint)
            for key, secret in bot.secrets.items()
        },
        fleet=fleet,
    )


def _values(path: Path, bot: _Bot) -> dict[str, str]:
    return {
        name: _value(path.parent / secret.file)
        for name, secret in bot.secrets.items()
        if secret.file
    }


def _value(file: Path) -> str:
    """The secret in a file, without the line end that editors add."""
    try:
        with file.open(encoding="utf-8") as opened:
            text = opened.read(SECRET_MOST + 1)
    except OSError as error:
        raise BadInput(f"The secret's file {file} can't be read: {reason(error)}.") from error
    except UnicodeError:
        raise BadInput(f"The secret's file {file} isn't UTF-8 text.") from None
    text = text.removesuffix("\n").removesuffix("\r")
    if not text or len(text) > SECRET_MOST:
        what = f"has more than {SECRET_MOST} characters" if text else "is empty"
        raise BadInput(f"The secret's file {file} {what}.")
    return text


def _check_settings(path: Path, name: str, bot: _Bot, values: Mapping[str, str]) -> None:
    for key, text in (bot.settings or {}).items():
        repeated = any(len(value) >= REPEATED_MIN and value in text for value in values.values())
        if repeated or looks_like_key(text):
            raise BadInput(
                f"{path}: `bots.{name}.settings.{key}` has a secret in it, and settings are shown "
                "to everybody.",
                hint="Give it under `secrets`, and if the file was shared, replace it.",
            )


def _granted(given: _Grant, fleet: str) -> FleetGrant:
    return FleetGrant(
        kind="user" if given.user else "role",
        subject=given.user or given.discord_role,
        role=given.role,
        bot=given.bot,
        fleet=fleet,
    )


def written(bots: Iterable[Mapping[str, Any]], grants: Iterable[FleetGrant]) -> str:
    """A fleet's file: bots by name as `exported` makes them, then grants."""
    content: dict[str, Any] = {}
    tables = {str(bot["name"]): {k: v for k, v in bot.items() if k != "name"} for bot in bots}
    if tables:
        content["bots"] = dict(sorted(tables.items()))
    rows = [
        {_SUBJECTS[grant.kind]: grant.subject, "role": grant.role}
        | ({"bot": grant.bot} if grant.bot else {})
        for grant in sorted(grants, key=lambda one: one.key)
    ]
    if rows:
        content["grants"] = rows
    return HEADER + ("\n" + tomli_w.dumps(content) if content else "")


def exported(
    bot: Mapping[str, Any], settings: Mapping[str, str], fingerprints: Mapping[str, str]
) -> dict[str, Any]:
    """A bot as its table in a file. What it doesn't have, such as a secret, has no key."""
    found: dict[str, Any] = {"name": bot["name"], "template": bot["template"]}
    for key in ("provider", "model", "channel"):
        if bot[key]:
            found[key] = bot[key]
    found["wish"] = "stopped" if bot["wish"] == "stop" else "running"
    found["settings"] = dict(sorted(settings.items()))
    stored = {name: text for name, text in sorted(fingerprints.items()) if text}
    if stored:
        found["secrets"] = {name: {"fingerprint": text} for name, text in stored.items()}
    return found
