"""The demo's page: SimCord's preview, kept up to date while a person uses it.

SimCord publishes when an action has ended, and refuses an action that was made on an older
publication. That suits tests. But here messages change while a person types and while a command
waits for a container, so every change is published at once, and an action still works after newer
publications. Written for SimCord 3.2; the overridden names aren't public.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from aiohttp import web
from simcord.actors import MemberActor
from simcord.builders import ChannelHandle
from simcord.env import Env
from simcord.preview import Preview
from simcord.preview._server import PreviewServer

LOOK_SECONDS = 0.2  # how often to look for changes: SimCord tells nobody of private messages
TICK_SECONDS = 5  # how often words such as "10 seconds ago" change in the first minute
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

    def __init__(
        self, env: Env, channel: ChannelHandle, viewers: Sequence[MemberActor], port: int
    ) -> None:
        super().__init__(
            env,
            channel,
            tuple(viewers),
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
        """Publish whenever a message or the wording of a relative time changes, until closed.

        Also while an action runs: whoever started a bot sees it starting.
        """
        shown: object = None
        while not self._closed:
            state = self._state()
            if state != shown:
                shown = state
                self.publish()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(changed.wait(), LOOK_SECONDS)
            changed.clear()

    def publish(self) -> None:
        """Publish the channel as it is now; does nothing if the page has been closed."""
        if self._closed:
            return
        self._publish_message_pages(reason="refresh")
        self._refreshed.extend((page.id, page.revision) for page in self._pages.values())

    async def _action(self, context_id: str | None, body: Mapping[str, Any]) -> dict[str, Any]:
        async with self._turn:  # SimCord refuses a second page's action while one runs
            result = await super()._action(context_id, self._brought_up(context_id, body))
        page = self._pages.get(context_id or "")
        if page is not None and isinstance(body, Mapping) and body.get("kind") == "viewer":
            page.window_end_id = None  # as in `__aenter__`
        return result

    def _brought_up(self, context_id: str | None, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """The action as if made on the newest publication, if only `publish` made the newer ones.

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
            words = _words(message.get("content"), message.get("components"))
            message["worded_at"] = _wording(words)

    def _state(self) -> list[tuple[object, ...]]:
        messages = self.env.backend.messages.get(self.channel.id, {}).values()
        said = [(m, _words(m.content, m.components)) for m in messages]
        return [(m.id, words, m.edited_timestamp, _wording(words)) for m, words in said]


def _words(content: object, components: object) -> str:
    """Every text of a message, wherever it stands: its content, or inside its components."""
    if isinstance(components, Mapping):
        inner = (components.get(key) for key in ("components", "accessory"))
        return "\n".join([_words(components.get("content"), part) for part in inner])
    parts = components if isinstance(components, list | tuple) else ()
    own = content if isinstance(content, str) else ""
    return "\n".join([own, *(_words(None, part) for part in parts)])


def _wording(content: str) -> list[int]:
    """A number for each relative time in a text; it changes when the time's wording would."""
    now = time.time()
    return [_step(now - int(found)) for found in _RELATIVE.findall(content)]


def _step(age: float) -> int:
    for unit in _UNITS:
        if abs(age) >= unit:
            return unit * round(age / unit)
    return int(age // TICK_SECONDS)
