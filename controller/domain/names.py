"""Rules for the names and ids that people and engines give us."""

from __future__ import annotations

import re
import uuid

from controller.domain.errors import BadInput

NAME_MAX = 32
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?")
_SECRET = re.compile(r"[a-z][a-z0-9_]{0,62}")
_MODEL = re.compile(r"[A-Za-z0-9][\w./:@+-]{0,99}", re.ASCII)


def check_name(name: str) -> str:
    """Return the name if a bot may have it, else raise BadInput that says why not.

    Lower-case letters, digits and dashes inside, 32 at most: it is shown everywhere and typed on
    phones. It never becomes a container's name or a path; those are made of the bot's id.
    """
    if not name:
        raise BadInput("A bot needs a name.", hint="Give one like `shop-helper`.", code="bad-name")
    if len(name) > NAME_MAX:
        raise BadInput(
            f"That name has {len(name)} characters; {NAME_MAX} is the limit.",
            hint="Choose a shorter one.",
            code="bad-name",
        )
    if not _NAME.fullmatch(name):
        raise BadInput(
            "A bot's name can only have lower-case letters a–z, digits, and dashes inside.",
            hint="For example `shop-helper` or `bot2`.",
            code="bad-name",
        )
    return name


def check_model(model: str) -> str:
    """Return the model's name if it looks like one that providers use, else raise BadInput."""
    if not _MODEL.fullmatch(model):
        raise BadInput(
            "A model's name can only have letters, digits and . _ - / : @ +, at most 100 of them.",
            hint="Pick one of the suggestions, or use the name on the provider's page.",
            code="bad-model",
        )
    return model


def is_secret_name(name: str) -> bool:
    """Whether a secret file may be called that: a plain lower-case identifier."""
    return _SECRET.fullmatch(name) is not None


def new_bot_id() -> str:
    """A fresh id: a random UUID in its canonical text form."""
    return str(uuid.uuid4())


def is_bot_id(text: str) -> bool:
    """Whether the text is exactly the canonical form of a UUID, and so safe as part of a path."""
    try:
        return str(uuid.UUID(text)) == text
    except ValueError:
        return False
