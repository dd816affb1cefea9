"""YAML that every version reads alike. Apart from `formats`, because few templates write any: the
library takes nearly a megabyte, and comes with the first file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import yaml

_PLAIN = re.compile(r"[A-Za-z_/][\w ./-]*", re.ASCII)


class _Dumper(yaml.SafeDumper):
    """No aliases, and quotes where the type is unclear."""

    def ignore_aliases(self, data: object) -> bool:
        """Write a repeated table in full each time, not as an alias."""
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    # PyYAML quotes what YAML 1.1 would read as another type. 1.2 also reads 1e3 and 0o7 as numbers.
    style = None if _PLAIN.fullmatch(text) else '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)


def yaml_text(content: Mapping[str, Any]) -> str:
    """The text of the file: keys in their order, a line break at the end."""
    return yaml.dump(dict(content), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=4096)
