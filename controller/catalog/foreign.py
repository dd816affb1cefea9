"""Containers that somebody else made, as far as a template can say it: of a compose file, or of an
engine. What can't be said is told in words, so that nobody misses it later."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from dotenv import dotenv_values

from controller.domain.disk_words import reason
from controller.domain.errors import BadInput

FILE_MAX = 1_048_576  # bytes of a compose file
NS = 1_000_000_000
_TIME = re.compile(r"(\d+(?:\.\d+)?)(ms|us|h|m|s)")
_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001, "us": 0.000001}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([bkmgt]?)i?b?", re.IGNORECASE)
_BYTES = {"": 1, "b": 1, "k": 1024, "m": 1024**2, "g": 1024**3, "t": 1024**4}
_DEFAULT = re.compile(r"\$\{\w+:?-([^}$]*)\}")
# What a bot can't have, or has anyway: by the key of a compose file.
LOST = {
    "ports": "no port of a bot is published; a program asks its service, and isn't asked",
    "expose": "no port of a bot is published",
    "networks": "bots have a network of their own, where they don't see each other",
    "network_mode": "bots have a network of their own",
    "privileged": "bots never have rights on the machine",
    "cap_add": "bots have no capabilities",
    "devices": "bots have no devices",
    "depends_on": "bots don't wait for each other",
    "build": "build the image yourself, and name it under [image]",
    "deploy": "only its limits are carried over",
    "extra_hosts": "`host_gateway = true` in [run] makes the host reachable",
    "logging": "BotMaker rotates the log",
    "labels": "a bot's container has BotMaker's own labels",
    "container_name": "a bot's container is named by its id",
    "configs": "write the file under [[files]]",
}
KNOWN = {
    *("image", "command", "entrypoint", "environment", "env_file", "volumes", "tmpfs", "user"),
    *("working_dir", "mem_limit", "cpus", "pids_limit", "stop_grace_period", "restart"),
    *("healthcheck", "init", "secrets", "read_only", "security_opt", "cap_drop", "memswap_limit"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreign:
    """A container as somebody else described it. A value of `env` may be secret; None: unknown."""

    name: str
    image: str
    user: str = ""
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    whole_command: bool = False  # whether that is all there is: the image adds nothing
    workdir: str = ""
    env: Mapping[str, str | None] = field(default_factory=dict, repr=False)
    secrets: tuple[str, ...] = ()  # files below /run/secrets
    volumes: tuple[str, ...] = ()  # paths in the container that are written to, the best first
    tmpfs: tuple[str, ...] = ()
    memory: int = 0  # bytes
    cpus: float = 0.0
    pids: int = 0
    stop_timeout: int = 0  # seconds
    restart: str = ""
    health: Mapping[str, Any] = field(default_factory=dict)
    lost: tuple[str, ...] = ()  # what isn't carried over, a sentence each


def of_compose(file: Path, service: str) -> Foreign:
    """A service of a compose file. BadInput when there is no such file or service."""
    services = _services(file)
    if service not in services or not isinstance(services[service], dict):
        known = ", ".join(map(str, services)) or "none"
        raise BadInput(f"{file} has no service {service}.", hint=f"It has these: {known}.")
    as_written: dict[str, Any] = services[service]
    given: dict[str, Any] = _filled(as_written)
    deploy = given.get("deploy")
    limits = ((deploy if isinstance(deploy, dict) else {}).get("resources") or {}).get("limits", {})
    volumes, lost = _volumes(given.get("volumes") or ())
    lost += [
        f"`{key}`: {LOST.get(key, 'a template has nothing like it')}."
        for key in given
        if key not in KNOWN and not str(key).startswith("x-")
    ]
    env = _environment(file, as_written, lost)
    return Foreign(
        name=service,
        image=str(given.get("image") or f"{service}:latest"),
        user=str(given.get("user") or ""),
        entrypoint=_words(given.get("entrypoint")),
        command=_words(given.get("command")),
        whole_command=bool(given.get("entrypoint")),
        workdir=str(given.get("working_dir") or ""),
        env=env,
        secrets=tuple(_secret_name(one) for one in given.get("secrets") or ()),
        volumes=volumes,
        tmpfs=tuple(path.partition(":")[0] for path in _texts(given.get("tmpfs"))),
        memory=_size(given.get("mem_limit") or limits.get("memory")),
        cpus=_number(given.get("cpus") or limits.get("cpus")),
        pids=int(_number(given.get("pids_limit") or limits.get("pids"))),
        stop_timeout=round(_seconds(given.get("stop_grace_period"))),
        restart=str(given.get("restart") or ""),
        health=_health(given.get("healthcheck") or {}),
        lost=tuple(lost),
    )


def _services(file: Path) -> dict[str, Any]:
    try:
        text = file.read_bytes()
        if len(text) > FILE_MAX:
            raise BadInput(f"{file} is larger than {FILE_MAX // 1024} KiB.")
        found = yaml.safe_load(text.decode())
    except OSError as error:
        raise BadInput(f"{file} can't be read: {reason(error)}.") from error
    except (yaml.YAMLError, UnicodeError):  # its words quote the file, which may hold secrets
        raise BadInput(f"{file} isn't YAML.") from None
    services = found.get("services") if isinstance(found, dict) else None
    if not isinstance(services, dict):
        raise BadInput(f"{file} has no services in it.", hint="Is it a compose file?")
    return services


def _environment(file: Path, given: Mapping[str, Any], lost: list[str]) -> dict[str, str | None]:
    found: dict[str, str | None] = {}
    for one in _texts(given.get("env_file")):
        path = file.parent / one
        if path.is_file():
            found |= dotenv_values(path, interpolate=False)
        else:
            lost.append(f"`env_file`: {one} isn't here, so its variables are missing.")
    rows = given.get("environment") or {}
    if isinstance(rows, dict):
        pairs = [(str(k), None if v is None else _plain(v)) for k, v in rows.items()]
    else:
        split = [str(row).partition("=") for row in rows]
        pairs = [(name, value if equals else None) for name, equals, value in split]
    for name, value in pairs:
        found[name] = _interpolated(value)
    return found


def _filled(value: Any) -> Any:
    """The same with defaults in place of variables; a text whose variable has none is empty."""
    if isinstance(value, dict):
        return {key: _filled(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_filled(inner) for inner in value]
    return (_interpolated(value) or "") if isinstance(value, str) else value


def _interpolated(value: str | None) -> str | None:
    """The value with defaults in place of variables; None where one has none: nobody knows it."""
    if value is None or "$" not in value:
        return value
    filled = _DEFAULT.sub(r"\1", value.replace("$$", "\0"))
    return None if "$" in filled else filled.replace("\0", "$")


def _plain(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _volumes(rows: Iterable[Any]) -> tuple[tuple[str, ...], list[str]]:
    """The paths that are written to, named volumes first; and what becomes of the others."""
    named: list[str] = []
    bound: list[str] = []
    lost: list[str] = []
    for row in rows:
        if isinstance(row, dict):
            source, target = str(row.get("source") or ""), str(row.get("target") or "")
            read_only = bool(row.get("read_only"))
        else:
            parts = str(row).split(":")
            source, target = (parts[0], parts[1]) if len(parts) > 1 else ("", parts[0])
            read_only = len(parts) > 2 and "ro" in parts[2].split(",")
        _sort_in(source, target, read_only, (named, bound, lost))
    return (*named, *bound), lost


def _sort_in(
    source: str, target: str, read_only: bool, lists: tuple[list[str], list[str], list[str]]
) -> None:
    named, bound, lost = lists
    if source.endswith("docker.sock"):
        lost.append("the engine's socket: bots never get it.")
    elif read_only:
        lost.append(f"{target}, mounted read-only: write what's in it under [[files]].")
    elif source.startswith((".", "/", "~")):
        bound.append(target)
    else:
        named.append(target)


def _health(given: Mapping[str, Any]) -> dict[str, Any]:
    test = given.get("test")
    words = ["CMD-SHELL", test] if isinstance(test, str) else list(test or ())
    if not words or not all(words) or given.get("disable"):
        return {}
    found: dict[str, Any] = {"test": words}
    for key in ("interval", "timeout", "start_period"):
        if given.get(key):
            found[key] = _seconds(given[key])
    if given.get("retries"):
        found["retries"] = int(_number(given["retries"]))
    return found


def of_inspection(container: Mapping[str, Any], image: Mapping[str, Any]) -> Foreign:
    """A container as an engine describes it, without what its image brings anyway."""
    config, host = container.get("Config") or {}, container.get("HostConfig") or {}
    base = image.get("Config") or {}
    own = set(base.get("Env") or ())
    pairs = [row.partition("=") for row in config.get("Env") or () if row not in own]
    mounts = [
        {
            "source": one.get("Source") if one.get("Type") == "bind" else "",
            "target": one["Destination"],
            "read_only": not one.get("RW", True),
        }
        for one in container.get("Mounts") or ()
        if one.get("Type") != "tmpfs"
    ]
    volumes, lost = _volumes(mounts)
    policy = host.get("RestartPolicy") or {}
    retries = policy.get("MaximumRetryCount")
    return Foreign(
        name=str(container.get("Name") or "").lstrip("/"),
        image=str(config.get("Image") or ""),
        user=str(config.get("User") or ""),
        command=(*(config.get("Entrypoint") or ()), *(config.get("Cmd") or ())),
        whole_command=True,
        workdir=_unless(config.get("WorkingDir"), base.get("WorkingDir")),
        env={name: value for name, _, value in pairs},
        volumes=volumes,
        tmpfs=tuple(host.get("Tmpfs") or ()),
        memory=int(host.get("Memory") or 0),
        cpus=_cpus(host),
        pids=max(0, int(host.get("PidsLimit") or 0)),
        stop_timeout=int(config.get("StopTimeout") or 0),
        restart=f"on-failure:{retries}" if retries else str(policy.get("Name") or ""),
        health=_inspected_health(config.get("Healthcheck") or {}),
        lost=(*lost, *_lost_of(host)),
    )


def _lost_of(host: Mapping[str, Any]) -> Iterable[str]:
    for key, word in (
        ("PortBindings", "ports"),
        ("Privileged", "privileged"),
        ("CapAdd", "cap_add"),
        ("Devices", "devices"),
        ("ExtraHosts", "extra_hosts"),
    ):
        if host.get(key):
            yield f"`{word}`: {LOST[word]}."


def _inspected_health(given: Mapping[str, Any]) -> dict[str, Any]:
    test = list(given.get("Test") or ())
    if len(test) < 2:
        return {}
    found: dict[str, Any] = {"test": test}
    for key, name in (
        ("interval", "Interval"),
        ("timeout", "Timeout"),
        ("start_period", "StartPeriod"),
    ):
        if given.get(name):
            found[key] = given[name] / NS
    if given.get("Retries"):
        found["retries"] = int(given["Retries"])
    return found


def _cpus(host: Mapping[str, Any]) -> float:
    if host.get("NanoCpus"):
        return float(host["NanoCpus"]) / NS
    quota, period = host.get("CpuQuota") or 0, host.get("CpuPeriod") or 100_000
    return float(quota) / float(period) if quota > 0 else 0.0


def _unless(value: object, usual: object) -> str:
    return str(value or "") if value != usual else ""


def _words(value: object) -> tuple[str, ...]:
    """A command, as a list or as a line for a shell to split."""
    if isinstance(value, str):
        try:
            return tuple(shlex.split(value))
        except ValueError:
            return ("/bin/sh", "-c", value)
    return tuple(_plain(one) for one in value) if isinstance(value, list) else ()


def _texts(value: object) -> list[str]:
    if isinstance(value, list):
        return [str(one.get("path") if isinstance(one, dict) else one) for one in value]
    return [str(value)] if value else []


def _secret_name(value: object) -> str:
    if isinstance(value, dict):
        return str(value.get("target") or value.get("source") or "")
    return str(value)


def _number(value: object) -> float:
    try:
        return float(str(value)) if value else 0.0
    except ValueError:
        return 0.0


def _size(value: object) -> int:
    match = _SIZE.fullmatch(str(value).strip()) if value else None
    return int(float(match[1]) * _BYTES[match[2].lower()]) if match else 0


def _seconds(value: object) -> float:
    return sum(float(number) * _SECONDS[unit] for number, unit in _TIME.findall(str(value or "")))
