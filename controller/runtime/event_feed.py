"""The engine's events as an endless stream: a thread of its own, ended from outside."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import socket
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Mapping
from email.utils import parsedate_to_datetime
from typing import Any

from docker import APIClient
from requests import Response

from controller.domain.errors import ControllerError, EngineBusy, EngineUnavailable
from controller.domain.events import ContainerEvent
from controller.domain.names import is_bot_id
from controller.domain.spec import BOT_LABEL, INSTANCE_LABEL, MANAGED_LABEL
from controller.runtime.calls import Calls
from controller.runtime.faults import CAUGHT, raise_for_status, translate

_log = logging.getLogger(__name__)

RESYNC = ContainerEvent(action="resync")
QUEUE_MAX = 1024  # events
BACK_OFF = (0.1, 5.0)  # seconds: the shortest pause and the longest
STABLE_SECONDS = 5.0  # after a stream that lasted this long the back-off starts over
HEADER_SECONDS = 20.0
# A firewall may drop a quiet connection without a word. The kernel notices within a minute: it asks
# after 30 s of silence, three times, every 10 s.
KEEP_ALIVE = (
    ((socket.SOL_SOCKET, socket.SO_KEEPALIVE), 1),
    ((socket.IPPROTO_TCP, socket.TCP_KEEPIDLE), 30),
    ((socket.IPPROTO_TCP, socket.TCP_KEEPINTVL), 10),
    ((socket.IPPROTO_TCP, socket.TCP_KEEPCNT), 3),
)
# Requested by name, or health checks would send three exec_* events per bot every half minute.
ACTIONS = [
    "create", "start", "die", "oom", "kill", "stop", "restart", "pause", "unpause", "destroy",
    "rename", "update", "health_status",
]  # fmt: skip


ENDING = {"2", "3", "9", "15"}  # signals that end a program, unless it catches them


def parse_event(data: Mapping[str, Any]) -> ContainerEvent | None:
    """Convert an event of the engine. Returns None if it isn't about one of our containers."""
    actor = data.get("Actor") or {}
    attributes = actor.get("Attributes") or {}
    action = data.get("Action") or ""
    bot_id = attributes.get(BOT_LABEL, "")
    if not action or action.startswith("exec_") or not is_bot_id(bot_id):
        return None
    names = {attributes.get("name"), str(attributes.get("oldName", "")).lstrip("/")}
    if f"botmaker-{bot_id}" not in names:
        return None
    code = str(attributes.get("exitCode", ""))
    return ContainerEvent(
        action=action,
        bot_id=bot_id,
        at=int(data.get("timeNano") or 0) / 1e9,
        ending=action == "stop" or (action == "kill" and attributes.get("signal") in ENDING),
        exit_code=int(code) if action == "die" and code.isdigit() else None,
    )


