"""A separate demo for each test, and a person who uses it."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from tests.conftest import ROOT, remove_everything_of
from tests.demo.leftovers import containers_of, instance_of, left_by
from tests.demo.person import PATIENCE_SECONDS, Person

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-quic",
]


def run_demo(folder: Path, *, program: str = "demo", **environment: str) -> subprocess.Popen[str]:
    """Start a demo as a person does."""
    return subprocess.Popen(
        [sys.executable, "-m", program, *(["--folder"] if program == "demo" else []), str(folder)],
        cwd=ROOT,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


class Demo:
    """Demo processes, one after another, on one folder; and their containers and volumes."""

    def __init__(self, folder: Path, client: docker.APIClient) -> None:
        self.folder = folder
        self._client = client
        self.process: subprocess.Popen[str] | None = None
        self.instance = ""  # the id of the installation that ran last
        self.said = ""  # until it was ready
        self.dashboard = ""  # the second address that it prints

    def start(self, program: str = "demo") -> str:
        """Start a demo; returns the address of its page, the first that it prints."""
        self.process = run_demo(self.folder, program=program)
        assert self.process.stdout is not None
        self.said = ""
        while not self.said.endswith("bots.\n"):
            line = self.process.stdout.readline()
            assert line, f"it ended: {self.said}{self.process.communicate()[1]}"
            self.said += line
        self.instance = instance_of(self.folder)
        address, self.dashboard = re.findall(r"http://127\.0\.0\.1:\S+", self.said)
        return str(address)

    def interrupt(self) -> tuple[int, str, str]:
        """Press Ctrl-C; returns the exit status and what it printed until its end."""
        assert self.process is not None
        self.process.send_signal(signal.SIGINT)
        out, err = self.process.communicate(timeout=120)
        return self.process.returncode, out, err

    def kill(self) -> None:
        """Send SIGKILL."""
        assert self.process is not None
        self.process.kill()
        self.process.communicate()

    def containers(self) -> list[dict[str, Any]]:
        """Its containers as the engine inspects them."""
        return containers_of(self._client, self.instance)

    def container(self) -> dict[str, Any]:
        """The only container."""
        (found,) = self.containers()
        return found

    def waits_for_line(self, text: str) -> None:
        """Wait until the only container has logged this."""
        name, end = self.container()["Id"], time.monotonic() + PATIENCE_SECONDS
        while text not in self._client.logs(name).decode():
            assert time.monotonic() < end, f"{text!r} is not in its log"
            time.sleep(0.2)

    def left(self) -> list[str]:
        """Its containers, volumes and networks, and its folder if that exists."""
        on_disk = [str(self.folder)] if self.folder.exists() else []
        return [*left_by(self._client, self.instance), *on_disk]

    def secret_files(self) -> dict[str, Path]:
        """Every file under its secrets folder, by name."""
        found = (self.folder / "secrets").rglob("*")
        return {path.name: path for path in found if path.is_file()}


@pytest.fixture
def demo(tmp_path: Path, docker_client: docker.APIClient, demo_image: str) -> Iterator[Demo]:
    """A demo with its own folder, not yet started; everything is removed afterwards."""
    made = Demo(tmp_path / "demo", docker_client)
    yield made
    if made.process is not None and made.process.poll() is None:
        made.kill()
    if made.instance:
        remove_everything_of(docker_client, made.instance)


def chromium() -> str:
    """The path of this machine's Chromium."""
    wanted = (os.environ.get("BOTMAKER_CHROMIUM", ""), *BROWSERS)
    path = next((found for name in wanted if name and (found := shutil.which(name))), None)
    assert path is not None, "this needs Chromium: scripts/browser installs it"
    return path


# Not session-scoped: Playwright's event loop would get in the way of all later async tests.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """This machine's Chromium; the test fails if there is none."""
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium(), args=QUIET)
        yield opened
        opened.close()


# Each device: a window as wide and high as usual, and whether a finger points.
DEVICES: dict[str, dict[str, Any]] = {
    "desktop": {"viewport": {"width": 1280, "height": 800}},
    "phone": {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True},
}


@pytest.fixture
def device() -> str:
    """What the person looks through. Parametrize a test with `device` to use others."""
    return "desktop"


@pytest.fixture
def person(browser: Browser, device: str) -> Iterator[Person]:
    """Somebody with a browser."""
    page = browser.new_page(**DEVICES[device])
    patience = PATIENCE_SECONDS * 1000
    page.set_default_timeout(patience)
    expect.set_options(timeout=patience)
    yield Person(page, device)
    page.close()
