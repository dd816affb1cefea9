"""A new bot in words, before it is created."""

from __future__ import annotations

from controller.catalog import Template
from controller.chat.languages import say, told
from controller.chat.words.text import plain


def guide_words(name: str, template: Template, ready: bool | None) -> str:
    """What is about to be created. `ready`: whether its image is there; None if nobody knows."""
    return say(
        "**{name}** — a new bot. Choose below, then press **Create**. For a model "
        "that isn't listed, type its name: `/bot create` with `template` and "
        "`model`.\n"
        "**{title}**: {description}\n"
        "{image}",
        name=name,
        title=plain(told(template.title), 60),
        description=plain(told(template.description), 300),
        image=image_words(template, ready),
    )


def image_words(template: Template, ready: bool | None) -> str:
    """Whether the template's image is on the machine, and what follows if it isn't."""
    if ready:
        return say("Its image is ready.")
    if ready is None:
        return say("I can't see whether its image is ready.")
    if template.image.pull == "never":
        return say("Its image isn't on the host, and has to be put there.")
    return say("Its image is downloaded first.")
