"""The one place where ids, references and specs are checked before any runtime acts on them.

docker-py puts names into URLs without quoting `/`, so `../images` would reach another endpoint;
engines match ids by prefix. Nothing that fails here is ever sent.
"""

from __future__ import annotations

import re

from controller.domain.errors import BadInput, BadSpec
from controller.domain.names import is_bot_id
from controller.domain.spec import ContainerSpec, SeedFile

_INSTANCE = re.compile(r"[a-z0-9][a-z0-9_.-]{0,62}")
_CONTAINER = re.compile(r"[A-Za-z0-9][\w.-]{0,127}", re.ASCII)
_REF = re.compile(r"[A-Za-z0-9][\w.:/@-]{0,254}", re.ASCII)
_USER = re.compile(r"([0-9]{1,10}):([0-9]{1,10})")
_PATH_MAX = 255
_SEEDS_MAX = 1 << 20  # characters in all
_SECONDS_MAX = 600.0  # below the age at which a throw-away container counts as left behind
_ON_FAILURE = re.compile(r"on-failure:([1-9][0-9]{0,2})")


def container_name(bot_id: str) -> str:
    """The name of the bot's container and volume; BadInput when the id is not a canonical UUID."""
    if not isinstance(bot_id, str) or not is_bot_id(bot_id):
        raise BadInput("That is not the id of a bot.", code="bad-id")
    return f"botmaker-{bot_id}"


def check_instance(instance: str) -> str:
    """Return the installation's id if it may stand in labels and names, else raise BadInput."""
    if not _INSTANCE.fullmatch(instance):
        raise BadInput("That is not the id of an installation.", code="bad-id")
    return instance


def check_container(name: str) -> str:
    """Return a container's name or id if it is safe in a URL, else raise BadInput."""
    if not _CONTAINER.fullmatch(name):
        raise BadInput("That is not the name or id of a container.", code="bad-id")
    return name


def check_ref(ref: str) -> str:
    """Return an image reference that is safe in a URL, else raise BadInput."""
    empty = not all(part.strip(".") for part in ref.split("/"))  # servers clean such paths
    if not _REF.fullmatch(ref) or ".." in ref or empty:
        raise BadInput(
            "That is not an image reference.",
            hint="It looks like name:tag, registry/name@sha256:… or sha256:….",
            code="bad-image",
        )
    return ref


def check_user(user: str) -> tuple[int, int]:
    """The uid and gid of a numeric `uid:gid`; BadSpec for names and for root."""
    found = _USER.fullmatch(user)
    if found is None or int(found[1]) == 0:
        raise BadSpec(
            "A container's user must be numeric and not root.", hint="For example 1000:1000."
        )
    return int(found[1]), int(found[2])


def check_command(command: tuple[str, ...], seconds: float) -> None:
    """Raise BadInput for a command without a program, or with a time that nobody waits for."""
    if not command or not command[0] or any("\0" in word for word in command):
        raise BadInput("That is not a command.")
    if not 0 < seconds <= _SECONDS_MAX:
        raise BadInput(f"A command may take from 0 to {_SECONDS_MAX:.0f} seconds.")


def check_paths(paths: tuple[str, ...]) -> None:
    """Raise BadInput for a path in an image that is not absolute, or that climbs."""
    for path in paths:
        if not path.startswith("/") or not _is_tame(path[1:]):
            raise BadInput("A path in an image must be absolute and without '..'.")


def restart_policy(text: str) -> tuple[str, int]:
    """A restart policy's name and its number of tries; BadSpec for words that are none."""
    if text in {"no", "unless-stopped"}:
        return text, 0
    found = _ON_FAILURE.fullmatch(text)
    if found is None:
        raise BadSpec(
            "That is not a restart policy.",
            hint="There are unless-stopped, no and on-failure:N.",
        )
    return "on-failure", int(found[1])


def check_spec(spec: ContainerSpec) -> None:
    """Raise BadInput or BadSpec for what must never reach an engine."""
    container_name(spec.bot_id)
    check_ref(spec.image)
    check_user(spec.user)
    restart_policy(spec.restart)
    sources = [spec.secrets_source, *(source for source, _ in spec.files)]
    targets = [*(target for _, target in spec.files), *(path for path, _ in spec.tmpfs)]
    if spec.state_path:
        targets.append(spec.state_path)
    for path in (*sources, *targets):
        if not path.startswith("/") or path == "/" or ".." in path.split("/"):
            raise BadSpec("A mount's path must be absolute and without '..'.")
    _check_seeds(spec.seeds, spec.state_path)


def _check_seeds(seeds: tuple[SeedFile, ...], state_path: str) -> None:
    if seeds and not state_path:
        raise BadSpec("Files can only be laid into the state of a bot that has one.")
    paths = [seed.path for seed in seeds]
    if not all(_is_tame(path) for path in paths):
        raise BadSpec("A seed's path must be below the state's folder, without '..'.")
    clash = any(one != two and two.startswith(f"{one}/") for one in paths for two in paths)
    if clash or len(set(paths)) != len(paths):
        raise BadSpec("Two seeds cannot be in the same place.")
    if sum(len(seed.text) for seed in seeds) > _SEEDS_MAX:
        raise BadSpec("The files for a bot's state are too large together.", hint="1 MiB at most.")


def _is_tame(path: str) -> bool:
    """Whether a relative path stays where it belongs, on every engine and file system."""
    parts = path.split("/")
    return (
        path.isprintable()
        and "\\" not in path
        and len(path.encode()) <= _PATH_MAX
        and not any(part in {"", ".", ".."} for part in parts)
    )
