"""Rules for the names and ids that people and engines give us."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping

from controller.domain.errors import BadInput
from controller.domain.keys import looks_like_key
from controller.domain.letters import named, unseen

NAME_MAX = 32
MODEL_MAX = 200
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?")
_SECRET = re.compile(r"[a-z][a-z0-9_]{0,62}")
_NO_NAME = re.compile(r"[^a-z0-9]+")


def check_name(typed: str) -> str:
    """The name that was meant if a bot may have it, else raise BadInput that says why not.

    Lower-case letters, digits and dashes inside, 32 at most: it is shown everywhere and typed on
    phones, which begin with a capital. It never becomes a container's name or a path; those are
    made of the bot's id.
    """
    name = typed.strip().lower()
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
            "A bot's name can only have letters a–z, digits, and dashes inside.",
            hint=_suggestion(typed.strip()),
            code="bad-name",
        )
    return name


def _suggestion(typed: str) -> str:
    """A name like the one that was typed. A key is never repeated, not even in part."""
    close = _NO_NAME.sub("-", typed.lower()).strip("-")
    if not typed.isascii() or not close or looks_like_key(typed):
        return "For example `shop-helper` or `bot2`."
    return f"Try `{close}`."


def check_model(typed: str) -> str:
    """The model's name without spaces around it; raises BadInput if no model can be called that.

    Providers call their models what they like. A dash at the beginning would be an option to
    programs that get the name as an argument.
    """
    model = typed.strip()
    odd = unseen(model)
    if odd:
        why = f"A model's name can't contain the invisible character {named(odd)}."
    elif len(model) > MODEL_MAX:
        why = f"That model's name is too long: use at most {MODEL_MAX} characters."
    elif model.startswith("-") or not model:
        why = "A model's name can't begin with a dash." if model else "A model needs a name."
    else:
        return model
    raise BadInput(
        why,
        hint="Pick one of the suggestions, or use the name on the provider's page.",
        code="bad-model",
    )


def meant(typed: str, titles: Mapping[str, str]) -> str | None:
    """The id that somebody means by its name or by its title, in any case; None for no single one.

    Also "Title (id)" and "Title (a remark)", as suggestions show them.
    """
    shown = typed.rpartition("(")[0] if typed.rstrip().endswith(")") else ""
    return (
        same_word(typed, {one: one for one in titles})
        or same_word(typed, {one: f"{title} ({one})" for one, title in titles.items()})
        or same_word(typed, titles)
        or same_word(shown, titles)
    )


def same_word(typed: str, words: Mapping[str, str]) -> str | None:
    """The key of the one word that was typed, in any case; the exact one goes first."""
    if typed in words:
        return typed
    wanted = _folded(typed)
    found = [key for key, word in words.items() if wanted and _folded(word) == wanted]
    return found[0] if len(found) == 1 else None


def _folded(text: str) -> str:
    return " ".join(text.split()).casefold()


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
