"""Holds what the API answers to its own description (OpenAPI), in every test that asks it."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator

from controller.api.openapi import description
from controller.api.operation import Operation
from controller.api.paths import PREFIX
from controller.api.problems import PROBLEM, HttpProblem
from controller.api.streams import NDJSON
from controller.api.table import OPERATIONS, Table
from controller.domain.errors import NotFound

TABLE = Table()


@cache
def document() -> dict[str, Any]:
    """The description, as it is served."""
    return dict(json.loads(description(OPERATIONS, "0")))


@cache
def _validator(schema: str) -> Draft202012Validator:
    return Draft202012Validator({**json.loads(schema), "components": document()["components"]})


def _require(schema: Any, found: Any, what: str) -> None:
    wrong = [error.message[:300] for error in _validator(json.dumps(schema)).iter_errors(found)]
    assert not wrong, (what, wrong)


def require_described(method: str, path: str, status: int, kind: str, raw: bytes) -> None:
    """Fail unless the answer to this request is one that the description has."""
    what = f"{method} {path}: {status} {kind}"
    operation = _found(method, path.partition("?")[0])
    if operation is None or status >= 400:
        assert status >= 400, what
        assert kind == PROBLEM, what
        _require({"$ref": "#/components/schemas/Problem"}, json.loads(raw), what)
        return
    answer = _responses(operation).get(str(status))
    assert answer is not None, what
    if "content" not in answer:
        assert raw == b"", what
        return
    content = answer["content"]
    assert kind in content, what
    _require(content[kind]["schema"], json.loads(raw), what)


def require_described_event(path: str, event: Any) -> None:
    """The same for an event of a stream, as a line of JSON."""
    operation = _found("GET", path.partition("?")[0])
    assert operation is not None
    schema = _responses(operation)["200"]["content"][NDJSON]["schema"]
    _require(schema, event, f"{path}: {event['event']}")


def _found(method: str, path: str) -> Operation[Any, Any] | None:
    try:
        return TABLE.find(method, PREFIX + path).operation
    except (HttpProblem, NotFound):
        return None


def _responses(operation: Operation[Any, Any]) -> dict[str, Any]:
    row = document()["paths"][PREFIX + operation.path]
    return dict(row[operation.method.lower()]["responses"])
