"""What the in-memory runtime's containers use: what its owner says, or next to nothing."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace

from controller.domain.observation import ContainerState
from controller.domain.usage import Counters
from controller.runtime.memory_calls import MemoryCalls
from controller.runtime.usage_protocol import Sizes
from controller.runtime.validation import (
    check_bot_id,
    check_container,
    container_name,
    previous_name,
)

SIZE = 4096  # bytes that each thing takes


class MemoryUsage(MemoryCalls):
    """Measures containers that exist only here; `Measures` says what each call promises."""

    used: dict[str, Counters]

    async def measure(self, containers: Mapping[str, str]) -> dict[str, Counters]:
        """Return what `used` says, at this moment."""
        for bot_id, container in containers.items():
            check_bot_id(bot_id)
            check_container(container)

        def ask() -> dict[str, Counters]:
            now, found = time.monotonic(), {}
            for bot_id, container in containers.items():
                held = self.containers.get(bot_id)
                if held is None or held.seen.container_id != container:
                    continue
                if held.seen.state in {ContainerState.RUNNING, ContainerState.PAUSED}:
                    known = self.used.get(bot_id) or _idle(held.spec.memory)
                    found[bot_id] = replace(known, at=now)
            return found

        return await self._read("measure", ask) if containers else {}

    async def sizes(self) -> Sizes:
        """Return a size for each container and each volume."""

        def ask() -> Sizes:
            names = [*map(container_name, self.containers), *map(previous_name, self.parked)]
            volumes = map(container_name, self.volumes)
            return Sizes(dict.fromkeys(names, SIZE), dict.fromkeys(volumes, SIZE))

        return await self._read("sizes", ask)


def _idle(limit: int) -> Counters:
    return Counters(
        at=0.0,
        cpu=0.0,
        memory=1 << 20,
        limit=limit,
        received=0,
        sent=0,
        read=0,
        written=0,
    )
