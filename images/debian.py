"""Builds a base image for the Dockerfile from this machine's own Debian or Ubuntu release.

It is for machines that can't pull python:3.13-slim. Packages come from the mirror apt already uses.
"""

import hashlib
import json
import os
import platform
import shutil
import subprocess
import tempfile
from pathlib import Path

import docker
import engine
from stop import Stop

TAG = "botmaker-python-base:local"
PACKAGES = ("ca-certificates", "python3", "python3-pip", "python3-venv")
# Nothing in a container reads these, and they are half the size.
UNNEEDED = ("usr/share/doc", "usr/share/man", "usr/share/locale", "usr/share/info")
EMPTIED = ("dev", "proc", "sys", "tmp", "run", "var/cache/apt", "var/lib/apt/lists", "var/log")
APT_INSTALL = Path(__file__).parent.parent / "scripts" / "apt-install"


def build(client: docker.DockerClient, *, if_missing: bool) -> None:
    """Build the base image. With `if_missing`, not if it exists for this release of the system."""
    name, suite = release()
    recipe = f"{name} {suite} {PACKAGES} {UNNEEDED} {EMPTIED}"
    labels = {
        "org.opencontainers.image.title": f"{name} {suite} with Python, for BotMaker",
        engine.CONTENT_LABEL: hashlib.sha256(recipe.encode()).hexdigest(),
    }
    if if_missing and engine.has(client, TAG, {"Labels": labels}):
        return
    if os.geteuid() != 0:
        raise Stop(
            f"Building {TAG} needs root, for debootstrap: use sudo, or set BASE to another image."
        )
    need_debootstrap()
    print(f"Building {TAG} from {name} {suite}: takes a minute or two.")
    # Not in /tmp: it may be in memory, and may forbid device files and programs.
    with tempfile.TemporaryDirectory(dir="/var/tmp", prefix="botmaker-base-") as folder:
        root = Path(folder) / "root"
        bootstrap(name, suite, root, Path(folder) / "log")
        changes = ['CMD ["python3"]', "ENV LANG=C.UTF-8"]
        changes += [f"LABEL {key}={json.dumps(value)}" for key, value in labels.items()]
        archive = Path(folder) / "root.tar"
        run_tool(["tar", "-C", str(root), "--numeric-owner", "-cf", str(archive), "."])
        with archive.open("rb") as tar:
            engine.load(client, TAG, tar, changes)
        print(f"Built {TAG} ({archive.stat().st_size / 1e6:.0f} MB).")


def need_debootstrap() -> None:
    """Install debootstrap if it is missing."""
    if not shutil.which("debootstrap"):
        print("Installing debootstrap from this system's packages.")
        done = APT_INSTALL.exists() and subprocess.run([APT_INSTALL, "debootstrap"], check=False)
        if not done or done.returncode != 0:
            raise Stop("debootstrap couldn't be installed: install it yourself and try again.")


def release() -> tuple[str, str]:
    """Return this system's id and the code name of its release."""
    try:
        facts = platform.freedesktop_os_release()
    except OSError:
        facts = {}
    system, suite = facts.get("ID", ""), facts.get("VERSION_CODENAME", "")
    if system not in ("debian", "ubuntu") or not suite:
        raise Stop("A base can only be built on Debian or Ubuntu: set BASE to another image.")
    return system, suite


def mirror(suite: str) -> str:
    """Return the mirror's address that apt uses here for this release."""
    told = run_tool(
        ["apt-get", "indextargets", "--format", "$(SITE) $(RELEASE)", "Created-By: Packages"]
    )
    for line in told.splitlines():
        site, _, name = line.rpartition(" ")
        if name != suite:
            continue
        if site.startswith("mirror+file:"):  # a file that lists mirrors, as in cloud images
            listed = Path(site.removeprefix("mirror+file:")).read_text(encoding="utf-8").split()
            site = next((word for word in listed if "://" in word), "")
        if site.startswith(("http://", "https://", "file:")):
            return site
    raise Stop(f"apt on this machine has no mirror for {suite}: add it to apt's sources.")


def bootstrap(name: str, suite: str, root: Path, log: Path) -> None:
    """Fill the folder with a minimal system whose Python can run BotMaker."""
    system(name, suite, PACKAGES, root, log)
    check = "import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))"
    if subprocess.run(["chroot", str(root), "python3", "-c", check], check=False).returncode != 0:
        raise Stop(f"The Python of {name} {suite} isn't 3.11 to 3.13: set BASE to another image.")


def system(
    name: str, suite: str, packages: tuple[str, ...], root: Path, log: Path, site: str = ""
) -> None:
    """Fill the folder with a minimal system and these packages, without what no container reads.

    They come from `site`, or else from the mirror that apt uses here for that release.
    """
    command = ["debootstrap", "--variant=minbase", f"--include={','.join(packages)}"]
    if name == "ubuntu":  # not all packages are in its first component
        command.append("--components=main,universe")
    with log.open("w", encoding="utf-8") as output:
        done = subprocess.run(
            [*command, suite, str(root), site or mirror(suite)],
            stdout=output,
            stderr=output,
            check=False,
        )
    if done.returncode != 0:
        print("\n".join(log.read_text(encoding="utf-8").splitlines()[-8:]))
        raise Stop("debootstrap failed: the end of its log is above.", 1)
    for path in UNNEEDED:
        shutil.rmtree(root / path, ignore_errors=True)
    for path in EMPTIED:
        for entry in (root / path).glob("*"):
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            else:
                entry.unlink()


def run_tool(command: list[str]) -> str:
    """Run a tool and return its output; Stop if it fails."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Stop(f"{command[0]} failed: {done.stderr.strip()[-300:]}", 1)
    return done.stdout
