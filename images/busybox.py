"""Finds a static busybox: the machine's own, the distribution's package, or the one in an image.

Static, because it is the only program in the demo image: there is no C library beside it.
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
    """Return a static busybox that runs here, fetching it once where the machine has none."""
    # A fetched one is kept: without it every start of the demo would download it again.
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
            "No static busybox can be found or fetched: install one "
            "(Debian and Ubuntu: 'apt-get install busybox-static') and try again."
        )
    cache.parent.mkdir(parents=True, exist_ok=True)
    fresh = cache.with_suffix(f".{os.getpid()}")
    fresh.write_bytes(binary)
    fresh.chmod(0o755)
    fresh.replace(cache)
    if not usable(cache):
        raise Stop("The busybox that was fetched does not run here: install busybox-static.")
    return cache


def usable(path: Path) -> bool:
    """Say whether this is a static busybox with every applet that the demo bot calls."""
    try:
        return is_static(path.read_bytes()) and set(applets(path)) >= NEEDED
    except OSError:
        return False


def applets(path: Path) -> list[str]:
    """List the names that this busybox answers to."""
    done = subprocess.run([path, "--list"], capture_output=True, text=True, check=False)
    return sorted(done.stdout.split())


def is_static(binary: bytes) -> bool:
    """Say whether an ELF program asks for no dynamic loader."""
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
    """Take it out of the busybox-static package, without installing that.

    Installing would remove the `busybox` package, which a machine may need to boot.
    """
    if not shutil.which("apt-get") or not shutil.which("dpkg-deb"):
        return None
    print("No static busybox here: fetching the busybox-static package to take it from.")
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
    """Run a command without its output; say whether it worked."""
    return subprocess.run(command, cwd=folder, capture_output=True, check=False).returncode == 0


def from_image(client: docker.DockerClient) -> bytes | None:
    """Copy it out of the public busybox image, where the engine can pull that."""
    print("Asking the engine for the image busybox:1 to take it from.")
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
