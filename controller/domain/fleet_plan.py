"""What has to change so that the fleet is as its files say: one pure function of both.

A plan tells of drift too: whatever somebody changed since the files were applied is a change back.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

Compared = Literal["same", "other", "missing"]


class What(StrEnum):
    """The kinds of changes, in the order in which those of one bot are made."""

    CREATE = "create"
    STOP = "stop"
    MODEL = "model"
    SETTINGS = "settings"
    ASK = "ask"  # secrets whose values somebody has to give: the files have none
    SECRETS = "secrets"  # with values that the files give
    START = "start"
    GRANT = "grant"
    REVOKE = "revoke"
    REMOVE = "remove"
    STUCK = "stuck"  # the files wish for what can't be done


@dataclass(frozen=True, slots=True)
class WantedSecret:
    """A secret as the files have it: its value (`given`), or how it was when it was exported."""

    given: bool = False
    fingerprint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedBot:
    """A bot as the files have it. None: the files leave it open."""

    name: str
    template: str
    provider: str | None = None
    model: str | None = None
    channel: str | None = None
    settings: Mapping[str, str] | None = None  # all of them: others are at their default
    running: bool | None = None
    secrets: Mapping[str, WantedSecret] = field(default_factory=dict)
    fleet: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetGrant:
    """A role of somebody, for one bot by its name, or for all."""

    kind: Literal["user", "role"]
    subject: str
    role: str
    bot: str = ""
    source: str = ""  # `file:NAME`, or whatever else it comes from
    fleet: str = ""

    @property
    def key(self) -> tuple[str, str, str]:
        """There is at most one grant of this kind, subject and bot."""
        return self.kind, self.subject, self.bot


@dataclass(frozen=True, slots=True)
class Setting:
    """A setting of a bot as it is."""

    value: str  # its default where it isn't set
    default: str = ""
    choices: tuple[str, ...] = ()
    is_list: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundBot:
    """A bot as it is."""

    name: str
    template: str
    provider: str = ""
    model: str = ""
    channel: str = ""
    wish: Literal["run", "stop", "remove"] = "run"
    settings: Mapping[str, Setting] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)  # fingerprints
    compared: Mapping[str, Compared] = field(default_factory=dict)  # with the files' values
    source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One thing to do. `names` are those of secrets; `why` says why it can't be done."""

    what: What
    bot: str = ""
    before: Mapping[str, str] = field(default_factory=dict)
    after: Mapping[str, str] = field(default_factory=dict)
    names: tuple[str, ...] = ()
    grant: FleetGrant | None = None
    why: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do, in order; and what the files once created and no longer name, but for `prune`."""

    changes: tuple[Change, ...]
    left: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Wanted:
    """All that the files say. `fleets` are the names that they give themselves."""

    bots: tuple[WantedBot, ...] = ()
    grants: tuple[FleetGrant, ...] = ()
    fleets: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Found:
    """All that there is. Grants are those that somebody gave, not those of the settings."""

    bots: tuple[FoundBot, ...] = ()
    grants: tuple[FleetGrant, ...] = ()


def source_of(fleet: str) -> str:
    """The mark of what the files of that fleet created; none where they don't name it."""
    return f"file:{fleet}" if fleet else ""


def plan(wanted: Wanted, found: Found, *, prune: bool = False) -> Plan:
    """What has to change. With `prune` also what to remove: only what the same files created."""
    there = {bot.name: bot for bot in found.bots}
    changes: list[Change] = []
    for bot in sorted(wanted.bots, key=lambda bot: bot.name):
        changes += _changes(bot, there.get(bot.name))
    marks = {source_of(fleet) for fleet in wanted.fleets if fleet}
    named = {bot.name for bot in wanted.bots}
    gone = sorted(
        bot.name
        for bot in found.bots
        if bot.source in marks and bot.name not in named and bot.wish != "remove"
    )
    changes += _given(wanted, found, named | set(there))
    extra = _extra(wanted, found, marks, gone)
    if not prune:
        return Plan(tuple(changes), (*gone, *(_whose(grant) for grant in extra)))
    changes += [Change(what=What.REVOKE, bot=one.bot, grant=one) for one in extra]
    changes += [Change(what=What.REMOVE, bot=name) for name in gone]
    return Plan(tuple(changes))


def _changes(wanted: WantedBot, found: FoundBot | None) -> list[Change]:
    if found is None:
        return list(_created(wanted))
    why = _stuck(wanted, found)
    if why:
        return [Change(what=What.STUCK, bot=wanted.name, why=why)]
    return list(_changed(wanted, found))


def _created(wanted: WantedBot) -> Iterator[Change]:
    choice = {"template": wanted.template}
    for key in ("provider", "model", "channel"):
        value = getattr(wanted, key)
        if value:
            choice[key] = value
    choice |= {"wish": "stopped"} if wanted.running is False else {}
    choice |= {f"settings.{name}": value for name, value in (wanted.settings or {}).items()}
    yield Change(what=What.CREATE, bot=wanted.name, after=choice)
    yield from _secrets(wanted.name, *_given_and_not(wanted))


