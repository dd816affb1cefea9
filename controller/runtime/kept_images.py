"""Tags of our own that keep the images which bots are pinned to. Blocking.

An image whose name was given to another build has no name any more, and a prune takes it. One tag a
bot prevents that; it goes with the bot.
"""

from __future__ import annotations

import hashlib
from typing import NamedTuple

from docker import APIClient
from docker.errors import APIError
from docker.errors import NotFound as DockerNotFound

from controller.domain.names import is_bot_id
from controller.runtime.validation import check_bot_id

PREFIX = "botmaker-pin/"


class Tag(NamedTuple):
    """A name for an image: `repository:bot`."""

    repository: str
    bot_id: str

    def __str__(self) -> str:
        return f"{self.repository}:{self.bot_id}"


def tag_of(instance: str, bot_id: str) -> Tag:
    """The tag that keeps this bot's image."""
    return Tag(_repository(instance), check_bot_id(bot_id))


def keep(client: APIClient, tag: Tag | None, ref: str, pinned: str) -> None:
    """Give the image our tag, in place of the one that the bot had before.

    An image that is only known by its id gets none: removing the tag would remove the image.
    """
    if tag is not None and not ref.startswith("sha256:"):
        client.tag(pinned, tag.repository, tag=tag.bot_id, force=True)


def let_go(client: APIClient, tag: Tag) -> None:
    """Remove the tag, and with it an image that has no other name."""
    try:
        client.remove_image(str(tag))
    except DockerNotFound:
        return
    except APIError as error:
        if error.status_code != 409:  # a container still uses it; a later sweep tries again
            raise


def bots(client: APIClient, instance: str) -> list[str]:
    """The bots that have such a tag."""
    repository = _repository(instance)
    found = set()
    for row in client.images(name=repository):
        for name in row.get("RepoTags") or ():
            start, _, bot_id = str(name).rpartition(":")
            if start == repository and is_bot_id(bot_id):
                found.add(bot_id)
    return sorted(found)


def _repository(instance: str) -> str:
    # A hash, because an instance's id may hold what a repository's name may not.
    return PREFIX + hashlib.sha256(instance.encode()).hexdigest()[:12]
