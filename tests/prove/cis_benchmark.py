"""The CIS Docker Benchmark's section 5, container runtime, checked on containers as they are.

    python -m tests.prove.cis_benchmark CONTAINER…

Next door: test_hardening.py runs it on real bots. The numbers are from version 1.6; the words are
ours. EXCEPTIONS lists what we fail on purpose, with the reasons.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import docker

from tests.conftest import engine_client

Json = dict[str, Any]
Check = Callable[[Json, Json], bool]  # a container's inspect, the engine's info

EXCEPTIONS = {
    "5.1": "swarm mode is the host's affair; BotMaker never turns it on",
    "5.23": "commands in a container: tests/runtime/test_engine_inside.py asks them who they are",
    "5.24": "likewise: the container's user, without a capability",
    "5.28": "newest images: `pull` in a template; a bot keeps the image that it was made of",
    "5.2": "AppArmor: only where the host has none; where it has one, the engine's profile is kept",
    "5.3": "SELinux: only where the engine does not use it",
    "5.15": "restart policy: `unless-stopped` is BotMaker's contract; the controller itself stops "
    "a bot after five crashes in ten minutes, which is the benchmark's purpose",
    "5.27": "health check: a template may have none; an image's own is kept then",
}
SENSITIVE = ("/", "/boot", "/dev", "/etc", "/lib", "/proc", "/sys", "/usr", "/var/run", "/run")


def _host(seen: Json) -> Json:
    return dict(seen["HostConfig"])


def _security(seen: Json) -> list[str]:
    return [option.replace("=", ":") for option in _host(seen).get("SecurityOpt") or ()]


def _sources(seen: Json) -> list[str]:
    return [m["Source"] for m in seen["Mounts"] if m["Type"] == "bind"]


def _offered(info: Json, what: str) -> bool:
    return any(what in option for option in info.get("SecurityOptions") or ())


def _apparmor(seen: Json, info: Json) -> bool:
    return not _offered(info, "apparmor") or seen.get("AppArmorProfile") not in {"", "unconfined"}


def _selinux(seen: Json, info: Json) -> bool:
    return not _offered(info, "selinux") or "label:disable" not in _security(seen)


def _no_docker_socket(seen: Json, _: Json) -> bool:
    return not any("docker.sock" in source for source in _sources(seen))


def _no_sensitive_mount(seen: Json, _: Json) -> bool:
    return not any((source.rstrip("/") or "/") in SENSITIVE for source in _sources(seen))


def _no_port(seen: Json, _: Json) -> bool:
    return not _host(seen).get("PublishAllPorts") and not _host(seen).get("PortBindings")


def _loopback_ports(seen: Json, _: Json) -> bool:
    bound = (_host(seen).get("PortBindings") or {}).values()
    return all(b.get("HostIp") in {"127.0.0.1", "::1"} for port in bound for b in port or ())


def _read_only_binds(seen: Json, _: Json) -> bool:
    return all(not m["RW"] for m in seen["Mounts"] if m["Type"] == "bind")


def _private_propagation(seen: Json, _: Json) -> bool:
    binds = [m for m in seen["Mounts"] if m["Type"] == "bind"]
    return all(m["Propagation"] not in {"shared", "rshared"} for m in binds)


def _restart(seen: Json, _: Json) -> bool:
    policy = _host(seen)["RestartPolicy"]
    wished = {"no", "", "unless-stopped"}
    return policy["Name"] in wished or (
        policy["Name"] == "on-failure" and policy["MaximumRetryCount"] <= 5
    )


def _seccomp(seen: Json, info: Json) -> bool:
    return _offered(info, "seccomp") and "seccomp:unconfined" not in _security(seen)


def _own_bridge(seen: Json, _: Json) -> bool:
    return set(seen["NetworkSettings"]["Networks"]).isdisjoint({"bridge", "host"})


def _numeric_user(seen: Json, _: Json) -> bool:
    uid = str(seen["Config"]["User"]).partition(":")[0]
    return uid.isdecimal() and int(uid) > 0


def _no_ssh(seen: Json, _: Json) -> bool:
    return "sshd" not in " ".join([seen["Path"], *seen["Args"]])


def _no_privileged_port(seen: Json, _: Json) -> bool:
    ports = _host(seen).get("PortBindings") or {}
    return all(int(b["HostPort"] or 65535) >= 1024 for bound in ports.values() for b in bound or ())


def _ulimits(seen: Json, _: Json) -> bool:
    limits = {limit["Name"]: limit["Hard"] for limit in _host(seen).get("Ulimits") or ()}
    return limits.get("core") == 0


def _no_device(seen: Json, _: Json) -> bool:
    return not _host(seen).get("Devices") and not _host(seen).get("DeviceRequests")


def _never(key: str, *words: str) -> Check:
    return lambda seen, _: str(_host(seen).get(key) or "") not in words


CHECKS: dict[str, tuple[str, Check]] = {
    "4.1": ("runs as a user of its own, never root", _numeric_user),
    "5.2": ("AppArmor profile where the host has AppArmor", _apparmor),
    "5.3": ("SELinux options where the engine uses SELinux", _selinux),
    "5.4": ("all Linux capabilities dropped", lambda s, _: _caps(s)),
    "5.5": ("not privileged", lambda s, _: _host(s)["Privileged"] is False),
    "5.6": ("no sensitive folder of the host mounted", _no_sensitive_mount),
    "5.7": ("no ssh server", _no_ssh),
    "5.8": ("no privileged port mapped", _no_privileged_port),
    "5.9": ("no port open that is not needed", _no_port),
    "5.10": ("the host's network is not shared", _never("NetworkMode", "host")),
    "5.11": ("memory limited", lambda s, _: _host(s)["Memory"] > 0),
    "5.12": ("CPU limited", lambda s, _: (_host(s)["NanoCpus"] or _host(s)["CpuShares"]) > 0),
    "5.13": ("root file system read-only", lambda s, _: _host(s)["ReadonlyRootfs"] is True),
    "5.14": ("ports on one address of the host only", _loopback_ports),
    "5.15": ("restarts bounded, or by the contract's policy", _restart),
    "5.16": ("the host's process namespace is not shared", _never("PidMode", "host")),
    "5.17": ("the host's IPC namespace is not shared", _never("IpcMode", "host", "shareable")),
    "5.18": ("no device of the host", _no_device),
    "5.19": ("limits of its own (no core dump)", _ulimits),
    "5.20": ("mounts do not propagate", _private_propagation),
    "5.21": ("the host's UTS namespace is not shared", _never("UTSMode", "host")),
    "5.22": ("default seccomp profile", _seccomp),
    "5.25": ("cgroup as the engine made it", lambda s, _: not _host(s).get("CgroupParent")),
    "5.26": ("no new privileges", lambda s, _: "no-new-privileges:true" in _security(s)),
    "5.27": ("health is checked, or the template has no check", lambda s, _: _health(s)),
    "5.29": ("number of processes limited", lambda s, _: (_host(s)["PidsLimit"] or 0) > 0),
    "5.30": ("not on the default bridge", _own_bridge),
    "5.31": ("the host's user namespace is not shared", _never("UsernsMode", "host")),
    "5.32": ("the engine's socket is not mounted", _no_docker_socket),
    "+1": ("every bind mount read-only", _read_only_binds),
    "+2": ("no swap on top of memory", lambda s, _: _host(s)["MemorySwap"] == _host(s)["Memory"]),
    "+3": ("log rotated", lambda s, _: "max-size" in (_host(s)["LogConfig"]["Config"] or {})),
    "+4": ("tmpfs noexec, nosuid, nodev", lambda s, _: _tmpfs(s)),
    "+5": ("image by digest or id", lambda s, _: "sha256:" in s["Config"]["Image"]),
}


def _caps(seen: Json) -> bool:
    host = _host(seen)
    return [c.upper() for c in host["CapDrop"] or ()] == ["ALL"] and not host["CapAdd"]


def _health(seen: Json) -> bool:
    check = (seen["Config"].get("Healthcheck") or {}).get("Test") or ()
    return "NONE" not in check


def _tmpfs(seen: Json) -> bool:
    wanted = {"noexec", "nosuid", "nodev"}
    found = _host(seen).get("Tmpfs") or {}
    return all(
        wanted <= set(options.split(",")) and "size=" in options for options in found.values()
    )


def failures(client: docker.APIClient, container: str) -> list[str]:
    """The checks that the container fails, each with its number and words."""
    seen, info = client.inspect_container(container), client.info()
    return [
        f"{number} {words}" for number, (words, holds) in CHECKS.items() if not holds(seen, info)
    ]


def main(containers: list[str]) -> int:
    """Print every check for every container; 1 if one fails."""
    client = engine_client()
    failed = 0
    for container in containers:
        missed = failures(client, container)
        failed += len(missed)
        for number, (words, _) in CHECKS.items():
            mark = "WARN" if f"{number} {words}" in missed else "PASS"
            print(f"[{mark}] {number:>4} {words}: {container[:50]}")
    for number, reason in EXCEPTIONS.items():
        print(f"[NOTE] {number:>4} {reason}")
    client.close()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
