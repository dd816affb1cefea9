"""A stand-in for Cloudflare's API that really serves what is uploaded, in Miniflare.

It checks the token, keeps versions, runs D1's queries, and refuses what can't be served. Next door:
`test_deploying.py`; wrangler's own deployment goes through it too.
"""

from __future__ import annotations

import json
import re
import uuid
from dataclasses import dataclass, field
from typing import Any, Self

from aiohttp import web

from tests.edge_worker.node import LocalWorker, bound

ACCOUNT = "0123456789abcdef0123456789abcdef"
TOKEN = "cloud-token-that-nobody-may-see"


@dataclass
class Version:
    """What was uploaded."""

    id: str
    main: str
    modules: dict[str, str]
    bindings: list[dict[str, Any]]
    date: str


@dataclass
class Cloud:
    """The stand-in, an async context manager."""

    worker: LocalWorker
    token: str = TOKEN
    versions: dict[str, Version] = field(default_factory=dict)
    served: list[str] = field(default_factory=list)  # newest first
    databases: dict[str, str] = field(default_factory=dict)  # ids by name
    calls: list[str] = field(default_factory=list)
    crons: list[str] = field(default_factory=list)
    busy: int = 0  # so many calls get 429 first
    services: dict[str, str] = field(default_factory=dict)  # where each that can be bound is
    spoiled: dict[str, str] = field(default_factory=dict)  # modules that arrive like this
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/client/v4"

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=1 << 24)
        app.router.add_route("*", "/{rest:.*}", self._answer)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    async def _answer(self, request: web.Request) -> web.Response:
        path = request.path.removeprefix(f"/client/v4/accounts/{ACCOUNT}")
        self.calls.append(f"{request.method} {path}")
        if request.headers.get("Authorization") != f"Bearer {self.token}":
            return _wrong(403, "Authentication error")
        if self.busy:
            self.busy -= 1
            return web.json_response({"success": False}, status=429, headers={"Retry-After": "1"})
        for pattern, act in self._acts():
            method, _, form = pattern.partition(" ")
            match = re.fullmatch(form, path)
            if match and request.method in method.split("|"):
                return await act(request, *match.groups())
        return _wrong(404, f"no such path {path}")

    def _acts(self) -> list[tuple[str, Any]]:
        return [
            (r"GET /workers/services/[\w-]+", self._service),
            (r"GET|POST /workers/(?:scripts/[\w-]+/)?subdomain", self._publish),
            (r"GET|PATCH /workers/scripts/[\w-]+/settings", self._settings),
            ("GET /d1/database", self._databases),
            ("POST /d1/database", self._new_database),
            (r"POST /d1/database/([\w-]+)/query", self._query),
            (r"GET /workers/scripts/[\w-]+/deployments", self._deployments),
            (r"POST /workers/scripts/[\w-]+/deployments", self._activate),
            (r"GET /workers/scripts/[\w-]+/versions/([\w-]+)", self._version),
            (r"PUT /workers/scripts/[\w-]+", self._upload),
            (r"PUT /workers/scripts/[\w-]+/schedules", self._schedule),
        ]

    async def _databases(self, request: web.Request) -> web.Response:
        wanted = request.query.get("name", "")
        found = [{"name": n, "uuid": i} for n, i in self.databases.items() if wanted in n]
        return _good(found)

    async def _new_database(self, request: web.Request) -> web.Response:
        name = (await request.json())["name"]
        self.databases[name] = str(uuid.uuid4())
        return _good({"name": name, "uuid": self.databases[name]})

    async def _query(self, request: web.Request, database: str) -> web.Response:
        assert database in self.databases.values()
        if not self.worker.served:
            await self.worker.serve_empty()
        sql = (await request.json())["sql"]
        if sql.startswith("SELECT"):
            said = await self.worker.ask(do="sql", sql=sql)
        else:
            said = await self.worker.ask(do="script", sql=sql)
        if "error" in said:
            return _wrong(400, said["error"])
        return _good([{"results": said.get("rows", []), "success": True}])

    async def _deployments(self, request: web.Request) -> web.Response:
        if not self.served:
            return _wrong(404, "This Worker does not exist on your account.")
        deployments = [
            {"versions": [{"version_id": one, "percentage": 100}]} for one in self.served
        ]
        return _good({"deployments": deployments})

    async def _activate(self, request: web.Request) -> web.Response:
        wanted = (await request.json())["versions"][0]["version_id"]
        return await self._serve(self.versions[wanted])

    async def _version(self, request: web.Request, version: str) -> web.Response:
        shown = [
            {k: v for k, v in one.items() if one["type"] != "secret_text" or k != "text"}
            for one in self.versions[version].bindings
        ]
        return _good({"id": version, "resources": {"bindings": shown}})

    async def _upload(self, request: web.Request) -> web.Response:
        form = await request.post()
        metadata = json.loads(_text(form["metadata"]))
        modules = {name: _text(part) for name, part in form.items() if name != "metadata"}
        modules |= self.spoiled
        version = Version(
            str(uuid.uuid4()),
            metadata["main_module"],
            modules,
            metadata["bindings"],
            metadata["compatibility_date"],
        )
        return await self._serve(version)

    async def _serve(self, version: Version) -> web.Response:
        texts = {
            one["name"]: one["text"] for one in version.bindings if one["type"].endswith("_text")
        }
        limits = {
            one["name"]: {"simple": one["simple"]}
            for one in version.bindings
            if one["type"] == "ratelimit"
        }
        services = {
            one["name"]: bound(self.services[one.get("service_id") or one["service"]])
            for one in version.bindings
            if one["type"] in {"service", "vpc_service"}
        }
        said = await self.worker.ask(
            do="serve",
            port=self.worker.port,
            services=services,
            modules=version.modules,
            main=version.main,
            date=version.date,
            bindings=texts,
            persist=str(self.worker.persist),
            d1=any(one["type"] == "d1" for one in version.bindings),
            limits=limits,
        )
        if "error" in said:
            return _wrong(400, f"Uncaught SyntaxError: {said['error']}")
        self.worker.served = True
        self.versions[version.id] = version
        self.served.insert(0, version.id)
        return _good({"id": "botmaker", "deployment_id": str(uuid.uuid4())})

    async def _schedule(self, request: web.Request) -> web.Response:
        self.crons = [one["cron"] for one in await request.json()]
        return _good({"schedules": self.crons})

    async def _publish(self, request: web.Request) -> web.Response:
        return _good({"enabled": True, "previews_enabled": False, "subdomain": "example"})

    async def _service(self, request: web.Request) -> web.Response:
        """What wrangler asks first: a Worker that isn't there it deploys in one go, as we do."""
        return _wrong(404, "This Worker does not exist on your account.", 10090)

    async def _settings(self, request: web.Request) -> web.Response:
        return _good({})


def _text(part: Any) -> str:
    if isinstance(part, bytes | bytearray):
        return bytes(part).decode()
    return part if isinstance(part, str) else str(part.file.read().decode())


def _good(result: Any) -> web.Response:
    return web.json_response({"success": True, "errors": [], "messages": [], "result": result})


def _wrong(status: int, message: str, code: int = 10000) -> web.Response:
    said = {"success": False, "errors": [{"code": code, "message": message}], "result": None}
    return web.json_response(said, status=status)
