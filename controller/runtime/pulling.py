"""How far a pull has come, from what the engine tells of each layer. Pure but for its memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

Told = Callable[[int], None]  # called with whole percents, in the thread that pulls
_LOADED = 0.8  # of a layer's work, once it is downloaded; the rest is unpacking it
_FRACTIONS = {
    "Download complete": _LOADED,
    "Verifying Checksum": _LOADED,
    "Pull complete": 1.0,
    "Already exists": 1.0,
}


def untold(_: int) -> None:
    """For a pull whose progress nobody wants to know."""


class PullProgress:
    """Tells whole percents, each at most once and never fewer than before."""

    def __init__(self, tell: Told) -> None:
        self._tell = tell
        self._layers: dict[str, float] = {}
        self._last = -1

    def take(self, event: Mapping[str, Any]) -> None:
        """One event of the engine's stream."""
        layer, status = event.get("id"), event.get("status")
        if not isinstance(layer, str) or not isinstance(status, str):
            return
        fraction = _fraction(status, event.get("progressDetail"))
        if fraction is None:
            return
        self._layers[layer] = max(fraction, self._layers.get(layer, 0.0))
        percent = int(100 * sum(self._layers.values()) / len(self._layers))
        if percent > self._last:
            self._last = percent
            self._tell(percent)


def _fraction(status: str, detail: object) -> float | None:
    """How much of a layer is done, or None for an event that isn't about a layer's progress."""
    if status in _FRACTIONS:
        return _FRACTIONS[status]
    if status in {"Pulling fs layer", "Waiting"}:
        return 0.0
    if status not in {"Downloading", "Extracting"}:
        return None
    share = _share(detail)
    return share * _LOADED if status == "Downloading" else _LOADED + share * (1 - _LOADED)


def _share(detail: object) -> float:
    if not isinstance(detail, Mapping):
        return 0.0
    current, total = detail.get("current"), detail.get("total")
    if not isinstance(current, int) or not isinstance(total, int) or total <= 0:
        return 0.0
    return min(1.0, max(0.0, current / total))
