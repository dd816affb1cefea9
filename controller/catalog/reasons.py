"""Pydantic's errors, in words for people who write templates and don't know Python."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from controller.catalog.parts import KeyPath, Part

_WORDS: Mapping[str, str] = {
    "string_type": 'must be text in quotes, like "this"',
    "int_type": "must be a whole number",
    "float_type": "must be a number",
    "bool_type": "must be true or false",
    "tuple_type": 'must be a list, like ["this"]',
    "dict_type": "must be a table",
    "model_type": "must be a table",
    "literal_error": "must be {expected}",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
    "string_too_long": "may have at most {max_length} characters",
    "too_long": "may have at most {max_length} characters",
    "string_too_short": "must not be empty",
    "too_short": "must not be empty",
    "missing": "is missing",
}

_KEY_MARK = "[key]"  # ends pydantic's path where the key is wrong, not its value


def path_of(error: ErrorDetails) -> KeyPath:
    """The path from the top of the file to the wrong key."""
    where: KeyPath = error.get("ctx", {}).get("where", ())
    return (*(part for part in error["loc"] if part != _KEY_MARK), *where)


def reason_of(error: ErrorDetails) -> str:
    """Key and reason in one sentence, without the value, which may be a misplaced secret."""
    sentence = f"{_key(path_of(error))} {_what(error)}".strip()
    return sentence if sentence.endswith((".", "?")) else f"{sentence}."


def _key(path: KeyPath) -> str:
    """The path as TOML writes it; tables of an array are counted from 1, as people count."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f" {part + 1}"
        else:
            text += f".{part}" if text else part
    return f"`{text[:120]}`" if text else ""


def _what(error: ErrorDetails) -> str:
    kind, context = error["type"], error.get("ctx", {})
    if kind == "extra_forbidden":
        return "isn't a known key" + _meant(str(error["loc"][-1]))
    if kind == "refused":
        return str(context["reason"])
    if kind in _WORDS:
        return _WORDS[kind].format(**_plain(context))
    return error["msg"]


def _plain(context: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _number(value) for name, value in context.items()}


def _number(value: object) -> object:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _meant(key: str) -> str:
    close = difflib.get_close_matches(key, sorted(set(_known_keys(_models(Part)))), n=1)
    return f"; did you mean `{close[0]}`?" if close and close[0] != key else ""


_Model = TypeVar("_Model", bound=BaseModel)


def _models(parent: type[_Model]) -> Iterable[type[_Model]]:
    for child in parent.__subclasses__():
        yield child
        yield from _models(child)


def _known_keys(models: Iterable[type[BaseModel]]) -> Iterable[str]:
    for model in models:
        for name, field in model.model_fields.items():
            yield field.alias or name
