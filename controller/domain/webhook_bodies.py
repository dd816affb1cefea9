"""What a webhook is sent: one body for each format, made of a journal entry.

Standard Webhooks get JSON. The others get one line of text, in which outside words can't become a
mention, a link or markup.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from controller.domain.crashes import describe_exit
from controller.domain.journal import Entry, Kind
from controller.domain.webhooks import EVENTS, Format

TEXT_MAX = 1_500  # characters of a line, before anything in it is escaped
VALUE_MAX = 1_000  # characters of one text in the data
ITEMS_MAX = 50  # of one list or object in the data
BODY_MAX = 32_768  # bytes
_JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Event:
    """Something to tell: its id is the same whenever it is sent."""

    id: str
    type: str
    at: float
    text: str
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Body:
    """What is sent, before it is signed."""

    content: bytes
    type: str
    headers: Mapping[str, str] = field(default_factory=dict)


def event_of(entry: Entry, instance: str, redact: Callable[[str], str] = str) -> Event:
    """An entry of this installation's journal as an event, with what it quotes redacted."""
    by = entry.author
    bot = {"id": entry.bot_id, "name": entry.bot_name} if entry.bot_id else None
    details = _bounded(entry.data, redact)
    safe = replace(entry, data=details)
    return Event(
        id=f"{instance}-{entry.seq}",
        type=EVENTS[entry.kind],
        at=entry.at,
        text=redact(sentence(safe)),
        data={
            "number": entry.seq,
            "bot": bot,
            "by": {"kind": by.principal.kind, "id": by.principal.id, "name": by.principal.name},
            "cause": by.cause or None,
            "details": details,
        },
    )


def bare_event_of(entry: Entry, instance: str) -> Event:
    """The same without anything that is particular to it: for an entry that can't be told in full.

    Its id, its kind and its time are enough to look it up.
    """
    return Event(
        id=f"{instance}-{entry.seq}",
        type=EVENTS[entry.kind],
        at=entry.at,
        text=f"{EVENTS[entry.kind]} (entry {entry.seq} of the history).",
        data={"number": entry.seq, "cut": True},
    )


def sentence(entry: Entry) -> str:
    """The entry in one line, for people."""
    who, data = entry.author.principal.name or "BotMaker", entry.data
    match entry.kind:
        case Kind.ASKED:
            return f"{who} asked for {data.get('act')}{_on(entry)}."
        case Kind.OUTCOME:
            return f"{data.get('act')}{_on(entry)}, asked for by {who}: {data.get('result')}."
        case Kind.REFUSED:
            return f"{who} was refused {data.get('act')}{_on(entry)} ({data.get('code')})."
        case Kind.WEBHOOK:
            return f"The webhook {data.get('name')} has trouble: {data.get('reason')}."
        case Kind.RESTORED:
            return f"BotMaker was restored from a backup, with {data.get('bots')} bots."
        case _:
            told = _about_bot(entry, who) or _about_all(entry, who)
            return told or f"{EVENTS[entry.kind]}{_on(entry)}, by {who}."


def _about_all(entry: Entry, who: str) -> str:
    data = entry.data
    match entry.kind:
        case Kind.MISSED:
            times, chore = data.get("times"), data.get("chore")
            return f"{entry.bot_name or 'a bot'} missed {times} scheduled runs ({chore})."
        case Kind.BATCH:
            failed = len(data.get("failed") or ())
            return f"{data.get('verb')} of many bots: {data.get('done')} done, {failed} failed."
        case Kind.HEALTH:
            return f"BotMaker is {data.get('state')}."
        case Kind.ORPHANS:
            return f"{len(data.get('removed') or ())} orphans were removed by {who}."
        case Kind.WORKER:
            ended = f"{data.get('what')} {data.get('reason')}".strip()
            return f"The Worker {data.get('version')}: {ended}."
        case Kind.EDGE_WISH:
            return f"{data.get('action')}{_on(entry)}, wished for by {who}: {data.get('result')}."
        case _:
            return ""


_WISHED = {"run": "is to run", "stop": "is to be stopped", "remove": "is to be deleted"}


