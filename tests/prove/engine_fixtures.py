"""Private engines for the engine fault tests. Next door: engine_shop.py puts a place on one."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import docker
import pytest

from tests.prove.private_engine import PrivateEngine
from tests.prove.tally import Tally

LEFT_OUT = "engine faults left out of the short form (make prove runs them): "


@contextlib.contextmanager
def private_engine(
    image: str, source: docker.APIClient, *, data_size: str = ""
) -> Iterator[PrivateEngine]:
    """A private engine that has the image; everything is removed afterwards."""
    found = PrivateEngine(data_size=data_size)
    try:
        found.start()
        found.load(image, source)
        yield found
    finally:
        found.remove()
    assert found.leftovers() == []


@pytest.fixture(scope="module")
def engine(docker_client: docker.APIClient, demo_image: str) -> Iterator[PrivateEngine]:
    """A private engine for all tests of a file; it answers at the start of each."""
    with private_engine(demo_image, docker_client) as found:
        yield found


def left_out(tally: Tally) -> bool:
    """Whether to leave out a test that runs only in full; if so, the tally says it."""
    if tally.full:
        return False
    notes = [note for note in tally.notes if note.startswith(LEFT_OUT)]
    count = int(notes[0].removeprefix(LEFT_OUT)) if notes else 0
    tally.notes[:] = [note for note in tally.notes if note not in notes]
    tally.notes.append(f"{LEFT_OUT}{count + 1}")
    return True
