"""`.env` changed without losing anything else; files that appear whole or not at all."""

from __future__ import annotations

import io
import os
import signal
import stat
from pathlib import Path

import pytest
from dotenv import dotenv_values
from hypothesis import given
from hypothesis import strategies as st

from controller.cli.env_file import NewFile, merged, write_all


def values(text: str) -> dict[str, str | None]:
    return dict(dotenv_values(stream=io.StringIO(text), interpolate=False))


@pytest.mark.parametrize(
    ("before", "changes", "after"),
    [
        ("A=1\nB=2\n", {"A": "3"}, "A=3\nB=2\n"),
        ("A=1\nB=2", {"C": "3"}, "A=1\nB=2\nC=3\n"),
        ("# c\n\nA=1 # why\n\n# d\nB=2\n", {"B": "x y"}, "# c\n\nA=1 # why\n\n# d\nB='x y'\n"),
        ("A=1\nA=2\n", {"A": "3"}, "A=3\n"),
        ("A=1\n\nB=2\n", {"B": None}, "A=1\n\n"),
        ("export A=1\n", {"A": "2"}, "export A=2\n"),
        ("a=1\n", {"A": "2"}, "A=2\n"),
        ("A='1\n2'\nB=3\n", {"B": "4"}, "A='1\n2'\nB=4\n"),
        ("no setting at all\nA=1\n", {"A": "2"}, "no setting at all\nA=2\n"),
        ("#A=1\n", {"A": "2"}, "#A=1\nA=2\n"),
        ("A=1\r\nB=2\r\n", {"B": "3"}, "A=1\r\nB=3\n"),
    ],
)
def test_only_the_named_settings_change(
    before: str, changes: dict[str, str | None], after: str
) -> None:
    """Comments, order, other settings and lines that are no setting stay."""
    assert merged(before, changes) == after


def test_a_new_file_says_whose_it_is() -> None:
    """Somebody who finds it knows where it comes from."""
    text = merged("", {"A": "1"})
    assert text.startswith("# Settings of BotMaker, written by `botmaker init`.")
    assert text.endswith("\nA=1\n")


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0\r"), max_size=40))
def test_any_value_is_read_back_as_it_was_written(value: str) -> None:
    """Spaces, quotes, backslashes, number signs, line breaks."""
    found = values(merged("B=2\n", {"A": value}))
    assert found == {"B": "2", "A": value}


def test_files_are_for_their_owner_only_even_if_they_were_not(tmp_path: Path) -> None:
    """A link stays a link; a draft that a power cut left is no obstacle."""
    real, link = tmp_path / "real", tmp_path / ".env"
    real.write_text("old")
    real.chmod(0o644)
    link.symlink_to(real)
    (tmp_path / "real.new").write_text("left over")
    write_all([NewFile(link, "new")])
    assert link.is_symlink()
    assert real.read_text() == "new"
    assert stat.S_IMODE(real.stat().st_mode) == 0o600
    assert {path.name for path in tmp_path.iterdir()} == {"real", ".env"}


def test_if_one_file_cannot_be_written_none_is(tmp_path: Path) -> None:
    """The second one's folder isn't there."""
    first = tmp_path / "first"
    first.write_text("old")
    with pytest.raises(OSError, match="No such file"):
        write_all([NewFile(first, "new"), NewFile(tmp_path / "absent" / "second", "new")])
    assert first.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["first"]


def test_ctrl_c_in_the_middle_is_heard_afterwards(tmp_path: Path) -> None:
    """Both files are there when it is."""
    files = [tmp_path / "one", tmp_path / "two"]

    pressed: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: pressed.append(number))
    pipe = tmp_path / "three"
    try:
        child = os.fork()
        if child == 0:
            while not (tmp_path / "one.new").exists():
                pass
            os.kill(os.getppid(), signal.SIGINT)
            os._exit(0)
        write_all([NewFile(files[0], "x" * 20_000_000), NewFile(files[1], "y"), NewFile(pipe, "z")])
        os.waitpid(child, 0)
    finally:
        signal.signal(signal.SIGINT, before)
    assert pressed == [signal.SIGINT]
    assert all(path.exists() for path in (*files, pipe))
