"""Errors: Discord's refusals, and what a test raises when nothing comes back.
Next door: checks.py raises the first kind, invocation.py and server.py the second."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]


class ApiError(Exception):
    """A refusal in Discord's own form: HTTP status, JSON code, message and field errors."""

    def __init__(self, status: int, code: int, message: str, errors: Json | None = None) -> None:
        super().__init__(f"{status}/{code} {message}")
        self.status = status
        self.body: Json = {"message": message, "code": code}
        if errors:
            self.body["errors"] = errors


class NoAnswer(AssertionError):
    """The bot didn't answer an interaction in the time that Discord allows."""


class NotReached(AssertionError):
    """Something that a test waited for didn't happen in time."""


def unknown(what: str, code: int) -> ApiError:
    return ApiError(404, code, f"Unknown {what}")


def invalid_form(path: str, code: str, message: str) -> ApiError:
    """A 50035 error at a dotted path, nested as Discord does."""
    leaf: Json = {"_errors": [{"code": code, "message": message}]}
    for part in reversed(path.split(".")):
        leaf = {part: leaf}
    return ApiError(400, 50035, "Invalid Form Body", leaf)
