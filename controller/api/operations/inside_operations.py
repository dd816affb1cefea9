"""The operations on what is inside a bot: its settings, secrets, log and actions."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from controller.api.cursors import cursor_of, place_of
from controller.api.operation import (
    Answer,
    Assistant,
    Call,
    Given,
    Nothing,
    Operation,
    Operations,
    Values,
)
from controller.api.problems import HttpProblem
from controller.api.resources import LineOut, Page, Resource, at, moment
from controller.api.template_resources import ActionOut, FieldOut, action_out, field_out
from controller.domain import acts
from controller.domain.bot import Bot
from controller.domain.errors import BadInput, Conflict
from controller.manager import Manager
from controller.manager.logbook import LINES_MAX


class SettingOut(FieldOut):
    """A setting and its value now: its default where it isn't set."""

    value: str
    is_set: bool


class SettingsOut(Resource):
    """All settings of a bot. The ETag of the answer is what a change needs as If-Match."""

    settings: list[SettingOut]


class SettingsIn(Given):
    """New values by the names of settings; an empty one takes a setting back to its default."""

    values: Values


class SettingsChanged(SettingsOut):
    """What a change of settings did."""

    changed: list[str]
    sequel: Literal["starts", "restarts", "reloads", "stopped", "waits", "later", "nothing"]
    reset: list[str]  # back to their default
    kept_files: list[str]  # files in the bot's volume that stay as they are


class SecretOut(Resource):
    """A secret without its value. Without a fingerprint it doesn't exist yet."""

    name: str
    label: str
    required: bool
    generated: bool  # made by BotMaker; nobody enters it
    fingerprint: str
    written_at: datetime | None


class SecretsIn(Given):
    """Values by the names of secrets, and of the settings that are asked for with them.

    The values are written at once and never answered.
    """

    values: Values


class SealAddress(Resource):
    """Where a bot's secrets can be sealed to, so that nobody on the way sees them."""

    address: str  # `sealto1.…`, for `botmaker seal` and the page seal.html
    until: datetime  # the end of what is sealed to it
    fingerprint: str  # of the key in it


class SecretsCompared(Resource):
    """Of each value whether the bot has it: `same`, `other`, or `missing` where it has none."""

    secrets: dict[str, Literal["same", "other", "missing"]]


class SecretsPut(Resource):
    """What became of the values: a fingerprint of each secret, and what happens now."""

    fingerprints: dict[str, str]
    sequel: Literal["starts", "restarts", "reloads", "stopped", "waits", "later", "nothing"]
    notes: list[str]  # what the services said about the values


class LogWanted(Given):
    """Which part of a log: the newest lines that fit."""

    lines: Annotated[int, Field(ge=1, le=LINES_MAX)] = 50
    since: Annotated[str, Field(max_length=30, description="Back from now, like 10m or 2h.")] = ""
    grep: Annotated[str, Field(max_length=100, description="Plain text, case ignored.")] = ""
    stream: Literal["both", "stdout", "stderr"] = "both"
    cursor: Annotated[str, Field(max_length=200)] = ""


class ActionIn(Given):
    """What the action asks for, by name."""

    values: Values = Field(default_factory=dict)


class ActionDone(Resource):
    """How an action ended, and what it printed, redacted."""

    title: str
    exit_code: int
    text: str


def etag_of(fields: Mapping[str, str]) -> str:
    """The ETag of a bot's settings."""
    text = json.dumps(fields, sort_keys=True)
    return f'"{hashlib.sha256(text.encode()).hexdigest()[:32]}"'


def _settings(manager: Manager, bot: Bot) -> list[SettingOut]:
    return [
        SettingOut(
            **field_out(spec).model_dump(),
            value=bot.fields.get(spec.name, spec.default),
            is_set=spec.name in bot.fields,
        )
        for spec in manager.edits.fields(bot)
    ]


async def get_settings(call: Call[Nothing, Nothing]) -> Answer:
    """All settings, with their ETag."""
    bot = await call.bot(acts.BOT_EDIT)
    await call.manager.edits.open(call.caller, bot)
    headers = {"ETag": etag_of(bot.fields)}
    return Answer(SettingsOut(settings=_settings(call.manager, bot)), headers=headers)


