"""Live checks: ask each service whether it accepts the secret entered for it, all at once.

Nothing here may make a person wait long or reveal a value, so every failure ends in the verdict
`unknown`. Next door: `door` (one request), `questions` (what is sent), `verdict_rules` (what the
answer means).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping

from controller.domain.live import CHECKS, Verdict
from controller.services.door import Answer, Door, Silence
from controller.services.questions import SERVICES, questions
from controller.services.verdict_rules import VERDICTS, unasked

log = logging.getLogger(__name__)


class LiveChecks:
    """Asks services about secrets.

    `base`: one URL that stands in for all services, with a path for each (`<base>/discord` …).
    `timeout`: seconds for all the requests of one secret. Without `enabled` nobody is asked.
    """

    def __init__(self, base: str = "", timeout: float = 4.0, enabled: bool = True) -> None:
        self._base = base.rstrip("/")
        self._timeout = timeout
        self._enabled = enabled
        self._door = Door()

    async def check(self, values: Mapping[str, tuple[str, str]]) -> Mapping[str, Verdict]:
        """Ask about each secret: takes name -> (kind of check, value), returns name -> verdict.

        Asks about all of them at once, each within the timeout. Never raises because of a service
        or the network, and holds no value longer than the request. Empty when checks are off.
        """
        if not self._enabled:
            return {}
        names = list(values)
        verdicts = await asyncio.gather(*(self._one(*values[name]) for name in names))
        return dict(zip(names, verdicts, strict=True))

    async def close(self) -> None:
        """Close every connection. A service that is still being asked counts as unreachable."""
        await self._door.close()

    async def _one(self, kind: str, value: str) -> Verdict:
        if kind not in CHECKS:
            return unasked("The service", "BotMaker doesn't know how to check this kind of secret")
        try:
            return VERDICTS[kind](await self._ask(kind, value))
        except Exception as error:  # noqa: BLE001 - a broken check must not keep a bot from its secret
            # Only the error's type is logged: its text may hold the URL, and so the value.
            log.warning("the live check %s failed: %s", kind, type(error).__name__)
            return unasked(SERVICES[kind].title, "BotMaker's own check failed")

    async def _ask(self, kind: str, value: str) -> tuple[Answer | Silence, ...]:
        late = Silence(f"it didn't answer within {self._timeout:g} seconds")
        asked = [
            asyncio.create_task(self._door.ask(question))
            for question in questions(kind, value, self._base)
        ]
        try:
            await asyncio.wait(asked, timeout=self._timeout)
            return tuple(task.result() if task.done() else late for task in asked)
        finally:
            for task in asked:
                task.cancel()
            # Collect their errors here: asyncio logs an error that nobody collects, URL and all.
            await asyncio.gather(*asked, return_exceptions=True)
