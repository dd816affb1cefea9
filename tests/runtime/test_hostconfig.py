"""A spec turned into what is sent to the engine: exactly, so that no hardening can get lost."""

from __future__ import annotations

import io
import json
import tarfile
from typing import Any

import pytest

from controller.domain.errors import BadSpec
from controller.domain.spec import ContainerSpec, HealthSpec, SeedFile
from controller.runtime import Probe
from controller.runtime.hostconfig import (
    container_body,
    path_lookup_body,
    preparation_body,
    probe_body,
    rehearsal_body,
)
from controller.runtime.seeding import Plan, build_archive
from controller.runtime.validation import parse_restart_policy

BOT = "0b7a2f5e-6b0e-4d7e-9f57-3a1d2b4c5d6e"
TMPFS = "rw,noexec,nosuid,nodev,size={},mode=1777"


def spec(**changes: Any) -> ContainerSpec:
    base: dict[str, Any] = {
        "bot_id": BOT, "image": "sha256:abc", "user": "1000:1001", "secrets_source": "/srv/s",
    }  # fmt: skip
    return ContainerSpec(**{**base, **changes})


def body(**changes: Any) -> dict[str, Any]:
    return container_body(spec(**changes), instance="here", network="botmaker-here")


def test_the_host_has_a_name_only_where_the_spec_gives_it_one() -> None:
    """The engine fills in its address; a rehearsal, which has no network, gets none."""
    named = spec(host_names=("host.docker.internal",))
    host = container_body(named, instance="here", network="n")["HostConfig"]
    assert host["ExtraHosts"] == ["host.docker.internal:host-gateway"]
    assert "ExtraHosts" not in body()["HostConfig"]
    rehearsal = rehearsal_body(named, ("true",), instance="here")
    assert "ExtraHosts" not in rehearsal["HostConfig"]


def test_the_smallest_spec_is_fully_hardened() -> None:
    """Nothing has to be asked for: this is the whole body, and there is nothing else in it."""
    assert body() == {
        "Image": "sha256:abc",
        "User": "1000:1001",
        "Tty": False,
        "OpenStdin": False,
        "Env": [],
        "StopTimeout": 10,
        "Labels": {
            "botmaker.managed": "true",
            "botmaker.instance": "here",
            "botmaker.bot-id": BOT,
            "botmaker.spec": spec().digest(),
        },
        "HostConfig": {
            "CapDrop": ["ALL"],
            "SecurityOpt": ["no-new-privileges:true"],
            "Privileged": False,
            "ReadonlyRootfs": True,
            "IpcMode": "private",
            "NetworkMode": "botmaker-here",
            "PublishAllPorts": False,
            "Init": True,
            "Memory": 268435456,
            "MemorySwap": 268435456,
            "NanoCpus": 500000000,
            "PidsLimit": 128,
            "Ulimits": [{"Name": "core", "Soft": 0, "Hard": 0}],
            "RestartPolicy": {"Name": "unless-stopped", "MaximumRetryCount": 0},
            "LogConfig": {"Type": "json-file", "Config": {"max-size": "10m", "max-file": "3"}},
            "Tmpfs": {"/tmp": TMPFS.format("64m")},
            "Mounts": [
                {
                    "Type": "bind",
                    "Source": "/srv/s",
                    "Target": "/run/secrets",
                    "ReadOnly": True,
                    "BindOptions": {"Propagation": "rprivate"},
                }
            ],
        },
    }


