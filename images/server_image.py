"""Builds an image of this machine's own Debian or Ubuntu release with systemd as its first process.

`make test-server` sets a server up in it. What setup-server.sh would install is in it already, so a
test needs no network.
"""

import hashlib
import json
import os
import tempfile
from pathlib import Path

import debian
import docker
import engine
from stop import Stop

TAG = "botmaker-server:test"
PACKAGES = (
    "systemd",
    "systemd-sysv",
    "ca-certificates",
    "python3",
    "python3-venv",
    "nginx-light",
    "caddy",
)
START = ["/lib/systemd/systemd"]


def build(client: docker.DockerClient, *, if_missing: bool) -> None:
    """Build the image. With `if_missing`, not if it exists for this release of the system."""
    name, suite = debian.release()
    recipe = f"{name} {suite} {PACKAGES} {START}"
    label = hashlib.sha256(recipe.encode()).hexdigest()
    if if_missing and engine.has(client, TAG, {"Labels": {engine.CONTENT_LABEL: label}}):
        return
    if os.geteuid() != 0:
        raise Stop(f"Building {TAG} needs root, for debootstrap: use sudo.")
    debian.need_debootstrap()
    print(f"Building {TAG} from {name} {suite}: takes a minute or two.")
    with tempfile.TemporaryDirectory(dir="/var/tmp", prefix="botmaker-server-") as folder:
        root = Path(folder) / "root"
        debian.system(name, suite, PACKAGES, root, Path(folder) / "log")
        (root / "etc/machine-id").write_text("")  # a new one at each start
        archive = Path(folder) / "root.tar"
        debian.run_tool(["tar", "-C", str(root), "--numeric-owner", "-cf", str(archive), "."])
        changes = [f"CMD {json.dumps(START)}", "ENV container=docker"]
        with archive.open("rb") as tar:
            engine.load(client, TAG, tar, [*changes, f"LABEL {engine.CONTENT_LABEL}={label}"])
        print(f"Built {TAG} ({archive.stat().st_size / 1e6:.0f} MB).")
