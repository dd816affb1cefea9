"""The fleet as it is, asked of a controller: for an export, and to compare it with files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from controller.cli.controller_client import Door, bot_path
from controller.cli.fleet_file import Fleet, exported, written
from controller.domain.fleet_plan import FleetGrant, Found, FoundBot, Setting, WantedBot

WHOLE = "fleet.toml"


@dataclass(frozen=True, slots=True)
class Seen:
    """What was found, and the ETags of settings by bot: a change needs what it was decided on."""

    found: Found
    tags: Mapping[str, str] = field(default_factory=dict)


def look(door: Door, fleet: Fleet) -> Seen:
    """All that the files are about, and the names and marks of everything else."""
    wanted = {bot.name: bot for bot in fleet.wanted.bots}
    tags: dict[str, str] = {}
    bots = []
    for bot in door.pages("/bots"):
        about = wanted.get(bot["name"])
        bots.append(_found(door, bot, about, fleet.values.get(bot["name"], {}), tags))
    return Seen(Found(tuple(bots), tuple(grants(door))), tags)


def _found(
    door: Door,
    bot: Mapping[str, Any],
    about: WantedBot | None,
    values: Mapping[str, str],
    tags: dict[str, str],
) -> FoundBot:
    plain = FoundBot(
        **{key: bot[key] for key in ("name", "template", "provider", "model", "channel")},
        wish=bot["wish"],
        source=bot["source"],
    )
    if about is None or bot["wish"] == "remove":
        return plain
    settings = door.ask("GET", bot_path(bot["id"], "settings"))
    tags[bot["name"]] = settings.headers.get("etag", "")
    return replace(
        plain,
        settings={
            one["name"]: Setting(
                one["value"], one["default"], tuple(one["choices"]), one["is_list"]
            )
            for one in settings.json["settings"]
        },
        secrets=_fingerprints(door, bot) if about.secrets else {},
        compared=_compared(door, bot, values),
    )


def _compared(door: Door, bot: Mapping[str, Any], values: Mapping[str, str]) -> dict[str, Any]:
    if not values:
        return {}
    body = {"values": dict(values)}
    found = door.ask("POST", bot_path(bot["id"], "secrets", "compare"), body)
    return dict(found.json["secrets"])


def _fingerprints(door: Door, bot: Mapping[str, Any]) -> dict[str, str]:
    """Of every secret that somebody enters; empty for one that doesn't exist."""
    listed = door.pages(bot_path(bot["id"], "secrets"))
    return {one["name"]: one["fingerprint"] for one in listed if not one["generated"]}


def grants(door: Door) -> list[FleetGrant]:
    """The grants that somebody gave, here or by a file."""
    return [
        FleetGrant(
            kind=one["kind"],
            subject=one["subject"],
            role=one["role"],
            bot=one["bot"]["name"] if one["bot"] else "",
            source=one["source"],
        )
        for one in door.pages("/access/grants")
        if one["source"] == "granted" or one["source"].startswith("file:")
    ]


def export(door: Door) -> dict[str, str]:
    """Every bot's file and that of the grants, by name; `fleet.toml` is all of it in one."""
    tables = []
    for bot in door.pages("/bots"):
        if bot["wish"] == "remove":
            continue
        settings = door.get(bot_path(bot["id"], "settings"))["settings"]
        plain = {one["name"]: one["value"] for one in settings if one["is_set"]}
        tables.append(exported(bot, plain, _fingerprints(door, bot)))
    given = grants(door)
    files = {f"{table['name']}.toml": written([table], []) for table in tables}
    if given:
        files["_grants.toml"] = written([], given)
    return {**files, WHOLE: written(tables, given)}
