"""The last 50 lines of a 200 MB log: our runtime compared with docker-py's `logs(tail=50)`."""

from __future__ import annotations

import asyncio
import statistics
import time

from docker.types import LogConfig

from bench.engine import IMAGE, connect, installation
from bench.figure import Figure
from controller.domain.events import LogLine, LogQuery
from controller.domain.names import new_bot_id
from controller.runtime.engine import EngineRuntime
from controller.runtime.hostconfig import bot_labels
from controller.runtime.options import engine_options
from controller.settings import docker_environment

LINES, ROUNDS = 50, 30
LINE = "x" * 990  # 991 bytes with its newline, so 1,000 lines are about 1 MB
MEGABYTES = 200
PROGRAM = (
    f'i=0; while [ $i -lt {MEGABYTES} ]; do i=$((i+1)); yes "{LINE}" | head -n 1000; done; '
    f'i=0; while [ $i -lt {LINES} ]; do i=$((i+1)); echo "last $i"; done'
)


async def measure() -> list[Figure]:
    """Write the log once, then read its end both ways alternately."""
    client = connect()
    with installation(client) as instance:
        bot_id = new_bot_id()
        name = f"botmaker-{bot_id}"
        container = client.create_container(
            IMAGE,
            entrypoint=["/bin/sh", "-c"],
            command=[PROGRAM],
            name=name,
            labels=bot_labels(bot_id, instance),
            # Without rotation the whole log is in one file.
            host_config=client.create_host_config(
                log_config=LogConfig(type="json-file", config={})
            ),
        )
        client.start(container)
        done = await asyncio.to_thread(client.wait, container, 90)
        assert done["StatusCode"] == 0, client.logs(container, tail=5)
        runtime = EngineRuntime(instance, engine_options(docker_environment()))
        try:
            ours: list[float] = []
            raw: list[float] = []
            text = b""
            lines: list[LogLine] = []
            for _ in range(ROUNDS):
                start = time.perf_counter()
                lines = await runtime.logs(bot_id, LogQuery(lines=LINES))
                ours.append(time.perf_counter() - start)
                start = time.perf_counter()
                text = client.logs(name, tail=LINES)
                raw.append(time.perf_counter() - start)
            assert [line.text for line in lines] == text.decode().splitlines()
        finally:
            await runtime.close()
    client.close()
    first, second = statistics.median(ours) * 1000, statistics.median(raw) * 1000
    return [
        Figure(
            name=f"last {LINES} lines of a {MEGABYTES} MB log",
            value=first / second,
            unit="× raw",
            target=3,
            at_most=True,
            note=f"{first:.1f} ms against {second:.1f} ms, {ROUNDS} times each, alternately",
        )
    ]
