"""What a start loads, and what the garbage collector makes of it: it stops the whole process, with
a thousand bots for 60 ms, if it goes through everything. Next door: `make bench` measures memory,
and how late the loop is."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

PROGRAM = """
import gc, json, sys, weakref
import controller.cli.running  # as much as a controller loads
from controller.spared_loop import set_imports_aside, spare_the_loop

class Part:
    pass

uncollected = gc.collect()
set_imports_aside()
part = Part()
part.itself = part
gone = weakref.ref(part)
del part
spare_the_loop()
later = Part()
later.itself = later
ended = weakref.ref(later)
del later
left = len(gc.get_objects())
gc.collect()
print(json.dumps({
    "uncollected": uncollected,
    "garbage gone": gone() is None,
    "frozen": gc.get_freeze_count(),
    "left": left,
    "later gone": ended() is None,
    "modules": list(sys.modules),
}))
"""
SELDOM_USED = (
    "controller.api.table",  # all of the API's models
    "controller.api.metrics",
    "controller.edge",
    "cryptography.x509",
    "jwt",
    "matplotlib",
    "prometheus_client",
    "pyrage",
    "yaml",
)


@pytest.fixture(scope="module")
def started() -> dict[str, Any]:
    """What is to be said of such a process; one of its own, because it can't be taken back."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_what_was_loaded_is_left_alone_and_what_comes_later_is_still_collected(
    started: dict[str, Any],
) -> None:
    """Garbage from before is collected first, so it isn't kept for ever."""
    assert started["uncollected"] < 100  # of what the imports left
    assert started["garbage gone"]
    assert started["later gone"]
    assert started["frozen"] > 10_000
    assert started["left"] < started["frozen"] / 20


@pytest.mark.parametrize("module", SELDOM_USED)
def test_a_start_loads_nothing_that_most_controllers_never_use(
    started: dict[str, Any], module: str
) -> None:
    """Each takes megabytes of memory or tenths of a second; it comes with whoever asks first."""
    assert module not in started["modules"]
