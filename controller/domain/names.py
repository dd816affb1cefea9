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
    """Return the name if a bot may carry it, else raise BadInput that says why.

    Lower-case letters, digits and inner dashes, at most 32: it is shown everywhere and typed on
    phones. It never becomes a container name or a path; those are made of the bot's id.
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
            "A bot's name may have lower-case letters a–z, digits and dashes inside.",
            hint="For example `shop-helper` or `bot2`.",
            code="bad-name",
        )
    return name


def check_model(model: str) -> str:
    """Return the model name if it has a shape that providers use, else raise BadInput."""
    if not _MODEL.fullmatch(model):
        raise BadInput(
            "A model's name may have letters, digits and the signs . _ - / : @ +, "
            "at most 100 of them.",
            hint="Pick one of the suggestions, or copy the name from the provider's page.",
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
    """Whether the text is exactly the canonical form of a UUID, and so safe as a path part."""
    try:
        return str(uuid.UUID(text)) == text
    except ValueError:
        return False
