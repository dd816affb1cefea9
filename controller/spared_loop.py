"""What a process does once, so that threads and the garbage collector hold up its loop less."""

from __future__ import annotations

import gc
import sys

THREADS_GIVE_WAY = 0.002  # seconds that a thread may compute while another one waits
# For the garbage collector: how many new objects make it look, and how rarely it takes all others.
COLLECT_AFTER = (700, 10, 100)


def set_imports_aside() -> None:
    """Let the collector leave alone what is loaded so far, for a quicker start.

    Imports leave no garbage that the collector hasn't found by itself. For the process's whole
    life, as `spare_the_loop`.
    """
    gc.freeze()


def spare_the_loop() -> None:
    """Let threads and the garbage collector hold up the event loop as little as can be.

    A thread that computes gives way after 2 ms instead of 5: with four logs of 1 MB being redacted
    that halves how late the loop is. And the collector doesn't go through all that was loaded,
    again and again: it lives as long as the process, and with a thousand bots each full collection
    would stop the loop for some 60 ms. What comes afterwards, such as a look at every bot, it goes
    through a tenth as often as by default. For the process's whole life, so not for tests, which
    load often.
    """
    sys.setswitchinterval(THREADS_GIVE_WAY)
    gc.set_threshold(*COLLECT_AFTER)
    gc.collect()
    gc.freeze()
