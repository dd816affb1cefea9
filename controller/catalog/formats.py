"""The formats of config files: how a table is written in each, and what each cannot hold.

The writers of libraries do it, so that no value can break out of its place.
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

from controller.catalog.parts import refuse

Format = Literal["json", "yaml", "toml"]
Where = tuple[str | int, ...]

_INT_MAX = 2**63
_PLAIN = re.compile(r"[A-Za-z_/][\w ./-]*", re.ASCII)


class _Dumper(yaml.SafeDumper):
    """YAML for readers of every version: no aliases, and quotes around what one might convert."""

    def ignore_aliases(self, data: object) -> bool:
        """One table may stand in many places; each gets a copy of its own."""
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    # PyYAML quotes what YAML 1.1 would read as another type; 1.2 reads 1e3 and 0o7 as numbers too.
    style = None if _PLAIN.fullmatch(text) else '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)


def write(content: Mapping[str, Any], form: Format) -> str:
    """The table as the text of a file, keys in their order, with a line break at its end."""
    match form:
        case "json":
            return json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
        case "yaml":
            return yaml.dump(
                dict(content), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=4096
            )
        case "toml":
            return tomli_w.dumps(content)


def check_values(value: object, form: Format, where: Where) -> None:
    """Refuse what the format cannot hold, with the way to it."""
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
            refuse("is larger than a whole number of TOML can be", *where)
        case float() if form == "json" and not math.isfinite(value):
            refuse("is no number that JSON knows", *where)
        case datetime.date() | datetime.time() if form == "json":
            refuse("is a date or a time, which JSON does not know: put it in quotes", *where)
        case datetime.time() if form == "yaml":
            refuse("is a time of day, which YAML does not know: put it in quotes", *where)
        case _:
            pass
