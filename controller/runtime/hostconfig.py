"""Builds the body of the engine's create call. Pure, and the only place that hardens containers.

The body is the engine's own JSON rather than docker-py's helper objects, so the tests assert
exactly what is sent. Of the secrets, only their folder's path appears here.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from controller.domain.spec import (
    BOT_LABEL,
    INSTANCE_LABEL,
    MANAGED_LABEL,
    RELEASE_LABEL,
    SECRETS_TARGET,
    SPEC_LABEL,
    ContainerSpec,
    HealthSpec,
)
from controller.runtime.protocol import Probe
from controller.runtime.seeding import TOP
from controller.runtime.validation import check_user, parse_restart_policy

PROBE_LABEL = "botmaker.probe"
# The folder under which the helper container of `preparation_body` mounts the volume.
PREPARE_PARENT = "/botmaker-volume"
_STATE_SIZE = "64m"  # of a rehearsal's state folder, which is in memory

_Json = dict[str, Any]


def bot_labels(bot_id: str, instance: str) -> dict[str, str]:
    """The labels of everything that belongs to one bot of this installation."""
    return {MANAGED_LABEL: "true", INSTANCE_LABEL: instance, BOT_LABEL: bot_id}


def network_labels(instance: str) -> dict[str, str]:
    """The labels of the installation's network."""
    return {MANAGED_LABEL: "true", INSTANCE_LABEL: instance}


def probe_labels(instance: str) -> dict[str, str]:
    """The labels of throw-away containers: ours, but not in the list of bots."""
    return {PROBE_LABEL: "true", INSTANCE_LABEL: instance}


def container_body(spec: ContainerSpec, *, instance: str, network: str) -> _Json:
    """The create body of a bot's container, hardened by default."""
    mounts = [bind(spec.secrets_source, SECRETS_TARGET)]
    mounts += [bind(source, target) for source, target in spec.config_mounts]
    if spec.state_path:
        # A prepared volume already has its owner. A copy at create would undo that, because the
        # engine copies the image folder's owner and mode into a volume that is still empty.
        mounts.append(volume(spec, spec.state_path, instance, copy=not spec.gives_volume))
    host = _hardened(
        mounts, spec.tmpfs, memory=spec.memory, nano_cpus=spec.nano_cpus, pids=spec.pids
    )
    host["NetworkMode"] = network
    host["Init"] = spec.init
    if spec.host_names:
        host["ExtraHosts"] = [f"{one}:host-gateway" for one in spec.host_names]
    host["RestartPolicy"] = restart_policy(spec.restart)
    host["LogConfig"] = _logs(size="10m", files=3)
    body = _body(spec.image, spec.user, spec.command, host)
    body["Labels"] = {**bot_labels(spec.bot_id, instance), SPEC_LABEL: spec.digest()}
    if spec.release:
        body["Labels"][RELEASE_LABEL] = str(spec.release)
    body["StopTimeout"] = spec.stop_timeout
    body["Env"] = [f"{name}={value}" for name, value in spec.env]
    if spec.entrypoint:
        body["Entrypoint"] = list(spec.entrypoint)
    if spec.workdir:
        body["WorkingDir"] = spec.workdir
    if spec.health is not None:
        body["Healthcheck"] = _healthcheck(spec.health)
    return body


def restart_policy(text: str) -> _Json:
    """A template's restart policy in the engine's words. Raises BadSpec for other words."""
    name, tries = parse_restart_policy(text)
    return {"Name": name, "MaximumRetryCount": tries}


def probe_body(probe: Probe, *, instance: str) -> _Json:
    """The create body of a probe: hardened like a bot's, with no network and no restarts."""
    host = _hardened(
        [bind(probe.secrets_source, SECRETS_TARGET)],
        (("/tmp", "16m"),),  # noqa: S108 - a path in the container
        memory=128 << 20,
        nano_cpus=500_000_000,
        pids=64,
    )
    host["NetworkMode"] = "none"
    host["Init"] = True
    host["RestartPolicy"] = {"Name": "no", "MaximumRetryCount": 0}
    host["LogConfig"] = _logs(size="1m", files=1)
    body = _body(probe.image, probe.user, probe.command, host)
    body["Labels"] = probe_labels(instance)
    body["Entrypoint"] = [""]  # the API's word for none: only the probe's command runs
    body["Healthcheck"] = {"Test": ["NONE"]}
    return body


