"""What only a real engine can show: the hardening from inside, the world it leaves, its speed."""

from __future__ import annotations

import asyncio
import json
import socket
import statistics
import time
import uuid
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from docker.errors import APIError

from controller.domain.errors import Conflict, OutcomeUnknown
from controller.domain.events import LogLine, LogQuery
from controller.domain.observation import ContainerState
from controller.domain.spec import ContainerSpec, HealthSpec
from controller.runtime.engine import EngineRuntime
from controller.runtime.frames import LINE_MAX
from controller.runtime.hostconfig import bot_labels, container_body, probe_labels
from controller.runtime.throwaway import sweep
from tests.runtime.rig import EngineRig, eventually, real_engine

pytestmark = pytest.mark.engine


async def report(rig: EngineRig, script: str, **changes: Any) -> dict[str, str]:
    """Run a script of `key=value` lines as a bot; what it told."""
    spec = await rig.running(command=("/bin/sh", "-c", script), restart="no", **changes)
    await ended(rig, spec)
    lines = await rig.runtime.logs(spec.bot_id, LogQuery(lines=100))
    return dict(line.text.split("=", 1) for line in lines if "=" in line.text)


async def ended(rig: EngineRig, spec: ContainerSpec) -> None:
    async def check() -> bool:
        found = await rig.runtime.observe(spec.bot_id)
        return found is not None and found.state is ContainerState.EXITED

    await eventually(check)


async def test_the_engine_holds_exactly_what_was_asked_for(engine_rig: EngineRig) -> None:
    """Every field that we send is in the inspect as we sent it."""
    spec = await engine_rig.created(
        state_path="/data",
        restart="on-failure:5",
        env=(("LANG", "C.UTF-8"),),
        health=HealthSpec(test=("CMD", "/bin/true")),
        files=((engine_rig.secrets("files"), "/config"),),
    )
    found = engine_rig.inspect(spec.bot_id)
    network = f"botmaker-{engine_rig.instance}"
    sent = container_body(spec, instance=engine_rig.instance, network=network)
    host = sent.pop("HostConfig")
    host["Ulimits"] = [{"Name": "core", "Hard": 0, "Soft": 0}]
    for field, value in host.items():
        assert found["HostConfig"][field] == value, field
    assert found["HostConfig"]["Binds"] is None
    assert found["HostConfig"]["PortBindings"] in (None, {})
    for field in ("User", "StopTimeout", "Healthcheck", "Image", "Cmd"):
        assert found["Config"][field] == sent[field], field
    assert sent["Labels"].items() <= found["Config"]["Labels"].items()
    assert sent["Env"][0] in found["Config"]["Env"]


async def test_the_inside_is_as_hard_as_the_contract_says(engine_rig: EngineRig) -> None:
    """Asked from inside: no root, no capability, no way to write or to gain, and its secrets."""
    told = await report(
        engine_rig,
        """
        echo "id=$(id -u):$(id -g)"
        grep -E 'Cap(Eff|Prm|Bnd)|NoNewPrivs|Seccomp:' /proc/self/status | tr -d ' \\t' | tr : =
        touch /x 2>/dev/null && echo root=writable || echo root=read-only
        touch /run/secrets/x 2>/dev/null && echo secrets=writable || echo secrets=read-only
        echo "secret=$(cat /run/secrets/api_key)"
        printf '#!/bin/sh\\necho ran' > /tmp/x; busybox chmod 755 /tmp/x 2>/dev/null
        /tmp/x >/dev/null 2>&1 && echo tmp=exec || echo tmp=noexec
        echo "mode=$(stat -c %a /tmp/x)"
        echo "core=$(ulimit -c)"
        """,
    )
    assert told["id"] == "1000:1000"
    for capability in ("CapEff", "CapPrm", "CapBnd"):
        assert int(told[capability], 16) == 0
    assert told["NoNewPrivs"] == "1"
    assert told["Seccomp"] == "2"
    assert (told["root"], told["secrets"], told["tmp"]) == ("read-only", "read-only", "noexec")
    assert told["mode"] == "755"
    assert told["secret"] == "sk-test-not-a-secret"
    assert told["core"] == "0"