@pytest.mark.parametrize(
    ("changes", "path", "expected"),
    [
        ({"entrypoint": ("/bin/x", "-v")}, ("Entrypoint",), ["/bin/x", "-v"]),
        ({"command": ("run", "it")}, ("Cmd",), ["run", "it"]),
        ({"workdir": "/app"}, ("WorkingDir",), "/app"),
        ({"env": (("A", "1"), ("B", "x=y"))}, ("Env",), ["A=1", "B=x=y"]),
        ({"stop_timeout": 33}, ("StopTimeout",), 33),
        ({"init": False}, ("HostConfig", "Init"), False),
        ({"memory": 5}, ("HostConfig", "MemorySwap"), 5),
        ({"nano_cpus": 7}, ("HostConfig", "NanoCpus"), 7),
        ({"pids": 9}, ("HostConfig", "PidsLimit"), 9),
        ({"tmpfs": ()}, ("HostConfig", "Tmpfs"), {}),
        (
            {"tmpfs": (("/a", "1m"), ("/b", "2m"))},
            ("HostConfig", "Tmpfs"),
            {"/a": TMPFS.format("1m"), "/b": TMPFS.format("2m")},
        ),
        (
            {"restart": "on-failure:5"},
            ("HostConfig", "RestartPolicy"),
            {"Name": "on-failure", "MaximumRetryCount": 5},
        ),
        (
            {"restart": "no"},
            ("HostConfig", "RestartPolicy"),
            {"Name": "no", "MaximumRetryCount": 0},
        ),
        (
            {"health": HealthSpec(test=("CMD", "/c"), interval=0.5, timeout=2, retries=4)},
            ("Healthcheck",),
            {
                "Test": ["CMD", "/c"],
                "Interval": 500_000_000,
                "Timeout": 2_000_000_000,
                "StartPeriod": 30_000_000_000,
                "Retries": 4,
            },
        ),
    ],
)
def test_each_wish_has_its_place(changes: Any, path: tuple[str, ...], expected: Any) -> None:
    """A field of the spec ends up in one place of the body."""
    found: Any = body(**changes)
    for part in path:
        found = found[part]
    assert found == expected


def test_files_are_mounted_read_only_beside_the_secrets() -> None:
    """Rendered folders are binds like the secrets: read-only, private."""
    mounts = body(files=(("/srv/f", "/config"),))["HostConfig"]["Mounts"]
    assert [(m["Source"], m["Target"], m["ReadOnly"]) for m in mounts] == [
        ("/srv/s", "/run/secrets", True),
        ("/srv/f", "/config", True),
    ]
    assert all(m["BindOptions"] == {"Propagation": "rprivate"} for m in mounts)


@pytest.mark.parametrize(
    ("changes", "prepared"),
    [({}, False), ({"prepare_volume": True}, True), ({"seeds": (SeedFile("a", "b"),)}, True)],
)
def test_the_state_is_a_labelled_named_volume(changes: dict[str, Any], prepared: bool) -> None:
    """A prepared volume, as one with seeds is, is not given the image's owner again."""
    mounts = body(state_path="/data", **changes)["HostConfig"]["Mounts"]
    assert mounts[-1] == {
        "Type": "volume",
        "Source": f"botmaker-{BOT}",
        "Target": "/data",
        "VolumeOptions": {
            **({"NoCopy": True} if prepared else {}),
            "Labels": {
                "botmaker.managed": "true",
                "botmaker.instance": "here",
                "botmaker.bot-id": BOT,
            },
        },
    }


def test_nothing_ever_opens_the_host() -> None:
    """No body has binds, ports, devices, added capabilities or the host's namespaces."""
    probe = Probe(image="i", user="1:1", command=("x",), secrets_source="/srv/s")
    bodies = [
        body(state_path="/data", files=(("/srv/f", "/config"),)),
        probe_body(probe, instance="here"),
        preparation_body(spec(state_path="/data"), instance="here"),
        rehearsal_body(spec(state_path="/data"), ("x",), instance="here"),
        path_lookup_body("i", instance="here"),
    ]
    for made in bodies:
        host = made["HostConfig"]
        never = {"Binds", "PortBindings", "Devices", "CapAdd", "PidMode", "UTSMode", "UsernsMode"}
        assert not never & set(host)
        assert host["CapDrop"] == ["ALL"]
        assert host["SecurityOpt"] == ["no-new-privileges:true"]
        assert host["Privileged"] is False
        assert host["NetworkMode"] in {"none", "botmaker-here"}
        assert "ExposedPorts" not in made


def test_a_probe_is_as_hardened_and_has_no_network() -> None:
    """It runs only what it was asked to, once, and is not labelled as a bot."""
    probe = Probe(image="i", user="1:2", command=("/bin/x", "y"), secrets_source="/srv/s")
    made = probe_body(probe, instance="here")
    host = made["HostConfig"]
    assert made["Labels"] == {"botmaker.probe": "true", "botmaker.instance": "here"}
    assert (made["User"], made["Cmd"], made["Entrypoint"]) == ("1:2", ["/bin/x", "y"], [""])
    assert (host["NetworkMode"], host["ReadonlyRootfs"]) == ("none", True)
    assert host["RestartPolicy"]["Name"] == "no"
    assert host["Memory"] == host["MemorySwap"]


