"""Fault injection: which requests go wrong, how, and how often.
Next door: wire.py asks here before and after it processes each request."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .errors import Json

_MESSAGES = {
    400: (50035, "Invalid Form Body"),
    401: (0, "401: Unauthorized"),
    403: (50013, "Missing Permissions"),
    404: (0, "404: Not Found"),
    500: (0, "500: Internal Server Error"),
    502: (0, "502: Bad Gateway"),
    503: (0, "503: Service Unavailable"),
}


@dataclass(slots=True)
class Fault:
    """One kind of fault; `hits` counts how often it struck."""

    method: str
    path: str
    status: int | None = None
    code: int | None = None
    message: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    text: str | None = None  # a body that is not Discord's JSON, such as a proxy's page
    delay: float = 0.0
    drop: bool = False
    drop_after: bool = False
    after: bool = False  # the status comes although Discord has carried out the request
    retry_after: float = 0.1
    globally: bool = False
    times: int | None = None
    hits: int = 0

    def strikes(self, method: str, path: str) -> bool:
        if self.times is not None and self.hits >= self.times:
            return False
        return self.method in ("*", method) and re.search(self.path, path) is not None

    def body(self) -> Json:
        assert self.status is not None
        if self.status == 429:
            limited: dict[str, Any] = {"message": "You are being rate limited."}
            return limited | {"retry_after": self.retry_after, "global": self.globally}
        code, message = _MESSAGES.get(self.status, (0, f"{self.status}: injected"))
        code = code if self.code is None else self.code
        return {"message": self.message or message, "code": code}

    def all_headers(self) -> dict[str, str]:
        limited = {"Retry-After": str(self.retry_after)} if self.status == 429 else {}
        return limited | dict(self.headers)


class Faults:
    """The active faults, oldest first; the first that matches a request strikes it."""

    def __init__(self) -> None:
        self._active: list[Fault] = []

    def add(self, fault: Fault) -> None:
        self._active.append(fault)

    def remove(self, fault: Fault) -> None:
        self._active.remove(fault)

    def strike(self, method: str, path: str) -> Fault | None:
        for fault in self._active:
            if fault.strikes(method, path):
                fault.hits += 1
                return fault
        return None
