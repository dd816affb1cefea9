"""The description of the API (OpenAPI 3.1), written from the table of operations."""

from __future__ import annotations

import json
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from controller.api.callers import COOKIE
from controller.api.operation import SEGMENT, Nothing, Operation, Operations
from controller.api.problems import PROBLEM, Problem
from controller.api.repeats import KEY
from controller.api.streams import NDJSON, SSE

# OpenAPI 3.1 describes no item of a stream, so the one of lines is described by its line.
_SERVER_SENT = {
    "type": "string",
    "description": "Events with the `event`, `id` and `data` of a line of application/x-ndjson.",
}
_REFS = "#/components/schemas/{model}"


def description(operations: Operations, version: str) -> bytes:
    """The description as JSON."""
    return json.dumps(_document(operations, version), separators=(",", ":")).encode()


def _document(operations: Operations, version: str) -> dict[str, Any]:
    sent = {op.body for op in operations if op.body is not Nothing}
    answered = {op.answer for op in operations if op.answer is not None} | {Problem}
    answered |= {op.event for op in operations if op.event is not None}
    wanted: list[tuple[type[BaseModel], Any]] = [
        *((model, "validation") for model in sorted(sent, key=_name)),
        *((model, "serialization") for model in sorted(answered, key=_name)),
    ]
    refs, shared = models_json_schema(wanted, ref_template=_REFS)
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        row = paths.setdefault(f"/api/v1{operation.path}", {})
        row[operation.method.lower()] = _described(operation, refs)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "BotMaker",
            "version": version,
            "description": "Makes and runs bots. Version 1 only grows.",
        },
        "paths": paths,
        "components": {
            "schemas": shared.get("$defs", {}),
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "session": {"type": "apiKey", "in": "cookie", "name": COOKIE},
            },
        },
        "security": [{"bearer": []}, {"session": []}],
    }


def _name(model: type[BaseModel]) -> str:
    return model.__name__


def _described(operation: Operation[Any, Any], refs: Any) -> dict[str, Any]:
    found: dict[str, Any] = {
        "operationId": operation.id,
        "summary": operation.summary,
        "tags": [operation.path.split("/")[1]],
        "x-act": operation.act.id,
        "x-role": operation.act.role.word,
        "parameters": [*parameters_of(operation), *_in_headers(operation)],
        "responses": _responses(operation, refs),
    }
    if operation.anonymous:
        found["security"] = []
    if operation.body is not Nothing:
        schema = refs[operation.body, "validation"]
        found["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": schema}},
        }
    return found


def parameters_of(operation: Operation[Any, Any]) -> list[dict[str, Any]]:
    """What its path and its query take."""
    return [*_in_path(operation), *_in_query(operation)]


def _in_path(operation: Operation[Any, Any]) -> list[dict[str, Any]]:
    words = {"bot": "A bot's id or name.", "operation": "An operation's id."}
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "description": words.get(name, ""),
            "schema": {"type": "string", "pattern": f"^{SEGMENT}$"},
        }
        for name in operation.parameters
    ]


def _in_query(operation: Operation[Any, Any]) -> list[dict[str, Any]]:
    schema = operation.query.model_json_schema()
    shared = schema.get("$defs", {})
    needed = schema.get("required", [])
    return [
        {
            "name": name,
            "in": "query",
            "required": name in needed,
            "schema": _inlined(field, shared),
        }
        for name, field in schema.get("properties", {}).items()
    ]


def _inlined(schema: Any, shared: dict[str, Any]) -> Any:
    """The schema without references, which parameters can't share with bodies."""
    if isinstance(schema, list):
        return [_inlined(part, shared) for part in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return _inlined(shared[schema["$ref"].rpartition("/")[2]], shared)
    return {key: _inlined(value, shared) for key, value in schema.items()}


def _in_headers(operation: Operation[Any, Any]) -> list[dict[str, Any]]:
    found = []
    if operation.media == SSE:
        text = "The id of the last event that was read: what follows it comes."
        found.append(_header("Last-Event-ID", text))
    if operation.deed:
        text = "`wait=N`: hold the answer back for up to N (30) seconds, until it has ended."
        found.append(_header("Prefer", text))
    if operation.etag and operation.changes:
        text = "The ETag that was read, or `*`."
        found.append(_header("If-Match", text, required=True, minLength=1))
    if operation.changes and not operation.secret:
        text = "For a request that may be sent again: it is carried out once."
        found.append(_header("Idempotency-Key", text, pattern=f"^{KEY.pattern}$"))
    return found


def _header(name: str, text: str, *, required: bool = False, **schema: object) -> dict[str, Any]:
    return {
        "name": name,
        "in": "header",
        "required": required,
        "description": text,
        "schema": {"type": "string", **schema},
    }


def _responses(operation: Operation[Any, Any], refs: Any) -> dict[str, Any]:
    content: dict[str, Any] = {}
    if operation.answer is not None:
        schema = refs[operation.answer, "serialization"]
        content = {"content": {operation.media: {"schema": schema}}}
    elif operation.event is not None:
        each = {"schema": refs[operation.event, "serialization"]}
        content = {"content": {SSE: {"schema": _SERVER_SENT}, NDJSON: each}}
    elif operation.status != 204:
        content = {"content": {operation.media: {"schema": {"type": "string"}}}}
    problem = {"schema": refs[Problem, "serialization"]}
    found: dict[str, Any] = {str(operation.status): {"description": "Done.", **content}}
    if operation.deed:
        found["202"] = {
            "description": "Begun: look at `Location`.",
            "headers": {"Location": {"schema": {"type": "string"}}},
            **content,
        }
    found["default"] = {
        "description": "Not carried out: why, and what to do.",
        "content": {PROBLEM: problem},
    }
    return found
