"""The part of the runtime's contract that is about images: what they mean, and which are kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from controller.domain.image_version import ImageVersion
from controller.runtime.pulling import Told, untold


class KeepsImages(Protocol):
    """Pins images, and keeps those that bots may come back to."""

    async def pin_image(
        self, ref: str, pull: str, *, keep_for: str = "", tell: Told = untold
    ) -> str:
        """Resolve an image reference to a digest or id, which always mean the same image.

        `pull` is one of:

        - "missing": pull the image only if it isn't on this machine;
        - "always": try to pull it, and fall back to the one on this machine;
        - "never": use what is on this machine.

        A local image becomes its id, even where the engine gives it a digest: only a registry makes
        a digest last. With `keep_for`, a bot's id, the image also gets a tag of our own, until
        `let_go`: then neither another build of its name nor a prune of unnamed images takes it. An
        image named by its id gets none, as it would be removed with that tag.

        `tell` hears of a pull's progress, in whole percents that only grow. It is called in another
        thread and must not block.

        An image that is on this machine doesn't wait for anybody's pull, except with "always".
        Raises ImageMissing with the reason if that leaves no image, and RegistryUnavailable if the
        registry went silent.
        """
        ...

    async def newest_image(self, ref: str, pull: str) -> str:
        """What a reference means now, as `pin_image` would answer after a pull; nothing is pulled.

        With "never" that is what is on this machine; otherwise the engine asks the registry. Raises
        ImageMissing with the reason if nobody can say.
        """
        ...

    async def image_version(self, image: str) -> ImageVersion:
        """What an image says of its version, by its labels. Raises ImageMissing if it isn't on
        this machine."""
        ...

    async def keep_images(self, bot_id: str, kept: Mapping[str, str]) -> None:
        """Keep these images for the bot, each by the reference that it was pinned from.

        Each gets a tag of our own, until another call leaves it out, or `let_go`; that of
        `keep_for` goes. What then has no name is removed, unless a container uses it. An image that
        isn't on this machine, or whose reference is an id, gets no tag. A write.
        """
        ...

    async def list_kept(self) -> list[str]:
        """List the bots whose images have a tag of ours."""
        ...
