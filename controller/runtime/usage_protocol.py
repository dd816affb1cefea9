"""The part of the runtime's contract that is about what containers use."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from controller.domain.usage import Counters


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
