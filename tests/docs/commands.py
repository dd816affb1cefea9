"""The commands that a page tells people to type."""

from __future__ import annotations

import re
from pathlib import Path

from tests.docs.pages import blocks


def commands_of(page: Path) -> list[str]:
    """Every line of its shell blocks, in order, without the remark at its end."""
    lines = [line for block in blocks(page, "sh") for line in block.splitlines()]
    return [command for line in lines if (command := re.sub(r"(^|\s+)#.*", "", line).strip())]
