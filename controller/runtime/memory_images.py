"""The images of the in-memory runtime's world: names, builds, and what keeps an image here."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping

from controller.domain.image_version import ImageVersion
from controller.runtime.faults import image_not_here


class MemoryImages:
    """The images on a machine that exists only here."""

    def __init__(self, images: Iterable[str]) -> None:
        self.images = set(images)
        self.pullable: set[str] = set()
        self.kept: dict[str, str] = {}  # bot → the image that it was pinned to last
        self.kept_besides: dict[str, frozenset[str]] = {}  # bot → those that it may go back to
        self.unnamed: set[str] = set()
        self.percents: tuple[int, ...] = (100,)  # what a pull tells of its progress
        self.versions: dict[str, ImageVersion] = {}  # by the image's id
        self._builds: dict[str, int] = {}

    def used_images(self) -> set[str]:
        """The images that containers are made of: no engine removes these."""
        return set()

    def image(self, ref: str) -> str | None:
        """Return the id of an image that is on this machine, or None."""
        if ref in self.images:
            return self._image_of(ref)
        named = {self._image_of(name) for name in self.images}
        tagged = {*self.kept.values()}.union(*self.kept_besides.values())
        here = named | self.unnamed | tagged | self.used_images()
        return ref if ref in here else None

    def do_keep_images(self, bot_id: str, kept: Mapping[str, str]) -> None:
        """Keep exactly these images of the bot."""
        here = {one for one, ref in kept.items() if self.image(one) and not is_id(ref)}
        self.kept_besides[bot_id] = frozenset(here)
        self.kept.pop(bot_id, None)

    def forget_images(self, bot_id: str) -> None:
        """Keep no image of the bot any longer."""
        self.kept.pop(bot_id, None)
        self.kept_besides.pop(bot_id, None)

    def keepers(self) -> list[str]:
        """The bots whose images are kept."""
        return sorted({*self.kept, *(bot for bot, kept in self.kept_besides.items() if kept)})

    def rebuild(self, ref: str) -> None:
        """Build another image under that name. The old one stays, without it."""
        self.unnamed.add(self._image_of(ref))
        self._builds[ref] = self._builds.get(ref, 0) + 1

    def prune_images(self) -> None:
        """Remove images that have neither a name nor a container."""
        self.unnamed.clear()

    def _image_of(self, name: str) -> str:
        builds = self._builds.get(name, 0)
        return image_id(f"{name} build {builds}" if builds else name)

    def require_image(self, ref: str) -> None:
        """Raise ImageMissing if an image isn't on this machine."""
        if self.image(ref) is None:
            raise image_not_here(ref)


def is_id(ref: str) -> bool:
    """Whether an image is named by its id."""
    return ref.startswith("sha256:")


def image_id(ref: str) -> str:
    """The id that an image of that name has in this world."""
    return f"sha256:{hashlib.sha256(ref.encode()).hexdigest()}"
