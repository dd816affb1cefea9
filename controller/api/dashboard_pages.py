"""The dashboard's files: a fixed table, read once. No request's path ever leads to the disk.

Every page is the same small document; its script asks the API for everything else. The files are
served under a name that holds a hash of all of them, so a browser may keep them for good.
"""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from aiohttp import web

from controller.api.gate import Gate
from controller.api.problems import HttpProblem

SEAL = "seal.html"
WEB = Path(__file__).parent / "web"
_BOT = "{bot:[A-Za-z0-9][A-Za-z0-9-]{0,35}}"
# The addresses of pages. What stands behind them is decided by `web/app.js`.
PAGES = (
    "/",
    "/login",
    "/create",
    "/access",
    "/doctor",
    "/history",
    f"/bots/{_BOT}",
    f"/bots/{_BOT}/{{part:log|history|releases|settings|secrets|actions}}",
)
_KINDS = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
ALWAYS = {
    "Content-Security-Policy": _POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
_FOR_GOOD = "public, max-age=31536000, immutable"
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Asset:
    """A file as it is served."""

    kind: str
    body: bytes
    packed: bytes  # the same with gzip


@dataclass(frozen=True, slots=True)
class Site:
    """All files of the dashboard: the document, and the others by their address."""

    page: bytes
    seal: bytes  # the page that works without us, to be kept
    assets: Mapping[str, Asset]


@cache
def site() -> Site:
    """Read the files, once in the life of the process."""
    files = {path.name: path.read_bytes() for path in sorted(WEB.iterdir())}
    document, seal = files.pop("index.html"), files.pop(SEAL)
    named = b"".join(name.encode() + b"\0" + body for name, body in files.items())
    version = hashlib.sha256(named).hexdigest()[:16]
    return Site(
        page=document.replace(b"{assets}", f"/assets/{version}".encode()),
        seal=seal,
        assets={
            f"/assets/{version}/{name}": Asset(
                _KINDS[Path(name).suffix], body, gzip.compress(body, mtime=0)
            )
            for name, body in files.items()
        },
    )


def add_pages(app: web.Application, gate: Gate) -> None:
    """Add the dashboard's pages and files, for whoever asks by a name that is ours."""
    found = site()

    async def page(_: web.Request) -> web.Response:
        # Small, and it names the present files: never kept.
        headers = {**ALWAYS, "Cache-Control": "no-store"}
        return web.Response(
            body=found.page, content_type="text/html", charset="utf-8", headers=headers
        )

    async def seal(_: web.Request) -> web.Response:
        # To be saved, not shown: its script is its own, which no page of ours may have.
        kept = {
            "Content-Disposition": f'attachment; filename="{SEAL}"',
            "Cache-Control": "no-cache",
        }
        return web.Response(body=found.seal, content_type="text/html", headers={**ALWAYS, **kept})

    async def asset(request: web.Request) -> web.Response:
        return _file(found.assets[request.path], request)

    app.add_routes([web.get(path, _at_our_name(gate, page)) for path in PAGES])
    app.add_routes([web.get(f"/{SEAL}", _at_our_name(gate, seal))])
    app.add_routes([web.get(path, _at_our_name(gate, asset)) for path in found.assets])


def _at_our_name(gate: Gate, answer: Handler) -> Handler:
    async def checked(request: web.Request) -> web.StreamResponse:
        try:
            gate.require_host(request)
        except HttpProblem as error:
            return web.Response(status=error.status, text=f"{error}\n", headers=ALWAYS)
        return await answer(request)

    return checked


def _file(asset: Asset, request: web.Request) -> web.Response:
    headers = {**ALWAYS, "Cache-Control": _FOR_GOOD, "Vary": "Accept-Encoding"}
    body = asset.body
    if "gzip" in request.headers.get("Accept-Encoding", ""):
        body, headers["Content-Encoding"] = asset.packed, "gzip"
    charset = "utf-8" if asset.kind.startswith("text/") else None
    return web.Response(body=body, content_type=asset.kind, charset=charset, headers=headers)
