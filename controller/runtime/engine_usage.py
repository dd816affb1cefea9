"""Measures containers with a Docker engine: by the kernel's files, else by the engine's answers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any

from docker import APIClient

from controller.domain.errors import ControllerError, EngineUnavailable
from controller.domain.spec import INSTANCE_LABEL
from controller.domain.usage import Counters
from controller.runtime.cgroups import Cgroups
from controller.runtime.engine_programs import EnginePrograms
from controller.runtime.usage_protocol import Sizes
from controller.runtime.validation import check_bot_id, check_container

SIZES_SECONDS = 20.0
MEASURE_SECONDS = 10.0  # for one container; the engine's own clock ticks once a second

_Json = dict[str, Any]


class EngineUsage(EnginePrograms):
    """Keeps the part of the contract that is about what containers use."""

    _cgroups = Cgroups()

    async def measure(self, containers: Mapping[str, str]) -> dict[str, Counters]:
        """By files for all that are here; the rest are asked about one by one, side by side."""
        for bot_id, container in containers.items():
            check_bot_id(bot_id)
            check_container(container)
        if not containers:
            return {}

        def here(_: APIClient) -> dict[str, Counters]:
            return self._cgroups.read(containers)

        found = await self._calls(here, write=False, limit=MEASURE_SECONDS, lane="measure")
        rest = [pair for pair in containers.items() if pair[0] not in found]
        asked = await asyncio.gather(
            *(self._ask(container) for _, container in rest), return_exceptions=True
        )
        silent = [one for one in asked if isinstance(one, EngineUnavailable)]
        if silent and len(silent) == len(containers):
            raise silent[0]
        for (bot_id, _), one in zip(rest, asked, strict=True):
            if isinstance(one, Counters):
                found[bot_id] = one
            elif isinstance(one, BaseException) and not isinstance(one, ControllerError):
                raise one
        return found

    async def sizes(self) -> Sizes:
        """By one question to the engine, which counts."""

        def ask(client: APIClient) -> _Json:
            return dict(client.df())

        answer = await self._calls(ask, write=False, limit=SIZES_SECONDS, lane="measure")
        return sizes_in(answer, self._instance)

    async def _ask(self, container: str) -> Counters | None:
        def ask(client: APIClient) -> Counters | None:
            answer = client.stats(container, stream=False, one_shot=True)
            return counters_of(answer, time.monotonic())

        return await self._calls(ask, write=False, limit=MEASURE_SECONDS, lane="measure")


def sizes_in(answer: _Json, instance: str) -> Sizes:
    """What the engine's answer about its disk says of our things."""
    containers, volumes = {}, {}
    for row in answer.get("Containers") or ():
        # An engine leaves the size out where nothing was written.
        names, size = row.get("Names") or (), row.get("SizeRw") or 0
        if names and _is_of(row, instance) and isinstance(size, int):
            containers[str(names[0]).removeprefix("/")] = size
    for row in answer.get("Volumes") or ():
        size = (row.get("UsageData") or {}).get("Size")
        if _is_of(row, instance) and isinstance(size, int) and size >= 0:  # -1: not known
            volumes[str(row.get("Name"))] = size
    return Sizes(containers, volumes)


def _is_of(row: _Json, instance: str) -> bool:
    return (row.get("Labels") or {}).get(INSTANCE_LABEL) == instance


def counters_of(answer: object, at: float) -> Counters | None:
    """The engine's answer about one container; None for one that doesn't run."""
    if not isinstance(answer, dict):
        return None
    try:
        return _counters(answer, at)
    except (LookupError, TypeError, ValueError, AttributeError):
        return None


def _counters(answer: _Json, at: float) -> Counters | None:
    memory = answer.get("memory_stats") or {}
    used = memory.get("usage")
    if not used:
        return None  # it has ended: the engine then answers with zeros
    details = memory.get("stats") or {}
    idle = int(details.get("total_inactive_file", details.get("inactive_file", 0)))
    limit = int(memory.get("limit") or 0)
    networks = answer.get("networks")
    blocks = (answer.get("blkio_stats") or {}).get("io_service_bytes_recursive")
    return Counters(
        at=at,
        cpu=int(answer["cpu_stats"]["cpu_usage"]["total_usage"]) / 1e9,
        memory=max(0, int(used) - idle),
        limit=limit,
        received=_sum(networks, "rx_bytes"),
        sent=_sum(networks, "tx_bytes"),
        read=_blocks(blocks, "read"),
        written=_blocks(blocks, "write"),
    )


def _sum(networks: _Json | None, key: str) -> int | None:
    return None if networks is None else sum(int(one[key]) for one in networks.values())


def _blocks(rows: list[_Json] | None, kind: str) -> int | None:
    if rows is None:
        return None
    return sum(int(row["value"]) for row in rows if str(row["op"]).lower() == kind)
