"""The image of BotMaker itself: wheels are fetched here, the Dockerfile needs no network then.

Fetching on the host uses this machine's own pip settings, which may hold a private address or a
password; none of it gets near the image.
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
# Wheels for a C library older than any base has: this machine's own may be newer than the base's.
LIBRARIES = ("manylinux_2_28", "manylinux_2_17", "manylinux2014")


def build(client: docker.DockerClient) -> None:
    """Build the image on BASE, else on the public Python image, else on a base made here."""
    base = os.environ.get("BASE") or find_base(client)
    python = python_of(client, base)
    print(f"Building {TAG} on {base} (Python {python}).")
    fetch_wheels(python, str(client.version()["Arch"]))
    for message in client.api.build(
        path=str(ROOT), tag=TAG, buildargs={"BASE": base}, rm=True, decode=True, network_mode="none"
    ):
        if "error" in message:
            raise Stop(f"The image was not built: {message['error'].strip()}", 1)
        print(message.get("stream", ""), end="")
    print(f"Built {TAG}.")


def find_base(client: docker.DockerClient) -> str:
    """Return a base image that the engine has or can get."""
    try:
        client.images.get(PUBLIC_BASE)
    except docker.errors.ImageNotFound:
        print(f"Pulling {PUBLIC_BASE}.")
        try:
            client.images.pull(PUBLIC_BASE)
        except docker.errors.DockerException:
            print("It cannot be pulled.")
            debian.build(client, if_missing=True)
            return debian.TAG
    return PUBLIC_BASE


def python_of(client: docker.DockerClient, base: str) -> str:
    """Return the version of the base's Python, such as 3.13."""
    script = "import sys; print('%d.%d' % sys.version_info[:2])"
    try:
        told = client.containers.run(
            base, [script], entrypoint=["python3", "-c"], remove=True, network_mode="none"
        )
    except docker.errors.DockerException as error:
        raise Stop(f"The base image {base} has no python3 that runs: {error}", 1) from None
    return str(told.decode().strip())


def fetch_wheels(python: str, architecture: str) -> None:
    """Put every locked wheel for that Python, and this project's own, into wheels/."""
    shutil.rmtree(WHEELS, ignore_errors=True)
    WHEELS.mkdir()
    download(for_python(python, ROOT / "requirements.txt"), python, architecture, WHEELS)
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "source"
        source.mkdir()
        # From a copy: building in place would leave build/ and *.egg-info behind.
        for name in ("pyproject.toml", "README.md", "LICENSE"):
            shutil.copy(ROOT / name, source)
        shutil.copytree(ROOT / "controller", source / "controller")
        pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(WHEELS), str(source))


def download(lock: str, python: str, architecture: str, folder: Path) -> None:
    """Put the wheels of a lock for that Python into the folder."""
    # The lock is complete, so --no-deps loses nothing.
    target = ["--python-version", python, "--implementation", "cp", "--only-binary=:all:"]
    machine = MACHINES.get(architecture, architecture)
    target += [f"--platform={library}_{machine}" for library in LIBRARIES]
    with tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8") as wanted:
        wanted.write(lock)
        wanted.flush()
        pip("download", "--no-deps", "--require-hashes", *target, "-r", wanted.name, folder=folder)


def for_python(version: str, lock: Path) -> str:
    """Return a lock with its markers decided: pip would decide them for the Python it runs on."""
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
    """Run this environment's pip in a folder, showing only what goes wrong."""
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        print(done.stderr)
        raise Stop("pip could not fetch the wheels: the lines above say why.", 1)
