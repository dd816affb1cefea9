"""Finds what is wrong in the world by looking only: at sqlite3, files, docker-py and Discord.

It uses none of the controller's code, which may be wrong; only the journal's chain of hashes can't
be checked without it. Next door: crash_driver.py uses it.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from docker.errors import APIError
from docker.errors import NotFound as Gone

from controller.store import chain
from controller.vault import install_key, journal_key
from tests.loopback import Invocation
from tests.process.process import Controller, Place
from tests.prove.crash_inside import CONFIG, faults_inside, heard, is_whole
from tests.prove.crash_pages import EXTRA, is_paged

SECRETS = {"api_key", "channel_token"}
KEYS = (
    *("id", "name", "wish", "ended_run", "reload_run", "problem", "fields"),
    *("candidate_release", "setback", "restoring", "state_kept"),
)
ROW = f"SELECT {', '.join(KEYS)} FROM bot"
CRASHES = "SELECT bot_name, count(*) FROM journal WHERE kind = 'crash' GROUP BY bot_name"
# The crashes since a person last wanted the bot to run: that act forgets the ones before.
SINCE_ACTED = """
SELECT count(*) FROM journal WHERE kind = 'crash' AND bot_id = ?1 AND seq > coalesce((
  SELECT max(seq) FROM journal WHERE bot_id = ?1 AND (
    kind = 'secrets' OR (kind = 'settings' AND principal_kind = 'user')
    OR (kind = 'wish' AND principal_kind = 'user' AND json_extract(data, '$.after') = 'run')
  )
), 0)
"""
USABLE = "SELECT id FROM form WHERE used_at IS NULL"
FORMS = ".forms"  # beside the bots' folders: what was typed into unfinished forms
WITHIN = 10.0  # seconds from the controller's start until all must be well
CALM = 0.3  # seconds that it must stay well: a second message, say, may come late


@dataclass(slots=True)
class Expected:
    """What may have happened since some moment; nothing else may."""

    since: float = 0.0
    acted: dict[str, int] = field(default_factory=dict)  # bot name: allowed starts
    told: list[Invocation] = field(default_factory=list)  # what a person was told must be true
    untouched: dict[str, tuple[str, str, int]] = field(default_factory=dict)  # bot id: its run


def _moment(text: str) -> float:
    """The engine's timestamp, with nine decimals, in seconds."""
    whole, _, rest = text.rstrip("Z").partition(".")
    return datetime.fromisoformat(f"{whole}+00:00").timestamp() + float(f"0.{rest or 0}")


