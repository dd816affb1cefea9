"""Live checks: each secret of a page is shown to the service that it is for, all at once.

Nothing here may hold anybody up or give a value away: every way to fail ends in the verdict
`unknown`. Next door: `door` (one request), `questions` (what is sent), `answers` (what it means).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping

from controller.domain.live import CHECKS, Verdict
from controller.services.answers import VERDICTS, unasked
from controller.services.door import Answer, Door, Silence
from controller.services.questions import SERVICES, questions

log = logging.getLogger(__name__)


class LiveChecks:
    """Asks services about secrets.

    `base` is one URL that stands in for all services, with a path for each (`<base>/discord` …);
    `timeout` is for all that one secret needs; not `enabled`, nobody is asked.
    """

    def __init__(self, base: str = "", timeout: float = 4.0, enabled: bool = True) -> None:
        self._base = base.rstrip("/")
        self._timeout = timeout
        self._enabled = enabled
        self._door = Door()

    async def check(self, values: Mapping[str, tuple[str, str]]) -> Mapping[str, Verdict]:
        """What the services say, by secret: name -> (kind of check, value) in, verdicts out.

        All are asked at the same time, each within the timeout. Never raises for what a service or
        the network does, and holds no value longer than it asks. Empty when checks are off.
        """
        if not self._enabled:
            return {}
        names = list(values)
        verdicts = await asyncio.gather(*(self._one(*values[name]) for name in names))
        return dict(zip(names, verdicts, strict=True))

    async def close(self) -> None:
        """Close every connection. Whoever is still being asked counts as not reachable."""
        await self._door.close()

    async def _one(self, kind: str, value: str) -> Verdict:
        if kind not in CHECKS:
            return unasked("The service", "BotMaker does not know how to ask about it")
        try:
            return VERDICTS[kind](await self._ask(kind, value))
        except Exception as error:  # noqa: BLE001 - a check that breaks must not keep a bot from its
            # secret. Its kind only: the error's text may hold the URL, and so the value.
            log.warning("the live check %s broke: %s", kind, type(error).__name__)
            return unasked(SERVICES[kind].title, "the check itself broke")

    async def _ask(self, kind: str, value: str) -> tuple[Answer | Silence, ...]:
        late = Silence(f"it did not answer within {self._timeout:g} seconds")
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
            # Their errors are taken here: asyncio would log an error that nobody took, URL and all.
            await asyncio.gather(*asked, return_exceptions=True)