def _given_and_not(wanted: WantedBot) -> tuple[list[str], list[str]]:
    given = [name for name, secret in wanted.secrets.items() if secret.given]
    return given, [name for name, secret in wanted.secrets.items() if not secret.given]


def _secrets(bot: str, given: Iterable[str], ask: Iterable[str]) -> Iterator[Change]:
    for what, names in ((What.ASK, ask), (What.SECRETS, given)):
        if names:
            yield Change(what=what, bot=bot, names=tuple(sorted(names)))


def _stuck(wanted: WantedBot, found: FoundBot) -> str:
    """Why the bot can't become what it should be; empty where it can."""
    if found.wish == "remove":
        return "It is being removed. Apply again once it is gone."
    for key in ("template", "provider", "channel"):
        asked, is_now = getattr(wanted, key), getattr(found, key)
        if asked and not _same_word(asked, is_now):
            return (
                f"Its {key} is {is_now or 'none'}, not {asked}, and that can't be changed. "
                "Delete it, then apply again."
            )
    strange = sorted((wanted.settings or {}).keys() - found.settings.keys())
    if strange:
        known = ", ".join(found.settings) or "none"
        return f"It has no such settings: {', '.join(strange)}. It has these: {known}."
    return ""


def _changed(wanted: WantedBot, found: FoundBot) -> Iterator[Change]:
    bot = wanted.name
    if wanted.running is False and found.wish == "run":
        yield Change(what=What.STOP, bot=bot)
    if wanted.model and not _same_word(wanted.model, found.model):
        before, after = {"model": found.model}, {"model": wanted.model}
        yield Change(what=What.MODEL, bot=bot, before=before, after=after)
    if wanted.settings is not None:
        yield from _settings(bot, wanted.settings, found.settings)
    yield from _secrets(bot, *_to_set(wanted, found))
    if wanted.running and found.wish == "stop":
        yield Change(what=What.START, bot=bot)


def _settings(
    bot: str, wanted: Mapping[str, str], found: Mapping[str, Setting]
) -> Iterator[Change]:
    different = [
        name for name, setting in found.items() if not _is_so(setting, wanted.get(name, ""))
    ]
    if different:
        yield Change(
            what=What.SETTINGS,
            bot=bot,
            before={name: found[name].value for name in different},
            after={name: wanted.get(name, "") for name in different},
        )


def _is_so(setting: Setting, wanted: str) -> bool:
    """Whether the setting has this value, however it is spelt; none is its default."""
    wanted = (wanted or setting.default).replace("\r\n", "\n")
    if setting.is_list:
        items, others = re.split(r"[,\s]+", wanted), re.split(r"[,\s]+", setting.value)
        if setting.choices:
            items, others = [i.casefold() for i in items], [i.casefold() for i in others]
        return [i for i in items if i] == [i for i in others if i]
    if setting.choices:
        return _same_word(wanted, setting.value)
    return wanted.strip() == setting.value.strip()


def _to_set(wanted: WantedBot, found: FoundBot) -> tuple[list[str], list[str]]:
    """The secrets to set from the files, and those that somebody has to give. What the files don't
    name is nobody's matter here: it may be entered elsewhere."""
    given, others = _given_and_not(wanted)
    to_set = [name for name in given if found.compared.get(name) != "same"]
    ask = []
    for name in others:
        expected, is_now = wanted.secrets[name].fingerprint, found.secrets.get(name, "")
        if not is_now or (expected and expected != is_now):
            ask.append(name)
    return to_set, ask


def _given(wanted: Wanted, found: Found, bots: set[str]) -> Iterator[Change]:
    there = {grant.key: grant for grant in found.grants}
    for grant in sorted(wanted.grants, key=lambda one: one.key):
        if grant.bot and grant.bot not in bots:
            why = f"There is no bot called {grant.bot}, and the files don't create it."
            yield Change(what=What.STUCK, bot=grant.bot, grant=grant, why=why)
            continue
        now = there.get(grant.key)
        if now is None or now.role != grant.role:
            before = {"role": now.role} if now else {}
            after = {"role": grant.role}
            yield Change(what=What.GRANT, bot=grant.bot, before=before, after=after, grant=grant)


def _extra(wanted: Wanted, found: Found, marks: set[str], gone: Iterable[str]) -> list[FleetGrant]:
    """Grants that the files created and no longer name. Those for a bot that goes, go with it."""
    named, going = {grant.key for grant in wanted.grants}, set(gone)
    return [
        grant
        for grant in sorted(found.grants, key=lambda one: one.key)
        if grant.source in marks and grant.key not in named and grant.bot not in going
    ]


def _whose(grant: FleetGrant) -> str:
    where = f" for {grant.bot}" if grant.bot else ""
    return f"{grant.role} of {grant.kind} {grant.subject}{where}"


def _same_word(one: str, other: str) -> bool:
    return one.strip().casefold() == other.strip().casefold()
