"""The console's way to a controller: the socket in its data folder, or its address and a token.

Only the standard library, so that a command starts quickly. An address needs no settings at all.
"""

from __future__ import annotations

import http.client
import json
import os
import socket
import ssl
import stat
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from controller.domain.disk_words import reason
from controller.domain.errors import (
    BadInput,
    BadSetting,
    Conflict,
    ControllerError,
    Denied,
    NotFound,
    NotSignedIn,
    Unreachable,
)

SOCKET = "control.sock"
API = "/api/v1"
ANSWER_SECONDS = 60.0
SILENT_SECONDS = 40.0  # that a stream may say nothing; it pings every 15
PATIENCE_SECONDS = 60.0  # in all, with a controller that says it is asked too often
TOKEN_MAX = 4096  # bytes of the token's file
KINDS: Mapping[int, type[ControllerError]] = {
    401: NotSignedIn,
    403: Denied,
    404: NotFound,
    409: Conflict,
    412: Conflict,
    422: BadInput,
}
# What to do next, for somebody at a terminal. Other hints are the answer's own.
HINTS = {
    "no-such-bot": "`botmaker list` shows all bots.",
    "secrets-missing": "Enter them with /bot secrets, or give them with `botmaker apply`.",
    "no-such-token": "`botmaker token list` shows all tokens.",
    "no-such-webhook": "`botmaker webhook list` shows all webhooks.",
    "not-signed-in": "Make a token with /access token create, and put it into a file.",
}


@dataclass(frozen=True, slots=True)
class Reply:
    """What was answered: never a problem, which is raised."""

    status: int
    headers: Mapping[str, str]
    json: Any


class Door:
    """Asks one controller. Each problem that it answers is raised as an error of that code.

    Raises Unreachable where none answers.
    """

    def __init__(
        self,
        connect: Callable[[float], http.client.HTTPConnection],
        nobody: Callable[[Exception], Unreachable],
        *,
        base: str = "",
        token: str = "",
        local: bool = False,
    ) -> None:
        self._connect = connect
        self._nobody = nobody
        self._base = base
        self._token = token
        self.local = local  # the controller runs on this data folder

    def get(self, path: str, **query: object) -> Any:
        """Something to read; a query's empty values are left out."""
        return self.ask("GET", path, query=query).json

    def ask(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        query: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
        seconds: float = ANSWER_SECONDS,
    ) -> Reply:
        """Ask for an operation below /api/v1. Asked too often, it waits as long as it's told to."""
        end = time.monotonic() + PATIENCE_SECONDS
        while True:
            status, sent, text = self._sent(method, API + path, body, query, headers, seconds)
            pause = _number(sent.get("retry-after", ""))
            if status != 429 or time.monotonic() + pause > end:
                break
            time.sleep(pause)
        found = _json(text)
        if status >= 300 or found is None:
            raise _problem(status, found)
        return Reply(status, sent, found)

    def pages(self, path: str, **query: object) -> Iterator[Any]:
        """Every item of a list, page by page."""
        cursor = ""
        while True:
            page = self.get(path, **query, cursor=cursor)
            yield from page["items"]
            cursor = page.get("next") or ""
            if not cursor:
                return

    def follow(self, path: str, last: str = "", **query: object) -> Iterator[Any]:
        """A stream's events as they come, from the one behind `last` on, to the stream's end.

        Raises Unreachable when the connection is lost.
        """
        headers = {"Accept": "application/x-ndjson", **({"Last-Event-ID": last} if last else {})}
        connection = self._connect(SILENT_SECONDS)
        try:
            connection.request(
                "GET", self._target(API + path, query), headers={**self._key(), **headers}
            )
            answer = connection.getresponse()
            if answer.status >= 300:
                raise _problem(answer.status, _json(answer.read()))
            for line in iter(answer.readline, b""):
                yield json.loads(line)
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise self._nobody(error) from error
        finally:
            connection.close()

    def text(self, path: str, **query: object) -> tuple[int, str]:
        """A page of the socket's own, outside the API: its status and text."""
        status, _, text = self._sent("GET", path, None, query, None, ANSWER_SECONDS)
        return status, text.decode(errors="replace")

    def tell(
        self, path: str, message: object, headers: Mapping[str, str], **query: object
    ) -> bytes:
        """Send a message to a page outside the API: its reply, empty where none is due.

        Raises what the page answers as a problem.
        """
        status, _, text = self._sent("POST", path, message, query, headers, ANSWER_SECONDS)
        found = _json(text)
        if status >= 300 and not (isinstance(found, dict) and "jsonrpc" in found):
            raise _problem(status, found)
        return text

    def _sent(
        self,
        method: str,
        path: str,
        body: object,
        query: Mapping[str, object] | None,
        headers: Mapping[str, str] | None,
        seconds: float,
    ) -> tuple[int, Mapping[str, str], bytes]:
        data = None if body is None else json.dumps(body).encode()
        more = {"Content-Type": "application/json"} if data is not None else {}
        connection = self._connect(seconds)
        try:
            connection.request(
                method, self._target(path, query), data, {**self._key(), **more, **(headers or {})}
            )
            answer = connection.getresponse()
            sent = {name.lower(): value for name, value in answer.getheaders()}
            return answer.status, sent, answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise self._nobody(error) from error
        finally:
            connection.close()

    def _key(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._token}"} if self._token else {}

    def _target(self, path: str, query: Mapping[str, object] | None) -> str:
        given = {name: value for name, value in (query or {}).items() if value not in ("", None)}
        return f"{self._base}{path}" + (f"?{urlencode(given)}" if given else "")


