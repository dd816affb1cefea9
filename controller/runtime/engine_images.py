"""The part of `engine` that is about images: what they mean, and which are kept."""

from __future__ import annotations

from collections.abc import Mapping

from docker import APIClient

from controller.domain.image_version import ImageVersion
from controller.runtime import images, kept_images
from controller.runtime.calls import Lane
from controller.runtime.engine_programs import READ_SECONDS, WRITE_SECONDS, EnginePrograms
from controller.runtime.pulling import Told, untold
from controller.runtime.validation import check_bot_id, check_pull_rule, check_ref

REGISTRY_SECONDS = 30.0


class EngineImages(EnginePrograms):
    """Pins and keeps images of a Docker engine; `KeepsImages` says what each call promises."""

    async def pin_image(
        self, ref: str, pull: str, *, keep_for: str = "", tell: Told = untold
    ) -> str:
        """Resolve an image reference to a digest or id. A pull may take ten minutes."""
        check_ref(ref)
        check_pull_rule(pull)
        tag = kept_images.tag_of(self._instance, keep_for) if keep_for else None

        def ask(client: APIClient) -> str:
            pinned = images.pin(client, ref, pull, self._calls.closing, tell=tell)
            kept_images.keep(client, tag, ref, pinned)
            return pinned

        def ask_here(client: APIClient) -> str | None:
            pinned = images.pin_local(client, ref)
            if pinned is not None:
                kept_images.keep(client, tag, ref, pinned)
            return pinned

        # An image that is on this machine never waits behind a pull.
        if pull != "always":
            found = await self._calls(ask_here, write=False, limit=READ_SECONDS)
            if found is not None:
                return found
        # Not a write: a pull that is cut off does no harm, and the next one continues it.
        limit = images.PULL_SECONDS + READ_SECONDS
        lane: Lane = "read" if pull == "never" else "pull"
        return await self._calls(ask, write=False, limit=limit, lane=lane)

    async def newest_image(self, ref: str, pull: str) -> str:
        """Ask the registry, through the engine, what a reference means now."""
        check_ref(ref)
        check_pull_rule(pull)

        def ask(client: APIClient) -> str:
            return images.newest(client, ref, pull)

        return await self._calls(ask, write=False, limit=REGISTRY_SECONDS, lane="pull")

    async def image_version(self, image: str) -> ImageVersion:
        """Read the labels of an image."""
        check_ref(image)

        def ask(client: APIClient) -> ImageVersion:
            return images.version(client, image)

        return await self._calls(ask, write=False, limit=READ_SECONDS)

    async def keep_images(self, bot_id: str, kept: Mapping[str, str]) -> None:
        """Have our tags keep exactly these images of the bot."""
        check_bot_id(bot_id)

        def do(client: APIClient) -> None:
            kept_images.keep_all(client, self._instance, bot_id, kept)

        await self._calls(do, write=True, limit=WRITE_SECONDS)

    async def list_kept(self) -> list[str]:
        """List the bots whose images have a tag of ours."""

        def ask(client: APIClient) -> list[str]:
            return kept_images.bots(client, self._instance)

        return await self._calls(ask, write=False, limit=READ_SECONDS)
