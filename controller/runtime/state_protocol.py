"""The part of the runtime's contract that is about what is in a bot's volume."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from controller.domain.spec import ContainerSpec


class KeepsStates(Protocol):
    """Saves the content of volumes, and fills new ones. Both are writes, as in `Runtime`."""

    async def save_state(
        self,
        bot_id: str,
        spec: ContainerSpec | None,
        take: Callable[[bytes], None],
        *,
        pause: bool,
    ) -> None:
        """Give everything in the bot's volume to `take`, as a tar with the folder `./`, in pieces.

        `take` is called in a thread, may block, and ends the call with what it raises. With `pause`
        a running program is frozen meanwhile, and goes on whatever happens. A bot without a
        container is looked at by a throw-away one of the `spec`'s image. Raises NotFound if there
        is no volume of ours, or neither a container nor a spec; ImageMissing or BadSpec.
        """
        ...

    async def fill_state(self, spec: ContainerSpec, archive: Path) -> None:
        """Create the bot's volume and put everything that `save_state` gave into it.

        Owners, modes and times are kept. It can be done again after it was cut off, as long as
        no program has used the volume. Raises Conflict if the volume isn't ours, ImageMissing or
        BadSpec.
        """
        ...