async def test_no_secret_is_in_what_the_engine_tells(engine_rig: EngineRig) -> None:
    """Neither inspect nor the process's environment holds the value that the file holds."""
    spec = await engine_rig.running()
    assert "sk-test-not-a-secret" not in json.dumps(engine_rig.inspect(spec.bot_id))
    told = await report(engine_rig, "echo env=$(cat /proc/1/environ | tr '\\0' ' ')")
    assert "sk-test" not in told["env"]


@pytest.mark.parametrize("path", ["/data", "/var/lib/bot"])
async def test_a_prepared_volume_belongs_to_its_user_alone(
    engine_rig: EngineRig, path: str
) -> None:
    """Its top folder is the spec's user's, mode 0700, whether or not the image has that folder."""
    script = f"echo top=$(stat -c %u:%g:%a {path}); touch {path}/x && echo wrote=yes"
    prepared = {"state_path": path, "user": "4321:8765", "prepare_volume": True}
    secrets = engine_rig.secrets("open")
    Path(secrets).chmod(0o755)
    told = await report(engine_rig, script, secrets_source=secrets, **prepared)
    assert told == {"top": "4321:8765:700", "wrote": "yes"}
    assert not [name for name in engine_rig.leftovers() if "prepare" in name]


async def test_a_prepared_volume_keeps_its_content_and_owner_for_ever(
    engine_rig: EngineRig,
) -> None:
    """A new container of the same bot finds what the old one wrote."""
    script = "cat /data/x; echo seen=$(cat /data/x); echo one > /data/x"
    changes = {"state_path": "/data", "prepare_volume": True}
    spec = engine_rig.spec(command=("/bin/sh", "-c", script), restart="no", **changes)
    lines: list[LogLine] = []
    for _ in range(2):
        await engine_rig.runtime.create(spec)
        await engine_rig.runtime.start(spec.bot_id)
        await ended(engine_rig, spec)
        lines = await engine_rig.runtime.logs(spec.bot_id, LogQuery())
        await engine_rig.runtime.remove(spec.bot_id, 1)
    assert "seen=one" in [line.text for line in lines]


async def test_what_a_dead_controller_left_of_a_preparation_does_not_matter(
    engine_rig: EngineRig,
) -> None:
    """Its helper container is replaced; somebody else's of that name is a conflict."""
    spec = engine_rig.spec(state_path="/data", prepare_volume=True)
    body = {"Image": engine_rig.image, "Cmd": ["x"], "Labels": probe_labels(engine_rig.instance)}
    name = f"botmaker-prepare-{spec.bot_id}"
    engine_rig.make(body, name)
    await engine_rig.runtime.create(spec)
    assert engine_rig.leftovers() == [f"/{spec.name}"]
    other = engine_rig.spec(state_path="/data", prepare_volume=True)
    engine_rig.make_foreign(f"botmaker-prepare-{other.bot_id}")
    with pytest.raises((Conflict, OutcomeUnknown)):
        await engine_rig.runtime.create(other)
    assert engine_rig.is_intact(f"botmaker-prepare-{other.bot_id}")


async def test_bots_cannot_reach_each_other(engine_rig: EngineRig) -> None:
    """They share one network of the installation, on which traffic between them is off."""
    server = await engine_rig.running(command=("/bin/nc", "-l", "-p", "8080"), restart="no")
    (network,) = engine_rig.inspect(server.bot_id)["NetworkSettings"]["Networks"].values()
    address = network["IPAddress"]
    told = await report(
        engine_rig, f"nc -w 2 {address} 8080 </dev/null && echo reached=yes || echo reached=no"
    )
    assert told["reached"] == "no"
    # The host is no bot: that it gets through shows that somebody listened all along.
    socket.create_connection((address, 8080), timeout=5).close()
    found = engine_rig.docker.inspect_network(f"botmaker-{engine_rig.instance}")
    assert found["Options"] == {"com.docker.network.bridge.enable_icc": "false"}
    assert found["Labels"]["botmaker.instance"] == engine_rig.instance


