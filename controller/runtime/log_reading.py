"""Reads a container's log: blocking, bounded, and without docker-py's hidden inspect."""

from __future__ import annotations

import time
from collections.abc import Iterator

from docker import APIClient
from requests import Response
from requests.exceptions import ReadTimeout

from controller.domain.events import LogLine, LogQuery
from controller.runtime.faults import raise_for_status
from controller.runtime.frames import count_entries_wanted, read_lines

PIECE = 64 << 10  # bytes read at once


def read_log(
    client: APIClient, container_id: str, query: LogQuery, *, seconds: float = 20.0
) -> list[LogLine]:
    """Return the lines that the query wants. Raises ReadTimeout after that many seconds."""
    # Always ask for a tail: the cost then doesn't depend on the log's size.
    params: dict[str, str | int] = {
        "stdout": 1,
        "stderr": 1,
        "timestamps": 1,
        "tail": count_entries_wanted(query),
    }
    url = f"{client.base_url}/v{client.api_version}/containers/{container_id}/logs"
    with client.get(url, params=params, stream=True, timeout=client.timeout) as response:
        raise_for_status(response)
        return read_lines(_pieces(response, time.monotonic() + seconds), query)


def _pieces(response: Response, deadline: float) -> Iterator[bytes]:
    for piece in response.iter_content(PIECE):
        yield piece
        if time.monotonic() > deadline:
            raise ReadTimeout
