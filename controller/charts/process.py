"""Has charts drawn by a short-lived process. Where matplotlib isn't installed there are none."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import logging
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

log = logging.getLogger(__name__)
SECONDS = 20.0  # for one; the very first also looks for fonts
AT_ONCE = 1
WAITING_MOST = 8  # beyond that an answer comes without its chart
PICTURE_MOST = 8 << 20  # bytes
SIGNATURE = b"\x89PNG"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One row of values. `most` is drawn paler behind it."""

    name: str
    values: Sequence[float]
    most: Sequence[float] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """Panels one below the other, over one time: seconds since the epoch."""

    title: str
    at: Sequence[float]
    panels: Sequence[tuple[str, Sequence[Line]]]  # a panel's unit, and its lines


class Charts:
    """Draws charts, one at a time. `folder` keeps what matplotlib finds out about fonts."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._turn = asyncio.Semaphore(AT_ONCE)
        self._waiting = 0

    @property
    def available(self) -> bool:
        """Whether charts can be drawn here at all."""
        return importlib.util.find_spec("matplotlib") is not None

    async def draw(self, chart: Chart) -> bytes | None:
        """The chart as a PNG; None where none can be drawn: an answer goes without it then."""
        if not self.available or self._waiting >= WAITING_MOST or len(chart.at) < 2:
            return None
        self._waiting += 1
        try:
            async with self._turn:
                return await self._drawn(json.dumps(asdict(chart)).encode())
        finally:
            self._waiting -= 1

    async def _drawn(self, text: bytes) -> bytes | None:
        # Not our environment: it may name secrets. And no imports from the current folder.
        around = {"MPLCONFIGDIR": str(self._folder), "MPLBACKEND": "Agg", "LC_ALL": "C.UTF-8"}
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                *("-P", "-c", _PROGRAM, str(Path(__file__).parents[2])),
                env=around,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
            )
        except OSError as error:
            log.warning("a chart can't be drawn: %s", error)
            return None
        try:
            async with asyncio.timeout(SECONDS):
                picture, _ = await process.communicate(text)
        except TimeoutError:
            log.warning("a chart took longer than %d s", SECONDS)
            return None
        finally:
            if process.returncode is None:
                with suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
        good = picture.startswith(SIGNATURE) and len(picture) <= PICTURE_MOST
        if not good:
            log.warning("a chart can't be drawn: its process ended with %s", process.returncode)
        return picture if good else None


# Only this one module: the rest of the program isn't loaded for a picture.
_PROGRAM = (
    "import runpy, sys; sys.exit(runpy.run_path(sys.argv[1] + '/controller/charts/drawing.py', "
    "run_name='drawing')['main']())"
)
