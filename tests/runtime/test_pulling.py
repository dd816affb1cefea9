"""What a pull tells of its progress: percents that grow, from the engine's events of each layer."""

from __future__ import annotations

from typing import Any

from controller.runtime.pulling import PullProgress


def told(*events: dict[str, Any]) -> list[int]:
    """The percents that these events tell."""
    found: list[int] = []
    progress = PullProgress(found.append)
    for event in events:
        progress.take(event)
    return found


def layer(ident: str, status: str, current: object = None, total: object = None) -> dict[str, Any]:
    """An event of a layer, as an engine sends it."""
    return {"id": ident, "status": status, "progressDetail": {"current": current, "total": total}}


def test_each_layer_counts_as_much_and_unpacking_is_a_fifth() -> None:
    """Downloaded is not done; a layer that is here already is."""
    assert told(
        layer("a", "Pulling fs layer"),
        layer("b", "Already exists"),
        layer("a", "Downloading", 50, 100),
        layer("a", "Download complete"),
        layer("a", "Extracting", 100, 100),
        layer("a", "Pull complete"),
    ) == [0, 50, 70, 90, 100]


def test_percents_never_fall_and_are_told_once() -> None:
    """Layers that the engine begins later would take the share back."""
    assert told(
        layer("a", "Downloading", 90, 100),
        layer("a", "Downloading", 90, 100),
        layer("b", "Pulling fs layer"),
        layer("a", "Downloading", 10, 100),
        layer("b", "Pull complete"),
    ) == [72, 86]


def test_what_isnt_a_layers_progress_tells_nothing() -> None:
    """Whatever an engine or a registry puts there."""
    assert (
        told(
            {"status": "Digest: sha256:1"},
            {"id": "latest", "status": "Pulling from library/x"},
            {"id": 7, "status": "Pull complete"},
            {"id": "a", "status": None},
            {"error": "no"},
        )
        == []
    )
    strange = (layer("a", "Downloading", "9", None), layer("a", "Downloading", 500, 100))
    assert told(*strange) == [0, 80]
