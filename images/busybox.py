"""Finds a static busybox: this machine's own, the distribution's package, or the public image's.

It must be static because the demo image has no C library: busybox is its only program.
"""

import io
import os
import shutil
import struct
import subprocess
import tarfile
import tempfile
from pathlib import Path

import docker
from stop import Stop

NEEDED = {"sh", "cat", "date", "id", "sleep", "stat", "touch", "tr"}
PT_INTERP = 3


def find(client: docker.DockerClient) -> Path:
    """Return a static busybox that runs here; fetch one, once, if the machine has none."""
    # Keep a fetched one, or every start of the demo would download it again.
    cache = (
        Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "botmaker" / "busybox"
    )
    installed = shutil.which("busybox")
    for candidate in (installed and Path(installed), Path("/bin/busybox"), cache):
        if candidate and usable(candidate):
            return candidate
    binary = from_package() or from_image(client)
    if binary is None:
        raise Stop(
            "No static busybox could be found or downloaded. Install one "
            "(Debian and Ubuntu: 'apt-get install busybox-static') and try again."
        )
    cache.parent.mkdir(parents=True, exist_ok=True)
    fresh = cache.with_suffix(f".{os.getpid()}")
    fresh.write_bytes(binary)
    fresh.chmod(0o755)
    fresh.replace(cache)
    if not usable(cache):
        raise Stop("The downloaded busybox doesn't run here. Install busybox-static and try again.")
    return cache


def usable(path: Path) -> bool:
    """Whether this is a static busybox with every applet that the demo bot needs."""
    try:
        return is_static(path.read_bytes()) and set(applets(path)) >= NEEDED
    except OSError:
        return False


def applets(path: Path) -> list[str]:
    """The names of this busybox's applets, sorted."""
    done = subprocess.run([path, "--list"], capture_output=True, text=True, check=False)
    return sorted(done.stdout.split())


def is_static(binary: bytes) -> bool:
    """Whether this is an ELF program that needs no dynamic loader."""
    if binary[:4] != b"\x7fELF" or len(binary) < 64:
        return False
    order = "<" if binary[5] == 1 else ">"
    if binary[4] == 2:  # 64 bit
        (offset,) = struct.unpack_from(order + "Q", binary, 32)
        size, count = struct.unpack_from(order + "HH", binary, 54)
    else:
        (offset,) = struct.unpack_from(order + "I", binary, 28)
        size, count = struct.unpack_from(order + "HH", binary, 42)
    kinds = (struct.unpack_from(order + "I", binary, offset + i * size)[0] for i in range(count))
    return PT_INTERP not in kinds


def from_package() -> bytes | None:
    """Take it out of the busybox-static package without installing the package.

    Installing it would remove the `busybox` package, which a machine may need to boot.
    """
    if not shutil.which("apt-get") or not shutil.which("dpkg-deb"):
        return None
    print("No static busybox here. Taking it from the busybox-static package.")
    with tempfile.TemporaryDirectory() as folder:
        fetch = ["apt-get", "download", "-qq", "busybox-static"]
        if not quietly(fetch, folder):
            if os.geteuid() != 0 or not quietly(["apt-get", "update", "-qq"], folder):
                return None
            if not quietly(fetch, folder):
                return None
        for package in Path(folder).glob("*.deb"):
            quietly(["dpkg-deb", "-x", package.name, "root"], folder)
        found = [p for p in Path(folder).glob("root/**/bin/busybox") if p.is_file()]
        return found[0].read_bytes() if found else None


def quietly(command: list[str], folder: str) -> bool:
    """Run a command without showing its output; returns whether it worked."""
    return subprocess.run(command, cwd=folder, capture_output=True, check=False).returncode == 0


def from_image(client: docker.DockerClient) -> bytes | None:
    """Copy it out of the public busybox image, if the engine can pull that."""
    print("Taking it from the image busybox:1.")
    try:
        client.images.pull("busybox", tag="1")
        container = client.api.create_container("busybox:1", ["true"])
    except docker.errors.DockerException:
        return None
    try:
        chunks, _ = client.api.get_archive(container["Id"], "/bin/busybox")
        with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as archive:
            member = archive.extractfile("busybox")
            return member.read() if member else None
    finally:
        client.api.remove_container(container["Id"], v=True, force=True)
