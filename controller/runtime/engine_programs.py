"""The part of `engine` that runs programs: probes, rehearsals, commands inside a bot."""

from __future__ import annotations

import math
import threading

from docker import APIClient

from controller.domain.spec import INSTANCE_LABEL, MANAGED_LABEL, ContainerSpec
from controller.runtime import creation, throwaway
from controller.runtime.calls import Calls, Lane
from controller.runtime.execution import Execution
from controller.runtime.protocol import Probe, ProbeResult
from controller.runtime.validation import (
    check_bot_id,
    check_command,
    check_paths,
    check_ref,
    check_spec,
    check_user,
)

READ_SECONDS = 5.0
WRITE_SECONDS = 60.0
PROGRAM_SECONDS = 20.0  # for the engine's part, on top of the program's own time


class EnginePrograms:
    """Runs programs on a Docker engine; `Runtime` says what each call promises."""

    def __init__(self, instance: str, calls: Calls) -> None:
        self._instance = instance
        self._ours = {"label": [f"{MANAGED_LABEL}=true", f"{INSTANCE_LABEL}={instance}"]}
        self._calls = calls

    async def probe(self, probe: Probe) -> ProbeResult:
        """Run a throw-away container and remove it, even if nobody waits for it any more."""
        check_ref(probe.image)
        check_user(probe.user)

        given_up = threading.Event()

        def do(client: APIClient) -> ProbeResult:
            return throwaway.run_probe(client, probe, self._instance, given_up)

        try:
            return await self._calls(do, write=True, limit=WRITE_SECONDS + probe.timeout)
        finally:
            given_up.set()

    async def execute(
        self,
        bot_id: str,
        command: tuple[str, ...],
        timeout: float,  # noqa: ASYNC109 - the command's own
        *,
        asked: bool = False,
    ) -> ProbeResult:
        """Run a program inside the bot's container, and hang up once nobody waits for it."""
        check_bot_id(bot_id)
        check_command(command, timeout)
        run = Execution(command, timeout)

        def do(client: APIClient) -> ProbeResult:
            return run(client, creation.require_container(client, self._instance, bot_id))

        try:
            limit = PROGRAM_SECONDS + timeout
            lane: Lane = "action" if asked else "program"
            return await self._calls(do, write=True, limit=limit, lane=lane)
        finally:
            run.give_up()

    async def rehearse(
        self,
        spec: ContainerSpec,
        command: tuple[str, ...],
        timeout: float,  # noqa: ASYNC109 - the command's own
    ) -> ProbeResult:
        """Run a command in a throw-away container like the spec's, and remove that container."""
        check_spec(spec)
        check_command(command, timeout)

        given_up = threading.Event()

        def do(client: APIClient) -> ProbeResult:
            return throwaway.rehearse(client, spec, command, timeout, self._instance, given_up)

        try:
            limit = WRITE_SECONDS + timeout
            return await self._calls(do, write=True, limit=limit, lane="program")
        finally:
            given_up.set()

    async def image_has(self, image: str, paths: tuple[str, ...]) -> frozenset[str]:
        """Return the paths that exist in an image, looked up in a container that never starts."""
        check_ref(image)
        check_paths(paths)

        def ask(client: APIClient) -> frozenset[str]:
            return throwaway.image_has(client, image, paths, self._instance)

        # It creates a container, so it takes a thread of the writes. Nothing of it stays, so a lost
        # answer does no harm, as with a read.
        return await self._calls(ask, write=False, limit=PROGRAM_SECONDS, lane="write")

    async def sweep(self) -> None:
        """Remove the throw-away containers that dead controllers left behind."""

        def do(client: APIClient) -> None:
            throwaway.sweep(client, self._instance, older_than=-math.inf)

        await self._calls(do, write=False, limit=WRITE_SECONDS, lane="write")
