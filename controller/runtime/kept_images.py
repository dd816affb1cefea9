"""Tags of our own that keep the images which bots are pinned to, or may go back to. Blocking.

An image whose name was given to another build has no name any more, and a prune takes it. One tag
keeps what a bot was pinned to last, until its release has proved itself; then each image that it
may go back to has one. They go with the bot.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import NamedTuple

from docker import APIClient
from docker.errors import APIError, ImageNotFound
from docker.errors import NotFound as DockerNotFound

from controller.domain.names import is_bot_id
from controller.runtime.validation import check_bot_id

PREFIX = "botmaker-pin/"
_MARK = 12  # digits that tell a bot's kept images apart


class Tag(NamedTuple):
    """A name for an image: `repository:bot`, or `repository:bot.image`."""

    repository: str
    name: str

    def __str__(self) -> str:
        return f"{self.repository}:{self.name}"

    @property
    def bot_id(self) -> str:
        """The bot whose image it keeps."""
        return self.name.partition(".")[0]


def tag_of(instance: str, bot_id: str) -> Tag:
    """The tag that keeps the image that this bot was pinned to last."""
    return Tag(_repository(instance), check_bot_id(bot_id))


def keep(client: APIClient, tag: Tag | None, ref: str, pinned: str) -> None:
    """Give the image our tag, in place of the one that the bot had before.

    An image that is only known by its id gets none: removing the tag would remove the image.
    """
    if tag is not None and not ref.startswith("sha256:"):
        client.tag(pinned, tag.repository, tag=tag.name, force=True)


def keep_all(client: APIClient, instance: str, bot_id: str, kept: Mapping[str, str]) -> None:
    """Give each of these images a tag of the bot's, and take those of others away.

    The images are pinned ones, by the reference that each was pinned from.
    """
    first = tag_of(instance, bot_id)
    wanted = {Tag(first.repository, f"{bot_id}.{_mark(image)}"): image for image in kept}
    there = [tag for tag in _tags(client, instance) if tag.bot_id == bot_id]
    for tag, image in wanted.items():
        try:
            keep(client, tag, kept[image], image)
        except (DockerNotFound, ImageNotFound):
            continue  # somebody removed it; whoever needs it says so
    for tag in there:
        if tag not in wanted:
            _remove(client, tag)


def let_go(client: APIClient, instance: str, bot_id: str) -> None:
    """Remove the bot's tags, and with them images that have no other name."""
    for tag in _tags(client, instance):
        if tag.bot_id == bot_id:
            _remove(client, tag)


def bots(client: APIClient, instance: str) -> list[str]:
    """The bots that have such a tag."""
    return sorted({tag.bot_id for tag in _tags(client, instance)})


def _tags(client: APIClient, instance: str) -> list[Tag]:
    repository = _repository(instance)
    found = set()
    for row in client.images(name=repository):
        for text in row.get("RepoTags") or ():
            start, _, name = str(text).rpartition(":")
            tag = Tag(start, name)
            if start == repository and is_bot_id(tag.bot_id):
                found.add(tag)
    return sorted(found)


def _remove(client: APIClient, tag: Tag) -> None:
    try:
        client.remove_image(str(tag))
    except DockerNotFound:
        return
    except APIError as error:
        if error.status_code != 409:  # a container still uses it; a later sweep tries again
            raise


def _mark(image: str) -> str:
    return hashlib.sha256(image.encode()).hexdigest()[:_MARK]


def _repository(instance: str) -> str:
    # A hash, because an instance's id may hold what a repository's name may not.
    return PREFIX + hashlib.sha256(instance.encode()).hexdigest()[:12]
