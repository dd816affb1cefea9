"""Builds an image of a Debian or Ubuntu release with systemd as its first process: this machine's
own, or another one of the same system.

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

NAME = "botmaker-server"  # the release is its tag
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


def build(client: docker.DockerClient, *, if_missing: bool, suite: str = "") -> None:
    """Build the image. With `if_missing`, not if it exists for that release of the system."""
    name, own = debian.release()
    suite = suite or own
    tag = f"{NAME}:{suite}"
    recipe = f"{name} {suite} {PACKAGES} {START}"
    label = hashlib.sha256(recipe.encode()).hexdigest()
    if if_missing and engine.has(client, tag, {"Labels": {engine.CONTENT_LABEL: label}}):
        return
    if os.geteuid() != 0:
        raise Stop(f"Building {tag} needs root, for debootstrap: use sudo.")
    debian.need_debootstrap()
    print(f"Building {tag} from {name} {suite}: takes a minute or two.")
    with tempfile.TemporaryDirectory(dir="/var/tmp", prefix="botmaker-server-") as folder:
        root = Path(folder) / "root"
        site = debian.mirror(own)
        debian.system(name, suite, PACKAGES, root, Path(folder) / "log", site)
        (root / "etc/machine-id").write_text("")  # a new one at each start
        archive = Path(folder) / "root.tar"
        debian.run_tool(["tar", "-C", str(root), "--numeric-owner", "-cf", str(archive), "."])
        changes = [f"CMD {json.dumps(START)}", "ENV container=docker"]
        with archive.open("rb") as tar:
            engine.load(client, tag, tar, [*changes, f"LABEL {engine.CONTENT_LABEL}={label}"])
        print(f"Built {tag} ({archive.stat().st_size / 1e6:.0f} MB).")
