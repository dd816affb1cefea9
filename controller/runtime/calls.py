"""The home of blocking calls: limited threads, one client per thread, errors translated once."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Literal, NamedTuple, TypeVar

from docker import APIClient

from controller.domain.errors import EngineBusy, EngineUnavailable, OutcomeUnknown
from controller.runtime.engine_clock import EngineClock
from controller.runtime.faults import CAUGHT, lost_answer, translate
from controller.runtime.options import EngineOptions
from controller.runtime.ssh_transport import PLACEHOLDER, over_ssh
from controller.runtime.transport import install_transport

T = TypeVar("T")
Lane = Literal[
    "watch", "read", "log", "write", "stop", "pull", "program", "action", "volume", "measure"
]


class Width(NamedTuple):
    """How many threads a lane has, and how many seconds a caller waits for one of them."""

    threads: int
    patience: float


# A lane's threads take no work from another lane. They're created when they're needed.
LANES: dict[Lane, Width] = {
    "watch": Width(2, 20),  # lists and pings, which decide whether the engine is reachable
    "read": Width(6, 30),
    "log": Width(4, 30),
    "write": Width(8, 300),
    # A stop holds its thread for the program's whole grace. At rest a thread takes 15 KiB and its
    # client 8 KiB, so there can be one for each stubborn program.
    "stop": Width(512, 300),
    "pull": Width(4, 900),
    "program": Width(6, 60),  # rehearsals and reloads
    "volume": Width(2, 900),  # whole volumes, which may be large
    "measure": Width(16, 60),  # what containers use; some engines take a second for each
    "action": Width(32, 60),  # programs that people ask for; each may take ten minutes
}
# Threads that compute make the event loop wait for its turn, some 5 ms for each of them. Where many
# could begin at once, they begin one after another: with 500 stops at once the loop was 2.3 s late.
CROWD = 8  # threads of a lane that may begin at once
APART = 0.004  # seconds between two of a larger lane; about what making a client takes
API_MIN = (1, 41)  # Docker 20.10
API_MAX = (1, 45)  # the newest that docker-py 7.2 knows; newer engines still speak it
NEGOTIATION_SECONDS = 10.0


class _Pace:
    """Lets callers through one after another, at least `APART` seconds apart."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()

    async def __call__(self) -> None:
        await self._turn.acquire()
        # Not by the clock alone: a loop that is late would let many through at once.
        asyncio.get_running_loop().call_later(APART, self._turn.release)


class _Job:
    """Decides, once, the race between a caller that gives up and a thread that begins."""

    def __init__(self, on_thread: Callable[[], None]) -> None:
        self._on_thread = on_thread
        self._lock = threading.Lock()
        self._given_up = False
        self._begun = False
        self.has_thread = False

    def take_thread(self) -> None:
        """A thread has this job now: the caller's limit begins."""
        self.has_thread = True
        self._on_thread()

    def begin(self) -> None:
        with self._lock:
            if self._given_up:
                raise EngineUnavailable("Nobody is waiting for this any more; nothing was sent.")
            self._begun = True

    def give_up(self) -> bool:
        """Keep the job from beginning. Returns whether it had already begun."""
        with self._lock:
            self._given_up = True
            return self._begun


