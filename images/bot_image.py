"""Builds the images for the built-in templates: Python, locked packages and one small program each.

Each image has a folder here with its Dockerfile. This machine fetches the wheels, so the build
needs no network and none of this machine's pip settings get into the image.
"""

import hashlib
import os
import shutil
import tempfile
from pathlib import Path

import controller_image
import docker
import engine
from stop import Stop

HERE = Path(__file__).parent
TAGS = {"discordpy": "botmaker-discordpy:1", "maubot": "botmaker-maubot:1"}


def build(client: docker.DockerClient, name: str, *, if_missing: bool) -> None:
    """Build the image. With `if_missing`, not if the engine has it from exactly these files."""
    tag, source = TAGS[name], HERE / name
    labels = {engine.CONTENT_LABEL: content_of(source)}
    if if_missing and was_built(client, tag, labels):
        return
    base = os.environ.get("BASE") or controller_image.find_base(client)
    python = controller_image.python_of(client, base)
    print(f"Building {tag} on {base} (Python {python}).")
    with tempfile.TemporaryDirectory(prefix="botmaker-image-") as folder:
        context = Path(folder) / name
        shutil.copytree(source, context, ignore=shutil.ignore_patterns("__pycache__", "wheels"))
        (context / "wheels").mkdir()
        lock = controller_image.for_python(python, source / "requirements.txt")
        architecture = str(client.version()["Arch"])
        controller_image.download(lock, python, architecture, context / "wheels")
        for message in client.api.build(
            path=str(context),
            tag=tag,
            buildargs={"BASE": base},
            labels=labels,
            rm=True,
            decode=True,
            network_mode="none",
        ):
            if "error" in message:
                raise Stop(f"The build failed: {message['error'].strip()}", 1)
    print(f"Built {tag}.")


def was_built(client: docker.DockerClient, tag: str, labels: dict[str, str]) -> bool:
    """Whether the engine has this image with these labels; its other labels don't matter."""
    try:
        found = client.images.get(tag).labels
    except docker.errors.ImageNotFound:
        return False
    return labels.items() <= found.items()


def content_of(source: Path) -> str:
    """A digest of all files that the image is built from."""
    digest = hashlib.sha256()
    for path in sorted(source.rglob("*")):
        if path.is_file() and not {"__pycache__", "wheels"} & set(path.parts):
            digest.update(f"{path.relative_to(source)} {path.stat().st_size}\n".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()
