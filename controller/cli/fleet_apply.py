"""Carries a plan out, change by change, by the same API that everybody uses."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from controller.cli.controller_client import Door, bot_path
from controller.cli.fleet_file import Fleet
from controller.cli.fleet_state import Seen
from controller.cli.power import came_true, ended
from controller.domain.errors import BadInput, ControllerError, Unreachable
from controller.domain.fleet_plan import Change, FleetGrant, What, source_of

Ask = Callable[[str, str], str]  # a bot and a secret's name → its value; empty for none


@dataclass(frozen=True, slots=True)
class Done:
    """What became of a change. Without `why` it was made; `begun` says that it was tried."""

    change: Change
    why: str = ""
    begun: bool = True


class Applying:
    """Makes changes. What fails for one bot keeps back the rest of that bot, and no other's."""

    def __init__(self, door: Door, fleet: Fleet, seen: Seen, ask: Ask) -> None:
        self._door = door
        self._fleet = fleet
        self._seen = seen
        self._ask = ask
        self._to_set: set[str] = set()
        self._typed: dict[str, dict[str, str]] = {}
        self._wanted = {bot.name: bot for bot in fleet.wanted.bots}

    def each(self, changes: Iterable[Change]) -> Iterator[Done]:
        """Make them in order, and tell of each. Once no controller answers, none is begun."""
        changes = tuple(changes)
        self._to_set = {change.bot for change in changes if change.what is What.SECRETS}
        failed: set[str] = set()
        silent = ""
        for change in changes:
            if silent or change.bot in failed:
                why = silent or "an earlier change of this bot wasn't made"
                yield Done(change, why, begun=False)
                continue
            try:
                self._make(change)
            except Unreachable as error:
                silent = str(error)
                yield Done(change, f"{error} It may have been made all the same.")
            except ControllerError as error:
                if change.bot and change.what is not What.ASK:
                    failed.add(change.bot)
                yield Done(change, str(error))
            else:
                yield Done(change)

    def _make(self, change: Change) -> None:
        door, path = self._door, bot_path(change.bot)
        match change.what:
            case What.STUCK:
                raise BadInput(change.why)
            case What.CREATE:
                self._create(change)
            case What.MODEL:
                door.ask("PATCH", path, {"model": change.after["model"]})
            case What.SETTINGS:
                headers = {"If-Match": self._seen.tags.get(change.bot) or "*"}
                body = {"values": dict(change.after)}
                door.ask("PATCH", f"{path}/settings", body, headers=headers)
            case What.SECRETS | What.ASK:
                self._set_secrets(change)
            case What.START | What.STOP:
                door.ask("POST", f"{path}/{change.what.value}")
            case What.REMOVE:
                if not came_true(ended(door, door.ask("DELETE", path).json)):
                    raise ControllerError("It isn't gone yet; its card shows why.")
            case What.GRANT | What.REVOKE:
                assert change.grant is not None
                self._grant(change.what, change.grant)

    def _set_secrets(self, change: Change) -> None:
        if change.what is What.ASK:
            self._type(change.bot, self._asked(change))
            return
        given, typed = self._fleet.values[change.bot], self._typed.get(change.bot, {})
        self._put(change.bot, {**typed, **{name: given[name] for name in change.names}})

    def _create(self, change: Change) -> None:
        bot = self._wanted[change.bot]
        order: dict[str, Any] = {
            "name": bot.name,
            "template": bot.template,
            "provider": bot.provider,
            "model": bot.model,
            "channel": bot.channel,
            "settings": dict(bot.settings or {}),
            "wish": "stop" if bot.running is False else "run",
            "source": source_of(bot.fleet),
        }
        made = self._door.ask("POST", "/bots", order).json
        # What the files don't name: asked for where somebody can be, else the bot waits for it.
        unnamed = [name for name in made["missing_secrets"] if name not in bot.secrets]
        typed = {name: self._ask(bot.name, name) for name in unnamed}
        if typed and all(typed.values()):
            self._typed[bot.name] = typed
            if not bot.secrets:
                self._put(bot.name, typed)

    def _type(self, bot: str, values: Mapping[str, str]) -> None:
        """Set what was typed; along with those of the files, as a new bot takes all at once."""
        self._typed[bot] = {**self._typed.get(bot, {}), **values}
        if bot not in self._to_set:
            self._put(bot, self._typed[bot])

    def _asked(self, change: Change) -> dict[str, str]:
        found = {name: self._ask(change.bot, name) for name in change.names}
        if not all(found.values()):
            missing = ", ".join(name for name, value in found.items() if not value)
            raise BadInput(
                f"No value was given for {missing}.",
                hint='Write { file = "…" } in the fleet\'s file, or answer at a terminal.',
            )
        return found

    def _put(self, bot: str, values: Mapping[str, str]) -> None:
        self._door.ask("PUT", bot_path(bot, "secrets"), {"values": dict(values)})

    def _grant(self, what: What, grant: FleetGrant) -> None:
        if what is What.REVOKE:
            path = f"/access/grants/{grant.kind}/{grant.subject}"
            self._door.ask("DELETE", path, query={"bot": grant.bot})
            return
        order = {"kind": grant.kind, "subject": grant.subject, "role": grant.role}
        self._door.ask(
            "POST", "/access/grants", {**order, "bot": grant.bot, "source": source_of(grant.fleet)}
        )
