"""Discord's own API description as a judge of what the bot sends.
Next door: server.py asks it about every request at the end; the file itself is Discord's, not ours.
"""

from __future__ import annotations

import functools
import json
import os
import re
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator  # type: ignore[import-untyped]
from jsonschema.exceptions import best_match  # type: ignore[import-untyped]
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

VARIABLE = "BOTMAKER_TEST_DISCORD_OPENAPI"
_NEXT_DOOR = Path(__file__).parents[3] / "shared" / "data" / "discord-openapi.json"
# Keys that discord.py sends although Discord doesn't describe them there; it takes no harm.
EXEMPT = {"tts", "nsfw"}
IDS = ("attachments.id",)  # and every number that is too large for anything else


def description() -> Path | None:
    """The file with the description, if this machine has it."""
    path = Path(os.environ.get(VARIABLE) or _NEXT_DOOR)
    return path if path.is_file() else None


class DiscordApi:
    """Says what is wrong with a request."""

    def __init__(self, path: Path) -> None:
        document = json.loads(path.read_text())
        resource = Resource.from_contents(document, default_specification=DRAFT202012)
        self._registry: Registry[Any] = Registry().with_resource("discord", resource)
        self._operations: list[tuple[str, re.Pattern[str], str]] = []
        self._validators: dict[str, Draft202012Validator] = {}
        for template, methods in document["paths"].items():
            for method, operation in methods.items():
                if not isinstance(operation, dict) or method == "parameters":
                    continue
                self._operations.append(
                    (method.upper(), _pattern(template), _body(template, method, operation))
                )
        # A path without a variable is meant before one with: `@original` before an id.
        self._operations.sort(key=lambda found: found[1].pattern.count("[^/]"))

    def trouble(self, method: str, path: str, body: Any) -> str:
        """What Discord's description objects to; empty if nothing."""
        for wanted, pattern, pointer in self._operations:
            if wanted == method and pattern.fullmatch(path):
                return self._body_trouble(pointer, body)
        return f"no such operation: {method} {path}"

    def _body_trouble(self, pointer: str, body: Any) -> str:
        if not pointer:
            return "" if body in (None, {}) else "no body expected"
        if pointer not in self._validators:
            schema = {"$ref": f"discord#{pointer}"}
            self._validators[pointer] = Draft202012Validator(schema, registry=self._registry)
        error = best_match(self._validators[pointer].iter_errors(_as_described(body)))
        return f"{error.json_path}: {error.message[:300]}" if error else ""


def _pattern(template: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\\\{[^}]*\\\}", "[^/]+", re.escape(template)))


def _body(template: str, method: str, operation: dict[str, Any]) -> str:
    """Where the schema of an operation's body is, as a JSON pointer; empty if it has none."""
    if "application/json" not in operation.get("requestBody", {}).get("content", {}):
        return ""
    escaped = template.replace("~", "~0").replace("/", "~1").replace("{", "%7B").replace("}", "%7D")
    return f"/paths/{escaped}/{method}/requestBody/content/application~1json/schema"


def _as_described(body: Any, key: str = "") -> Any:
    """The body without the exempt keys, and with ids as texts: discord.py sends numbers."""
    if isinstance(body, list):
        return [_as_described(one, key) for one in body]
    if isinstance(body, dict):
        kept = {name: one for name, one in body.items() if name not in EXEMPT}
        return {name: _as_described(one, f"{key}.{name}") for name, one in kept.items()}
    number = isinstance(body, int) and not isinstance(body, bool)
    return str(body) if number and (key.endswith(IDS) or body > 1 << 40) else body


@functools.cache
def judge() -> DiscordApi | None:
    """The judge, where the description is."""
    path = description()
    return DiscordApi(path) if path else None
