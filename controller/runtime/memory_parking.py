"""The part of `memory` that keeps a bot's former container while another is tried."""

from __future__ import annotations

from dataclasses import replace

from controller.domain.errors import Conflict
from controller.domain.observation import Observation
from controller.domain.spec import ContainerSpec
from controller.runtime.faults import foreign
from controller.runtime.memory_calls import MemoryCalls
from controller.runtime.validation import (
    check_bot_id,
    check_spec,
    parse_restart_policy,
    previous_name,
)


class MemoryParking(MemoryCalls):
    """Parks containers that exist only here; `Parking` says what each call promises."""

    async def list_parked(self) -> list[str]:
        """List the bots that have a parked container."""
        return await self._read("list_parked", lambda: list(self.parked))

    async def observe_previous(self, bot_id: str) -> Observation | None:
        """Look at the bot's parked container."""
        check_bot_id(bot_id)

        def ask() -> Observation | None:
            self._require_place(bot_id)
            held = self.parked.get(bot_id)
            return None if held is None else held.seen

        return await self._read("observe_previous", ask)

    async def park(self, bot_id: str, timeout: int) -> None:  # noqa: ASYNC109
        """Stop the container, rename it, take its restart policy away."""
        check_bot_id(bot_id)
        await self._write("park", lambda: self.do_park(bot_id))

    async def unpark(self, bot_id: str, restart: str) -> None:
        """Give the parked container its restart policy and its own name back."""
        check_bot_id(bot_id)
        await self._write("unpark", lambda: self.do_unpark(bot_id, restart))

    async def reseed(self, spec: ContainerSpec) -> None:
        """Put the spec's seeds into its volume."""
        check_spec(spec)
        if not spec.seeds:
            return

        def do() -> None:
            self.require_image(spec.image)
            self.seed(spec)

        await self._write("reseed", do)

    async def remove_previous(self, bot_id: str) -> None:
        """Remove the parked container."""
        check_bot_id(bot_id)
        await self._write("remove_previous", lambda: self.do_remove_previous(bot_id))

    def do_park(self, bot_id: str) -> None:
        """Park a container; one that is parked already stays."""
        self._require_place(bot_id)
        held = self.find_container(bot_id)
        if bot_id in self.parked or held is None:
            return
        self.do_stop(bot_id)
        held.seen = replace(held.seen, misnamed="", armed=False)
        self.parked[bot_id] = self.containers.pop(bot_id)
        self.emit(bot_id, "rename")

    def do_unpark(self, bot_id: str, restart: str) -> None:
        """Let the parked container be the bot's own again."""
        policy, _ = parse_restart_policy(restart)
        self._require_place(bot_id)
        held = self.parked.get(bot_id)
        if held is None:
            return
        if self.find_container(bot_id) is not None:
            raise Conflict("The bot has another container.")
        held.spec = replace(held.spec, restart=restart)
        held.seen = replace(held.seen, armed=policy != "no")
        self.containers[bot_id] = self.parked.pop(bot_id)
        self.emit(bot_id, "rename")

    def do_remove_previous(self, bot_id: str) -> None:
        """Remove a parked container."""
        self._require_place(bot_id)
        if self.parked.pop(bot_id, None) is not None:
            self.emit(bot_id, "destroy")

    def _require_place(self, bot_id: str) -> None:
        """Raise Conflict if somebody else's container has the parked one's name."""
        name = previous_name(bot_id)
        if name in self.foreign:
            raise foreign("container", name, code="foreign-container")