def _about_bot(entry: Entry, who: str) -> str:
    bot, data = entry.bot_name or "a bot", entry.data
    match entry.kind:
        case Kind.CRASH:
            code, oom = data.get("exit_code"), bool(data.get("oom_killed"))
            return f"{bot} crashed ({describe_exit(code, oom_killed=oom)})."
        case Kind.PROBLEM:
            return f"{bot} was given up: {data.get('message')} {data.get('hint', '')}".strip()
        case Kind.CREATED:
            return f"{bot} was created by {who}."
        case Kind.REMOVED:
            return f"{bot} was deleted."
        case Kind.WISH:
            wish = _WISHED.get(str(data.get("after")), "has a new wish")
            return f"{bot} {wish}, asked for by {who}."
        case Kind.BY_HAND:
            return f"{bot} was {data.get('what')} outside BotMaker."
        case _:
            return _about_change(entry, bot, who)


def _about_change(entry: Entry, bot: str, who: str) -> str:
    data = entry.data
    match entry.kind:
        case Kind.RENAMED:
            return f"{data.get('before')} is called {data.get('after')} now, by {who}."
        case Kind.RELEASE:
            return f"{bot} has release {data.get('number')} ({data.get('why')}), by {who}."
        case Kind.PROVED:
            return f"Release {data.get('number')} of {bot} works."
        case Kind.SNAPSHOT:
            return f"Snapshot {data.get('number')} of {bot} was {data.get('what')}."
        case Kind.TAKEN_BACK:
            number, to = data.get("number"), data.get("to")
            return f"Release {number} of {bot} was taken back to {to}: {data.get('message')}"
        case _:
            return ""


def _on(entry: Entry) -> str:
    return f" on {entry.bot_name}" if entry.bot_name else ""


def _bounded(value: Any, redact: Callable[[str], str]) -> Any:
    """Plain data, redacted, with long texts and lists cut."""
    if isinstance(value, str):
        text = redact(value)
        return text if len(text) <= VALUE_MAX else text[: VALUE_MAX - 1] + "…"
    if isinstance(value, Mapping):
        some = list(value.items())[:ITEMS_MAX]
        return {str(name)[:100]: _bounded(one, redact) for name, one in some}
    if isinstance(value, list | tuple):
        return [_bounded(one, redact) for one in value[:ITEMS_MAX]]
    return value


def body_of(event: Event, form: Format) -> Body:
    """What a receiver of that format is sent."""
    match form:
        case Format.STANDARD | Format.EDGE:
            return Body(_standard(event), _JSON)
        case Format.DISCORD:
            # Flag 4: no previews of links. `parse` is empty, so nobody is ever pinged.
            silent = {"allowed_mentions": {"parse": []}, "flags": 4}
            return Body(_json({"content": _for_discord(_line(event)), **silent}), _JSON)
        case Format.SLACK:
            quiet = {"mrkdwn": False, "unfurl_links": False, "unfurl_media": False}
            return Body(_json({"text": _for_slack(_line(event)), **quiet}), _JSON)
        case Format.NTFY:
            urgent = event.type in {"bot.crash", "bot.problem"}
            headers = {"Title": "BotMaker", "Priority": "high" if urgent else "default"}
            return Body(_line(event).encode(), "text/plain; charset=utf-8", headers)


def _standard(event: Event) -> bytes:
    said = {"type": event.type, "timestamp": rfc3339(event.at), "data": dict(event.data)}
    content = _json(said)
    if len(content) <= BODY_MAX:
        return content
    return _json(said | {"data": {**event.data, "details": {}, "cut": True}})


def rfc3339(at: float) -> str:
    """A time in seconds since the epoch, in UTC."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")[:-6] + "Z"


def _json(value: Mapping[str, Any]) -> bytes:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "replace")


def _line(event: Event) -> str:
    """One line, with a space for everything that isn't printable."""
    text = " ".join("".join(c if c.isprintable() else " " for c in event.text).split())
    return text if len(text) <= TEXT_MAX else text[: TEXT_MAX - 1] + "…"


_MARKUP = re.compile(r"[\\`*~|\[\]<_:#>-]")
_INVITE = re.compile(r"discord(?:app)?\.(?=\w)", re.IGNORECASE)


def _for_discord(line: str) -> str:
    """Markup is escaped, and a space that nobody sees keeps an @ from naming anybody."""
    text = _MARKUP.sub(lambda found: "\\" + found[0], line).replace("@", "@\u200b")
    text = _INVITE.sub(lambda found: found[0] + "\u200b", text)
    return text if len(text) <= 2000 else text[:1998].rstrip("\\") + "…"


def _for_slack(line: str) -> str:
    """As Slack asks for: with these three escaped, nothing is a mention, a link or a command."""
    for sign, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
        line = line.replace(sign, entity)
    return line