FULL: dict[str, Any] = {
    "state_path": "/data", "prepare_volume": True, "files": (("/srv/f", "/config"),),
    "entrypoint": ("/entry",), "command": ("run",), "workdir": "/app", "env": (("A", "1"),),
    "tmpfs": (("/tmp", "7m"),), "memory": 5, "nano_cpus": 6, "pids": 7, "init": False,
    "health": HealthSpec(test=("CMD", "/c")),
}  # fmt: skip


@pytest.mark.parametrize("changes", [{}, FULL])
def test_a_rehearsal_has_exactly_the_bots_hardening(changes: dict[str, Any]) -> None:
    """Whatever the bot's body says holds here too, but for what is named: no way in or out."""
    bot, tried = body(**changes), rehearsal_body(spec(**changes), ("/c", "x"), instance="here")
    host, tried_host = bot.pop("HostConfig"), tried.pop("HostConfig")
    binds = [mount for mount in host.pop("Mounts") if mount["Type"] == "bind"]
    assert tried_host.pop("Mounts") == binds
    assert all(mount["ReadOnly"] for mount in binds)
    tmpfs = tried_host.pop("Tmpfs")
    state = tmpfs.pop("/data", None)
    assert tmpfs == host.pop("Tmpfs")
    private = "rw,noexec,nosuid,nodev,size=64m,mode=0700,uid=1000,gid=1001"
    assert state == (private if changes else None)
    own = {
        "NetworkMode": "none",
        "RestartPolicy": {"Name": "no", "MaximumRetryCount": 0},
        "LogConfig": {"Type": "json-file", "Config": {"max-size": "1m", "max-file": "2"}},
    }
    assert tried_host == {**host, **own}
    assert tried == {
        **bot,
        "Labels": {"botmaker.probe": "true", "botmaker.instance": "here"},
        "Entrypoint": [""],
        "Cmd": ["/c", "x"],
        "Healthcheck": {
            "Test": ["NONE"],
            "Interval": 30_000_000_000,
            "Timeout": 10_000_000_000,
            "StartPeriod": 30_000_000_000,
            "Retries": 3,
        },
    }


def test_an_image_is_looked_at_without_a_mount_or_a_network() -> None:
    """And its container has no program that could run, nor root's right to run one."""
    made = path_lookup_body("sha256:abc", instance="here")
    assert made["Labels"] == {"botmaker.probe": "true", "botmaker.instance": "here"}
    assert (made["Cmd"], made["User"]) == (["never-started"], "65534:65534")
    assert (made["HostConfig"]["Mounts"], made["HostConfig"]["NetworkMode"]) == ([], "none")


def test_the_preparation_names_one_folder_and_its_owner() -> None:
    """The archive holds the volume's top alone: the user's, mode 0700."""
    with tarfile.open(fileobj=io.BytesIO(build_archive("123:456", Plan()))) as made:
        (entry,) = made.getmembers()
    assert (entry.name, entry.isdir(), entry.mode) == ("top", True, 0o700)
    assert (entry.uid, entry.gid) == (123, 456)
    mounts = preparation_body(spec(state_path="/data"), instance="here")["HostConfig"]["Mounts"]
    assert [(m["Target"], m["VolumeOptions"].get("NoCopy", False)) for m in mounts] == [
        ("/data", False),
        ("/botmaker-volume/top", True),
    ]


def test_the_body_is_plain_json() -> None:
    """What is asserted here is what is sent."""
    made = body(state_path="/data", health=HealthSpec(test=("NONE",)))
    assert json.loads(json.dumps(made)) == made


@pytest.mark.parametrize("text", ["always", "", "on-failure", "on-failure:0", "on-failure:x", "No"])
def test_other_policies_are_refused(text: str) -> None:
    """There are three policies."""
    with pytest.raises(BadSpec):
        parse_restart_policy(text)
