"""What is at a path in a container, running or not, by the engine's archive calls. Blocking."""

from __future__ import annotations

import base64
import io
import json
import tarfile
from dataclasses import dataclass
from http import HTTPStatus
from posixpath import dirname

from docker import APIClient
from requests import Response

from controller.runtime.reading import raise_for_status

# Bits of the engine's word for a file's mode, which is its language's own.
_FOLDER = 1 << 31
_LINK = 1 << 27
_STAT = "X-Docker-Container-Path-Stat"


@dataclass(frozen=True, slots=True)
class Stat:
    """What the engine tells of a path."""

    size: int
    folder: bool
    link: bool


def stat(client: APIClient, container: str, path: str) -> Stat | None:
    """What is at a path, a link as itself; None where nothing is."""
    with _ask(client, container, path) as answer:
        if answer.status_code == HTTPStatus.NOT_FOUND:
            return None
        # Of a path that goes on behind a file 20.10 says 500, and a HEAD's answer has no reason.
        if answer.status_code == HTTPStatus.INTERNAL_SERVER_ERROR and path != "/":
            above = dirname(path)
            if not is_folder(client, container, above, stat(client, container, above)):
                return None
        raise_for_status(answer)
        return _parsed(answer)


def is_folder(client: APIClient, container: str, path: str, found: Stat | None) -> bool:
    """Whether what was found at a path is a folder, or a link that leads to one."""
    if found is not None and found.link:
        with _ask(client, container, f"{path}/.") as answer:
            return answer.status_code == HTTPStatus.OK and _parsed(answer).folder
    return found is not None and found.folder


def owner_and_text(client: APIClient, container: str, path: str) -> tuple[int, bytes]:
    """The uid of a small file's owner, and what is in the file."""
    pieces, _ = client.get_archive(container, path)
    with tarfile.open(fileobj=io.BytesIO(b"".join(pieces))) as archive:
        entry = archive.getmembers()[0]
        file = archive.extractfile(entry) if entry.isfile() else None
        return entry.uid, file.read() if file is not None else b""


def _ask(client: APIClient, container: str, path: str) -> Response:
    url = f"{client.base_url}/v{client.api_version}/containers/{container}/archive"
    return client.head(url, params={"path": path}, timeout=client.timeout)


def _parsed(answer: Response) -> Stat:
    found = json.loads(base64.b64decode(answer.headers.get(_STAT, "")) or b"{}")
    mode = int(found.get("mode", 0))
    return Stat(
        size=int(found.get("size", 0)), folder=bool(mode & _FOLDER), link=bool(mode & _LINK)
    )
