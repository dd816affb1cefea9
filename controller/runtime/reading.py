"""Reading a log at the engine: blocking, bounded, without docker-py's hidden inspect."""

from __future__ import annotations

import time
from collections.abc import Iterator

from docker import APIClient
from docker.errors import create_api_error_from_http_exception
from requests import Response
from requests.exceptions import HTTPError, ReadTimeout

from controller.domain.events import LogLine, LogQuery
from controller.runtime.frames import entries_wanted, read_lines

PIECE = 64 << 10


def read_log(
    client: APIClient, container_id: str, query: LogQuery, *, seconds: float = 20.0
) -> list[LogLine]:
    """The lines of a log that the query wants."""
    # Always with a tail: it is what makes the cost independent of the log's size.
    params: dict[str, str | int] = {
        "stdout": 1,
        "stderr": 1,
        "timestamps": 1,
        "tail": entries_wanted(query),
    }
    url = f"{client.base_url}/v{client.api_version}/containers/{container_id}/logs"
    with client.get(url, params=params, stream=True, timeout=client.timeout) as response:
        raise_for_status(response)
        return read_lines(_pieces(response, time.monotonic() + seconds), query)


def raise_for_status(response: Response) -> None:
    """Raise docker-py's own error for a refused request, with the engine's reason."""
    try:
        response.raise_for_status()
    except HTTPError as error:
        create_api_error_from_http_exception(error)


def _pieces(response: Response, deadline: float) -> Iterator[bytes]:
    for piece in response.iter_content(PIECE):
        yield piece
        if time.monotonic() > deadline:
            raise ReadTimeout
