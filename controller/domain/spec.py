"""A container as it should be created: hardened, labelled, without a secret in it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass

MANAGED_LABEL = "botmaker.managed"
BOT_LABEL = "botmaker.bot-id"
INSTANCE_LABEL = "botmaker.instance"
SPEC_LABEL = "botmaker.spec"
RELEASE_LABEL = "botmaker.release"
SECRETS_TARGET = "/run/secrets"


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthSpec:
    """A healthcheck in Docker's form; times in seconds."""

    test: tuple[str, ...]
    interval: float = 30
    timeout: float = 10
    start_period: float = 30
    retries: int = 3


@dataclass(frozen=True, slots=True)
class SeedFile:
    """A file that is put into a bot's volume before its container is created."""

    path: str  # below the volume's top, for instance workspace/NOTES.md
    text: str
    keep: bool = True  # an existing file stays; False: written again with each new container


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerSpec:
    """Everything that decides how a bot's container is created.

    Sources of mounts are paths on the engine's host. `image` is a pinned id or digest.
    """

    bot_id: str
    image: str
    user: str  # numeric "uid:gid", never 0
    secrets_source: str
    files: tuple[tuple[str, str], ...] = ()  # (host folder, folder in the container), read-only
    files_digest: str = ""  # hash of the rendered files' text, so that a new text is a new spec
    state_path: str = ""  # where the named volume botmaker-<uuid> goes; empty: none
    prepare_volume: bool = False  # give the volume's top folder to `user` before the first start
    seeds: tuple[SeedFile, ...] = ()  # into the volume; with any, its top folder is `user`'s too
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    workdir: str = ""
    env: tuple[tuple[str, str], ...] = ()
    tmpfs: tuple[tuple[str, str], ...] = (("/tmp", "64m"),)  # noqa: S108 - a path in the container
    memory: int = 268_435_456  # bytes; swap is not allowed on top
    nano_cpus: int = 500_000_000
    pids: int = 128
    init: bool = True
    restart: str = "unless-stopped"
    stop_timeout: int = 10  # seconds
    health: HealthSpec | None = None
    host_names: tuple[str, ...] = ()  # names of the host itself; the engine knows its address
    release: int = 0  # the `botmaker.release` label; 0: none. Not a part of the hash

    @property
    def config_mounts(self) -> tuple[tuple[str, str], ...]:
        """`files` as they are mounted: each text has a folder of its own, so what runs keeps its
        config while another is being tried."""
        mark = f".{self.files_digest}" if self.files_digest else ""
        return tuple((f"{source}{mark}", target) for source, target in self.files)

    @property
    def name(self) -> str:
        """The container's name, and its volume's."""
        return f"botmaker-{self.bot_id}"

    @property
    def gives_volume(self) -> bool:
        """Whether the volume's top folder is given to the user before the container is created."""
        return bool(self.state_path) and (self.prepare_volume or bool(self.seeds))

    def digest(self) -> str:
        """A short hash of everything but the release: the `botmaker.spec` label."""
        fields = asdict(self)
        del fields["release"]  # the same container may serve several releases
        if not self.seeds:
            del fields["seeds"]  # seeds came later: a spec without any keeps its former hash
        if not self.host_names:
            del fields["host_names"]  # so did these
        text = json.dumps(fields, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:16]
