"""The Worker in front of BotMaker: deployed, rolled back and looked at by admins.

A deployment that doesn't answer as it should gives way to the version before it. Without the
settings of the edge each use-case says so, and nothing else of it is imported.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from controller.domain import journal as facts
from controller.domain import webhook_progress as progress
from controller.domain.acts import EDGE_DEPLOY, EDGE_ROLLBACK, EDGE_STATUS
from controller.domain.disk_words import read_begin, starting
from controller.domain.errors import BadSetting, Conflict, ControllerError, NotReady
from controller.domain.webhooks import Webhook
from controller.fleet.journal import Caller, Deed, Journal
from controller.fleet.threads import Threads
from controller.manager.access import Access
from controller.store import Store
from controller.vault import Fingerprints, Redactor

if TYPE_CHECKING:
    from controller.services.cloudflare import Cloudflare, Upload
    from controller.services.worker_modules import WorkerSource

PROBE_SECONDS = 45.0  # that a new version has to answer everywhere
PROBE_PAUSE = 0.5
CRON = "17 * * * *"
VERSION = "VERSION"
_FILE_MOST = 16_384  # bytes
LIMITS: Mapping[str, tuple[str, int]] = {
    "LIMIT_ADDRESS": ("6101", 300),  # requests a minute, of one address
    "LIMIT_SUBJECT": ("6102", 600),  # and of one token's subject
    "LIMIT_CONTROLLER": ("6103", 6000),  # of what the controller alone may ask
}
_VPC_SERVICE = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)
_MIGRATED = (
    "CREATE TABLE IF NOT EXISTS d1_migrations (id INTEGER PRIMARY KEY AUTOINCREMENT, "
    "name TEXT UNIQUE, applied_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP NOT NULL)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerPlan:
    """What the settings say of it. `token_file` and those behind it are needed for deployments."""

    url: str = ""
    keys_file: Path | None = None
    origin: str = ""
    service: str = ""  # bound instead of an address: a VPC service by its id, a Worker by its name
    name: str = "botmaker"
    account: str = ""
    token_file: Path | None = None
    jwt_keys_file: Path | None = None
    jwt_issuer: str = "botmaker"
    api: str = ""  # a stand-in for Cloudflare's
    home: Path | None = None  # of other modules than those that are shipped
    probe_seconds: float = PROBE_SECONDS

    def missing(self) -> list[str]:
        """The settings that a deployment needs and that aren't there."""
        needed = {
            "URL": self.url,
            "KEYS_FILE": self.keys_file,
            "ORIGIN": self.origin or self.service,
            "ACCOUNT": self.account,
            "CLOUDFLARE_TOKEN_FILE": self.token_file,
            "JWT_KEYS_FILE": self.jwt_keys_file,
        }
        return [f"BOTMAKER_EDGE_{name}" for name, given in needed.items() if not given]


@dataclass(frozen=True, slots=True)
class Deployed:
    """What is served after a deployment or a rollback, and what was before."""

    version: str
    before: str
    changed: bool


@dataclass(frozen=True, slots=True)
class WorkerSeen:
    """How the Worker is. Without `health` it didn't answer, for that reason."""

    url: str
    health: Mapping[str, Any] = field(default_factory=dict)
    reason: str = ""
    row: Webhook | None = None  # how far events have come; None before the first
    waiting: int = 0


@dataclass(frozen=True, slots=True)
class _Files:
    """The secrets that a deployment needs."""

    token: str = field(repr=False)
    keys: str = field(repr=False)
    jwt_keys: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerTools:
    """What the use-cases work with."""

    plan: WorkerPlan
    store: Store
    journal: Journal
    access: Access
    threads: Threads
    fingerprints: Fingerprints
    redactor: Redactor


