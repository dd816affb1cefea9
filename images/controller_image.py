"""Builds BotMaker's own image. It fetches the wheels first, so the Dockerfile needs no network.

Fetching on the host uses this machine's pip settings, which may hold a private address or a
password; none of that gets into the image.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import debian
import docker
from packaging.markers import Marker
from stop import Stop

TAG = "botmaker:local"
PUBLIC_BASE = "python:3.13-slim"
ROOT = Path(__file__).parent.parent
WHEELS = ROOT / "wheels"
MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}
# Wheels for an old C library: this machine's own may be newer than the base image's.
LIBRARIES = ("manylinux_2_28", "manylinux_2_17", "manylinux2014")


def build(client: docker.DockerClient) -> None:
    """Build the image on BASE, or else the public Python image, or else a base built here."""
    base = os.environ.get("BASE") or find_base(client)
    python = python_of(client, base)
    print(f"Building {TAG} on {base} (Python {python}).")
    fetch_wheels(python, str(client.version()["Arch"]))
    for message in client.api.build(
        path=str(ROOT), tag=TAG, buildargs={"BASE": base}, rm=True, decode=True, network_mode="none"
    ):
        if "error" in message:
            raise Stop(f"The build failed: {message['error'].strip()}", 1)
        print(message.get("stream", ""), end="")
    print(f"Built {TAG}.")


def find_base(client: docker.DockerClient) -> str:
    """Return the tag of a base image that the engine has; pulls or builds one if needed."""
    try:
        client.images.get(PUBLIC_BASE)
    except docker.errors.ImageNotFound:
        print(f"Pulling {PUBLIC_BASE}.")
        try:
            client.images.pull(PUBLIC_BASE)
        except docker.errors.DockerException:
            print("It can't be pulled.")
            debian.build(client, if_missing=True)
            return debian.TAG
    return PUBLIC_BASE


def python_of(client: docker.DockerClient, base: str) -> str:
    """Return the Python version of the base image, such as 3.13."""
    script = "import sys; print('%d.%d' % sys.version_info[:2])"
    try:
        told = client.containers.run(
            base, [script], entrypoint=["python3", "-c"], remove=True, network_mode="none"
        )
    except docker.errors.DockerException as error:
        raise Stop(f"The base image {base} has no working python3: {error}", 1) from None
    return str(told.decode().strip())


def fetch_wheels(python: str, architecture: str) -> None:
    """Put all locked wheels for that Python, and this project's own, into wheels/."""
    shutil.rmtree(WHEELS, ignore_errors=True)
    WHEELS.mkdir()
    download(for_python(python, ROOT / "requirements.txt"), python, architecture, WHEELS)
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "source"
        source.mkdir()
        # Build from a copy: building in place leaves build/ and *.egg-info behind.
        for name in ("pyproject.toml", "README.md", "LICENSE"):
            shutil.copy(ROOT / name, source)
        for name in ("controller", "edge", "images"):
            shutil.copytree(ROOT / name, source / name)
        pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(WHEELS), str(source))


def download(lock: str, python: str, architecture: str, folder: Path) -> None:
    """Put the wheels of a lock file for that Python into the folder."""
    # The lock is complete, so --no-deps loses nothing.
    target = ["--python-version", python, "--implementation", "cp", "--only-binary=:all:"]
    machine = MACHINES.get(architecture, architecture)
    target += [f"--platform={library}_{machine}" for library in LIBRARIES]
    with tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8") as wanted:
        wanted.write(lock)
        wanted.flush()
        pip("download", "--no-deps", "--require-hashes", *target, "-r", wanted.name, folder=folder)


def for_python(version: str, lock: Path) -> str:
    """Return the lock with markers evaluated for that Python; pip evaluates them for its own."""
    text = lock.read_text(encoding="utf-8").replace("\\\n", " ")
    target = {
        "python_version": version,
        "python_full_version": f"{version}.0",
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
        "sys_platform": "linux",
        "platform_system": "Linux",
        "os_name": "posix",
    }
    lines = []
    for line in text.splitlines():
        found = re.match(r"(?P<pin>[^#;\s]+) *(?:;(?P<marker>.*?))?(?P<hashes> +--hash=.*)", line)
        if found and (not found["marker"] or Marker(found["marker"]).evaluate(target)):
            lines.append(found["pin"] + found["hashes"])
    return "\n".join(lines) + "\n"


def pip(*arguments: str, folder: Path = WHEELS) -> None:
    """Run this environment's pip in a folder; show its output only if it fails."""
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        print(done.stderr)
        raise Stop("pip couldn't get the wheels: the lines above say why.", 1)
