"""A demo in whose channel 200 messages stand already: `python -m tests.demo.crowded FOLDER`."""

import asyncio
import sys
from pathlib import Path

from demo.session import serve

MESSAGES = 200


def main() -> None:
    """Serve it."""
    opening = tuple(f"Message {number} of {MESSAGES}." for number in range(1, MESSAGES + 1))
    asyncio.run(serve(Path(sys.argv[-1]), opening=opening))


if __name__ == "__main__":
    main()
