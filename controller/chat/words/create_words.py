"""A new bot in words, before it is created."""

from __future__ import annotations

from controller.catalog import Template
from controller.chat.words.text import plain


def guide_words(name: str, template: Template, ready: bool | None) -> str:
    """What is about to be created. `ready`: whether its image is there; None if nobody knows."""
    return (
        f"**{name}** — a new bot. Choose below, then press **Create**. For a model that isn't "
        "listed, type its name: `/bot create` with `template` and `model`.\n"
        f"**{plain(template.title, 60)}**: {plain(template.description, 300)}\n"
        f"{image_words(template, ready)}"
    )


def image_words(template: Template, ready: bool | None) -> str:
    """Whether the template's image is on the machine, and what follows if it isn't."""
    if ready:
        return "Its image is ready."
    if ready is None:
        return "I can't see whether its image is ready."
    if template.image.pull == "never":
        return "Its image isn't on the host, and has to be put there."
    return "Its image is downloaded first."