class Calls:
    """Runs functions that block on the engine, in threads that nothing else uses.

    Each kind of call has a lane: threads of its own. So bots that are slow to stop don't delay a
    look or another bot's restart, and slow programs don't keep a bot from being stopped.

    A caller waits first for a thread, as long as the lane's patience, and then at most `limit`
    seconds for the engine. A job that hasn't begun by then never does.
    """

    def __init__(self, options: EngineOptions, lanes: Mapping[Lane, Width] = LANES) -> None:
        self._options = options
        self._lanes = lanes
        self._pools = {
            lane: ThreadPoolExecutor(width.threads, thread_name_prefix=f"engine-{lane}")
            for lane, width in lanes.items()
        }
        self._paces = {lane: _Pace() for lane, width in lanes.items() if width.threads > CROWD}
        self._local = threading.local()
        self._lock = threading.Lock()
        self._building = threading.Lock()  # for the same reason: one client at a time
        self._clients: set[APIClient] = set()
        self._version: str | None = None
        self._generation = 0
        self.clock = EngineClock()
        self.closing = threading.Event()

    async def __call__(
        self,
        fn: Callable[[APIClient], T],
        *,
        write: bool,
        limit: float,
        lane: Lane | None = None,
    ) -> T:
        """Run `fn(client)` in a thread. Whatever the client raises becomes a ControllerError.

        After `limit` seconds the caller gets EngineUnavailable, or OutcomeUnknown if a write had
        begun. The thread is freed by the client's own timeout. Raises EngineBusy if no thread
        became free: that says nothing about the engine.
        """
        lane = lane or ("write" if write else "read")
        loop = asyncio.get_running_loop()
        # Not wait_for: on Python 3.11 it loses a cancellation that comes with the answer.
        clock = asyncio.timeout(self._lanes[lane].patience)

        def start_clock() -> None:
            with contextlib.suppress(RuntimeError):  # the caller has already gone
                clock.reschedule(loop.time() + limit)

        def on_thread() -> None:
            with contextlib.suppress(RuntimeError):  # the loop may already be closed
                loop.call_soon_threadsafe(start_clock)

        job = _Job(on_thread)
        try:
            async with clock:
                if lane in self._paces:
                    await self._paces[lane]()
                return await asyncio.wrap_future(self._submit(lane, fn, job, write, limit))
        except TimeoutError:
            begun = job.give_up()
            raise lost_answer(write=write and begun) if job.has_thread else _busy() from None
        finally:
            job.give_up()

    def _submit(
        self, lane: Lane, fn: Callable[[APIClient], T], job: _Job, write: bool, limit: float
    ) -> Future[T]:
        try:
            return self._pools[lane].submit(self._run, fn, job, write, limit)
        except RuntimeError as error:
            raise EngineUnavailable("BotMaker is shutting down.") from error

    def connect(self, timeout: float) -> APIClient:
        """Return a client of its own for a stream. This blocks, so call it only from a thread."""
        try:
            return self._build(self._negotiated(), timeout)
        except CAUGHT as error:
            raise translate(error, write=False) from error

    def release(self, client: APIClient) -> None:
        """Close a client that `connect` returned."""
        with self._lock:
            self._clients.discard(client)
        client.close()

    def close(self) -> None:
        """Take no more work and close the clients. Running calls end by their own timeout."""
        self.closing.set()
        for pool in self._pools.values():
            pool.shutdown(wait=False, cancel_futures=True)
        with self._lock:
            clients, self._clients = self._clients, set()
        for client in clients:
            client.close()

    def _run(self, fn: Callable[[APIClient], T], job: _Job, write: bool, limit: float) -> T:
        begun, generation = False, self._generation
        job.take_thread()
        try:
            client = self._own_client(generation)
            client.timeout = limit  # type: ignore[assignment]  # requests takes floats
            job.begin()
            begun = True
            return fn(client)
        except CAUGHT as error:
            translated = translate(error, write=write and begun)
            if isinstance(translated, EngineUnavailable | OutcomeUnknown):
                self._start_new_generation(generation)
            raise translated from error

    def _own_client(self, generation: int) -> APIClient:
        """Return this thread's client, a new one if a connection was lost since."""
        held: tuple[int, APIClient] | None = getattr(self._local, "held", None)
        if held is not None and held[0] == generation:
            return held[1]
        if held is not None:
            self._local.held = None
            self.release(held[1])
        client = self._build(self._negotiated(), NEGOTIATION_SECONDS)
        self._local.held = (generation, client)
        return client

    def _negotiated(self) -> str:
        """Return the API version to speak. Asks once, and again after a lost connection."""
        with self._lock:
            version, generation = self._version, self._generation
        if version is not None:
            return version
        client = self._build(_dotted(API_MIN), NEGOTIATION_SECONDS)
        try:
            answer = client.version(api_version=False)
        finally:
            self.release(client)
        version = choose_version(answer)
        with self._lock:
            if generation == self._generation:
                self._version = version
        return version

    def _start_new_generation(self, generation: int) -> None:
        """Replace all clients and ask for the version again; once per lost connection."""
        with self._lock:
            if generation == self._generation:
                self._generation += 1
                self._version = None

    def _build(self, version: str, timeout: float) -> APIClient:
        with self._building:
            client = self._make(version, timeout)
        with self._lock:
            if not self.closing.is_set():
                self._clients.add(client)
                return client
        client.close()
        raise EngineUnavailable("BotMaker is shutting down.")

    def _make(self, version: str, timeout: float) -> APIClient:
        url = self._options.base_url
        client = APIClient(
            base_url=PLACEHOLDER if over_ssh(url) else url,
            version=version,
            timeout=timeout,  # type: ignore[arg-type]  # the stubs say int; requests takes floats
            tls=self._options.tls or False,
        )
        install_transport(client, url)
        if self._options.config is not None:
            client.reload_config(self._options.config)
        client.hooks["response"].append(self.clock)
        client.trust_env = False  # no proxies or .netrc: only `settings` reads the environment
        return client


def _busy() -> EngineBusy:
    return EngineBusy(
        "BotMaker has too much to do with Docker at the moment; nothing was done.",
        hint="It tries again by itself.",
    )


def choose_version(answer: object) -> str:
    """Choose the API version for an engine from its /version answer, or raise EngineUnavailable."""
    if not isinstance(answer, dict):
        answer = {}
    highest = _parsed(answer.get("ApiVersion"))
    if highest is None:
        raise EngineUnavailable(
            "What answers at Docker's address isn't a Docker engine.", hint="Check DOCKER_HOST."
        )
    if highest < API_MIN:
        raise EngineUnavailable(
            f"This Docker engine is too old: it speaks API {_dotted(highest)}.",
            hint=f"Update it to Docker 20.10 (API {_dotted(API_MIN)}) or newer.",
        )
    lowest = _parsed(answer.get("MinAPIVersion")) or API_MIN
    return _dotted(max(min(highest, API_MAX), lowest))


def _parsed(version: object) -> tuple[int, int] | None:
    with contextlib.suppress(ValueError):
        major, minor = str(version).split(".")
        return int(major), int(minor)
    return None


def _dotted(version: tuple[int, int]) -> str:
    return f"{version[0]}.{version[1]}"