def bot_path(name: str, *more: str) -> str:
    """The path of a bot, or of something about it. Whatever was typed, it is one step."""
    return "/".join(("/bots", quote(name, safe=""), *more))


def local(data_dir: Path) -> Door:
    """The door of the controller that runs on this data folder."""

    def nobody(error: Exception) -> Unreachable:
        gone = (FileNotFoundError, NotADirectoryError, ConnectionError, http.client.HTTPException)
        if isinstance(error, gone) and not isinstance(error, PermissionError):
            return Unreachable(
                f"No controller answers on the data folder {data_dir}.",
                hint="Start it with `botmaker run`, set BOTMAKER_DATA_DIR, or give --url.",
            )
        return Unreachable(
            f"The controller on {data_dir} can't be asked: {_why(error)}.",
            hint="Run this as the user that the controller runs as; if that's so, restart it.",
        )

    return Door(lambda seconds: _OverSocket(data_dir, seconds), nobody, local=True)


def remote(url: str, token_file: Path | None) -> Door:
    """The door of a controller elsewhere. BadSetting for an address or a file that can't be used.

    Plain http only to this machine: the token would be read on its way.
    """
    if token_file is None:
        raise BadSetting("--url needs a token.", hint="Put one into a file: --token-file FILE.")
    scheme, host, port, base = _parts(url)
    token = read_token(token_file)
    where = f"{scheme}://{host}" + (f":{port}" if port else "")

    def connect(seconds: float) -> http.client.HTTPConnection:
        if scheme == "http":
            return http.client.HTTPConnection(host, port, timeout=seconds)
        context = ssl.create_default_context()
        return http.client.HTTPSConnection(host, port, timeout=seconds, context=context)

    def nobody(error: Exception) -> Unreachable:
        if isinstance(error, ssl.SSLCertVerificationError):
            return Unreachable(
                f"The certificate of {where} isn't trusted: {error.verify_message}.",
                hint="If it is your own authority's, point SSL_CERT_FILE to that certificate.",
            )
        return Unreachable(
            f"{where} can't be reached: {_why(error)}.",
            hint="Check the address, and that BOTMAKER_API=1 is set there.",
        )

    return Door(connect, nobody, base=base, token=token)


def read_token(file: Path) -> str:
    """The token in a file that nobody else can read. BadSetting says what to do, never a part."""
    try:
        with file.open("rb") as opened:
            mode = stat.S_IMODE(os.fstat(opened.fileno()).st_mode)
            data = opened.read(TOKEN_MAX + 1)
    except OSError as error:
        raise BadSetting(
            f"The token file {file} can't be read: {reason(error)}.",
            hint="Put the token, and nothing else, into a file with mode 0600.",
        ) from error
    if mode & 0o077:
        raise BadSetting(
            f"Others can use the token file {file}: its mode is {mode:04o}.",
            hint=f"Run `chmod 600 {file}`; if others may have read it, revoke the token.",
        )
    text = data.decode("latin-1").strip()
    if not text or len(data) > TOKEN_MAX or not (text.isascii() and text.isprintable()):
        raise BadSetting(
            f"{file} doesn't hold a token.", hint="It must hold the token and nothing else."
        )
    return text


class _OverSocket(http.client.HTTPConnection):
    """A connection over the socket in a folder."""

    def __init__(self, folder: Path, seconds: float) -> None:
        super().__init__("console", timeout=seconds)
        self._folder = folder

    def connect(self) -> None:
        """Connect by a short name: a socket's path may have some hundred characters at most."""
        handle = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            self.sock = socket.socket(socket.AF_UNIX)
            self.sock.settimeout(self.timeout)
            self.sock.connect(f"/proc/self/fd/{handle}/{SOCKET}")
        finally:
            os.close(handle)


def _parts(url: str) -> tuple[str, str, int | None, str]:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    host = parts.hostname or ""
    odd = parts.query or parts.fragment or parts.username is not None
    if parts.scheme not in {"http", "https"} or not host or odd or not url.isascii():
        raise BadSetting(
            "--url isn't an address that can be asked.", hint="Like https://bots.example.org."
        )
    if parts.scheme == "http" and not _is_this_machine(host):
        raise BadSetting(
            "--url is plain http, so anybody on the way could read the token.",
            hint="Use https; http only works for this machine.",
            code="plain-http",
        )
    return parts.scheme, host, port, parts.path.rstrip("/")


def _is_this_machine(host: str) -> bool:
    return host in {"localhost", "::1"} or (
        host.startswith("127.") and all(part.isdigit() for part in host.split("."))
    )


def _why(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "it doesn't answer in time"
    if isinstance(error, ssl.SSLError):
        return "it doesn't speak https"
    if isinstance(error, OSError):
        return error.strerror or "it doesn't answer"
    return "it doesn't speak HTTP"


def _number(text: str) -> float:
    return float(text) if text.isascii() and text.isdigit() else 1.0


def _json(text: bytes) -> Any:
    try:
        return json.loads(text) if text else {}
    except ValueError:
        return None


def _problem(status: int, found: Any) -> ControllerError:
    if not isinstance(found, dict) or "code" not in found:
        return ControllerError(
            f"What answers there isn't BotMaker's API (status {status}).",
            hint="Check the address, and that BOTMAKER_API=1 is set there.",
        )
    code = str(found["code"])
    hint = HINTS.get(code, str(found.get("hint", "")))
    kind = KINDS.get(status, ControllerError)
    return kind(str(found.get("detail", "")), hint=hint, code=code)
