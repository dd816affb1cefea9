"""A long operation compressed: bots come and go, thousands of commands; nothing may grow.
Next door: ../process is the controller as a process of its own that this watches from outside."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

import docker
import pytest

from tests.process.process import Controller, Place, eventually, open_place
from tests.prove.tally import Tally

pytestmark = [pytest.mark.engine, pytest.mark.timeout(1500)]

WAVE = 5  # bots that come and go together
READS = ("bot list", "fleet status", "access list")
READS_OF_ONE = ("bot show", "bot logs", "bot history")


@dataclass(frozen=True, slots=True)
class Size:
    """What the process holds, from outside."""

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


async def _wave(place: Place, names: list[str], commands: int) -> int:
    """Bots are made, asked about, restarted and removed; how many commands that took."""
    ann, said = place.ann, 0
    await asyncio.gather(*(place.bot(name) for name in names))
    for number in range(commands):
        name = names[number % len(names)]
        if number % 2:
            await ann.slash(READS[number % len(READS)])
        else:
            await ann.slash(READS_OF_ONE[number // 2 % len(READS_OF_ONE)], name=name)
        await ann.autocomplete("bot show", option="name", value=name[:4])
        said += 2
    for name in names:
        await ann.slash("bot restart", name=name)
    for name in names:
        asked = await ann.slash("bot delete", name=name)
        await ann.click(asked, label=f"Delete {name}")
    # The row goes last of all that is left of a bot.
    await eventually(lambda: not place.controller.rows("SELECT id FROM bot"), 60)
    return said + 6 * len(names)


async def test_nothing_grows_while_bots_come_and_go(
    tmp_path: Path, docker_client: docker.APIClient, demo_image: str, tally: Tally
) -> None:
    """Descriptors, threads, memory and the write-ahead log are flat after the first waves."""
    waves, commands = tally.pick(3, 22), tally.pick(30, 150)
    async with open_place(tmp_path, docker_client) as place:
        sizes: list[Size] = []
        for wave in range(waves):
            names = [f"soak-{wave}-{number}" for number in range(WAVE)]
            tally.tried["soak commands"] += await _wave(place, names, commands)
            tally.tried["soak bots"] += WAVE
            sizes.append(Size.of(place.controller))
        settled, last = sizes[min(2, waves - 2)], sizes[-1]
        tally.notes.append(f"soak: after the first waves {settled}, at the end {last}")
        await eventually(place.controller.nothing_left, 30)
        assert last.descriptors <= settled.descriptors + 4, sizes
        assert last.threads <= settled.threads + 4, sizes
        assert last.memory <= settled.memory * 1.10 + 2048, sizes
        assert last.wal <= 8_000_000, sizes
