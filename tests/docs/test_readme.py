"""What the README promises about itself: short, with a picture, and every command has its run.

Next door: ../prove/test_readme_commands.py runs the commands.
"""

from __future__ import annotations

from PIL import Image, ImageSequence

from tests.conftest import ROOT
from tests.docs.commands import commands_of
from tests.docs.pages import README, links
from tests.prove.test_readme_commands import RUNS

WORDS_MAX = 900
PICTURE = ROOT / "docs/screenshots/tour.webp"
PICTURE_BYTES_MAX = 2_000_000
PICTURE_SECONDS_MAX = 15.0


def test_the_readme_can_be_read_in_five_minutes() -> None:
    """At most 900 words, marks of tables and code among them."""
    assert len(README.read_text().split()) <= WORDS_MAX


def test_the_readme_begins_with_a_moving_picture_that_loads_quickly() -> None:
    """Under 2 MB, at most 15 seconds, at least a picture for each of its five scenes."""
    assert links(README)[0] == str(PICTURE.relative_to(ROOT))
    assert PICTURE.stat().st_size < PICTURE_BYTES_MAX
    with Image.open(PICTURE) as picture:
        shown = [_milliseconds(frame) for frame in ImageSequence.Iterator(picture)]
    assert len(shown) >= 5
    assert sum(shown) / 1000 <= PICTURE_SECONDS_MAX


def _milliseconds(frame: Image.Image) -> int:
    frame.load()  # Pillow knows it only then
    return int(frame.info["duration"])


def test_every_command_in_a_block_of_the_readme_is_run_by_a_test() -> None:
    """A new one needs its run, and one that is gone leaves none behind."""
    assert set(RUNS) == set(commands_of(README))
