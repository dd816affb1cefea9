"""HTTP for machines: `GET /health` and `GET /metrics`, both from memory, never from the engine."""

from controller.api.server import serve

__all__ = ["serve"]
