"""The part of the runtime's contract that is about what containers use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from controller.domain.usage import Counters


@dataclass(frozen=True, slots=True)
class Sizes:
    """How many bytes our things take on the disk, by name. What isn't known is left out."""

    containers: Mapping[str, int] = field(default_factory=dict)
    volumes: Mapping[str, int] = field(default_factory=dict)


class Measures(Protocol):
    """Measures containers."""

    async def measure(self, containers: Mapping[str, str]) -> dict[str, Counters]:
        """Read what these containers have used so far, by bot; given are their full ids by bot.

        Left out are those that don't run, that don't exist, and those of which nothing could be
        learnt: one container's trouble is no other's. What isn't known of one that runs is None.
        It may take a second for each sixteen of them, and holds up no other call. Raises BadInput
        for an id that isn't one, and EngineUnavailable when the engine is needed and doesn't answer
        for any of them.
        """
        ...

    async def sizes(self) -> Sizes:
        """Return what our containers, also the parked ones, and our volumes take on the disk.

        The engine has to count, which may take long: after 20 s this raises EngineUnavailable.
        """
        ...
