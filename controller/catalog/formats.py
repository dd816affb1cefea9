"""The formats of config files: how each is written, and which values it can't hold.

Libraries do the writing, so no value can break out of its place.
"""

from __future__ import annotations

import datetime
import json
import math
from collections.abc import Mapping
from typing import Any, Literal

import tomli_w

from controller.catalog.parts import KeyPath, refuse

Format = Literal["json", "yaml", "toml"]

_INT_MAX = 2**63


def write(content: Mapping[str, Any], form: Format) -> str:
    """The text of the file: keys in their order, a line break at the end."""
    match form:
        case "json":
            return json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
        case "yaml":
            from controller.catalog.yaml_text import yaml_text  # noqa: PLC0415 - seldom needed

            return yaml_text(content)
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
