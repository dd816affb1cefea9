"""The garbage collector stops the whole process: with a thousand bots for 60 ms, if it goes through
everything. Next door: `make bench` measures how late the loop is."""

from __future__ import annotations

import json
import subprocess
import sys

PROGRAM = """
import gc, json, weakref
import controller.app  # as much as a controller loads
from controller.spared_loop import spare_the_loop

class Part:
    pass

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
print(json.dumps([gone() is None, gc.get_freeze_count(), left, ended() is None]))
"""


def test_what_was_loaded_is_left_alone_and_what_comes_later_is_still_collected() -> None:
    """Garbage from before is collected first, so it isn't kept for ever."""
    # In a process of its own, because it can't be taken back.
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True
    )
    garbage_gone, frozen, left, later_gone = json.loads(done.stdout)
    assert garbage_gone
    assert later_gone
    assert frozen > 10_000
    assert left < frozen / 20
