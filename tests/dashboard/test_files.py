"""What the dashboard is served as: a fixed table of files, each with its policy."""

from __future__ import annotations

import asyncio
import gzip
import re

import pytest

from controller.api import Gate
from controller.api.dashboard_pages import WEB
from tests.api.client import Api, serving
from tests.manager.rig import Rig

TRICKS = [
    "/assets/../pages.py",
    "/assets/%2e%2e/pages.py",
    "/assets/x/..%2f..%2fpages.py",
    "/assets//etc/passwd",
    "/assets/{version}/../../pages.py",
    "/assets/{version}/index.html",
    "/assets/{version}/app.js%00.css",
    "/assets/{version}/APP.JS",
    "/assets/0000000000000000/app.js",
    "/bots/..%2f..%2fetc/log",
    "/bots/a/passwd",
    "/%61pp.js",
    "/index.html",
]


async def raw(api: Api, path: str, method: str = "GET", **headers: str) -> tuple[int, str, bytes]:
    """Ask for a path exactly as written; clients tidy it up otherwise."""
    host, _, port = api.url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    sent = {"Host": f"{host}:{port}", "Connection": "close"} | headers
    head = "".join(f"{name}: {value}\r\n" for name, value in sent.items())
    writer.write(f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode())
    answer = await reader.read()
    writer.close()
    top, _, body = answer.partition(b"\r\n\r\n")
    return int(top.split()[1]), top.decode(), body


async def version(api: Api) -> str:
    _, _, page = await raw(api, "/")
    (found,) = set(re.findall(r"/assets/([0-9a-f]{16})/", page.decode()))
    return str(found)


async def test_every_file_is_served_with_its_kind_and_may_be_kept(api: Api) -> None:
    """All that lies in the folder, under an address that changes with it."""
    now = await version(api)
    for path in WEB.iterdir():
        if path.suffix == ".html":
            continue
        status, head, body = await raw(api, f"/assets/{now}/{path.name}")
        assert (status, body) == (200, path.read_bytes())
        assert "immutable" in head
        assert {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg"}[
            path.suffix
        ] in head
        packed = await raw(api, f"/assets/{now}/{path.name}", **{"Accept-Encoding": "gzip"})
        assert gzip.decompress(packed[2]) == path.read_bytes()


async def test_the_page_that_seals_is_given_to_be_kept_and_never_shown(api: Api) -> None:
    """Its script is inside it, which no page of ours may have: so it is a download."""
    status, head, body = await raw(api, "/seal.html")
    assert (status, body) == (200, (WEB / "seal.html").read_bytes())
    assert 'content-disposition: attachment; filename="seal.html"' in head.lower()


@pytest.mark.parametrize("trick", TRICKS)
async def test_no_path_leads_to_the_disk(api: Api, trick: str) -> None:
    """Whatever it is spelt like, what isn't in the table isn't there."""
    status, _, body = await raw(api, trick.replace("{version}", await version(api)))
    assert status == 404
    assert b"root:" not in body
    assert b"def " not in body


@pytest.mark.parametrize("path", ["/", "/login", "/create", "/bots/shop", "/bots/shop/log"])
async def test_each_page_has_the_whole_policy(api: Api, path: str) -> None:
    """Nothing inline, nothing from elsewhere, in no frame; and it is kept nowhere."""
    status, head, body = await raw(api, path)
    text = head.lower()
    assert status == 200
    for part in (
        "default-src 'none'",
        "script-src 'self';",
        "style-src 'self';",
        "connect-src 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
        "form-action 'none'",
        "require-trusted-types-for 'script'; trusted-types 'none'",
        "cache-control: no-store",
        "referrer-policy: no-referrer",
        "x-content-type-options: nosniff",
        "cross-origin-opener-policy: same-origin",
    ):
        assert part in text
    page = body.decode()
    assert not re.search(r"<script(?![^>]*src=)|<style|style=|\son\w+=", page)
    for address in re.findall(r'(?:src|href)="([^"]*)"', page):
        assert re.fullmatch(r"/assets/[0-9a-f]{16}/\w+\.(js|css|svg)", address)


async def test_pages_are_for_our_own_names_and_only_looked_at(rig: Rig) -> None:
    """A name that leads here by a trick of DNS shows nothing; a page takes no POST."""
    async with serving(rig, gate=Gate("https://bots.example.org")) as api:
        wrong = await raw(api, "/", Host="evil.example")
        assert wrong[0] == 421
        assert b"BOTMAKER_PUBLIC_URL" in wrong[2]
        assert (await raw(api, "/", Host="bots.example.org"))[0] == 200
        assert (await raw(api, "/", method="POST"))[0] == 405


async def test_without_the_api_there_is_no_dashboard(rig: Rig) -> None:
    """Health and metrics stay alone."""
    from controller.api.server import application

    app = application(rig.manager, lambda: True)
    paths = {route.resource.canonical for route in app.router.routes() if route.resource}
    assert paths == {"/health", "/metrics"}


def test_no_file_parses_html_or_runs_text() -> None:
    """The policy forbids it; here it is not even written."""
    for path in WEB.glob("*.js"):
        text = path.read_text()
        assert text.startswith("// @ts-check\n"), path.name
        found = re.findall(
            r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|"
            r"createContextualFragment|DOMParser|https?://",
            text,
        )
        assert found == [], path.name
