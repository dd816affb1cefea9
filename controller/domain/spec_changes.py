"""What differs between two containers, by name and value. Pure; no secret is in a spec."""

from __future__ import annotations

from dataclasses import dataclass

from controller.domain.image_version import ImageVersion
from controller.domain.spec import ContainerSpec

# In a person's words; what isn't listed differs by release, or follows from the others.
_NAMES = {
    "user": "user",
    "state_path": "state folder",
    "entrypoint": "entrypoint",
    "command": "command",
    "workdir": "working folder",
    "tmpfs": "folders in memory",
    "memory": "memory",
    "nano_cpus": "CPUs",
    "pids": "processes",
    "init": "init",
    "restart": "restart policy",
    "stop_timeout": "seconds to stop",
    "health": "health check",
    "host_names": "names of the host",
}


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that differs; an empty value: it isn't there."""

    name: str
    before: str
    after: str


def differences(before: ContainerSpec, after: ContainerSpec) -> tuple[Difference, ...]:
    """What differs, but for the image, which has words of its own."""
    found = [
        Difference(name, _text(field, getattr(before, field)), _text(field, getattr(after, field)))
        for field, name in _NAMES.items()
        if getattr(before, field) != getattr(after, field)
    ]
    old, new = dict(before.env), dict(after.env)
    found += [
        Difference(f"variable {name}", old.get(name, ""), new.get(name, ""))
        for name in sorted({*old, *new})
        if old.get(name) != new.get(name)
    ]
    if before.files_digest != after.files_digest:
        found.append(Difference("config files", before.files_digest[:8], after.files_digest[:8]))
    seeds = ({s.path: s.text for s in spec.seeds} for spec in (before, after))
    if len({tuple(sorted(one.items())) for one in seeds}) > 1:
        found.append(Difference("files in its state", "", "changed"))
    return tuple(found)


def version_differences(before: ImageVersion, after: ImageVersion) -> tuple[Difference, ...]:
    """What differs in what two images say of their versions."""
    parts = (
        ("image version", "version"),
        ("image revision", "revision"),
        ("image built", "created"),
    )
    found = [(name, getattr(before, part), getattr(after, part)) for name, part in parts]
    return tuple(Difference(name, old, new) for name, old, new in found if old != new)


def _text(field: str, value: object) -> str:
    match field, value:
        case "memory", int(size):
            return f"{size // 1024**2} MiB"
        case "nano_cpus", int(billionths):
            return f"{billionths / 1e9:g}"
        case _, tuple(items):
            return " ".join(item if isinstance(item, str) else " ".join(item) for item in items)
        case _, None:
            return ""
        case "health", check:
            return " ".join(getattr(check, "test", ()))
        case _:
            return str(value)
