"""Placeholders such as `{{model}}`: always a whole value, so nothing is pasted into a format."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from controller.catalog.parts import refuse

Values = Mapping[str, str | tuple[str, ...]]
Where = tuple[str | int, ...]

_EXACT = re.compile(r"\{\{([a-z][a-z0-9_./]*)\}\}", re.ASCII)
_GONE = object()


def placeholder(text: str) -> str | None:
    """The name of the placeholder that the text is, if it is one."""
    match = _EXACT.fullmatch(text)
    return match[1] if match else None


def check_placeholder(text: str, known: frozenset[str], *where: str | int) -> None:
    """Refuse a text with braces that is not exactly one of the known placeholders."""
    if "{{" not in text and "}}" not in text:
        return
    name = placeholder(text)
    if name is None:
        refuse("has a placeholder that is not the whole value, as `{{model}}` would be", *where)
    if name not in known and name.startswith("secret."):
        secrets = sorted(one for one in known if one.startswith("secret."))
        if not secrets:
            refuse(f"uses `{text}`: secrets may only stand in a file with `secret = true`", *where)
        refuse(f"uses `{text}`, a secret that is not declared for it", *where)
    if name not in known:
        allowed = ", ".join(f"{{{{{one}}}}}" for one in sorted(known))
        refuse(f"uses `{text}`, which is not known here; known: {allowed}", *where)


def texts(value: object, where: Where = ()) -> Iterator[tuple[str, Where]]:
    """Every text in a nested value, keys included, with the way to it."""
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

    A key or an item whose placeholder has no value is left out. A list stands where its placeholder
    stood; as a key it gives one entry an item, in an array it gives the items.
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
    """Both tables in one, tables within them likewise; of two other values the second one."""
    result = dict(base)
    for key, value in over.items():
        before = result.get(key)
        both = isinstance(before, dict) and isinstance(value, dict)
        result[key] = merged(before, value) if both else value  # type: ignore[arg-type]
    return result