async def test_a_network_that_somebody_removed_is_made_again(engine_rig: EngineRig) -> None:
    """`docker network prune` while every bot is stopped must not end them for good."""
    spec = await engine_rig.running()
    await engine_rig.runtime.stop(spec.bot_id, 5)
    engine_rig.docker.remove_network(f"botmaker-{engine_rig.instance}")
    await engine_rig.runtime.start(spec.bot_id)
    found = await engine_rig.runtime.observe(spec.bot_id)
    assert found is not None
    assert found.state is ContainerState.RUNNING
    assert list(engine_rig.inspect(spec.bot_id)["NetworkSettings"]["Networks"]) == [
        f"botmaker-{engine_rig.instance}"
    ]


async def test_a_foreign_network_of_our_name_is_a_conflict(engine_rig: EngineRig) -> None:
    """A network that somebody else made may let traffic through: it is not used."""
    network = engine_rig.docker.create_network(f"botmaker-{engine_rig.instance}")
    try:
        with pytest.raises(Conflict):
            await engine_rig.created()
    finally:
        engine_rig.docker.remove_network(network["Id"])


async def test_another_installation_is_invisible_and_untouchable(engine_rig: EngineRig) -> None:
    """Containers and volumes of another instance are not listed, and their names are taken."""
    spec = await engine_rig.running(state_path="/data")
    other = EngineRuntime(f"{engine_rig.instance}-b", real_engine())
    try:
        assert await other.list_containers() == []
        assert await other.list_volumes() == []
        assert await other.has_volume(spec.bot_id) is False
        for call in (
            lambda: other.observe(spec.bot_id),
            lambda: other.stop(spec.bot_id, 1),
            lambda: other.remove(spec.bot_id, 1),
            lambda: other.remove_volume(spec.bot_id),
            lambda: other.create(spec),
        ):
            with pytest.raises(Conflict):
                await call()
    finally:
        await other.close()
    found = await engine_rig.runtime.observe(spec.bot_id)
    assert found is not None
    assert found.state is ContainerState.RUNNING


async def test_anonymous_volumes_go_with_their_container(engine_rig: EngineRig) -> None:
    """What an image declares as a volume does not stay behind; the bot's own volume does."""
    spec = engine_rig.spec(state_path="/data")
    await engine_rig.runtime.create(spec)
    await engine_rig.runtime.remove(spec.bot_id, 1)
    body = container_body(
        spec, instance=engine_rig.instance, network=f"botmaker-{engine_rig.instance}"
    )
    body["Volumes"] = {"/scratch": {}}
    engine_rig.make(body, spec.name)
    mounts = engine_rig.inspect(spec.bot_id)["Mounts"]
    (anonymous,) = [m["Name"] for m in mounts if m["Destination"] == "/scratch"]
    await engine_rig.runtime.remove(spec.bot_id, 1)
    with pytest.raises(APIError):
        engine_rig.docker.inspect_volume(anonymous)
    assert await engine_rig.runtime.has_volume(spec.bot_id)


async def test_labels_that_an_image_hands_down_make_no_bot(engine_rig: EngineRig) -> None:
    """A container with all our labels and another name is not listed, and stays."""
    spec = engine_rig.spec()
    labels = bot_labels(spec.bot_id, engine_rig.instance)
    body = {"Image": engine_rig.image, "Cmd": ["x"], "Labels": labels}
    engine_rig.make(body, f"other-{spec.bot_id}")
    assert await engine_rig.runtime.list_containers() == []
    assert len(engine_rig.leftovers()) == 1


async def test_the_mounts_of_a_container_are_told_by_its_full_id(engine_rig: EngineRig) -> None:
    """A controller in a container finds itself by the 64 digits of its id."""
    spec = engine_rig.spec()
    container_id = await engine_rig.runtime.create(spec)
    mounts = await engine_rig.runtime.mounts_of(container_id)
    assert ("bind", spec.secrets_source, "/run/secrets") in mounts


# Probes


