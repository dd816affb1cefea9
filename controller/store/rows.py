"""Rows of the database as plain values, and back."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from controller.domain.access import Principal
from controller.domain.bot import Bot, Problem, Wish
from controller.domain.journal import Author, Entry, Kind
from controller.domain.roles import Role
from controller.domain.run import Run
from controller.domain.webhooks import Format, Webhook
from controller.store.records import Form, KeptAnswer, Owed, SignIn, Token, WebSession

Row = tuple[Any, ...]
_SURROGATES = re.compile("[\ud800-\udfff]")

BOT_COLUMNS = (
    "id, name, template, provider, model, channel, fields, wish, ended_run, "
    "reload_run, image, problem, accounted_end, log_floor, created_at, created_by, image_ref, "
    "source, secret_set, held, current_release, candidate_release, setback, limits, "
    "restoring, state_kept"
)
OWED_COLUMNS = "request, reply_via, recipient, act, bot_id, bot_name, asked_at, words"
KEY_COLUMNS = (
    "id, name, hash, owner_kind, owner_id, owner_name, role, bots, created_at, expires_at, "
    "used_at, revoked_at, acting"
)
SIGN_IN_COLUMNS = "hash, user_id, user_name, expires_at"
SESSION_COLUMNS = "id, hash, user_id, user_name, about, created_at, used_at"
WEBHOOK_COLUMNS = (
    "id, name, format, host, fingerprint, plain, events, created_at, created_by, cursor, "
    "delivered_at, failures, failing_since, reason, stopped, dead, dead_at, lost"
)
ANSWER_COLUMNS = "request, digest, at, status, location, body"


def bot_row(bot: Bot) -> list[object]:
    """A bot in the order of BOT_COLUMNS."""
    return [
        bot.id,
        bot.name,
        bot.template,
        bot.provider,
        bot.model,
        bot.channel,
        json.dumps(bot.fields, sort_keys=True),
        bot.wish.value,
        bot.run.to_end,
        bot.run.to_reload,
        bot.image,
        problem_text(bot.problem),
        bot.run.accounted_end,
        bot.run.log_floor,
        bot.created_at,
        bot.created_by,
        bot.image_ref,
        bot.source,
        bot.secret_set,
        bot.held,
        bot.release,
        bot.candidate,
        problem_text(bot.setback),
        json.dumps(bot.limits, sort_keys=True),
        bot.restoring,
        int(bot.state_kept),
    ]


def bot_of(row: Row) -> Bot:
    """A row in the order of BOT_COLUMNS as a bot."""
    return Bot(
        id=row[0],
        name=row[1],
        template=row[2],
        provider=row[3],
        model=row[4],
        channel=row[5],
        fields=json.loads(row[6]),
        wish=Wish(row[7]),
        run=Run(to_end=row[8], to_reload=row[9], accounted_end=row[12], log_floor=row[13]),
        image=row[10],
        problem=problem_of(row[11]),
        created_at=row[14],
        created_by=row[15],
        image_ref=row[16],
        source=row[17],
        secret_set=row[18],
        held=row[19],
        release=row[20],
        candidate=row[21],
        setback=problem_of(row[22]),
        limits=json.loads(row[23]),
        restoring=row[24],
        state_kept=bool(row[25]),
    )


def problem_text(problem: Problem | None) -> str | None:
    """A problem as the text of a column."""
    return json.dumps(asdict(problem)) if problem else None


def problem_of(text: str | None) -> Problem | None:
    """The text of a column as a problem."""
    return Problem(**json.loads(text)) if text else None


def entry_row(entry: Entry) -> list[object]:
    """A journal entry in the order of `chain.COLUMNS`."""
    author = entry.author
    return [
        entry.seq,
        float(entry.at) + 0.0,  # SQLite keeps no negative zero, and the hash is of what it keeps
        entry.kind.value,
        storable(entry.bot_id),
        storable(entry.bot_name),
        author.principal.kind,
        storable(author.principal.id),
        storable(author.principal.name),
        storable(author.request),
        author.cause,
        encode(entry.data),
    ]


def entry_of(row: Row) -> Entry:
    """A row in the order of `chain.COLUMNS` as an entry."""
    seq, at, kind, bot_id, bot_name, who, ident, name, request, cause, data = row[:11]
    return Entry(
        seq=seq,
        at=at,
        kind=Kind(kind),
        bot_id=bot_id,
        bot_name=bot_name,
        author=Author(Principal(who, ident, name), request, cause),
        data=json.loads(data),
    )


def encode(data: Mapping[str, Any]) -> str:
    """Plain data as the text of a column; the same data always gives the same text."""
    return storable(json.dumps(data, sort_keys=True, ensure_ascii=False, separators=(",", ":")))


def storable(text: str) -> str:
    """The text with half characters (lone surrogates) replaced: SQLite refuses them, and no name
    that somebody chose may keep an entry out of the journal."""
    return _SURROGATES.sub("\N{REPLACEMENT CHARACTER}", text)


def form_of(row: Row) -> Form:
    """A row of id, bot, user, rotate, end and use as a form."""
    ident, bot_id, user_id, rotate, expires_at, used_at = row
    return Form(ident, bot_id, user_id, bool(rotate), expires_at, used_at)


def owed_row(owed: Owed) -> list[object]:
    """An answer owed in the order of OWED_COLUMNS."""
    return values_of(owed, OWED_COLUMNS)


def owed_of(row: Row) -> Owed:
    """A row in the order of OWED_COLUMNS as an answer owed."""
    return Owed(**dict(zip(OWED_COLUMNS.split(", "), row, strict=True)))


def token_row(token: Token) -> list[object]:
    """A token in the order of KEY_COLUMNS."""
    row = {name: getattr(token, name) for name in KEY_COLUMNS.split(", ")}
    return list((row | {"role": int(token.role), "bots": json.dumps(sorted(token.bots))}).values())


def token_of(row: Row) -> Token:
    """A row in the order of KEY_COLUMNS as a token."""
    found = dict(zip(KEY_COLUMNS.split(", "), row, strict=True))
    bots = frozenset(json.loads(found["bots"]))
    typed = {"role": Role(found["role"]), "bots": bots, "acting": bool(found["acting"])}
    return Token(**found | typed)


def webhook_row(webhook: Webhook) -> list[object]:
    """A webhook in the order of WEBHOOK_COLUMNS."""
    row = {name: getattr(webhook, name) for name in WEBHOOK_COLUMNS.split(", ")}
    more = {"format": webhook.format.value, "events": json.dumps(webhook.events)}
    flags = {"plain": int(webhook.plain), "stopped": int(webhook.stopped)}
    return list((row | more | flags).values())


def webhook_of(row: Row) -> Webhook:
    """A row in the order of WEBHOOK_COLUMNS as a webhook."""
    found = dict(zip(WEBHOOK_COLUMNS.split(", "), row, strict=True))
    more = {"format": Format(found["format"]), "events": tuple(json.loads(found["events"]))}
    flags = {name: bool(found[name]) for name in ("plain", "stopped")}
    return Webhook(**found | more | flags)


def sign_in_of(row: Row) -> SignIn:
    """A row in the order of SIGN_IN_COLUMNS."""
    return SignIn(**dict(zip(SIGN_IN_COLUMNS.split(", "), row, strict=True)))


def session_of(row: Row) -> WebSession:
    """A row in the order of SESSION_COLUMNS."""
    return WebSession(**dict(zip(SESSION_COLUMNS.split(", "), row, strict=True)))


def answer_of(row: Row) -> KeptAnswer:
    """A row in the order of ANSWER_COLUMNS."""
    return KeptAnswer(**dict(zip(ANSWER_COLUMNS.split(", "), row, strict=True)))


def values_of(record: object, columns: str) -> list[object]:
    """A plain record's values in the order of these columns."""
    return [getattr(record, name) for name in columns.split(", ")]
