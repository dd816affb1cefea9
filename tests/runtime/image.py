"""The test image: a static busybox and one program that does as it is told. No registry needed."""

from __future__ import annotations

import io
import subprocess
import sys
import tarfile
from pathlib import Path

import docker

IMAGES = Path(__file__).parents[2] / "images"
# What `images/build.py` uses too. A process of its own: its modules have names like `engine`.
FIND = "import busybox, docker; print(busybox.find(docker.from_env()))"
FOLDERS = {"bin": 0o755, "data": 0o755, "proc": 0o755, "run/secrets": 0o755, "tmp": 0o1777}
APPLETS = (
    "cat", "env", "grep", "head", "id", "ls", "nc", "printf", "rm", "seq", "sh", "sleep", "stat",
    "test", "touch", "tr", "true", "wget", "yes",
)  # fmt: skip
ACT = """#!/bin/sh
# Runs until it is told to end: /tmp/exit holds the code.
trap 'exit 143' TERM
while :; do
  if [ -s /tmp/exit ]; then exit "$(cat /tmp/exit)"; fi
  sleep 0.02
done
"""


def find_busybox() -> Path:
    """A static busybox of this machine."""
    done = subprocess.run(
        [sys.executable, "-c", FIND], cwd=IMAGES, capture_output=True, text=True, check=True
    )
    return Path(done.stdout.strip())


def tarball(busybox: Path) -> bytes:
    """The image's one layer."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, mode in FOLDERS.items():
            folder = tarfile.TarInfo(name)
            folder.type, folder.mode = tarfile.DIRTYPE, mode
            archive.addfile(folder)
        archive.add(busybox, "bin/busybox")
        for name in APPLETS:
            link = tarfile.TarInfo(f"bin/{name}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            archive.addfile(link)
        act = tarfile.TarInfo("bin/act")
        act.mode, act.size = 0o755, len(ACT)
        archive.addfile(act, io.BytesIO(ACT.encode()))
    return buffer.getvalue()


def build(client: docker.APIClient, tag: str, *labels: str) -> None:
    """Import the image under a tag."""
    repository, _, version = tag.partition(":")
    # An image's labels are handed to its containers: none of ours may count as a bot for that.
    client.import_image_from_data(
        tarball(find_busybox()),
        repository=repository,
        tag=version,
        changes=[
            "ENV PATH=/bin",
            "LABEL botmaker.test=true",
            'ENTRYPOINT ["/bin/env"]',
            *(f"LABEL {label}" for label in labels),
        ],
    )
