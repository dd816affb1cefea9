"""Long operation, compressed: bots come and go, thousands of commands; nothing may grow.
Next door: ../process runs the controller as a separate process, which this watches."""

from __future__ import annotations

import asyncio
from dataclasses import astuple, dataclass
from pathlib import Path

import docker
import pytest

from tests.process.process import Controller, Place, eventually, open_place
from tests.prove.tally import Tally

pytestmark = [pytest.mark.engine, pytest.mark.timeout(1500)]

FIRST_WAVE = 12  # at once: enough to fill every pool of threads and connections
READS = ("bot list", "fleet status", "access list")
READS_OF_ONE = ("bot show", "bot logs", "bot history")


@dataclass(frozen=True, slots=True)
class Size:
    """What the process uses, seen from outside."""

    descriptors: int
    threads: int
    memory: int  # KiB resident
    wal: int  # bytes

    @classmethod
    def of(cls, controller: Controller) -> Size:
        """Measure it now."""
        assert controller.process is not None
        proc = Path(f"/proc/{controller.process.pid}")
        status = dict(
            line.split(":\t", 1)
            for line in (proc / "status").read_text().splitlines()
            if ":\t" in line
        )
        wal = controller.database.with_name(controller.database.name + "-wal")
        return cls(
            descriptors=len(list((proc / "fd").iterdir())),
            threads=int(status["Threads"]),
            memory=int(status["VmRSS"].split()[0]),
            wal=wal.stat().st_size,
        )


def named(settled: Size, last: Size) -> dict[str, tuple[int, int]]:
    """The figures in words, for the table."""
    return {
        "file descriptors": (settled.descriptors, last.descriptors),
        "threads": (settled.threads, last.threads),
        "resident memory, KiB": (settled.memory, last.memory),
        "write-ahead log, bytes": (settled.wal, last.wal),
    }


async def _born(place: Place, name: str) -> None:
    """Create a running bot, however many are created at the same time."""
    await place.create(name)
    await place.submit(await place.open_form(name))
    # The answer stops following a start that takes long; the card never does.
    await place.card_says(name, "— running", 60)


async def _wave(place: Place, names: list[str], commands: int) -> int:
    """Create, show, restart and remove bots; returns how many commands that took."""
    ann, asked = place.ann, 0
    await asyncio.gather(*(_born(place, name) for name in names))
    for number in range(commands):
        name = names[number % len(names)]
        if number % 2:
            await ann.slash(READS[number % len(READS)])
        else:
            await ann.slash(READS_OF_ONE[number // 2 % len(READS_OF_ONE)], name=name)
        await ann.autocomplete("bot show", option="name", value=name[:4])
        asked += 2
    await asyncio.gather(*(ann.slash("bot restart", name=name) for name in names))
    for name in names:
        question = await ann.slash("bot delete", name=name)
        await ann.click(question, label=f"Delete {name}")
    # A bot's row goes last.
    await eventually(lambda: not place.controller.rows("SELECT id FROM bot"), 60)
    return asked + 6 * len(names)


async def test_nothing_grows_while_bots_come_and_go(
    tmp_path: Path, docker_client: docker.APIClient, demo_image: str, tally: Tally
) -> None:
    """Descriptors, threads, memory and the write-ahead log don't grow in the second half."""
    if not tally.full:
        pytest.skip("nothing grows within a minute: with --prove")
    waves, size, commands = 22, 5, 150
    async with open_place(tmp_path, docker_client) as place:
        sizes: list[Size] = []
        for wave in range(waves):
            count = size if wave else FIRST_WAVE
            names = [f"soak-{wave}-{number}" for number in range(count)]
            tally.tried["soak commands"] += await _wave(place, names, commands)
            tally.tried["soak bots"] += count
            sizes.append(Size.of(place.controller))
            print(f"wave {wave}: {sizes[-1]}", flush=True)
        # Pools fill up to their fixed ends in the first half of the time; the second half shows
        # whether something goes on growing.
        first, last = sizes[: -(-waves // 2)], sizes[-1]
        settled = Size(*(max(values) for values in zip(*map(astuple, first), strict=True)))
        for what, (before, after) in named(settled, last).items():
            tally.figures[f"soak: {what}"] = (before, after)
        await eventually(place.controller.nothing_left, 30)
        assert last.descriptors <= settled.descriptors + 4, sizes
        assert last.threads <= settled.threads + 4, sizes
        assert last.memory <= settled.memory * 1.05 + 2048, sizes
        assert last.wal <= 8_000_000, sizes
