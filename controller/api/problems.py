"""Errors as problem details (RFC 9457): the one place where an error becomes an HTTP answer."""

from __future__ import annotations

import http
import logging
from collections.abc import Mapping, Sequence

from aiohttp import web
from pydantic import BaseModel, ConfigDict, ValidationError

from controller.domain import errors
from controller.domain.errors import BadInput, ControllerError

log = logging.getLogger(__name__)
PROBLEM = "application/problem+json"
TYPE = "urn:botmaker:problem:"
RETRY_AFTER = 5  # seconds, where nobody knows better

# The nearest class in an error's family decides.
STATUS: dict[type[ControllerError], int] = {
    errors.BadInput: 422,
    errors.NotSignedIn: 401,
    errors.Denied: 403,
    errors.NotFound: 404,
    errors.Conflict: 409,
    errors.NotReady: 409,
    errors.BadTemplate: 409,
    errors.BadSetting: 500,
    errors.StorageTrouble: 503,
    errors.DiscordTrouble: 503,
    errors.RuntimeTrouble: 502,
    errors.EngineUnavailable: 503,
    errors.EngineBusy: 503,
    errors.RegistryUnavailable: 503,
    errors.OutcomeUnknown: 504,
    errors.ImageMissing: 409,
    errors.BadSpec: 409,
    ControllerError: 500,
}
CODES = {"changed-meanwhile": 412}
# What to do next, for whoever asks over HTTP. Other hints are the error's own.
HINTS = {
    "denied": "An admin can give it with /access grant, or make a token that may.",
    "no-such-bot": "GET /api/v1/bots lists the bots that you may see.",
    "no-such-action": "GET /api/v1/bots/{bot}/actions lists the actions that it has.",
    "no-such-grant": "GET /api/v1/access/grants lists them; those of the settings stay.",
    "no-such-token": "GET /api/v1/tokens lists them.",
    "no-such-webhook": "GET /api/v1/webhooks lists them.",
    "no-log": "GET /api/v1/bots/{bot} says how it is.",
    "not-running": "Start it, then try again.",
    "secrets-missing": "PUT /api/v1/bots/{bot}/secrets sets them.",
    "not-signed-in": "Send `Authorization: Bearer <token>`; /access token create makes one.",
}


class HttpProblem(ControllerError):
    """What only HTTP knows: a wrong method, a body that is too large, too many requests."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        code: str,
        hint: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message, hint=hint, code=code)
        self.status = status
        self.headers = dict(headers or {})
        self.retryable = status in {429, 503}


class InvalidInput(BadInput):
    """Fields that can't be used, each with its place and the reason, without what was sent."""

    def __init__(self, message: str, fields: Sequence[FieldProblem], *, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.fields = tuple(fields)


class FieldProblem(BaseModel):
    """What is wrong with one field."""

    model_config = ConfigDict(frozen=True)

    pointer: str  # a JSON pointer into what was sent
    detail: str


class Problem(BaseModel):
    """Why a request was not carried out."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    hint: str
    retryable: bool
    request_id: str
    errors: tuple[FieldProblem, ...] = ()


def status_of(error: ControllerError) -> int:
    """The HTTP status of an error."""
    if isinstance(error, HttpProblem):
        return error.status
    if error.code in CODES:
        return CODES[error.code]
    return next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)


def problem_of(error: BaseException, request_id: str) -> web.Response:
    """The answer for an error. An unexpected one is logged under the request's id, and only there.

    `request_id` is said to whoever asks, so that the log can be searched for it.
    """
    if not isinstance(error, ControllerError):
        log.error("request %s", request_id, exc_info=error)
        error = ControllerError(
            "Something went wrong inside BotMaker.",
            hint=f"The controller's log has the details: look for {request_id}.",
        )
    status = status_of(error)
    problem = Problem(
        type=TYPE + error.code,
        title=http.HTTPStatus(status).phrase,
        status=status,
        detail=error.message,
        code=error.code,
        hint=hint_for(error),
        retryable=error.retryable,
        request_id=request_id,
        errors=_fields_of(error),
    )
    headers = error.headers if isinstance(error, HttpProblem) else {}
    if status == 401:
        headers = {"WWW-Authenticate": 'Bearer realm="botmaker"'}
    if status in {429, 503}:
        headers = {"Retry-After": str(RETRY_AFTER), **headers}
    return web.Response(
        status=status,
        body=problem.model_dump_json().encode(),
        content_type=PROBLEM,
        headers=headers,
    )


def _fields_of(error: ControllerError) -> tuple[FieldProblem, ...]:
    """What is wrong with which field of what was sent. Inputs are sent as `values`."""
    if isinstance(error, InvalidInput):
        return error.fields
    if isinstance(error, BadInput):
        return tuple(
            FieldProblem(pointer=f"/values/{name}", detail=words)
            for name, words in error.inputs.items()
        )
    return ()


def hint_for(error: ControllerError) -> str:
    """What to do next: HTTP's own hint where it has one, else the error's."""
    if error.code == "denied" and error.hint:
        return error.hint
    return HINTS.get(error.code, error.hint)


def invalid(error: ValidationError, where: str) -> InvalidInput:
    """What pydantic refused, in words that hold nothing of what was sent but names of fields."""
    fields = [
        FieldProblem(pointer=_pointer(item["loc"]), detail=_reason(item["type"], item["msg"]))
        for item in error.errors(include_input=False, include_url=False, include_context=False)
    ]
    words = "; ".join(f"{one.pointer or '/'}: {one.detail}" for one in fields[:5])
    return InvalidInput(f"The {where} can't be used. {words}.", fields)


def _pointer(location: tuple[int | str, ...]) -> str:
    steps = (str(step)[:60].replace("~", "~0").replace("/", "~1") for step in location)
    return "".join(f"/{step}" for step in steps)


def _reason(kind: str, message: str) -> str:
    if kind == "extra_forbidden":
        return "there is no such field"
    return message.removeprefix("Value error, ").replace("Input should be", "must be")
