"""Redaction with the secrets of 1,000 bots: its time, and what the event loop feels of it."""

from __future__ import annotations

import asyncio
import json
import random
import string
import subprocess
import sys
import time
from dataclasses import asdict

from bench.figure import Figure
from bench.lag import measured_lag
from controller.domain.events import LogLine, LogPart
from controller.fleet.threads import Threads
from controller.spared_loop import spare_the_loop
from controller.vault import Redactor

BOTS, SECRETS, READERS, ROUNDS = 1000, 3, 4, 5
LETTERS = string.ascii_letters + string.digits + "-_"
LINE = "2026-11-21T10:00:00.123Z \x1b[32mINFO\x1b[0m gateway: answered {} in 23 ms with status 200"


async def measure() -> list[Figure]:
    """In a process of its own, which has loaded what the program loads and nothing else."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.redaction", stdout=subprocess.PIPE
    )
    said, _ = await process.communicate()
    if process.returncode:
        raise RuntimeError("redaction ended with an error: see above")
    return [Figure(**one) for one in json.loads(said)]


async def measure_here() -> list[Figure]:
    """Learn, redact, and redact several logs at once in the threads that the program uses."""
    rnd, redact = random.Random(1), Redactor()
    figures: list[Figure] = []
    values = [
        ["".join(rnd.choices(LETTERS, k=rnd.randint(30, 100))) for _ in range(SECRETS)]
        for _ in range(BOTS)
    ]
    worst = 0.0
    for bot, own in enumerate(values):
        began = time.perf_counter()
        redact.learn(str(bot), own)
        worst = max(worst, time.perf_counter() - began)
    figures.append(Figure(name="learn a bot's secrets, worst", value=worst * 1000, unit="ms"))
    lines = [LINE.format(rnd.choice(values)[0] if n % 100 == 0 else n) for n in range(13_000)]
    part = LogPart(LogLine(float(n), "stdout", text) for n, text in enumerate(lines))
    text = "\n".join(lines)[: 1 << 20]
    threads = Threads()
    spare_the_loop()
    try:
        async with measured_lag("first long text", figures):
            await threads(lambda: redact(text))
        took = []
        for _ in range(ROUNDS):
            began = time.perf_counter()
            await threads(lambda: redact(text))
            took.append(time.perf_counter() - began)
        name = f"redact 1 MB with {BOTS * SECRETS:,} secrets"
        best = min(took) * 1000
        figures.append(Figure(name=name, value=best, unit="ms", target=60, at_most=True))
        async with measured_lag(f"{READERS} logs of 1 MB redacted", figures):
            for _ in range(ROUNDS):
                await asyncio.gather(*(threads(lambda: redact.log(part)) for _ in range(READERS)))
    finally:
        threads.close()
    return figures


if __name__ == "__main__":
    print(json.dumps([asdict(figure) for figure in asyncio.run(measure_here())]))
