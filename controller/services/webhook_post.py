"""Posts one event to a webhook's receiver and reads the beginning of its answer, within bounds.

aiohttp's errors hold URLs, and a webhook's URL may be a secret. So no error leaves this module:
each becomes a `Silence` in our own words.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
import ssl
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

import controller
from controller.domain.webhook_urls import is_forbidden
from controller.services.door import Silence

POST_SECONDS = 10.0  # for all of it: name, connection, request and answer
ANSWER_MAX = 2_000  # bytes that are read of an answer
_AGENT = f"BotMaker/{controller.__version__} (webhook)"
_LOOKUPS_MOST = 64  # names that are looked up at once, by all webhooks together
_Found = tuple[Any, ...]  # as `getaddrinfo` gives it


@dataclass(frozen=True, slots=True)
class Parcel:
    """One request. Its URL and its content are never shown."""

    url: str = field(repr=False)
    content: bytes = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the receiver answered."""

    status: int
    text: str = field(repr=False)  # the beginning of it
    wait: float = 0.0  # seconds that it asked us to wait


class Postman:
    """Posts over connections of its own: certificates are checked; no redirects, cookies, proxies.

    `trust` replaces the machine's certificate authorities, `seconds` the time limit; of an answer
    `answer_most` bytes are read.
    """

    def __init__(
        self,
        trust: ssl.SSLContext | None = None,
        *,
        seconds: float = POST_SECONDS,
        answer_most: int = ANSWER_MAX,
    ) -> None:
        self._trust: ssl.SSLContext | bool = trust or True
        self._seconds = seconds
        self._most = answer_most
        self._resolver = _Resolver()

    async def post(self, parcel: Parcel) -> Receipt | Silence:
        """The receiver's answer, or why there is none. Can be cancelled."""
        try:
            async with asyncio.timeout(self._seconds), self._session() as session:
                return await _posted(session, parcel, self._most)
        except TimeoutError:
            return Silence(f"it didn't answer within {self._seconds:g} seconds")
        except aiohttp.ClientConnectorCertificateError:
            return Silence("its certificate isn't trusted")
        except (aiohttp.ClientSSLError, ssl.SSLError):
            return Silence("a secure connection to it failed")
        except aiohttp.ClientConnectorDNSError as error:
            forbidden = isinstance(error.os_error, _ForbiddenAddress)
            return Silence(
                "its name leads to an address that no receiver has"
                if forbidden
                else "its name can't be found"
            )
        except aiohttp.ClientConnectorError:
            return Silence("it can't be reached")
        except aiohttp.InvalidURL:
            return Silence("its address can't be used")
        except (aiohttp.ClientError, OSError, ValueError):
            return Silence("the connection to it broke")

    def _session(self) -> aiohttp.ClientSession:
        """A session for one request: events are rare, and a connection kept open may be a dead one
        that swallows the next event's first try."""
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                force_close=True, ssl=self._trust, resolver=self._resolver, use_dns_cache=False
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None),
            auto_decompress=False,  # a few bytes compressed can be a gigabyte unpacked
            headers={"User-Agent": _AGENT, "Accept-Encoding": "identity"},
        )


async def _posted(session: aiohttp.ClientSession, parcel: Parcel, most: int) -> Receipt:
    async with session.post(
        URL(parcel.url, encoded=True),
        data=parcel.content,
        headers=dict(parcel.headers),
        allow_redirects=False,
    ) as response:
        raw = bytearray()
        while len(raw) < most and (chunk := await response.content.readany()):
            raw += chunk
        text = bytes(raw[:most]).decode("utf-8", "replace")
        return Receipt(response.status, text, wait_of(response.headers))


def wait_of(headers: Mapping[str, str]) -> float:
    """How many seconds `Retry-After` asks for; 0 if it doesn't.

    Where it names a time, that is compared with the receiver's own clock, never with ours.
    """
    asked = headers.get("Retry-After", "").strip()
    try:
        seconds = float(asked)
    except ValueError:
        until, now = _date(asked), _date(headers.get("Date", ""))
        seconds = (until - now).total_seconds() if until and now else 0.0
    return seconds if 0.0 < seconds < float("inf") else 0.0


def _date(text: str) -> datetime | None:
    try:
        found = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError):
        return None
    return found if found.tzinfo is not None else None


class _ForbiddenAddress(OSError):
    """The name leads where no receiver is."""


class _Resolver(AbstractResolver):
    """Looks names up in threads of their own: a name server that hangs holds up nobody else."""

    def __init__(self) -> None:
        self._running = 0

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """The addresses of a host; OSError where there are none that may be asked."""
        if self._running >= _LOOKUPS_MOST:
            raise OSError("too many names are being looked up")
        allowed = [
            ResolveResult(
                hostname=host,
                host=str(address[0]),
                port=int(address[1]),
                family=kind,
                proto=protocol,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for kind, _, protocol, _, address in await self._looked_up(host, port, family)
            if not is_forbidden(ipaddress.ip_address(str(address[0]).partition("%")[0]))
        ]
        if not allowed:
            raise _ForbiddenAddress("no address that may be asked")
        return allowed

    async def close(self) -> None:
        """Nothing to let go of."""

    async def _looked_up(self, host: str, port: int, family: int) -> Sequence[_Found]:
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Sequence[_Found]] = loop.create_future()

        def tell(result: Sequence[_Found]) -> None:
            self._running -= 1
            if not answer.done():
                answer.set_result(result)

        def look_up() -> None:
            result: Sequence[_Found] = ()
            with contextlib.suppress(OSError, ValueError):
                result = socket.getaddrinfo(host, port, family, socket.SOCK_STREAM)
            with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
                loop.call_soon_threadsafe(tell, result)

        self._running += 1
        # A daemon, or one that hangs would keep the process from ending.
        threading.Thread(target=look_up, name="webhook name", daemon=True).start()
        found = await answer
        if not found:
            raise OSError("no such name")
        return found