class WorkerDeployments:
    """What people do with the Worker."""

    def __init__(self, tools: WorkerTools) -> None:
        self._tools = tools
        self._plan = tools.plan
        self._lock = asyncio.Lock()

    async def status(self, caller: Caller) -> WorkerSeen:
        """How it is, and how far events have come. NotReady (`edge-off`) where there is none."""
        await self._tools.access.require(caller, EDGE_STATUS)
        self._require_on()
        store = self._tools.store
        row = await store.webhook("edge")
        waiting = await store.waiting(row.cursor, row.kinds) if row else 0
        health, reason = await self._health()
        return WorkerSeen(self._plan.url, health, reason, row, waiting)

    async def deploy(self, caller: Caller) -> Deployed:
        """Serve this version of the Worker; nothing is done if it is served already.

        Raises NotReady: `edge-off`, `worker-refused` by Cloudflare, or `worker-broken` where it
        didn't answer; in both the version before it is served on. BadSetting, Denied
        (`cloudflare-token`), Unreachable (`cloudflare-away`, `cloudflare-busy`).
        """
        await self._tools.access.require(caller, EDGE_DEPLOY)
        self._require_on()
        async with self._alone(), self._tools.journal.request(caller, EDGE_DEPLOY) as deed:
            files = await self._read()
            api = self._api(files)
            done = await self._deployed(api, files, deed)
            await self._go_on()
            return done

    async def rollback(self, caller: Caller) -> Deployed:
        """Serve the version before the present one again. NotReady as `deploy`, and
        `no-former-worker`."""
        await self._tools.access.require(caller, EDGE_ROLLBACK)
        self._require_on()
        async with self._alone(), self._tools.journal.request(caller, EDGE_ROLLBACK) as deed:
            api = self._api(await self._read())
            served = await api.versions(self._plan.name)
            former = next((one for one in served if one != served[0]), "")
            if not former:
                raise NotReady("There is no version to go back to.", code="no-former-worker")
            now = await api.text_binding(self._plan.name, served[0], VERSION)
            wanted = await api.text_binding(self._plan.name, former, VERSION)
            await api.activate(self._plan.name, former)
            if not await self._answers(wanted):
                await api.activate(self._plan.name, served[0])
                await self._note("failed", wanted, now, "it didn't answer")
                raise _broken(goes_back=True)
            await self._note("rolled-back", wanted, now)
            deed.ended(version=wanted)
            return Deployed(wanted, now, changed=True)

    async def _deployed(self, api: Cloudflare, files: _Files, deed: Deed) -> Deployed:
        name = self._plan.name
        served = await api.versions(name)
        now = await api.text_binding(name, served[0], VERSION) if served else ""
        database = await api.database(f"{name}-edge")
        source = await self._source()
        version = self._version(files, database, source)
        deed.ended(version=version)
        if version == now:
            return Deployed(version, now, changed=False)
        await self._migrate(api, database, source)
        await api.upload(name, self._upload(files, database, version, source))
        if not served:
            await api.publish(name)
        await api.schedule(name, CRON)
        if not await self._answers(version):
            if served:
                await api.activate(name, served[0])
            await self._note("failed", version, now, "it didn't answer")
            raise _broken(goes_back=bool(served))
        await self._note("deployed", version, now)
        return Deployed(version, now, changed=True)

    async def _go_on(self) -> None:
        """Let events go on at once where the Worker wasn't there, or refused our signature."""
        row = await self._tools.store.webhook("edge")
        if row is not None and row.failing_since is not None:
            async with self._tools.store.transaction() as write:
                await write.move_webhook(progress.sent_again(row, row.cursor))

    async def _migrate(self, api: Cloudflare, database: str, source: WorkerSource) -> None:
        """Bring D1 up to date, script by script."""
        await api.query(database, _MIGRATED)
        rows = await api.query(database, "SELECT name FROM d1_migrations")
        applied = {str(row["name"]) for row in rows}
        for script, sql in source.migrations.items():
            if script not in applied:
                done = f"INSERT INTO d1_migrations (name) VALUES ('{script}');"  # noqa: S608
                await api.query(database, f"{sql}\n{done}")

    async def _source(self) -> WorkerSource:
        from controller.services.worker_modules import worker_source  # noqa: PLC0415 - seldom needed

        return await self._tools.threads(lambda: worker_source(self._plan.home))

    def _upload(self, files: _Files, database: str, version: str, source: WorkerSource) -> Upload:
        from controller.services.cloudflare import Upload  # noqa: PLC0415 - seldom needed
        from controller.services.worker_modules import COMPATIBILITY, MAIN  # noqa: PLC0415

        bindings = self._bindings(files, database, version)
        return Upload(MAIN, source.modules, bindings, COMPATIBILITY)

    def _bindings(self, files: _Files, database: str, version: str) -> Sequence[Mapping[str, Any]]:
        texts = {VERSION: version, "JWT_ISSUER": self._plan.jwt_issuer}
        if self._plan.origin:
            texts["ORIGIN_URL"] = self._plan.origin
        secret = {"EDGE_KEYS": files.keys, "JWT_KEYS": files.jwt_keys}
        return [
            {"type": "d1", "name": "DB", "id": database},
            *_bound(self._plan.service),
            *({"type": "plain_text", "name": name, "text": text} for name, text in texts.items()),
            *({"type": "secret_text", "name": name, "text": text} for name, text in secret.items()),
            *(
                {
                    "type": "ratelimit",
                    "name": name,
                    "namespace_id": space,
                    "simple": {"limit": limit, "period": 60},
                }
                for name, (space, limit) in LIMITS.items()
            ),
        ]

    def _version(self, files: _Files, database: str, source: WorkerSource) -> str:
        """A hash of all that makes it what it is; of secrets their fingerprints."""
        from controller.services.worker_modules import COMPATIBILITY  # noqa: PLC0415

        prints = [self._tools.fingerprints.of_value(text) for text in (files.keys, files.jwt_keys)]
        hidden = _Files("", *prints)
        parts = [dict(source.modules), COMPATIBILITY, self._bindings(hidden, database, "")]
        text = json.dumps(parts, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    # Whether it answers

    async def _answers(self, version: str) -> bool:
        """Whether that version answers, with its D1, within its time."""
        end = time.monotonic() + self._plan.probe_seconds
        while True:
            health, _ = await self._health()
            if health.get("version") == version and health.get("d1") == "ok":
                return True
            if time.monotonic() > end:
                return False
            await asyncio.sleep(PROBE_PAUSE)

    async def _health(self) -> tuple[Mapping[str, Any], str]:
        from controller.services.door import Answer, Door, Question  # noqa: PLC0415

        door = Door()
        try:
            async with asyncio.timeout(10.0):
                answer = await door.ask(Question(f"{self._plan.url}/health", {}))
        except TimeoutError:
            return {}, "it didn't answer within 10 seconds"
        finally:
            await door.close()
        if not isinstance(answer, Answer):
            return {}, answer.reason
        known = isinstance(answer.body.get("version"), str)
        return (answer.body, "") if known else ({}, f"it answered {answer.status}")

    # Its files, its lock, its notes

    def _require_on(self) -> None:
        if not (self._plan.url and self._plan.keys_file):
            raise NotReady(
                "There is no Worker in front of this BotMaker.",
                hint="`botmaker edge init` says how to get one.",
                code="edge-off",
            )

    def _alone(self) -> asyncio.Lock:
        if self._lock.locked():
            raise Conflict("The Worker is being deployed already.", code="deploy-running")
        return self._lock

    def _api(self, files: _Files) -> Cloudflare:
        from controller.services.cloudflare import Cloudflare  # noqa: PLC0415 - seldom needed

        return Cloudflare(self._plan.account, files.token, self._plan.api)

    async def _read(self) -> _Files:
        missing = self._plan.missing()
        if missing:
            raise BadSetting(
                f"A deployment needs more settings: {', '.join(missing)}.",
                hint="docs/edge.md says what each is.",
            )
        plan = self._plan
        assert plan.token_file and plan.keys_file and plan.jwt_keys_file  # noqa: PT018
        token, keys, jwt_keys = plan.token_file, plan.keys_file, plan.jwt_keys_file
        files = await self._tools.threads.secrets(
            lambda: _Files(_text(token), _text(keys), _text(jwt_keys))
        )
        known = [files.token, *files.keys.split(), *_secrets_of(files.jwt_keys)]
        self._tools.redactor.learn("edge deployment", known)
        return files

    async def _note(self, what: str, version: str, before: str, reason: str = "") -> None:
        fact = facts.worker(what, version, before, reason)
        await self._tools.journal.note(fact, None)


def _text(file: Path) -> str:

    with starting(f"The file {file} can't be read", "The controller's user must be able to."):
        return read_begin(file, _FILE_MOST).decode("utf-8", "replace").strip()


def _secrets_of(lines: str) -> list[str]:
    return [line.split()[-1] for line in lines.splitlines() if line.split()]


def _bound(service: str) -> list[Mapping[str, Any]]:
    """The binding over which the Worker reaches BotMaker, if there is one."""
    if not service:
        return []
    if _VPC_SERVICE.fullmatch(service):
        return [{"type": "vpc_service", "name": "ORIGIN", "service_id": service}]
    return [{"type": "service", "name": "ORIGIN", "service": service}]


def _broken(*, goes_back: bool) -> ControllerError:
    then = "so the one before it is served" if goes_back else "and there was none before it"
    return NotReady(
        f"The new version of the Worker didn't answer as it should, {then}.",
        hint="`botmaker edge status` shows what it says; the address in BOTMAKER_EDGE_URL must "
        "lead to it.",
        code="worker-broken",
    )
