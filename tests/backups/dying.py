"""A restore in a process of its own that ends itself, as a kill would, before its n-th move.

`python -m tests.backups.dying FILE IDENTITY FOLDER COUNT`: status 9 for that, 0 when it got to its
end first.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from controller.backups import keys_from
from controller.manager.restore_places import MARK
from tests.backups.safe import empty, restored


def main(file: str, identity: str, folder: str, count: str) -> None:
    """Restore, and die at that move."""
    left = [int(count)]

    def audit(event: str, args: tuple[object, ...]) -> None:
        if event == "os.rename" and f"/{MARK}/" in str(args[0]):
            if not left[0]:
                os._exit(9)
            left[0] -= 1

    sys.addaudithook(audit)
    asyncio.run(restored(Path(file), empty(Path(folder)), keys_from(Path(identity).read_text())))


if __name__ == "__main__":
    main(*sys.argv[1:])
