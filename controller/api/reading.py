"""What a request sends, read and validated by the operation's models."""

from __future__ import annotations

import re
from typing import Any

from aiohttp import web
from pydantic import BaseModel, ValidationError

from controller.api.operation import Nothing, Operation
from controller.api.problems import HttpProblem, InvalidInput, invalid
from controller.api.raw_bodies import raw_of

WAIT_MOST = 30.0  # seconds that an answer may be held back
JSON = "application/json"
_WAIT = re.compile(r"(?:^|[,;\s])wait=(\d{1,4})(?:$|[,;\s])", re.ASCII)


def wait_of(request: web.Request) -> float:
    """The seconds for which `Prefer: wait=N` holds the answer back; 0 where it isn't sent."""
    found = _WAIT.search(", ".join(request.headers.getall("Prefer", ())))
    return min(float(found[1]), WAIT_MOST) if found else 0.0


def query_of(operation: Operation[Any, Any], request: web.Request) -> BaseModel:
    """The query. InvalidInput names each field and what is wrong with it."""
    given: dict[str, str] = {}
    for name, value in request.query.items():
        if name in given:
            raise InvalidInput(f"The parameter {name[:60]} is given twice.", ())
        given[name] = value
    model: type[BaseModel] = operation.query
    try:
        return model.model_validate(given)
    except ValidationError as error:
        raise invalid(error, "query") from None


async def body_of(
    operation: Operation[Any, Any], request: web.Request, seconds: float
) -> BaseModel:
    """The body. InvalidInput as for the query; `raw_of` says what isn't read at all."""
    raw = await raw_of(request, seconds)
    if not raw and operation.body is Nothing:
        return Nothing()
    require_json(request)
    model: type[BaseModel] = operation.body
    try:
        return model.model_validate_json(raw, strict=True)
    except ValidationError as error:
        raise invalid(error, "body") from None


def require_json(request: web.Request) -> None:
    """Raise 415 (`not-json`) unless it says that its body is JSON."""
    if request.content_type != JSON:
        raise HttpProblem(
            415, "What is sent must be JSON.", hint=f"Send `Content-Type: {JSON}`.", code="not-json"
        )
