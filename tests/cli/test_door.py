"""The console's way to a controller elsewhere: https that is checked, patience, strange answers."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import ipaddress
import ssl
import time
from collections.abc import AsyncIterator, Callable
from http.client import HTTPConnection
from pathlib import Path

import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from controller.api.request_rates import Rate, Rates
from controller.cli.controller_client import Door, local, remote
from controller.cli.fleet_apply import Applying
from controller.cli.fleet_file import read
from controller.cli.fleet_state import look
from controller.domain.errors import ControllerError, Unreachable
from controller.domain.fleet_plan import plan
from tests.api.client import free_port, serving
from tests.cli.socketed import botmaker, served

Answer = Callable[[web.Request], web.Response]


def token_in(folder: Path, text: str = "bm_x") -> Path:
    file = folder / "token"
    file.touch(0o600)
    file.write_text(text)
    return file


def certificate(folder: Path) -> tuple[Path, ssl.SSLContext]:
    """A certificate for 127.0.0.1 that nobody trusts yet, and a server's context with it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a test")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]),
            critical=False,
        )
        .sign(key, hashes.SHA256())
    )
    pem = folder / "cert.pem"
    pem.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private = folder / "key.pem"
    private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem, private)
    return pem, context


@contextlib.asynccontextmanager
async def answering(answer: Answer, context: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """A server that answers everything like this; its address."""

    async def handle(request: web.Request) -> web.Response:
        return answer(request)

    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", handle)
    runner = web.AppRunner(app)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port, ssl_context=context).start()
    try:
        yield f"{'https' if context else 'http'}://127.0.0.1:{port}"
    finally:
        await runner.cleanup()


async def test_a_list_is_read_to_its_last_page(tmp_path: Path) -> None:
    """However many there are."""
    pages = {"": ([1, 2], "a"), "a": ([3], "b"), "b": ([4], None)}

    def answer(request: web.Request) -> web.Response:
        items, more = pages[request.query.get("cursor", "")]
        return web.json_response({"items": items, "next": more})

    async with answering(answer) as url:
        door = remote(url, token_in(tmp_path))
        assert await asyncio.to_thread(lambda: list(door.pages("/bots"))) == [1, 2, 3, 4]


async def test_https_is_checked_before_the_token_goes_anywhere(tmp_path: Path) -> None:
    """An unknown certificate is refused; one that SSL_CERT_FILE names is taken."""
    pem, context = certificate(tmp_path)
    keys: list[str | None] = []

    def empty(request: web.Request) -> web.Response:
        keys.append(request.headers.get("Authorization"))
        return web.json_response({"items": [], "next": None})

    async with answering(empty, context) as url:
        there = ("--url", url, "--token-file", str(token_in(tmp_path)))
        refused = await botmaker(tmp_path, *there, "list", own=True)
        assert (refused.status, refused.out, keys) == (3, "", [])
        assert "isn't trusted" in refused.err
        assert "SSL_CERT_FILE" in refused.err
        taken = await botmaker(tmp_path, *there, "list", own=True, env={"SSL_CERT_FILE": str(pem)})
        assert (taken.status, taken.err, keys) == (0, "", ["Bearer bm_x"])


@pytest.mark.parametrize(
    "answer",
    [
        lambda _: web.Response(text="<html>A proxy</html>", content_type="text/html"),
        lambda _: web.Response(status=502, text="Bad gateway"),
        lambda _: web.Response(status=302, headers={"Location": "http://evil.example/"}),
        lambda _: web.json_response({"error": "no"}, status=404),
        lambda _: web.json_response(["a", "list"], status=400),
    ],
)
async def test_what_is_not_botmaker_is_said(tmp_path: Path, answer: Answer) -> None:
    """A page, a proxy's error, a way elsewhere: never followed, never a traceback."""
    async with answering(answer) as url:
        there = ("--url", url, "--token-file", str(token_in(tmp_path)))
        ended = await botmaker(tmp_path, *there, "show", "bee")
        assert (ended.status, ended.out) == (1, "")
        assert "isn't BotMaker's API" in ended.err


async def test_asked_too_often_it_waits_as_it_is_told(tmp_path: Path) -> None:
    """Instead of failing halfway through a fleet."""
    async with served(tmp_path) as rig:
        async with serving(rig, rates=Rates(reads=Rate(2.0, 1))) as api:
            door = remote(api.url, token_in(tmp_path, api.token))
            began = time.monotonic()
            for _ in range(3):
                assert list(await asyncio.to_thread(lambda: list(door.pages("/bots")))) == []
            assert time.monotonic() - began > 1.0


async def test_an_apply_that_is_cut_off_says_so_and_the_next_one_finishes_it(
    tmp_path: Path,
) -> None:
    """What was made stays, what wasn't begun is told apart, and nothing is made twice."""
    async with served(tmp_path) as rig:
        file = tmp_path / "fleet.toml"
        file.write_text("".join(f'[bots.b{n}]\ntemplate = "plain"\n' for n in range(4)))
        whole = local(rig.data)
        left = 2

        def connect(seconds: float) -> HTTPConnection:
            nonlocal left
            left -= 1
            return HTTPConnection("127.0.0.1", free_port()) if left < 0 else whole._connect(seconds)

        def gone(_: Exception) -> Unreachable:
            return Unreachable("It is gone.")

        cut = Door(connect, gone, local=True)
        fleet = read([file])

        def apply(door: Door) -> list[tuple[str, bool, bool]]:
            seen = look(whole, fleet)
            changes = plan(fleet.wanted, seen.found).changes
            done = Applying(door, fleet, seen, lambda *_: "").each(changes)
            return [(one.change.bot, not one.why, one.begun) for one in done]

        assert await asyncio.to_thread(apply, cut) == [
            ("b0", True, True),
            ("b1", True, True),
            ("b2", False, True),
            ("b3", False, False),
        ]
        assert await asyncio.to_thread(apply, whole) == [("b2", True, True), ("b3", True, True)]
        assert [bot.name for bot in await rig.store.bots()] == ["b0", "b1", "b2", "b3"]


async def test_a_silent_controller_is_given_up(tmp_path: Path) -> None:
    """After a time limit, with a sentence."""

    left = asyncio.Event()

    async def never(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()  # until the other end gives up
        writer.close()
        await writer.wait_closed()
        left.set()

    port = free_port()
    server = await asyncio.start_server(never, "127.0.0.1", port)
    door = remote(f"http://127.0.0.1:{port}", token_in(tmp_path))
    with pytest.raises(ControllerError, match="doesn't answer in time"):
        await asyncio.to_thread(lambda: door.ask("GET", "/bots", seconds=0.3))
    await asyncio.wait_for(left.wait(), 10)
    server.close()
    await server.wait_closed()
