"""The formats of config files: how each is written, and which values it can't hold.

Libraries do the writing, so no value can break out of its place.
"""

from __future__ import annotations

import datetime
import json
import math
import re
from collections.abc import Mapping
from typing import Any, Literal

import tomli_w
import yaml

from controller.catalog.parts import KeyPath, refuse

Format = Literal["json", "yaml", "toml"]

_INT_MAX = 2**63
_PLAIN = re.compile(r"[A-Za-z_/][\w ./-]*", re.ASCII)


class _Dumper(yaml.SafeDumper):
    """YAML that every version reads alike: no aliases, and quotes where the type is unclear."""

    def ignore_aliases(self, data: object) -> bool:
        """Write a repeated table in full each time, not as an alias."""
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    # PyYAML quotes what YAML 1.1 would read as another type. 1.2 also reads 1e3 and 0o7 as numbers.
    style = None if _PLAIN.fullmatch(text) else '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)


def write(content: Mapping[str, Any], form: Format) -> str:
    """The text of the file: keys in their order, a line break at the end."""
    match form:
        case "json":
            return json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
        case "yaml":
            return yaml.dump(
                dict(content), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=4096
            )
        case "toml":
            return tomli_w.dumps(content)


def check_values(value: object, form: Format, where: KeyPath) -> None:
    """Refuse a value that the format can't hold; `where` leads to the value."""
    match value:
        case dict():
            for key, inner in value.items():
                check_values(inner, form, (*where, key))
        case list():
            for index, inner in enumerate(value):
                check_values(inner, form, (*where, index))
        case bool() | str():
            pass
        case int() if form == "toml" and not -_INT_MAX <= value < _INT_MAX:
            refuse("is too large for a whole number in TOML", *where)
        case float() if form == "json" and not math.isfinite(value):
            refuse("isn't a number that JSON can hold", *where)
        case datetime.date() | datetime.time() if form == "json":
            refuse("is a date or a time, which JSON doesn't have: put it in quotes", *where)
        case datetime.time() if form == "yaml":
            refuse("is a time of day, which YAML doesn't have: put it in quotes", *where)
        case _:
            pass
