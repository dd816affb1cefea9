"""The demo's page: SimCord's preview, kept up to date while a person uses it.

SimCord shows what was published, runs one operation at a time, and refuses an action that was made
on an older publication. That suits tests. But here messages change while a person types, so
publishing and acting take turns, and an action still works after newer publications. Written for
SimCord 3.2; the overridden names aren't public.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from aiohttp import web
from simcord.actors import MemberActor
from simcord.builders import ChannelHandle
from simcord.env import Env
from simcord.preview import Preview
from simcord.preview._server import PreviewServer

TICK_SECONDS = 5.0  # how often to update words such as "10 seconds ago"
HERE = Path(__file__).parent
_RELATIVE = re.compile(r"<t:(\d+):R>")
_UNITS = (604_800, 86_400, 3600, 60)  # seconds; the units in which the page words a relative time


class _Server(PreviewServer):
    """SimCord's server, with our style and our script added to its page."""

    _STATIC_FILES: ClassVar[dict[str, str]] = {**PreviewServer._STATIC_FILES, "/demo.js": "demo.js"}

    async def _static(self, request: web.Request) -> web.Response:
        if request.path == "/demo.js":
            script = "application/javascript"
            text = (HERE / "page.js").read_text()
            return web.Response(text=text, content_type=script, headers=self._SECURITY_HEADERS)
        answer: web.Response = await super()._static(request)
        if request.path == "/preview.css":
            answer.text = f"{answer.text}{(HERE / 'page.css').read_text()}"
        elif request.path == "/":
            text = str(answer.text).replace("SimCord Preview</title>", "BotMaker demo</title>")
            answer.text = text.replace("</body>", '<script src="/demo.js"></script></body>')
        return answer


class LivePreview(Preview):
    """A preview that `follow` keeps up to date with its channel."""

    def __init__(self, env: Env, channel: ChannelHandle, admin: MemberActor, port: int) -> None:
        super().__init__(
            env,
            channel,
            (admin,),
            layout="channel",
            display="responsive",
            width=960,
            height=720,
            locale="en-US",
            timezone="UTC",
            presentation_time=None,
            assets=None,
            port=port,
        )
        self._server = _Server(self, port)
        self._turn = asyncio.Lock()
        self._refreshed: deque[tuple[str, int]] = deque(maxlen=200)

    async def __aenter__(self) -> LivePreview:
        """Start serving. The page always shows the channel's end, not only its end at the start."""
        await super().__aenter__()
        assert self._python is not None
        self._python.window_end_id = None
        return self

    async def follow(self, changed: asyncio.Event) -> None:
        """Publish whenever a message or the wording of a relative time changes, until closed."""
        shown: object = None
        while not self._closed:
            state = self._state()
            if state != shown:
                shown = state
                await self.refresh()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(changed.wait(), TICK_SECONDS)
            changed.clear()

    async def refresh(self) -> None:
        """Publish between two actions; does nothing if the page has been closed."""
        async with self._turn:
            if self._closed:
                return
            await super().refresh()
            self._refreshed.extend((page.id, page.revision) for page in self._pages.values())

    async def _action(self, context_id: str | None, body: Mapping[str, Any]) -> dict[str, Any]:
        async with self._turn:
            return await super()._action(context_id, self._brought_up(context_id, body))

    def _brought_up(self, context_id: str | None, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """The action as if made on the newest publication, if only `refresh` made the newer ones.

        SimCord then checks, as Discord does, whether its button or command still exists.
        """
        revision = body.get("published_revision") if isinstance(body, Mapping) else None
        if not isinstance(revision, int) or context_id is None:
            return body
        while (context_id, revision + 1) in self._refreshed:
            revision += 1
        return {**body, "published_revision": revision}

    def _publish(self, page: Any, **how: Any) -> None:
        self._advance_presentation_time()
        super()._publish(page, **how)
        for message in page.snapshot.get("messages", {}).values():
            # The page redraws a message only if it differs, so make it differ when its words would.
            message["worded_at"] = _wording(message.get("content") or "")

    def _state(self) -> list[tuple[object, ...]]:
        messages = self.env.backend.messages.get(self.channel.id, {}).values()
        return [(m.id, m.content, m.edited_timestamp, _wording(m.content)) for m in messages]


def _wording(content: str) -> list[int]:
    """A number for each relative time in a text; it changes when the time's wording would."""
    now = time.time()
    return [_step(now - int(found)) for found in _RELATIVE.findall(content)]


def _step(age: float) -> int:
    for unit in _UNITS:
        if abs(age) >= unit:
            return unit * round(age / unit)
    return int(age // TICK_SECONDS)
