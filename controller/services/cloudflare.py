"""Cloudflare's API, as far as the Worker and its D1 need it.

Only this module knows the API's paths and forms. aiohttp's errors hold headers, and one is the
token. So no error of its leaves this module: each becomes one of ours, in our own words.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import aiohttp

from controller.domain.errors import ControllerError, Denied, NotFound, NotReady, Unreachable
from controller.services.webhook_post import wait_of

API = "https://api.cloudflare.com/client/v4"
SECONDS = 30.0  # for one call
WAIT_MOST = 60.0  # seconds that the API can make us wait, in all, before we give up
ANSWER_MOST = 1_048_576  # bytes
REASON_MOST = 300  # characters
_MODULE = "application/javascript+module"


@dataclass(frozen=True, slots=True)
class Upload:
    """A Worker as it is to be: its modules, and what is bound to it. Bindings may be secret."""

    main: str
    modules: Mapping[str, str]
    bindings: Sequence[Mapping[str, Any]] = field(repr=False)
    date: str  # of the platform's behaviour

    @property
    def metadata(self) -> str:
        """What the API is told of it."""
        said = {"main_module": self.main, "compatibility_date": self.date}
        return json.dumps(said | {"bindings": [dict(one) for one in self.bindings]})


class Cloudflare:
    """One account. The token is in memory for as long as this value is."""

    def __init__(self, account: str, token: str, base: str = "") -> None:
        self._account = f"{base or API}/accounts/{account}"
        self._token = token

    # D1

    async def database(self, name: str) -> str:
        """The id of the database of that name, made if there is none."""
        found = await self._ask("GET", f"/d1/database?name={quote(name)}")
        for one in found if isinstance(found, list) else ():
            if one.get("name") == name:
                return str(one["uuid"])
        return str((await self._ask("POST", "/d1/database", {"name": name}))["uuid"])

    async def query(self, database: str, sql: str) -> Sequence[Mapping[str, Any]]:
        """The rows of the last of these statements, which run together."""
        found = await self._ask("POST", f"/d1/database/{database}/query", {"sql": sql})
        last = found[-1] if isinstance(found, list) and found else {}
        return list(last.get("results") or ())

    # The Worker

    async def versions(self, script: str) -> list[str]:
        """The versions that were served, newest first; none where there is no such Worker."""
        try:
            found = await self._ask("GET", f"/workers/scripts/{script}/deployments")
        except NotFound:
            return []
        deployments = found.get("deployments") or []
        return [str(one["versions"][0]["version_id"]) for one in deployments]

    async def text_binding(self, script: str, version: str, name: str) -> str:
        """A plain text that is bound to a version; empty where it isn't."""
        found = await self._ask("GET", f"/workers/scripts/{script}/versions/{version}")
        for one in (found.get("resources") or {}).get("bindings") or ():
            if one.get("name") == name:
                return str(one.get("text", ""))
        return ""

    async def upload(self, script: str, upload: Upload) -> None:
        """Serve this from now on. NotReady (`worker-refused`) if it can't be served at all: then
        what was served before still is."""
        await self._ask("PUT", f"/workers/scripts/{script}", upload)

    async def activate(self, script: str, version: str) -> None:
        """Serve a former version again."""
        versions = [{"version_id": version, "percentage": 100}]
        body = {"strategy": "percentage", "versions": versions}
        await self._ask("POST", f"/workers/scripts/{script}/deployments", body)

    async def schedule(self, script: str, cron: str) -> None:
        """Run it at these times, and no others."""
        await self._ask("PUT", f"/workers/scripts/{script}/schedules", [{"cron": cron}])

    async def publish(self, script: str) -> None:
        """Give it its address below workers.dev."""
        await self._ask("POST", f"/workers/scripts/{script}/subdomain", {"enabled": True})

    # One call

    async def _ask(self, method: str, path: str, body: Any = None) -> Any:
        waited = 0.0
        while True:
            status, wait, found = await self._sent(method, path, body)
            if status != 429:
                break
            waited += max(wait, 1.0)
            if waited > WAIT_MOST:
                raise Unreachable(
                    "Cloudflare's API is asked too often.",
                    hint="Try again in five minutes.",
                    code="cloudflare-busy",
                )
            await asyncio.sleep(max(wait, 1.0))
        if 200 <= status < 300 and found.get("success") is True:
            return found.get("result")
        raise _refusal(status, found)

    async def _sent(
        self, method: str, path: str, body: Any
    ) -> tuple[int, float, Mapping[str, Any]]:
        headers = {"Authorization": f"Bearer {self._token}"}
        limit = aiohttp.ClientTimeout(total=SECONDS)
        given = {"data": _form(body)} if isinstance(body, Upload) else {"json": body}
        try:
            async with (
                aiohttp.ClientSession(timeout=limit) as session,
                session.request(
                    method, self._account + path, headers=headers, allow_redirects=False, **given
                ) as answer,
            ):
                raw = await _bounded(answer.content)
                return answer.status, wait_of(answer.headers), _object(raw)
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError):
            raise Unreachable(
                "Cloudflare's API can't be reached.",
                hint="Check this machine's way to the internet, then try again.",
                code="cloudflare-away",
            ) from None


def _form(upload: Upload) -> aiohttp.FormData:
    """It can be sent once, so each call has one of its own."""
    form = aiohttp.FormData()
    form.add_field("metadata", upload.metadata, content_type="application/json")
    for name, text in upload.modules.items():
        form.add_field(name, text, filename=name, content_type=_MODULE)
    return form


def _refusal(status: int, found: Mapping[str, Any]) -> ControllerError:
    if status in {401, 403}:
        return Denied(
            "Cloudflare doesn't take the token.",
            hint="BOTMAKER_EDGE_CLOUDFLARE_TOKEN_FILE must hold one that may edit Workers and D1.",
            code="cloudflare-token",
        )
    reasons = [str(one.get("message", "")) for one in found.get("errors") or () if one]
    reason = " ".join(" ".join(reasons).split())[:REASON_MOST] or f"it answered {status}"
    if status == 404:
        return NotFound(f"Cloudflare doesn't know it: {reason}.", code="cloudflare-unknown")
    if 400 <= status < 500:
        return NotReady(f"Cloudflare refused it: {reason}", code="worker-refused")
    return Unreachable(f"Cloudflare has trouble: {reason}", code="cloudflare-away")


async def _bounded(stream: aiohttp.StreamReader) -> bytes:
    raw = bytearray()
    while (chunk := await stream.readany()) and len(raw) < ANSWER_MOST:
        raw += chunk
    return bytes(raw)


def _object(raw: bytes) -> Mapping[str, Any]:
    try:
        found = json.loads(raw)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
