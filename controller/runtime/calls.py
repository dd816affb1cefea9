"""The home of blocking calls: limited threads, one client per thread, errors translated once."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Literal, TypeVar

from docker import APIClient

from controller.domain.errors import EngineUnavailable, OutcomeUnknown
from controller.runtime.engine_clock import EngineClock
from controller.runtime.faults import CAUGHT, lost_answer, translate
from controller.runtime.options import EngineOptions
from controller.runtime.ssh_transport import PLACEHOLDER, over_ssh
from controller.runtime.transport import install_transport

T = TypeVar("T")
Lane = Literal["read", "write", "pull", "program"]

# How many threads each lane has. They take no work from another lane.
LANES: dict[Lane, int] = {"read": 6, "write": 8, "pull": 2, "program": 6}
API_MIN = (1, 41)  # Docker 20.10
API_MAX = (1, 45)  # the newest that docker-py 7.2 knows; newer engines still speak it
NEGOTIATION_SECONDS = 10.0


class _Job:
    """Decides, once, the race between a caller that gives up and a thread that begins."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._given_up = False
        self._begun = False

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
    """Runs functions that block on the engine, in 22 threads that nothing else uses.

    Reads, writes, pulls and waits for a program in a container each have a lane: threads of their
    own. So sixteen bots that are slow to stop don't delay a look, and slow programs don't keep a
    bot from being stopped. A caller waits at most `limit` seconds; a job that hasn't begun by then
    never does.
    """

    def __init__(self, options: EngineOptions) -> None:
        self._options = options
        self._pools = {
            lane: ThreadPoolExecutor(count, thread_name_prefix=f"engine-{lane}")
            for lane, count in LANES.items()
        }
        self._local = threading.local()
        self._lock = threading.Lock()
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
        begun. The thread is freed by the client's own timeout.
        """
        pool = self._pools[lane or ("write" if write else "read")]
        job = _Job()
        try:
            future = pool.submit(self._run, fn, job, write, limit)
        except RuntimeError as error:
            raise EngineUnavailable("BotMaker is shutting down.") from error
        try:
            # Not wait_for: on Python 3.11 it loses a cancellation that comes with the answer.
            async with asyncio.timeout(limit):
                return await asyncio.wrap_future(future)
        except TimeoutError:
            raise lost_answer(write=write and job.give_up()) from None

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
        with self._lock:
            if not self.closing.is_set():
                self._clients.add(client)
                return client
        client.close()
        raise EngineUnavailable("BotMaker is shutting down.")


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
