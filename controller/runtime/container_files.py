"""Looks at files in a container, running or not, through the engine's archive calls. Blocking."""

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

from controller.runtime.faults import raise_for_status

# Bits of the file mode that the engine sends. It's Go's os.FileMode, not the Unix mode.
_FOLDER = 1 << 31
_LINK = 1 << 27
_STAT_HEADER = "X-Docker-Container-Path-Stat"


@dataclass(frozen=True, slots=True)
class Stat:
    """What the engine says about a path."""

    size: int
    folder: bool
    link: bool


def stat(client: APIClient, container: str, path: str) -> Stat | None:
    """Return what is at a path, without following a link, or None if nothing is there."""
    with _request_stat(client, container, path) as answer:
        if answer.status_code == HTTPStatus.NOT_FOUND:
            return None
        # Measured on 20.10: a path below a file answers 500, and a HEAD request carries no reason.
        if answer.status_code == HTTPStatus.INTERNAL_SERVER_ERROR and path != "/":
            above = dirname(path)
            if not is_folder(client, container, above, stat(client, container, above)):
                return None
        raise_for_status(answer)
        return _parse_stat(answer)


def is_folder(client: APIClient, container: str, path: str, found: Stat | None) -> bool:
    """Whether `found`, the stat of this path, is a folder or a link to one."""
    if found is not None and found.link:
        with _request_stat(client, container, f"{path}/.") as answer:
            return answer.status_code == HTTPStatus.OK and _parse_stat(answer).folder
    return found is not None and found.folder


def read_owner_and_content(client: APIClient, container: str, path: str) -> tuple[int, bytes]:
    """Return the uid that owns a small file, and the file's content."""
    pieces, _ = client.get_archive(container, path)
    with tarfile.open(fileobj=io.BytesIO(b"".join(pieces))) as archive:
        entry = archive.getmembers()[0]
        file = archive.extractfile(entry) if entry.isfile() else None
        return entry.uid, file.read() if file is not None else b""


def _request_stat(client: APIClient, container: str, path: str) -> Response:
    url = f"{client.base_url}/v{client.api_version}/containers/{container}/archive"
    return client.head(url, params={"path": path}, timeout=client.timeout)


def _parse_stat(answer: Response) -> Stat:
    found = json.loads(base64.b64decode(answer.headers.get(_STAT_HEADER, "")) or b"{}")
    mode = int(found.get("mode", 0))
    return Stat(
        size=int(found.get("size", 0)), folder=bool(mode & _FOLDER), link=bool(mode & _LINK)
    )
