"""The journal in the console's words: one line an event, for people and for grep."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from controller.domain.access import Principal
from controller.domain.crashes import describe_exit
from controller.domain.journal import Author, Entry, Kind

if TYPE_CHECKING:
    from controller.store.chain import Checked


def report_check(found: Checked) -> int:
    """Say what a check of the chain found; 1 when something is wrong with it."""
    if found.fault:
        click.echo(f"The journal can't be trusted: {found.fault}.", err=True)
        click.echo(f"Sound up to entry {found.entries}. Restore a backup to compare.", err=True)
        return 1
    click.echo(f"{found.entries} entries, unchanged. Head: {found.head or 'none'}")
    return 0


def event_of(event: Mapping[str, Any]) -> tuple[Entry, Entry | None]:
    """An event of the API as its entry and, for a request that has ended, its outcome."""
    bot, by, asked = event["bot"] or {}, event["by"], event["operation"]
    entry = Entry(
        seq=int(event["id"]),
        at=datetime.fromisoformat(event["at"]).timestamp(),
        kind=Kind(event["kind"]),
        bot_id=bot.get("id", ""),
        bot_name=bot.get("name", ""),
        author=Author(Principal(by["kind"], by["id"], by["name"])),
        data={**({"act": event["act"]} if event["act"] else {}), **event["data"]},
    )
    if not asked or asked["state"] == "running":
        return entry, None
    code = {"code": asked["code"]} if asked["code"] else {}
    data = {"result": asked["state"], **code, **asked["outcome"]}
    return entry, Entry(at=entry.at, kind=Kind.OUTCOME, data=data)


def worded(entry: Entry, outcome: Entry | None) -> str:
    """One event as one line: when, who, which bot, what, how it ended."""
    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(entry.at))
    who = entry.author.principal.name or entry.author.principal.id or "BotMaker"
    what = _what(entry)
    ended = f": {_outcome(outcome)}" if outcome else ""
    return f"{stamp} {entry.bot_name or '-'} {who}: {what}{ended}"


def _what(entry: Entry) -> str:
    data = entry.data
    match entry.kind:
        case Kind.ASKED:
            return f"{data.get('act')} {data.get('action', '')}".strip()
        case Kind.REFUSED:
            more = f", {data['times']} more times" if "times" in data else ""
            return f"{data.get('act')} refused ({data.get('code')}){more}"
        case Kind.CRASH:
            code, oom = data.get("exit_code"), bool(data.get("oom_killed"))
            return f"crashed, {describe_exit(code, oom_killed=oom)}"
        case Kind.PROBLEM:
            return f"stopped trying: {data.get('message')}"
        case Kind.RELOAD:
            read = "read its replaced secrets"
            return (
                read if data.get("ok") else f"restarted instead of a reload: {data.get('reason')}"
            )
        case Kind.UNCHECKED:
            return f"its config could not be checked (exit {data.get('exit_code')})"
        case Kind.RELEASE | Kind.PROVED | Kind.TAKEN_BACK:
            return _of_release(entry)
        case (
            Kind.WEBHOOK | Kind.RESTORED | Kind.MISSED | Kind.HEALTH | Kind.WORKER | Kind.EDGE_WISH
        ):
            return _of_installation(entry)
        case Kind.NOTED:
            return f"{data.get('act')}: {data.get('words')}"
        case _:
            return _of_row(entry)


def _of_row(entry: Entry) -> str:
    data = entry.data
    if entry.kind is Kind.RENAMED:
        return f"renamed from {data.get('before')} to {data.get('after')}"
    if entry.kind is Kind.SNAPSHOT:
        return f"snapshot {data.get('number')} of its state {data.get('what')}"
    return f"{entry.kind.value} {_flat(data)}".strip()


def _of_installation(entry: Entry) -> str:
    data = entry.data
    if entry.kind is Kind.WEBHOOK:
        count = f" {data['count']} events" if data.get("count") else ""
        return f"webhook {data.get('name')} {data.get('what')}{count}: {data.get('reason')}"
    if entry.kind is Kind.MISSED:
        return f"missed {data.get('times')} runs of schedule {data.get('schedule')}"
    if entry.kind is Kind.HEALTH:
        return f"BotMaker is {data.get('state')}"
    if entry.kind is Kind.WORKER:
        return f"Worker {data.get('what')} {data.get('version')} {data.get('reason')}".strip()
    if entry.kind is Kind.EDGE_WISH:
        ended = f"{data.get('result')} {data.get('message')}".strip()
        return f"{data.get('action')} by the Worker: {ended}"
    made = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(float(data.get("made_at", 0.0))))
    return f"restored from the backup of {made}"


def _of_release(entry: Entry) -> str:
    data = entry.data
    number = data.get("number")
    if entry.kind is Kind.TAKEN_BACK:
        back = f"release {data.get('to')} runs again"
        return f"release {number} taken back, {back}: {data.get('message')}"
    return f"release {number} " + ("works" if entry.kind is Kind.PROVED else f"({data.get('why')})")


def _outcome(entry: Entry) -> str:
    data = {name: value for name, value in entry.data.items() if name != "act"}
    result = str(data.pop("result", "done"))
    rest = _flat(data)
    return f"{result} ({rest})" if rest else result


def _flat(data: Any) -> str:
    return ", ".join(f"{name} {_text(value)}" for name, value in dict(data).items() if value != "")


def _text(value: Any) -> str:
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)
