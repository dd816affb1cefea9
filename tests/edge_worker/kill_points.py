"""The points at which controller and Worker are killed: before and after each of their writes.

Next door: test_kills.py goes through them; `tests/prove/crash_controller.py` has the controller's
in its process, `kill_door.js` the Worker's. A write that isn't in these tables fails a test.
"""

from __future__ import annotations

from tests.prove.crash_points import Point

SIDES = ("before", "after")
# What happens, and which writes of the controller's it leads to; `#2` is the second time.
CONTROLLER = {
    "first": "store.add_webhook",
    "start": "store.move_webhook",
    "event": "store.save_webhook",
    "away": "store.save_webhook",  # the Worker doesn't answer, and that is noted
    "poison": "store.add_dead_letters store.save_webhook store.webhook",
    "wish": "store.asked store.save_bot store.wish store.outcome store.edge-wish store.remember",
    "call": "store.use_seals store.asked store.save_bot",
}
# What is on its way between the two: before the other side has it, and after.
WIRE = ("/internal/events", "/internal/wishes")
# The tables that a statement, or a batch of them, changes at the Worker.
WORKER = {
    "events": "calls events",
    "start": "fleet",  # what the controller tells first
    "wish": "wishes calls events+wishes",
    "cron": "calls+events+wishes",
}


def controller_points() -> list[Point]:
    """Before and after each write."""
    return [
        Point(operation, f"{name}:{side}")
        for operation, names in CONTROLLER.items()
        for name in names.split()
        for side in SIDES
    ]


def worker_points() -> list[Point]:
    """Before and after each statement that changes D1."""
    return [
        Point(operation, f"{name}:{side}")
        for operation, names in WORKER.items()
        for name in names.split()
        for side in SIDES
    ]
