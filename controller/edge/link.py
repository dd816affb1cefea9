"""The way to the Worker: one signed POST, and what its answer means."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from controller.domain.errors import ControllerError
from controller.domain.webhooks import Format, Verdict, judge, reason_of
from controller.edge.shared_key import SharedKey
from controller.edge.signing import Direction, signed_headers
from controller.services import Parcel, Postman, Receipt

ANSWER_MOST = 512 * 1024  # bytes


@dataclass(frozen=True, slots=True)
class Told:
    """How one call ended. `value` is what the Worker answered, if it took the call."""

    verdict: Verdict
    reason: str = ""
    wait: float = 0.0  # seconds that it asked for
    value: Mapping[str, Any] = field(default_factory=dict)


class Link:
    """Calls the Worker. Never raises for what it does, or the key's disk."""

    def __init__(
        self, url: str, key: SharedKey, postman: Postman, clock: Callable[[], float]
    ) -> None:
        self._url = url
        self._key = key
        self._postman = postman
        self._clock = clock

    async def ask(self, target: str, content: bytes) -> Told:
        """One call of the Worker's, with JSON."""
        try:
            keys = await self._key.read()
        except ControllerError as error:
            return Told(Verdict.AGAIN, error.message)
        now = self._clock()
        headers = signed_headers(keys, Direction.TO_WORKER, "POST", target, content, now)
        parcel = Parcel(
            self._url + target, content, {"Content-Type": "application/json", **headers}
        )
        answer = await self._postman.post(parcel)
        return (
            meaning(answer) if isinstance(answer, Receipt) else Told(Verdict.AGAIN, answer.reason)
        )


def meaning(answer: Receipt) -> Told:
    """What an answer means. A signature that isn't taken won't be taken later either."""
    value = _object(answer.text)
    verdict = judge(answer.status, Format.EDGE)
    if verdict is Verdict.DELIVERED:
        if value is None:
            return Told(Verdict.AGAIN, "it isn't BotMaker's Worker: it didn't answer JSON")
        return Told(verdict, value=value)
    code = (value or {}).get("code")
    if answer.status == 401 and code == "clock-off":
        seconds = (value or {}).get("seconds")
        apart = f"{abs(seconds)} seconds" if isinstance(seconds, int) else "too far"
        return Told(Verdict.AGAIN, f"this machine's clock and the Worker's are {apart} apart")
    if answer.status == 401:
        return Told(Verdict.GONE, "it doesn't take our signature: the two keys differ")
    return Told(verdict, reason_of(answer.status), answer.wait)


def _object(text: str) -> Mapping[str, Any] | None:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
