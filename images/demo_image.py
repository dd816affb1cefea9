"""Builds the demo bot's image: busybox and one script, as a tar in memory."""

import hashlib
import io
import json
import tarfile
from pathlib import Path

import busybox
import docker
import engine
from stop import Stop

TAG = "botmaker-demo:2"
SCRIPT = Path(__file__).parent / "demo" / "demo-bot"
UID = 1000

# Path, mode, owner. On its first use the state volume takes over owner and mode of /data.
FOLDERS = (
    ("bin", 0o755, 0),
    ("data", 0o700, UID),
    ("dev", 0o755, 0),
    ("etc", 0o755, 0),
    ("proc", 0o555, 0),
    ("run", 0o755, 0),
    ("run/secrets", 0o755, 0),
    ("sys", 0o555, 0),
    ("tmp", 0o1777, 0),
)
FILES = {
    "etc/passwd": f"root:x:0:0:root:/:/bin/false\nbot:x:{UID}:{UID}:bot:/data:/bin/sh\n",
    "etc/group": f"root:x:0:\nbot:x:{UID}:\n",
}


def build(client: docker.DockerClient, *, if_missing: bool) -> None:
    """Build the image. With `if_missing`, not if the engine has it with exactly this content."""
    data = tarball(busybox.find(client))
    labels = {
        "org.opencontainers.image.title": "BotMaker demo bot",
        "org.opencontainers.image.description": "Talks to nobody, and fails on request.",
        engine.CONTENT_LABEL: hashlib.sha256(data).hexdigest(),
    }
    wanted = {
        "Entrypoint": ["/bin/demo-bot"],
        "User": f"{UID}:{UID}",
        "WorkingDir": "/data",
        "Env": ["PATH=/bin"],
        "Labels": labels,
    }
    if if_missing and engine.has(client, TAG, wanted):
        return
    changes = [
        'ENTRYPOINT ["/bin/demo-bot"]',
        f"USER {UID}:{UID}",
        "WORKDIR /data",
        "ENV PATH=/bin",
        *(f"LABEL {name}={json.dumps(value)}" for name, value in labels.items()),
    ]
    engine.load(client, TAG, data, changes)
    if not engine.has(client, TAG, wanted):
        raise Stop(f"The engine imported {TAG} without its settings. It may be too old.", 1)
    print(f"Built {TAG} ({len(data) / 1e6:.1f} MB).")


def tarball(program: Path) -> bytes:
    """Pack the root file system into a tar; the same inputs give the same bytes."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for path, mode, owner in FOLDERS:
            add(archive, path, tarfile.DIRTYPE, mode=mode, owner=owner)
        for path, text in FILES.items():
            add(archive, path, tarfile.REGTYPE, text.encode(), mode=0o644)
        add(archive, "bin/busybox", tarfile.REGTYPE, program.read_bytes(), mode=0o755)
        for name in busybox.applets(program):
            if name != "busybox":
                add(archive, f"bin/{name}", tarfile.SYMTYPE, link="busybox", mode=0o777)
        add(archive, "bin/demo-bot", tarfile.REGTYPE, SCRIPT.read_bytes(), mode=0o755)
    return buffer.getvalue()


def add(
    archive: tarfile.TarFile,
    path: str,
    kind: bytes,
    content: bytes = b"",
    *,
    mode: int,
    owner: int = 0,
    link: str = "",
) -> None:
    """Add one entry that is the same on every machine: no clock, no user names, no umask."""
    entry = tarfile.TarInfo(path)
    entry.type, entry.mode, entry.size, entry.linkname = kind, mode, len(content), link
    entry.uid = entry.gid = owner
    entry.mtime = 0
    archive.addfile(entry, io.BytesIO(content))
