"""Placeholders like `{{model}}`: each is a whole value, so nothing is pasted into a format."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from controller.catalog.parts import KeyPath, refuse

Values = Mapping[str, str | tuple[str, ...]]

_EXACT = re.compile(r"\{\{([a-z][a-z0-9_./]*)\}\}", re.ASCII)
_GONE = object()


def placeholder(text: str) -> str | None:
    """The name of the placeholder, if the text is one."""
    match = _EXACT.fullmatch(text)
    return match[1] if match else None


def check_placeholder(text: str, known: frozenset[str], *where: str | int) -> None:
    """Refuse a text with double braces that isn't exactly one of the known placeholders."""
    if "{{" not in text and "}}" not in text:
        return
    name = placeholder(text)
    if name is None:
        refuse(
            "has `{{` or `}}` in it, so the whole value must be one placeholder, like `{{model}}`",
            *where,
        )
    if name not in known and name.startswith("secret."):
        secrets = sorted(one for one in known if one.startswith("secret."))
        if not secrets:
            refuse(
                f"uses `{text}`: secrets are only allowed in a file with `secret = true`", *where
            )
        refuse(f"uses `{text}`, a secret that isn't declared for every bot that gets this", *where)
    if name not in known:
        allowed = ", ".join(f"{{{{{one}}}}}" for one in sorted(known))
        refuse(f"uses `{text}`, which doesn't exist here; available: {allowed}", *where)


def texts(value: object, where: KeyPath = ()) -> Iterator[tuple[str, KeyPath]]:
    """Every text in a nested value, keys included, with its path."""
    match value:
        case str():
            yield value, where
        case dict():
            for key, inner in value.items():
                yield key, (*where, key)
                yield from texts(inner, (*where, key))
        case list():
            for index, inner in enumerate(value):
                yield from texts(inner, (*where, index))
        case _:
            pass


def filled(content: Mapping[str, Any], values: Values) -> dict[str, Any]:
    """A copy with every placeholder replaced.

    A key or an item whose placeholder has no value is left out. A list replaces its placeholder as
    a value; in an array it adds its items, and as a key it gives one entry per item.
    """
    result: dict[str, Any] = {}
    for key, inner in content.items():
        value = _filled(inner, values)
        if value is not _GONE:
            result.update(dict.fromkeys(_items(key, values), value))
    return result


def _filled(value: Any, values: Values) -> Any:
    match value:
        case str():
            name = placeholder(value)
            if name is None:
                return value
            found = values[name]
            if isinstance(found, tuple):
                return list(found)
            return found or _GONE
        case dict():
            return filled(value, values)
        case list():
            return [item for inner in value for item in _spread(inner, values)]
        case _:
            return value


def _spread(inner: Any, values: Values) -> Iterator[Any]:
    value = _filled(inner, values)
    if isinstance(inner, str) and isinstance(value, list):
        yield from value
    elif value is not _GONE:
        yield value


def _items(key: str, values: Values) -> tuple[str, ...]:
    name = placeholder(key)
    if name is None:
        return (key,)
    found = values[name]
    if isinstance(found, tuple):
        return found
    return (found,) if found else ()


def merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Both tables merged, tables inside them too; for other values `over` wins."""
    result = dict(base)
    for key, value in over.items():
        before = result.get(key)
        both = isinstance(before, dict) and isinstance(value, dict)
        result[key] = merged(before, value) if both else value  # type: ignore[arg-type]
    return result
