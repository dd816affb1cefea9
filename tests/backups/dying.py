"""Restores that end themselves, as a kill would, each before another one of its moves.

`python -m tests.backups.dying FILE IDENTITY FOLDER`: one child after another restores into
FOLDER/0, FOLDER/1 and so on, until one gets to its end. Prints how many died.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from controller.backups import keys_from
from controller.manager.restore_places import MARK
from tests.backups.safe import empty, restored

DIED = 9


def main(file: str, identity: str, folder: str) -> None:
    """Let one after another die at its next move."""
    for count in range(100):
        child = os.fork()  # nothing else runs in this process
        if not child:
            die_at(count, file, identity, f"{folder}/{count}")
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if status != DIED:
            print(count)
            sys.exit(status)


def die_at(count: int, file: str, identity: str, folder: str) -> None:
    """Restore, and die before that move."""
    left = [count]

    def audit(event: str, args: tuple[object, ...]) -> None:
        if event == "os.rename" and f"/{MARK}/" in str(args[0]):
            if not left[0]:
                os._exit(DIED)
            left[0] -= 1

    sys.addaudithook(audit)
    asyncio.run(restored(Path(file), empty(Path(folder)), keys_from(Path(identity).read_text())))
    os._exit(0)


if __name__ == "__main__":
    main(*sys.argv[1:])