class Checker:
    """Looks at one installation. `names`: all bots that were ever requested."""

    def __init__(self, place: Place, controller: Controller) -> None:
        self.place, self.controller = place, controller
        self.names: set[str] = set()
        self.values: dict[str, set[str]] = {}  # by bot name; each file holds one of them
        self.asked: Counter[str] = Counter()  # how often an action was requested, by bot name
        self.crashed: Counter[str] = Counter()  # how often a bot's process crashed, by bot name
        # Bots whose changes fail on purpose: how often their programs end is the engine's matter.
        self.failing: set[str] = set()

    # Looking.

    def bots(self) -> list[dict[str, Any]]:
        """The rows as they are."""
        return [dict(zip(KEYS, row, strict=True)) for row in self.controller.rows(ROW)]

    def run_of(self, bot_id: str) -> tuple[str, str, int] | None:
        """The bot's container, when it started, and how often the engine restarted it."""
        found = self.controller.inspect(bot_id)
        if found is None or not found["State"]["Running"]:
            return None
        return str(found["Id"]), str(found["State"]["StartedAt"]), int(found["RestartCount"])

    def has_secrets(self, bot_id: str) -> bool:
        home = self.controller.secrets_dir / bot_id
        return home.is_dir() and set(os.listdir(home)) >= SECRETS

    def written_at(self, bot_id: str) -> float:
        """When the newest of its secrets was written."""
        home = self.controller.secrets_dir / bot_id
        files = home.iterdir() if home.is_dir() else []
        return max((file.stat().st_mtime for file in files), default=0.0)

    async def settled(self, expected: Expected) -> list[str]:
        """What is still wrong when the time is up; returns early if all is well for a while."""
        deadline = time.monotonic() + WITHIN
        well_since = 0.0
        while True:
            found = await asyncio.to_thread(self._look, expected)
            now = time.monotonic()
            well_since = 0.0 if found else well_since or now
            if well_since and now - well_since > CALM:
                return []
            if found and now > deadline:
                return found
            await asyncio.sleep(0.05)

    def _look(self, expected: Expected) -> list[str]:
        try:
            return list(self.faults(expected))
        except (Gone, APIError, FileNotFoundError) as error:
            return [f"goes away just now: {error}"]

    def faults(self, expected: Expected) -> Iterator[str]:
        """One line for everything that isn't as it must be."""
        bots, containers = self.bots(), self.controller.containers()
        yield from self._rows(bots)
        yield from self._journal(bots)
        yield from self._engine(bots, containers)
        yield from self._files(bots)
        yield from self._messages(bots, containers)
        yield from self._acts(bots, expected)
        yield from self._words(bots, expected.told)

    # What must be true.

    def _rows(self, bots: list[dict[str, Any]]) -> Iterator[str]:
        ids = {bot["id"] for bot in bots}
        for bot in bots:
            if bot["wish"] == "remove":
                yield f"{bot['name']}: its removal is not done"
            if bot["ended_run"]:
                yield f"{bot['name']}: the end of a run is not accounted for"
            if bot["reload_run"]:
                yield f"{bot['name']}: replaced secrets are not reloaded"
            runs = bot["wish"] == "run" and self.has_secrets(bot["id"])
            if runs and bot["candidate_release"]:
                yield f"{bot['name']}: a release isn't decided: {bot['candidate_release']}"
            if bot["restoring"] or bot["state_kept"]:
                yield f"{bot['name']}: a snapshot isn't restored: {bot['restoring']}"
            if bot["setback"] and bot["name"] not in self.failing:
                yield f"{bot['name']}: a release was taken back: {bot['setback']}"
            if bot["problem"]:
                yield f"{bot['name']}: has a problem that nobody made: {bot['problem']}"
        yield from self._strays(ids)

    def _strays(self, ids: set[str]) -> Iterator[str]:
        for table in ("form", "crash", "card"):
            for (bot_id,) in self.controller.rows(f"SELECT bot_id FROM {table}"):
                if bot_id not in ids:
                    yield f"a row of {table} belongs to no bot: {bot_id}"

    def _journal(self, bots: list[dict[str, Any]]) -> Iterator[str]:
        """Every request acted once and has ended, every crash is counted once, nothing is lost."""
        twice = "SELECT request, count(*) FROM journal WHERE kind = 'asked' AND request <> '' "
        for row in self.controller.rows(f"{twice} GROUP BY request HAVING count(*) > 1"):
            yield f"one request acted twice: {row}"
        for act in self.controller.unended():
            yield f"the journal does not know how a request ended: {act}"
        told = Counter(dict(self.controller.rows(CRASHES)))
        for name in (told.keys() | self.crashed.keys()) - self.failing:
            if told[name] != self.crashed[name]:
                yield f"{name} crashed {self.crashed[name]} times, noted are {told[name]}"
        for bot in [bot for bot in bots if bot["name"] not in self.failing]:
            kept = self.controller.rows("SELECT 1 FROM crash WHERE bot_id = ?", bot["id"])
            ((since,),) = self.controller.rows(SINCE_ACTED, bot["id"])
            if len(kept) != since:
                yield f"{bot['name']}: {len(kept)} crashes are counted, and {since} happened"
        yield from self._chain()

    def _chain(self) -> Iterator[str]:
        """The one check for which the program's own code is needed: the chain of hashes."""
        key = journal_key(install_key(self.controller.data))
        rows = self.controller.rows(f"SELECT {chain.COLUMNS}, mac FROM journal ORDER BY seq")
        checked = chain.check(key, rows)
        if checked.fault or checked.entries != len(rows):
            yield f"the journal is not sound: {checked}"

    def _engine(
        self, bots: list[dict[str, Any]], containers: list[dict[str, Any]]
    ) -> Iterator[str]:
        known = {f"botmaker-{bot['id']}" for bot in bots}
        names = Counter(found["Name"].lstrip("/") for found in containers)
        for name, count in names.items():
            if name not in known:
                yield f"orphan container {name}"
            if count > 1:
                yield f"{count} containers {name}"
        owners = Counter(c["Config"]["Labels"].get("botmaker.bot-id") for c in containers)
        yield from (f"bot {o} has {n} containers" for o, n in owners.items() if o and n > 1)
        yield from (f"orphan volume {v}" for v in self.controller.volumes() if v not in known)
        running = {c["Name"].lstrip("/") for c in containers if c["State"]["Running"]}
        for bot in bots:
            there = f"botmaker-{bot['id']}" in running
            wanted = bot["wish"] == "run" and self.has_secrets(bot["id"])
            if there is not wanted:
                yield f"{bot['name']}: runs: {there}, wished for: {wanted}"
        by_name = {c["Name"].lstrip("/"): c for c in containers if c["State"]["Running"]}
        for bot in bots:
            found = by_name.get(f"botmaker-{bot['id']}")
            if found and self.has_secrets(bot["id"]):
                yield from self._inside(bot, found)

    def _inside(self, bot: dict[str, Any], container: dict[str, Any]) -> Iterator[str]:
        name, home = bot["name"], self.controller.secrets_dir / bot["id"]
        later = _moment(container["State"]["StartedAt"]) < self.written_at(bot["id"])
        if later and not (is_whole(name) and heard(container, home)):
            yield f"{name}: runs with other secrets than those on the disk"
        if is_whole(name):
            yield from faults_inside(name, bot["fields"], container, home, self.asked[name])

    def _files(self, bots: list[dict[str, Any]]) -> Iterator[str]:
        by_id = {bot["id"]: bot for bot in bots}
        root = self.controller.secrets_dir
        for entry in os.listdir(root) if root.exists() else []:
            if entry == FORMS:
                yield from self._typed(by_id, root / FORMS)
                continue
            if entry not in by_id:
                yield f"stray in the secrets folder: {entry}"
                continue
            known = self.values.get(by_id[entry]["name"], set())
            rendered = {CONFIG} if is_whole(by_id[entry]["name"]) else set()
            typed = SECRETS | set(EXTRA if is_paged(by_id[entry]["name"]) else ())
            for file in (root / entry).iterdir():
                if file.name not in typed | rendered:
                    yield f"stray secret file {file}"
                    continue
                seen = file.stat()
                if file.name in typed and file.read_text() not in known:
                    yield f"{file} is torn or somebody else's"
                if seen.st_mode & 0o777 != 0o600 or seen.st_uid != 1000 or seen.st_nlink != 1:
                    yield f"{file} is not private: {seen}"
        yield from self._rendered(by_id)
        sets = self.controller.data / "sets"
        yield from self._snapshots(by_id)
        waits = {bot["id"] for bot in bots if bot["candidate_release"]}
        for file in sets.iterdir() if sets.exists() else []:
            if file.name.partition(".")[0] not in waits:
                yield f"former secrets that nobody waits for: {file.name}"

    def _snapshots(self, by_id: dict[str, dict[str, Any]]) -> Iterator[str]:
        for file in (self.controller.data / "snapshots").glob("*/*"):
            if file.parent.name not in by_id or not file.name.endswith(".tar"):
                yield f"stray among the snapshots: {file.parent.name}/{file.name}"
            if file.stat().st_mode & 0o777 != 0o600:
                yield f"{file} is not private"

    def _typed(self, by_id: dict[str, dict[str, Any]], folder: Path) -> Iterator[str]:
        """What was typed into forms that can still be filled in, and nothing else."""
        usable = {form for (form,) in self.controller.rows(USABLE)}
        for file in folder.iterdir():
            bot_id, _, rest = file.name.partition(".")
            if bot_id not in by_id or rest.removesuffix(".json") not in usable:
                yield f"stray among the unfinished forms: {file.name}"
            seen = file.stat()
            if (seen.st_mode & 0o777, seen.st_uid, seen.st_nlink) != (0o600, os.geteuid(), 1):
                yield f"{file} is not private: {seen}"

    def _rendered(self, by_id: dict[str, dict[str, Any]]) -> Iterator[str]:
        rendered = self.controller.data / "files"
        for folder, _, names in os.walk(rendered):
            for name in names:
                if name.startswith("."):
                    yield f"temporary file {folder}/{name}"
        for entry in os.listdir(rendered) if rendered.exists() else []:
            if entry not in by_id:
                yield f"rendered files of no bot: {entry}"

    def _messages(
        self, bots: list[dict[str, Any]], containers: list[dict[str, Any]]
    ) -> Iterator[str]:
        running = {c["Name"].lstrip("/") for c in containers if c["State"]["Running"]}
        rows = {bot["name"]: bot for bot in bots}
        for name in self.names:
            cards = [m.content for m in self.place.cards if f"**{name}**" in m.content]
            if len(cards) > 1:
                yield f"{name} has {len(cards)} cards: {cards}"
            if name not in rows:
                yield from (f"{name} is gone, but: {c}" for c in cards if "removed" not in c)
                continue
            word = "created (waiting for secrets)"
            if rows[name]["wish"] == "stop":
                word = "stopped"
            elif f"botmaker-{rows[name]['id']}" in running:
                word = "running"
            if not cards or f"— {word}\n" not in f"{cards[0]}\n":
                yield f"{name} is {word}, but its message says {cards}"

    def _acts(self, bots: list[dict[str, Any]], expected: Expected) -> Iterator[str]:
        for bot_id, run in expected.untouched.items():
            if self.run_of(bot_id) != run:
                yield f"running bot {bot_id} was touched: {run} became {self.run_of(bot_id)}"
        if not expected.since:
            return
        names = {f"botmaker-{bot['id']}": bot["name"] for bot in bots}
        seen: Counter[tuple[str, str]] = Counter()
        mine = {
            "label": f"botmaker.instance={self.controller.instance}",
            "event": ["create", "start", "die"],
        }
        found = self.controller.engine.events(
            since=f"{expected.since:.6f}", until=f"{time.time():.6f}", filters=mine, decode=True
        )
        for event in found:
            seen[event["Actor"]["Attributes"]["name"], event["Action"]] += 1
        for (container, action), count in seen.items():
            name = names.get(container, "")
            if name and name not in self.failing and count > expected.acted.get(name, 0):
                yield f"{name}: {count} times {action} for {expected.acted.get(name, 0)} requests"

    def _words(self, bots: list[dict[str, Any]], told: list[Invocation]) -> Iterator[str]:
        """If a person was told that it is done, it is on disk, whatever happens afterwards."""
        wishes = {bot["name"]: bot["wish"] for bot in bots}
        ids = {bot["name"]: bot["id"] for bot in bots}
        for inv in told:
            text, name = inv.text, inv.text.partition("**")[2].partition("**")[0]
            if "** is created" in text and name not in wishes:
                yield f"lost, though it was told: {text}"
            if "— stopped" in text and wishes.get(name) != "stop":
                yield f"lost, though it was told: {text}"
            if "— removed" in text and name in wishes:
                yield f"lost, though it was told: {text}"
            if "fingerprint" in text and name in ids and not self.has_secrets(ids[name]):
                yield f"lost, though it was told: {text}"
