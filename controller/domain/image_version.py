"""What an image says of its version, in the labels that OCI names for it. Pure.

Labels are words of whoever built the image: outside text, and often absent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

PREFIX = "org.opencontainers.image."
MOST = 100  # characters of a label that are kept


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageVersion:
    """The labels; empty where the image has none of that name."""

    version: str = ""
    revision: str = ""  # of its source, mostly a commit
    created: str = ""  # when it was built, mostly in RFC 3339


def version_of(labels: object) -> ImageVersion:
    """The version among an image's labels; anything but texts is left out."""
    known = labels if isinstance(labels, Mapping) else {}

    def text(name: str) -> str:
        value = known.get(PREFIX + name)
        return value.strip()[:MOST] if isinstance(value, str) else ""

    return ImageVersion(version=text("version"), revision=text("revision"), created=text("created"))