class _Mailbox:
    """Hands events from a thread to the loop. When too many wait, one resync replaces them."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.ready = asyncio.Event()
        self._loop = loop
        self._lock = threading.Lock()
        self._waiting: deque[ContainerEvent] = deque()

    def put(self, event: ContainerEvent) -> None:
        with self._lock:
            if len(self._waiting) >= QUEUE_MAX:
                self._waiting.clear()
                event = RESYNC
            self._waiting.append(event)
            first = len(self._waiting) == 1
        if first:
            self.wake()

    def wake(self) -> None:
        with contextlib.suppress(RuntimeError):  # the loop may already be closed
            self._loop.call_soon_threadsafe(self.ready.set)

    def take(self) -> ContainerEvent | None:
        with self._lock:
            if self._waiting:
                return self._waiting.popleft()
            self.ready.clear()
            return None


class EventFeed(AsyncIterator[ContainerEvent]):
    """Keeps the contract of `Runtime.events`. A cancelled wait doesn't end it; `aclose` does.

    A new subscription asks for what happened since the last event that came, by the engine's clock.
    The engine remembers at most 256 events, and none from before its own restart. Events from up to
    two seconds before the first subscription may follow its resync.
    """

    def __init__(self, calls: Calls, instance: str, *, ping_after: float = 15.0) -> None:
        self._calls = calls
        self._instance = instance
        self._ping_after = ping_after  # seconds of silence
        self._closed = threading.Event()
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._mailbox: _Mailbox | None = None
        self._last = 0.0  # when the last event happened, by the engine's clock
        self._seen: deque[tuple[object, ...]] = deque(maxlen=512)

    def __aiter__(self) -> EventFeed:
        return self

    async def __anext__(self) -> ContainerEvent:
        """Return the next event, however long that takes. Ends only after a close."""
        mailbox = self._mailbox or self._start()
        while not self._closed.is_set():
            event = mailbox.take()
            if event is not None:
                return event
            try:
                async with asyncio.timeout(self._ping_after):
                    await mailbox.ready.wait()
            except TimeoutError:
                await self._check_connection()
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """End the stream, its thread and any waiting `anext`."""
        self.close()

    def close(self) -> None:
        """Do what `aclose` does, from any thread."""
        self._closed.set()
        self._hang_up()
        if self._mailbox is not None:
            self._mailbox.wake()

    def _start(self) -> _Mailbox:
        self._mailbox = _Mailbox(asyncio.get_running_loop())
        threading.Thread(target=self._run, name="engine-events", daemon=True).start()
        return self._mailbox

    async def _check_connection(self) -> None:
        """Ping the engine, and hang up if it doesn't answer.

        Silence alone is normal, but a half-dead connection would stay silent forever.
        """
        if self._socket is None:
            return
        try:
            await self._calls(APIClient.ping, write=False, limit=5, lane="watch")
        except EngineBusy:
            return  # nobody asked the engine
        except ControllerError:
            self._hang_up()

    def _hang_up(self) -> None:
        with self._lock, contextlib.suppress(OSError):
            if self._socket is not None:
                self._socket.shutdown(socket.SHUT_RDWR)

    def _run(self) -> None:
        shortest, longest = BACK_OFF
        pause = shortest
        while not self._closed.is_set():
            began = time.monotonic()
            try:
                self._follow()
            except ControllerError as error:
                _log.debug("events: %s", error)
            except CAUGHT as error:
                _log.debug("events: %s", translate(error, write=False))
            except Exception:  # noqa: BLE001 - a stream that dies silently is worse than any bug in it
                _log.exception("events: the stream failed and is opened again")
            if time.monotonic() - began > STABLE_SECONDS:
                pause = shortest
            self._closed.wait(pause)
            pause = min(pause * 2, longest)

    def _follow(self) -> None:
        client = self._calls.connect(HEADER_SECONDS)
        try:
            with self._subscribe(client) as response:
                self._keep_socket(response)
                try:
                    self._deliver(RESYNC)
                    for line in response.iter_lines(chunk_size=None):
                        self._handle_line(line)
                finally:
                    with self._lock:
                        self._socket = None
        finally:
            self._calls.release(client)

    def _subscribe(self, client: APIClient) -> Response:
        base = f"{client.base_url}/v{client.api_version}"
        with client.get(f"{base}/_ping", timeout=HEADER_SECONDS) as pong:
            raise_for_status(pong)
            now = _engine_time(pong)
        filters = {
            "type": ["container"],
            "event": ACTIONS,
            "label": [f"{MANAGED_LABEL}=true", f"{INSTANCE_LABEL}={self._instance}"],
        }
        # The engine sends the headers a moment before it subscribes us. Asking for events since a
        # second earlier, by its own clock, closes that gap. What is repeated is recognised.
        self._last = min(now, self._last or now)
        params = {"filters": json.dumps(filters), "since": f"{self._last - 1:.9f}"}
        response = client.get(f"{base}/events", params=params, stream=True, timeout=HEADER_SECONDS)
        raise_for_status(response)
        return response

    def _keep_socket(self, response: Response) -> None:
        """Keep the socket, to hang up from another thread. From now on silence is no error."""
        connection = response.raw.connection
        sock = getattr(connection, "sock", None)
        if sock is None:
            raise EngineUnavailable("Docker closed the event stream at once.")
        sock.settimeout(None)
        if sock.family in {socket.AF_INET, socket.AF_INET6}:
            for option, value in KEEP_ALIVE:
                sock.setsockopt(*option, value)
        with self._lock:
            self._socket = sock
        if self._closed.is_set():
            self._hang_up()

    def _handle_line(self, line: bytes) -> None:
        if not line.strip():
            return
        data = json.loads(line)
        event = parse_event(data)
        # A new subscription repeats the last second. The time alone doesn't identify an event: two
        # at the same moment may come in either order.
        key = (data.get("timeNano"), (data.get("Actor") or {}).get("ID"), data.get("Action"))
        if event is None or key in self._seen:
            return
        self._seen.append(key)
        self._last = max(self._last, event.at)
        self._deliver(event)

    def _deliver(self, event: ContainerEvent) -> None:
        if self._mailbox is not None:
            self._mailbox.put(event)


def _engine_time(response: Response) -> float:
    """The engine's time in whole seconds, from the Date header; our time if that is missing."""
    try:
        return parsedate_to_datetime(response.headers["Date"]).timestamp()
    except (KeyError, TypeError, ValueError):
        return time.time()
