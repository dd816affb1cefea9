"""Sends one request to a service and reads its answer, within bounds.

Only this module connects to the services. aiohttp's errors contain URLs and headers, and some
services take their token in the URL. So no error leaves this module: each becomes a `Silence` in
our own words.
"""

from __future__ import annotations

import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import aiohttp
from yarl import URL

BODY_MAX = 65_536


@dataclass(frozen=True, slots=True)
class Question:
    """One request. Its URL or headers hold a secret, so neither is ever shown."""

    url: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    method: Literal["GET", "POST"] = "GET"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: the status, and the body if it is a JSON object (otherwise empty)."""

    status: int
    body: Mapping[str, Any] = field(repr=False)
    page: bool = False  # a web page: from a proxy or firewall, not from the service's API


@dataclass(frozen=True, slots=True)
class Silence:
    """No usable answer; `reason` says why, worded to end a sentence."""

    reason: str


class Door:
    """Asks over its own connections: certificates are checked; no redirects, cookies or proxies."""

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None
        self._closed = False

    async def ask(self, question: Question) -> Answer | Silence:
        """The answer, or why there is none. Has no time limit of its own; can be cancelled."""
        if self._closed:
            return Silence("BotMaker is shutting down")
        if not all(value.isascii() and value.isprintable() for value in question.headers.values()):
            return Silence("the value has characters that a web request can't carry")
        session = self._opened()
        try:
            async with session.request(
                question.method,
                URL(question.url, encoded=True),
                headers=question.headers,
                allow_redirects=False,
            ) as response:
                raw = await _bounded(response.content)
                page = response.content_type == "text/html"
                return _read(response.status, raw, page=page)
        except aiohttp.ClientConnectorCertificateError:
            return Silence("its certificate isn't trusted")
        except (aiohttp.ClientSSLError, ssl.SSLError):
            return Silence("a secure connection to it failed")
        except aiohttp.ClientConnectorError:
            return Silence("it can't be reached")
        except (aiohttp.ClientError, OSError, ValueError):
            return Silence("the connection to it broke")

    async def close(self) -> None:
        """Close the connections; later questions get a `Silence`."""
        self._closed = True
        if self._session is not None:
            await self._session.close()

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            # One connection per question: questions are rare, so none is kept open.
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(force_close=True),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=None),
                auto_decompress=False,  # 64 KiB compressed can be a gigabyte unpacked
                headers={"Accept": "application/json", "Accept-Encoding": "identity"},
            )
        return self._session


async def _bounded(stream: aiohttp.StreamReader) -> bytes | None:
    """The whole body, or None if it is longer than `BODY_MAX`, more than any answer we ask for."""
    raw = bytearray()
    while chunk := await stream.readany():
        raw += chunk
        if len(raw) > BODY_MAX:
            return None
    return bytes(raw)


def _read(status: int, raw: bytes | None, *, page: bool) -> Answer | Silence:
    if raw is None:
        return Silence("its answer was too long")
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError):
        body = {}
    return Answer(status, body if isinstance(body, dict) else {}, page)