def rehearsal_body(spec: ContainerSpec, command: Iterable[str], *, instance: str) -> _Json:
    """The create body of a rehearsal: the bot's, without its volume, network and restarts.

    It's built from the bot's body, so whatever hardens a bot hardens its rehearsal too.
    """
    once = replace(
        spec,
        entrypoint=("",),  # the API's word for none: only the command runs
        command=tuple(command),
        state_path="",
        host_names=(),  # without a network there's no way to the host
        restart="no",
        health=HealthSpec(test=("NONE",)),
    )
    body = container_body(once, instance=instance, network="none")
    body["Labels"] = probe_labels(instance)
    host = body["HostConfig"]
    host["LogConfig"] = _logs(size="1m", files=2)
    if spec.state_path:
        uid, gid = check_user(spec.user)
        options = f"rw,noexec,nosuid,nodev,size={_STATE_SIZE},mode=0700,uid={uid},gid={gid}"
        host["Tmpfs"][spec.state_path] = options
    return body


def path_lookup_body(image: str, *, instance: str) -> _Json:
    """The create body of a container that is never started, only used to look into its image."""
    host = _hardened([], (), memory=16 << 20, nano_cpus=100_000_000, pids=8)
    host["NetworkMode"] = "none"
    host["RestartPolicy"] = {"Name": "no", "MaximumRetryCount": 0}
    body = _body(image, "65534:65534", ("never-started",), host)
    body["Labels"] = probe_labels(instance)
    return body


def preparation_body(spec: ContainerSpec, *, instance: str) -> _Json:
    """The create body of the helper container that prepares a volume. It is never started.

    It mounts the volume twice: where the bot will, so that the engine copies the image's files into
    it, and in a folder below PREPARE_PARENT, where an archive can set the top folder's owner.
    """
    mounts = [
        volume(spec, spec.state_path, instance, copy=True),
        volume(spec, f"{PREPARE_PARENT}/{TOP}", instance, copy=False),
    ]
    host = _hardened(mounts, (), memory=16 << 20, nano_cpus=100_000_000, pids=8)
    # With a read-only root the engine refuses every archive, even one that goes into a volume.
    host["ReadonlyRootfs"] = False
    host["NetworkMode"] = "none"
    host["RestartPolicy"] = {"Name": "no", "MaximumRetryCount": 0}
    body = _body(spec.image, spec.user, ("never-started",), host)
    body["Labels"] = probe_labels(instance)
    return body


def state_body(spec: ContainerSpec, *, instance: str) -> _Json:
    """The create body of the helper container through which a volume is saved or filled. It is
    never started, and nothing of its image gets into the volume."""
    mounts = [volume(spec, f"{PREPARE_PARENT}/{TOP}", instance, copy=False)]
    body = preparation_body(spec, instance=instance)
    body["HostConfig"]["Mounts"] = mounts
    return body


def bind(source: str, target: str) -> _Json:
    """A read-only bind mount that fails if its source is missing (`Binds` would create it)."""
    return {
        "Type": "bind",
        "Source": source,
        "Target": target,
        "ReadOnly": True,
        "BindOptions": {"Propagation": "rprivate"},
    }


def volume(spec: ContainerSpec, target: str, instance: str, *, copy: bool) -> _Json:
    """A mount of the bot's named volume. `copy` fills an empty one with the image's files."""
    options: _Json = {"Labels": bot_labels(spec.bot_id, instance)}
    if not copy:
        options["NoCopy"] = True
    return {"Type": "volume", "Source": spec.name, "Target": target, "VolumeOptions": options}


def _hardened(
    mounts: list[_Json],
    tmpfs: Iterable[tuple[str, str]],
    *,
    memory: int,
    nano_cpus: int,
    pids: int,
) -> _Json:
    return {
        "CapDrop": ["ALL"],
        "SecurityOpt": ["no-new-privileges:true"],
        "Privileged": False,
        "ReadonlyRootfs": True,
        "IpcMode": "private",
        "Memory": memory,
        "MemorySwap": memory,  # the limit of memory and swap together, so there's no swap
        "NanoCpus": nano_cpus,
        "PidsLimit": pids,
        # A core dump would contain every secret that the process knows.
        "Ulimits": [{"Name": "core", "Soft": 0, "Hard": 0}],
        "Tmpfs": {path: f"rw,noexec,nosuid,nodev,size={size},mode=1777" for path, size in tmpfs},
        "Mounts": mounts,
        "PublishAllPorts": False,
    }


def _body(image: str, user: str, command: Iterable[str], host: _Json) -> _Json:
    words = list(command)
    body: _Json = {"Image": image, "User": user, "Tty": False, "OpenStdin": False}
    if words:
        body["Cmd"] = words
    return {**body, "HostConfig": host}


def _logs(*, size: str, files: int) -> _Json:
    return {"Type": "json-file", "Config": {"max-size": size, "max-file": str(files)}}


def _healthcheck(health: HealthSpec) -> _Json:
    return {
        "Test": list(health.test),
        "Interval": round(health.interval * 1e9),
        "Timeout": round(health.timeout * 1e9),
        "StartPeriod": round(health.start_period * 1e9),
        "Retries": health.retries,
    }
