"""HTTP for machines: `GET /health` and `GET /metrics`. It answers from memory, never the engine."""

from controller.api.server import serve

__all__ = ["serve"]