async def change_settings(call: Call[Nothing, SettingsIn]) -> Answer:
    """Take new values, if the settings are still those that the caller saw."""
    bot = await call.bot(acts.BOT_EDIT)
    values = call.body.values
    _require_match(call, bot)
    known = {spec.name for spec in call.manager.edits.fields(bot)}
    strange = sorted(values.keys() - known)
    if strange:
        raise BadInput(
            f"{bot.name} has no such settings: {', '.join(strange)[:200]}.",
            hint=f"It has these: {', '.join(sorted(known)) or 'none'}.",
            code="bad-field",
        )
    done = await call.manager.edits.submit(
        call.caller, bot, values.keys(), values, None if _any(call) else bot.fields
    )
    view = call.manager.bots.get(bot.id)
    now = view.bot if view else bot
    changed = SettingsChanged(
        settings=_settings(call.manager, now),
        changed=list(done.changed),
        sequel=done.sequel.value,
        reset=[spec.name for spec in done.reset],
        kept_files=list(done.kept_files),
    )
    return Answer(changed, headers={"ETag": etag_of(now.fields)})


def _any(call: Call[Nothing, SettingsIn]) -> bool:
    return call.request.headers.get("If-Match", "").strip() == "*"


def _require_match(call: Call[Nothing, SettingsIn], bot: Bot) -> None:
    sent = call.request.headers.get("If-Match", "")
    if not sent:
        raise HttpProblem(
            428,
            "A change of settings needs If-Match.",
            hint="Send the ETag of GET …/settings, or `*` to overwrite whatever is there.",
            code="if-match-missing",
        )
    tags = {tag.strip() for tag in sent.split(",")}
    if "*" not in tags and etag_of(bot.fields) not in tags:
        raise Conflict(
            f"The settings of {bot.name} are others than those that you saw.",
            hint="Read them again, then decide.",
            code="changed-meanwhile",
        )


async def list_secrets(call: Call[Nothing, Nothing]) -> Answer:
    """Names, ages and fingerprints."""
    bot = await call.bot(acts.BOT_SHOW)
    items = [
        SecretOut(
            name=one.name,
            label=one.spec.label if one.spec else "",
            required=one.spec is not None and one.spec.required,
            generated=one.spec is not None and one.spec.generated,
            fingerprint=one.fingerprint,
            written_at=moment(one.written_at),
        )
        for one in await call.manager.credentials.stored(call.caller, bot)
    ]
    return Answer(Page[SecretOut](items=items))


async def put_secrets(call: Call[Nothing, SecretsIn]) -> Answer:
    """Write them at once."""
    bot = await call.bot(acts.BOT_SECRETS)
    done = await call.manager.credentials.put(call.caller, bot, call.body.values)
    put = SecretsPut(
        fingerprints=dict(done.fingerprints), sequel=done.sequel.value, notes=list(done.notes)
    )
    return Answer(put)


async def seal_address(call: Call[Nothing, Nothing]) -> Answer:
    """Where values can be sealed to, before they are sent or typed."""
    bot = await call.bot(acts.BOT_SECRETS)
    sealed = call.manager.credentials.sealed
    address = await sealed.address(call.caller, bot)
    until = moment(address.until)
    assert until is not None
    found = SealAddress(address=address.code, until=until, fingerprint=sealed.fingerprint)
    return Answer(found)


async def compare_secrets(call: Call[Nothing, SecretsIn]) -> Answer:
    """Say whether the values are those that it has."""
    bot = await call.bot(acts.BOT_SECRETS)
    found = await call.manager.sameness.of(call.caller, bot, call.body.values)
    return Answer(SecretsCompared(secrets=found))


async def read_log(call: Call[LogWanted, Nothing]) -> Answer:
    """The newest lines, and a cursor to older ones."""
    bot = await call.bot(acts.BOT_LOGS)
    wanted, logbook = call.query, call.manager.logbook
    query = logbook.parse(wanted.lines, wanted.since, wanted.grep, wanted.stream)
    place = place_of(wanted.cursor)
    if place is not None:
        until, skip = _log_place(place)
        query = query.before(until, skip)
    snippet = await logbook.read(call.caller, bot, query)
    items = [LineOut(at=at(line.at), stream=line.stream, text=line.text) for line in snippet.lines]
    until, skip = snippet.seen_to
    more = cursor_of(f"{until!r}+{skip}") if snippet.more and until else None
    return Answer(Page[LineOut](items=items, next=more))


