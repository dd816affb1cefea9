"""Reads a container's log: blocking, bounded, and without docker-py's hidden inspect."""

from __future__ import annotations

import time
from collections.abc import Iterator

from docker import APIClient
from requests import Response
from requests.exceptions import ReadTimeout

from controller.domain.events import LogPart, LogQuery
from controller.runtime.faults import raise_for_status
from controller.runtime.frames import LOOK_BACK, SPARE, count_entries_wanted, read_lines

PIECE = 64 << 10  # bytes read at once
ENTRIES_MAX = 300_000  # more than a log of ours can hold that isn't all empty lines
MARGIN = 0.001  # seconds


def read_log(
    client: APIClient, container_id: str, query: LogQuery, *, seconds: float = 20.0
) -> LogPart:
    """Return the lines that the query wants. Raises ReadTimeout after that many seconds.

    Reads more of the log where what it asked for first holds too few lines, because they are long
    or because they are newer than `until`: that is the engine's own order, the tail comes first.
    """
    deadline = time.monotonic() + seconds
    entries = count_entries_wanted(query)
    part = _read(client, container_id, query, entries, deadline)
    while part.more and not part.full and len(part) < query.lines:
        wider = _wider(entries, query)
        if wider == entries:
            break
        entries = wider
        try:
            part = _read(client, container_id, query, entries, deadline)
        except ReadTimeout:
            break  # what was found until then is true, and says how far it goes
    return part


def _wider(entries: int, query: LogQuery) -> int:
    """How many entries to ask for next. Only pages before `until` go back further than the rest."""
    if entries < LOOK_BACK:
        return LOOK_BACK + SPARE
    return entries * 4 if query.until and entries < ENTRIES_MAX else entries


def _read(
    client: APIClient, container_id: str, query: LogQuery, entries: int, deadline: float
) -> LogPart:
    # Always ask for a tail: the cost then doesn't depend on the log's size.
    params: dict[str, str | int] = {"stdout": 1, "stderr": 1, "timestamps": 1, "tail": entries}
    if query.since:
        # The engine compares nanoseconds, of which our seconds keep only some. `read_lines` drops
        # what comes too much.
        params["since"] = f"{max(0.0, query.since - MARGIN):.6f}"
    url = f"{client.base_url}/v{client.api_version}/containers/{container_id}/logs"
    with client.get(url, params=params, stream=True, timeout=client.timeout) as response:
        raise_for_status(response)
        return read_lines(_pieces(response, deadline), query, entries)


def _pieces(response: Response, deadline: float) -> Iterator[bytes]:
    for piece in response.iter_content(PIECE):
        yield piece
        if time.monotonic() > deadline:
            raise ReadTimeout
