"""`make prove`: all proofs in full, in two lanes side by side, with one table at the end.

Proofs mostly wait, so two pytest processes can share a machine with two cores. Every place has its
own ports, folders and instance label, so the lanes don't touch each other. Arguments after
`python -m tests.prove` go to pytest, such as `-k canary`.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from pathlib import Path

from tests.conftest import ROOT
from tests.prove.conftest import WRITE_TO
from tests.prove.tally import merged

HERE = ROOT / "tests" / "prove"
BUILD = ROOT / "build"
# The first lane, half of the total time. All other modules, future ones too, are the second.
FIRST = ("test_crash_matrix.py",)
NOTHING_FITS = 5  # pytest's exit status when no test was selected


def lanes() -> dict[str, list[Path]]:
    """Which modules run in which lane."""
    modules = sorted(HERE.glob("test_*.py"))
    return {
        "matrix": [module for module in modules if module.name in FIRST],
        "faults": [module for module in modules if module.name not in FIRST],
    }


async def run(name: str, modules: list[Path], words: list[str]) -> int:
    """Run one lane and print its lines with its name in front; returns pytest's status."""
    command = ["-m", "pytest", *map(str, modules), "--prove", "--verbose", "--durations=10", *words]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, *command),
        cwd=ROOT,
        env=os.environ | {WRITE_TO: str(tally_of(name)), "PYTHONUNBUFFERED": "1"},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        limit=2**24,
    )
    assert process.stdout is not None
    try:
        async for line in process.stdout:
            print(f"{name:<7}| {line.decode(errors='replace')}", end="", flush=True)
        return await process.wait()
    finally:
        if process.returncode is None:  # on Ctrl-C pytest itself cleans up the engine
            await asyncio.wait_for(process.wait(), 60)


def tally_of(name: str) -> Path:
    """The file in which a lane writes its tally."""
    return BUILD / f"prove-{name}.json"


async def main(words: list[str]) -> int:
    """Run all lanes; 0 if all are green and nothing was lost."""
    BUILD.mkdir(exist_ok=True)
    began, work = time.monotonic(), lanes()
    for name in work:
        tally_of(name).unlink(missing_ok=True)
    statuses = dict(
        zip(work, await asyncio.gather(*(run(n, m, words) for n, m in work.items())), strict=True)
    )
    chosen = [status for status in statuses.values() if status != NOTHING_FITS]
    seconds = time.monotonic() - began
    good = bool(chosen) and not any(chosen)
    good = report(seconds, [tally_of(name) for name in work], good=good)
    print(f"\nstatus of the lanes: {statuses}; {seconds / 60:.1f} minutes")
    print("All proofs hold." if good else "NOT PROVED: see the failures above.")
    return 0 if good else 1


def report(seconds: float, files: list[Path], *, good: bool) -> bool:
    """Print the table and write it as JSON; returns whether all is well and nothing was lost."""
    tally = merged(file for file in files if file.exists())
    good = good and not any(tally.lost.values())
    print("\nwhat the proofs tried\n" + "\n".join(tally.table()))
    summary = {
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "seconds": round(seconds, 1),
        "cpus": os.cpu_count(),
        "ok": good,
        **tally.plain(),
    }
    (BUILD / "prove.json").write_text(json.dumps(summary, indent=2) + "\n")
    return good


if __name__ == "__main__":
    sys.exit(asyncio.run(main(sys.argv[1:])))
