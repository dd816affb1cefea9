"""`python3 -m controller.healthcheck DATA_DIR`: whether a controller answers on that data folder.

For the image's health check. It asks the console's socket, so it works whatever
BOTMAKER_HTTP_LISTEN says, and imports nothing, since it runs every 30 s.
"""

from __future__ import annotations

import os
import socket
import sys

SECONDS = 5.0


def main(folder: str) -> int:
    """0 when it answers, else 1 and the reason on stderr."""
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        with socket.socket(socket.AF_UNIX) as line:
            line.settimeout(SECONDS)
            # A socket's path may have some hundred characters at most.
            line.connect(f"/proc/self/fd/{handle}/control.sock")
            line.sendall(b"GET /health HTTP/1.0\r\nHost: console\r\n\r\n")
            answer = line.recv(64)
    except (OSError, ValueError) as error:
        sys.stderr.write(f"No controller answers on {folder}: {error}\n")
        return 1
    return 0 if b" 200 " in answer else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else "data"))
