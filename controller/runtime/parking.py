"""The part of the contract that is about a former container, kept while another is tried.

Next door: `protocol` has the rest, and the promises that every method keeps.
"""

from __future__ import annotations

from typing import Protocol

from controller.domain.observation import Observation
from controller.domain.spec import ContainerSpec


class Parking(Protocol):
    """The part of `Runtime` that keeps a bot's former container while another is tried.

    The parked one has the bot's name with `-previous` behind it. No other method of `Runtime` sees
    or touches it, except that `remove_volume` refuses while it exists.
    """

    async def list_parked(self) -> list[str]:
        """Return the ids of the bots that have a parked container of ours, in one request."""
        ...

    async def observe_previous(self, bot_id: str) -> Observation | None:
        """Inspect the bot's parked container. Returns None if it has none.

        Raises Conflict if a container of that name lacks our labels.
        """
        ...

    async def park(self, bot_id: str, timeout: int) -> None:  # noqa: ASYNC109 - the engine's grace
        """Park the bot's container: rename it, end its program, take its restart policy away.

        It has the new name first, so that nothing starts a second one before the rest is done. If
        one is parked already, that one is ended and disarmed, and the bot's own container is left
        alone. Does nothing if the bot has neither.
        """
        ...

    async def unpark(self, bot_id: str, restart: str) -> None:
        """Give the parked container that restart policy and its own name back. It isn't started.

        Does nothing if none is parked. Raises Conflict if the bot has another container.
        """
        ...

    async def reseed(self, spec: ContainerSpec) -> None:
        """Put the spec's seed files into its volume again, as `create` does.

        Another container of the bot may have put others there. Does nothing for a spec without
        seeds. Raises ImageMissing.
        """
        ...

    async def remove_previous(self, bot_id: str) -> None:
        """Remove the parked container and its anonymous volumes, even if it runs.

        Succeeds if it's already gone.
        """
        ...