async def test_a_probe_that_takes_too_long_is_killed(engine_rig: EngineRig) -> None:
    """It ends with 137, tells what it had printed, and is gone."""
    question = engine_rig.run_inside("echo waiting; sleep 60", timeout=0.5)
    began = time.monotonic()
    result = await engine_rig.runtime.probe(question)
    assert (result.exit_code, result.output) == (137, "waiting")
    assert time.monotonic() - began < 10
    assert engine_rig.leftovers() == []


async def test_a_probe_nobody_waits_for_is_removed_too(engine_rig: EngineRig) -> None:
    """Cancelling gives the caller up, not the cleaning."""
    waiting = asyncio.ensure_future(
        engine_rig.runtime.probe(engine_rig.run_inside("sleep 60", timeout=1))
    )
    await eventually(engine_rig.leftovers)
    assert await engine_rig.runtime.list_containers() == []
    waiting.cancel()
    with suppress(asyncio.CancelledError):
        await waiting
    await eventually(lambda: engine_rig.leftovers() == [])


async def test_a_probe_tells_only_the_end_of_what_it_printed(engine_rig: EngineRig) -> None:
    """The last 4 KiB."""
    result = await engine_rig.runtime.probe(engine_rig.run_inside("seq 1 3000"))
    assert len(result.output) == 4096
    assert result.output.endswith("2999\n3000")


async def test_a_probe_is_as_hard_as_a_bot(engine_rig: EngineRig) -> None:
    """No capability, no network, and it reads its secrets."""
    result = await engine_rig.runtime.probe(
        engine_rig.run_inside(
            "grep CapEff /proc/self/status; ls /sys/class/net; cat /run/secrets/*"
        )
    )
    assert result.output.split() == ["CapEff:", "0" * 16, "lo", "sk-test-not-a-secret"]


async def test_probes_that_a_dead_controller_left_are_swept(engine_rig: EngineRig) -> None:
    """Only old ones: a young one may be somebody's who still waits."""
    body = {"Image": engine_rig.image, "Cmd": ["x"], "Labels": probe_labels(engine_rig.instance)}
    engine_rig.make(body, f"botmaker-probe-{engine_rig.instance}")
    sweep(engine_rig.docker, engine_rig.instance)
    assert len(engine_rig.leftovers()) == 1
    await asyncio.sleep(1.1)
    sweep(engine_rig.docker, engine_rig.instance, older_than=1.0)
    assert engine_rig.leftovers() == []


async def test_a_start_sweeps_all_that_is_thrown_away_and_nothing_else(
    engine_rig: EngineRig,
) -> None:
    """Found by the crash matrix: a rehearsal went on for a quarter of an hour, with the bot's
    secrets, when the controller was killed meanwhile. Bots and other installations stay."""
    spec = await engine_rig.running()
    other = str(uuid.uuid4())
    command = ["/bin/sh", "-c", "sleep 600"]
    for instance in (engine_rig.instance, other):
        body = {"Image": engine_rig.image, "Cmd": command, "Labels": probe_labels(instance)}
        engine_rig.make(body, f"botmaker-probe-{instance}")
    engine_rig.docker.start(f"botmaker-probe-{engine_rig.instance}")
    await engine_rig.runtime.sweep()
    try:
        mine = {"label": f"botmaker.instance={engine_rig.instance}"}
        names = [row["Names"] for row in engine_rig.docker.containers(all=True, filters=mine)]
        assert names == [[f"/{spec.name}"]]
        assert engine_rig.docker.inspect_container(f"botmaker-probe-{other}")
    finally:
        engine_rig.docker.remove_container(f"botmaker-probe-{other}", force=True)


# Logs and speed


async def test_long_lines_come_whole_and_bad_bytes_are_replaced(engine_rig: EngineRig) -> None:
    """Lines of many frames are joined; what is no UTF-8 does no harm."""
    script = (
        "head -c 50000 /dev/zero | tr '\\0' x; echo; printf 'a\\377b\\n'; printf '\\303\\244 end'"
    )
    spec = await engine_rig.running(command=("/bin/sh", "-c", script), restart="no")
    await ended(engine_rig, spec)
    lines = await engine_rig.runtime.logs(spec.bot_id, LogQuery())
    assert [len(line.text) for line in lines] == [50_000, 3, 5]
    assert [line.text for line in lines[1:]] == ["a\ufffdb", "ä end"]
    cut = await engine_rig.runtime.logs(spec.bot_id, LogQuery(lines=2))
    assert cut == lines[1:]


