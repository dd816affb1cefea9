"""Checks ids, references and specs before any runtime acts on them.

docker-py doesn't quote `/` in URLs, so a container named `../images` would reach another endpoint,
and engines match ids by prefix. What fails here is never sent.
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
_PATH_MAX = 255  # bytes
_SEEDS_MAX = 1 << 20  # characters in all seeds together
_SECONDS_MAX = 600.0  # less than the age at which a throw-away container counts as left behind
_ON_FAILURE = re.compile(r"on-failure:([1-9][0-9]{0,2})")


def check_bot_id(bot_id: str) -> str:
    """Return a bot's id if it's a canonical UUID, else raise BadInput."""
    if not isinstance(bot_id, str) or not is_bot_id(bot_id):
        raise BadInput("That isn't a bot's id.", code="bad-id")
    return bot_id


def container_name(bot_id: str) -> str:
    """Return the name of the bot's container and volume. Raises BadInput as `check_bot_id` does."""
    return f"botmaker-{check_bot_id(bot_id)}"


def previous_name(bot_id: str) -> str:
    """Return the name of the bot's parked container. Raises BadInput as `check_bot_id` does."""
    return f"{container_name(bot_id)}-previous"


def check_instance(instance: str) -> str:
    """Return the installation's id if it's safe in labels and names, else raise BadInput."""
    if not _INSTANCE.fullmatch(instance):
        raise BadInput("That isn't an installation's id.", code="bad-id")
    return instance


def check_container(name: str) -> str:
    """Return a container's name or id if it's safe in a URL, else raise BadInput."""
    if not _CONTAINER.fullmatch(name):
        raise BadInput("That isn't a container's name or id.", code="bad-id")
    return name


def check_ref(ref: str) -> str:
    """Return an image reference if it's safe in a URL, else raise BadInput."""
    # Servers drop empty parts and dots from a path, so it would lead elsewhere.
    empty = not all(part.strip(".") for part in ref.split("/"))
    if not _REF.fullmatch(ref) or ".." in ref or empty:
        raise BadInput(
            "That isn't an image reference.",
            hint="Use name:tag, registry/name@sha256:… or sha256:….",
            code="bad-image",
        )
    return ref


def check_pull_rule(pull: str) -> str:
    """Return the rule that says when to pull an image, or raise BadInput if there's no such one."""
    if pull not in {"missing", "always", "never"}:
        raise BadInput("An image's pull rule must be missing, always or never.")
    return pull


def check_user(user: str) -> tuple[int, int]:
    """Return the uid and gid of a numeric `uid:gid`. Raises BadSpec for a name and for root."""
    found = _USER.fullmatch(user)
    if found is None or int(found[1]) == 0:
        raise BadSpec(
            "A container's user must be numeric and not root.", hint="For example 1000:1000."
        )
    return int(found[1]), int(found[2])


def check_command(command: tuple[str, ...], seconds: float) -> None:
    """Raise BadInput if a command names no program or its time limit is out of range."""
    if not command or not command[0] or any("\0" in word for word in command):
        raise BadInput("That isn't a command.")
    if not 0 < seconds <= _SECONDS_MAX:
        raise BadInput(
            f"A command's time limit must be above 0 and at most {_SECONDS_MAX:.0f} seconds."
        )


def check_paths(paths: tuple[str, ...]) -> None:
    """Raise BadInput unless every path is absolute and without '..'."""
    for path in paths:
        if not path.startswith("/") or not _is_contained(path[1:]):
            raise BadInput("A path in an image must be absolute and without '..'.")


def parse_restart_policy(text: str) -> tuple[str, int]:
    """Split a restart policy into its name and number of tries. Raises BadSpec for other words."""
    if text in {"no", "unless-stopped"}:
        return text, 0
    found = _ON_FAILURE.fullmatch(text)
    if found is None:
        raise BadSpec(
            "That isn't a restart policy.", hint="Use unless-stopped, no or on-failure:N."
        )
    return "on-failure", int(found[1])


def check_spec(spec: ContainerSpec) -> None:
    """Raise BadInput or BadSpec if a spec holds something that must never reach an engine."""
    check_bot_id(spec.bot_id)
    check_ref(spec.image)
    check_user(spec.user)
    parse_restart_policy(spec.restart)
    sources = [spec.secrets_source, *(source for source, _ in spec.files)]
    targets = [*(target for _, target in spec.files), *(path for path, _ in spec.tmpfs)]
    if spec.state_path:
        targets.append(spec.state_path)
    for path in (*sources, *targets):
        if not path.startswith("/") or path == "/" or ".." in path.split("/"):
            raise BadSpec("A mount's path must be absolute, not '/' itself and without '..'.")
    _check_seeds(spec.seeds, spec.state_path)


def _check_seeds(seeds: tuple[SeedFile, ...], state_path: str) -> None:
    if seeds and not state_path:
        raise BadSpec("A bot without a state volume can't have seed files.")
    paths = [seed.path for seed in seeds]
    if not all(_is_contained(path) for path in paths):
        raise BadSpec("A seed file's path must stay inside the state's folder, without '..'.")
    clash = any(one != two and two.startswith(f"{one}/") for one in paths for two in paths)
    if clash or len(set(paths)) != len(paths):
        raise BadSpec("Two seed files can't have the same path, nor one be the other's folder.")
    if sum(len(seed.text) for seed in seeds) > _SEEDS_MAX:
        raise BadSpec("The bot's seed files are too large.", hint="All together may have 1 MiB.")


def _is_contained(path: str) -> bool:
    """Whether a relative path stays below its folder, on every engine and file system."""
    parts = path.split("/")
    return (
        path.isprintable()
        and "\\" not in path
        and len(path.encode()) <= _PATH_MAX
        and not any(part in {"", ".", ".."} for part in parts)
    )
