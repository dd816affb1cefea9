"""A webhook's receiver on a real loopback socket, with TLS if it is given a certificate.

    async with Receiver() as receiver:
        receiver.script = [Reply(500), Reply(429, {"Retry-After": "1"})]  # then 200 for ever
        ... # deliver to receiver.url
        assert [one.type for one in receiver.taken] == ["bot.crash"]

`seen` has every request, `taken` those that were answered with 2xx. Next door: the tests of what is
sent.
"""

from __future__ import annotations

import asyncio
import datetime
import ipaddress
import json
import ssl
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

PATH = "/hook/a-path-that-is-as-secret-as-a-token"


@dataclass(frozen=True)
class Reply:
    """One answer, after `delay` seconds; `before` is called while nothing is answered yet."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    text: str = ""
    delay: float = 0.0
    before: Callable[[], Awaitable[None]] | None = None


@dataclass(frozen=True)
class Received:
    """One request as it came."""

    headers: Mapping[str, str]
    content: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.content)

    @property
    def id(self) -> str:
        """The event's id."""
        return self.headers["webhook-id"]

    @property
    def number(self) -> int:
        """The number of the journal's entry."""
        return int(self.json["data"]["number"])

    @property
    def type(self) -> str:
        return str(self.json["type"])


class Receiver:
    """The server, an async context manager; see the module's docstring."""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self._context = context
        self.script: list[Reply] = []
        self.always = Reply()  # once the script is through
        self.seen: list[Received] = []
        self.taken: list[Received] = []
        self.paths: list[str] = []
        self.at_once = 0  # requests that are being answered
        self.most_at_once = 0
        self.port = 0
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        """Where it is reached, with a path that nobody else knows."""
        return f"{'https' if self._context else 'http'}://127.0.0.1:{self.port}{PATH}"

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def open(self) -> None:
        """Listen, on the same port as before."""
        app = web.Application(client_max_size=1 << 20)
        app.router.add_route("*", "/{rest:.*}", self._answer)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(
            self._runner, "127.0.0.1", self.port, ssl_context=self._context, reuse_address=True
        )
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def close(self) -> None:
        """Listen no longer: whoever asks is refused."""
        assert self._runner is not None
        await self._runner.cleanup()

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _answer(self, request: web.Request) -> web.Response:
        received = Received(dict(request.headers), await request.read())
        self.seen.append(received)
        self.paths.append(request.path)
        reply = self.script.pop(0) if self.script else self.always
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            if reply.before is not None:
                await reply.before()
            await asyncio.sleep(reply.delay)
        finally:
            self.at_once -= 1
        if 200 <= reply.status < 300:
            self.taken.append(received)
        return web.Response(status=reply.status, headers=reply.headers, text=reply.text)


def certificate(file: Path, host: str = "127.0.0.1", *, days: int = 1) -> ssl.SSLContext:
    """A server's context with a certificate that only itself vouches for, written to the file.

    Over since yesterday where `days` is negative.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    try:
        alternative: x509.GeneralName = x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        alternative = x509.DNSName(host)
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=3))
        .not_valid_after(now + datetime.timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([alternative]), False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    file.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context
