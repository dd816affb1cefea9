"""How the demo ends: in one line, with a status that make is content with."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from demo.folder import Folder
from tests.conftest import ROOT
from tests.demo.conftest import Demo, run_demo


def under_make(place: Path) -> subprocess.Popen[str]:
    """Start `make demo` in a process group of its own, as a terminal does.

    With the real Makefile. The steps before the demo itself do nothing: all is set up already.
    """
    shutil.copy(ROOT / "Makefile", place)
    (place / "scripts").mkdir()
    for name in ("setup", "engine"):
        script = place / "scripts" / name
        script.write_text("#!/bin/sh\n")
        script.chmod(0o755)
    (place / ".venv").symlink_to(sys.prefix)
    for name in ("controller", "demo", "images"):
        (place / name).symlink_to(ROOT / name)
    return subprocess.Popen(
        ["make", "demo", "ARGS=--folder demo-folder"],
        cwd=place,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


@pytest.mark.engine
@pytest.mark.timeout(300)
def test_ctrl_c_under_make_ends_with_one_line(tmp_path: Path, demo_image: str) -> None:
    """Status 0 or 130 (make dies of the signal itself), no "Error 1", and no folder is left."""
    process = under_make(tmp_path)
    assert process.stdout is not None
    line = ""
    while not line.startswith("Ctrl-C ends it"):
        line = process.stdout.readline()
        assert line, "it ended too early"
    os.killpg(process.pid, signal.SIGINT)
    out, _ = process.communicate(timeout=120)
    assert process.returncode in {0, 130, -signal.SIGINT}
    assert out == "\nEnded. There were no bots to remove.\n"
    assert not (tmp_path / "demo-folder").exists()


@pytest.mark.engine
@pytest.mark.timeout(300)
def test_ctrl_c_while_it_still_starts_ends_it_too(demo: Demo) -> None:
    """While modules load, and while BotMaker opens: status 0, one line at the end, no traceback."""

    def loads(process: subprocess.Popen[str]) -> bool:
        return "_asyncio" in Path(f"/proc/{process.pid}/maps").read_text()

    def opens(_: subprocess.Popen[str]) -> bool:
        return demo.folder.exists()

    for began in (loads, opens):
        process = run_demo(demo.folder)
        while not began(process):
            time.sleep(0.005)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=120)
        assert (process.returncode, err) == (0, "")
        assert out.splitlines()[-1].startswith("Ended")
        assert not demo.folder.exists()


def test_a_folder_that_others_made_is_kept(tmp_path: Path) -> None:
    """Only a folder that a demo made is removed, with the parents made for it."""
    theirs, ours = tmp_path / "theirs", tmp_path / "new" / "parent" / "ours"
    theirs.mkdir()
    (theirs / "letter").write_text("Dear Ann")
    for path in (theirs, ours):
        folder = Folder(path)
        folder.make()
        folder.remove()
    assert [path.name for path in tmp_path.rglob("*")] == ["theirs", "letter"]


def test_a_later_demo_removes_the_folder_that_a_killed_one_made(tmp_path: Path) -> None:
    """The mark in the folder tells."""
    path = tmp_path / "demo"
    Folder(path).make()
    (path / "data").mkdir()
    again = Folder(path)
    again.make()
    again.remove()
    assert list(tmp_path.iterdir()) == []