async def test_what_stands_before_a_very_long_line_is_found(engine_rig: EngineRig) -> None:
    """Forty lines and one of 2 MB: all are told, the long one cut; a progress bar as it is last."""
    script = (
        "for i in $(seq 40); do echo early $i; done; head -c 2000000 /dev/zero | tr '\\0' x; echo;"
        "printf '10%%\\r20%%\\r100%%\\n'"
    )
    spec = await engine_rig.running(command=("/bin/sh", "-c", script), restart="no")
    await ended(engine_rig, spec)
    lines = await engine_rig.runtime.logs(spec.bot_id, LogQuery(lines=42))
    assert [line.text for line in lines[:40]] == [f"early {i}" for i in range(1, 41)]
    assert [len(line.text) for line in lines[40:]] == [LINE_MAX + 1, 4]
    assert (lines[-1].text, lines[40].ends) == ("100%", False)
    assert not lines.more


async def test_older_pages_go_back_to_the_beginning(engine_rig: EngineRig) -> None:
    """Behind 5,000 newer lines too, which is more than the first request asks for."""
    script = "for i in $(seq 40); do echo early $i; done; sleep 0.1; yes late | head -n 6493"
    spec = await engine_rig.running(command=("/bin/sh", "-c", script), restart="no")
    await ended(engine_rig, spec)
    newest = await engine_rig.runtime.logs(spec.bot_id, LogQuery(lines=5000))
    assert (len(newest), newest.more) == (5000, True)
    found, until = list(newest), newest[0].at
    for _ in range(40):
        page = await engine_rig.runtime.logs(spec.bot_id, LogQuery(lines=1000, until=until - 1e-6))
        found, until = [*page, *found], page[0].at if page else until
        if not page.more:
            break
    assert [line.text for line in found[:40]] == [f"early {i}" for i in range(1, 41)]
    nothing = await engine_rig.runtime.logs(spec.bot_id, LogQuery(grep="early"))
    assert (list(nothing), nothing.more) == ([], True)


def median_ms(times: list[float]) -> float:
    return statistics.median(times) * 1000


@pytest.mark.timeout(180)
async def test_the_end_of_a_huge_log_is_as_quick_as_docker_py(engine_rig: EngineRig) -> None:
    """The last 50 lines of 200 MB cost at most three times the bare library's call."""
    spec = engine_rig.spec(restart="no", memory=64 << 20, nano_cpus=2_000_000_000)
    await engine_rig.runtime.create(spec)
    await engine_rig.runtime.remove(spec.bot_id, 1)
    text = "x" * 1900
    body = container_body(spec, instance=engine_rig.instance, network="none")
    body["Cmd"] = ["/bin/sh", "-c", f"yes {text} | head -n 100000"]
    body["HostConfig"]["LogConfig"] = {"Type": "json-file", "Config": {}}  # let it grow
    made = engine_rig.make(body, spec.name)
    engine_rig.docker.start(made)
    engine_rig.docker.wait(made, timeout=150)

    bare: list[float] = []
    ours: list[float] = []
    lines: list[LogLine] = []
    for _ in range(7):
        began = time.perf_counter()
        engine_rig.docker.logs(made, tail=50, timestamps=True)
        bare.append(time.perf_counter() - began)
        began = time.perf_counter()
        lines = await engine_rig.runtime.logs(spec.bot_id, LogQuery(lines=50))
        ours.append(time.perf_counter() - began)
    assert [line.text for line in lines] == [text] * 50
    told = f"bare {median_ms(bare):.2f} ms, ours {median_ms(ours):.2f} ms"
    print(told)
    assert median_ms(ours) < 3 * median_ms(bare), told