def _log_place(place: str | int) -> tuple[float, int]:
    try:
        until, _, skip = str(place).partition("+")
        return float(until), int(skip)
    except ValueError:
        raise BadInput("That cursor isn't one of a log.", code="bad-cursor") from None


async def list_actions(call: Call[Nothing, Nothing]) -> Answer:
    """The actions that the caller may run."""
    bot = await call.bot(acts.BOT_DO)
    allowed = call.manager.actions.allowed(call.caller, bot)
    return Answer(Page[ActionOut](items=[action_out(n, one) for n, one in allowed.items()]))


async def run_action(call: Call[Nothing, ActionIn]) -> Answer:
    """Run it and wait for its end."""
    bot = await call.bot(acts.BOT_DO)
    name = call.path["action"]
    done = await call.manager.actions.run(call.caller, bot, name, call.body.values)
    return Answer(ActionDone(title=done.title, exit_code=done.exit_code, text=done.text))


INSIDE_OPERATIONS: Operations = (
    Operation(
        id="getSettings",
        method="GET",
        path="/bots/{bot}/settings",
        act=acts.BOT_EDIT,
        summary="A bot's settings, none of them secret.",
        query=Nothing,
        body=Nothing,
        answer=SettingsOut,
        etag=True,
        handler=get_settings,
    ),
    Operation(
        id="changeSettings",
        method="PATCH",
        path="/bots/{bot}/settings",
        act=acts.BOT_EDIT,
        summary="Change some of a bot's settings. It restarts if it has to.",
        query=Nothing,
        body=SettingsIn,
        answer=SettingsChanged,
        etag=True,
        handler=change_settings,
    ),
    Operation(
        id="listSecrets",
        method="GET",
        path="/bots/{bot}/secrets",
        act=acts.BOT_SHOW,
        summary="The names, ages and fingerprints of a bot's secrets.",
        query=Nothing,
        body=Nothing,
        answer=Page[SecretOut],
        handler=list_secrets,
    ),
    Operation(
        id="putSecrets",
        method="PUT",
        path="/bots/{bot}/secrets",
        act=acts.BOT_SECRETS,
        summary="Set or replace secrets; what isn't sent stays. The bot starts when it has all.",
        query=Nothing,
        body=SecretsIn,
        answer=SecretsPut,
        secret=True,
        handler=put_secrets,
    ),
    Operation(
        id="sealAddress",
        method="GET",
        path="/bots/{bot}/secrets/address",
        act=acts.BOT_SECRETS,
        summary="Where a bot's secrets can be sealed to.",
        query=Nothing,
        body=Nothing,
        answer=SealAddress,
        handler=seal_address,
    ),
    Operation(
        id="compareSecrets",
        method="POST",
        path="/bots/{bot}/secrets/compare",
        act=acts.BOT_SECRETS,
        summary="Whether values are the secrets that a bot has. Nothing is changed.",
        query=Nothing,
        body=SecretsIn,
        answer=SecretsCompared,
        secret=True,
        handler=compare_secrets,
    ),
    Operation(
        id="readLog",
        method="GET",
        path="/bots/{bot}/logs",
        act=acts.BOT_LOGS,
        summary="The newest lines of a bot's log, oldest first, redacted.",
        query=LogWanted,
        body=Nothing,
        answer=Page[LineOut],
        handler=read_log,
        assistant=Assistant.LOOK,
    ),
    Operation(
        id="listActions",
        method="GET",
        path="/bots/{bot}/actions",
        act=acts.BOT_DO,
        summary="The actions that you may run inside a bot.",
        query=Nothing,
        body=Nothing,
        answer=Page[ActionOut],
        handler=list_actions,
    ),
    Operation(
        id="runAction",
        method="POST",
        path="/bots/{bot}/actions/{action}",
        act=acts.BOT_DO,
        summary="Run an action inside a bot, and wait for its end.",
        query=Nothing,
        body=ActionIn,
        answer=ActionDone,
        kept=False,
        handler=run_action,
    ),
)
