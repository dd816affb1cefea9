"""HTTP: `GET /health` and `GET /metrics` for machines, and a socket for the console script.

Answers come from memory; the engine is never asked.
"""

from controller.api.local_socket import read_story, serve_console
from controller.api.server import serve

__all__ = ["read_story", "serve", "serve_console"]
