"""What only a real engine can show: who owns the seeds, what a rehearsal may, how runs end."""

from __future__ import annotations

import asyncio
import io
import tarfile
import time
from contextlib import suppress
from pathlib import Path

import pytest

from controller.domain.errors import Conflict
from controller.domain.spec import ContainerSpec, SeedFile
from controller.runtime.hostconfig import PREPARE_PARENT, preparation_body, probe_labels
from controller.runtime.seeding import Plan, build_archive
from controller.runtime.throwaway import sweep
from tests.runtime.rig import EngineRig, eventually

pytestmark = pytest.mark.engine

SEEDS = (SeedFile("work/deep/NOTES.md", "the whole text of the notes"), SeedFile("RULES.md", "new"))


def lay(rig: EngineRig, spec: ContainerSpec, data: bytes) -> None:
    """Put an archive into the bot's volume as a controller that died then would have."""
    helper = rig.make(
        preparation_body(spec, instance=rig.instance), f"botmaker-prepare-{spec.bot_id}"
    )
    rig.docker.put_archive(helper, PREPARE_PARENT, data)


async def inside(rig: EngineRig, spec: ContainerSpec, script: str) -> dict[str, str]:
    """Run a script of `key=value` lines inside a bot; what it told."""
    result = await rig.runtime.execute(spec.bot_id, ("/bin/sh", "-c", script), 10)
    assert result.exit_code == 0, result.output
    return dict(line.split("=", 1) for line in result.output.splitlines())


# Seeds


@pytest.mark.parametrize("path", ["/data", "/var/lib/bot"])
async def test_seeds_belong_to_a_user_who_owned_nothing_before(
    engine_rig: EngineRig, path: str
) -> None:
    """Folders 0700 and files 0600 of the spec's user, who may change them; the top is theirs too,
    and the bot's own mount does not give it back to the image."""
    secrets = engine_rig.secrets("open")
    Path(secrets).chmod(0o755)
    spec = await engine_rig.running(
        state_path=path, user="4321:8765", seeds=SEEDS, secrets_source=secrets
    )
    told = await inside(
        engine_rig,
        spec,
        f"""cd {path}
        for x in . work work/deep work/deep/NOTES.md; do echo $x=$(stat -c %u:%g:%a $x); done
        echo more >> RULES.md && echo changed=$(cat RULES.md | tr '\\n' +)
        """,
    )
    assert told == {
        ".": "4321:8765:700",
        "work": "4321:8765:700",
        "work/deep": "4321:8765:700",
        "work/deep/NOTES.md": "4321:8765:600",
        "changed": "newmore+",
    }
    mounts = engine_rig.inspect(spec.bot_id)["HostConfig"]["Mounts"]
    assert [m["VolumeOptions"]["NoCopy"] for m in mounts if m["Type"] == "volume"] == [True]
    assert engine_rig.leftovers() == [f"/{spec.name}"]


async def test_a_controller_that_died_while_it_laid_the_seeds_is_followed_by_a_whole_one(
    engine_rig: EngineRig,
) -> None:
    """A file that was cut off, which the engine gives nobody yet, is written anew; its helper and
    what was whole already do not matter, and the owner's other files stay."""
    spec = engine_rig.spec(state_path="/data", seeds=SEEDS)
    buffer = io.BytesIO(build_archive("1000:1000", Plan(("work", "work/deep"))))
    with tarfile.open(fileobj=buffer, mode="a") as cut:
        entry = tarfile.TarInfo("top/work/deep/NOTES.md")
        entry.size, entry.mode = 9, 0o600  # root's, as all that is unfinished
        cut.addfile(entry, io.BytesIO(b"the whole"))
    lay(engine_rig, spec, buffer.getvalue())
    await engine_rig.runtime.create(spec)
    await engine_rig.runtime.start(spec.bot_id)
    told = await inside(
        engine_rig,
        spec,
        "cd /data/work/deep; echo owner=$(stat -c %u:%a NOTES.md); echo text=$(cat NOTES.md)",
    )
    assert told == {"owner": "1000:600", "text": "the whole text of the notes"}
    assert engine_rig.state_file(spec, "RULES.md") == "new"
    assert engine_rig.leftovers() == [f"/{spec.name}"]


async def test_a_file_of_the_images_own_is_no_unfinished_seed(engine_rig: EngineRig) -> None:
    """Root's too, but no beginning of the seed: what is there stays."""
    spec = engine_rig.spec(state_path="/data", seeds=SEEDS)
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as made:
        entry = tarfile.TarInfo("top/RULES.md")
        entry.size = 2
        made.addfile(entry, io.BytesIO(b"ol"))
    lay(engine_rig, spec, buffer.getvalue())
    await engine_rig.runtime.create(spec)
    assert engine_rig.state_file(spec, "RULES.md") == "ol"


async def test_links_that_a_bot_made_lead_nowhere_else(engine_rig: EngineRig) -> None:
    """A seed takes a link's place instead of going where it leads; a folder may be a link."""
    spec = await engine_rig.running(state_path="/data", seeds=SEEDS)
    await engine_rig.execute(
        spec.bot_id, "/bin/sh", "-c",
        "cd /data && echo mine > mine && rm RULES.md && busybox ln -s mine RULES.md"
        " && busybox mkdir real && busybox ln -s real link && busybox ln -s /etc out",
    )  # fmt: skip
    await engine_rig.runtime.remove(spec.bot_id, 1)
    seeds = (
        SeedFile("RULES.md", "new", keep=False),
        SeedFile("link/here", "in the real folder"),
        SeedFile("out/botmaker-was-here", "not on the host"),
    )
    await engine_rig.created(bot_id=spec.bot_id, state_path="/data", seeds=seeds)
    assert engine_rig.state_file(spec, "mine") == "mine\n"
    assert engine_rig.state_file(spec, "RULES.md") == "new"
    assert engine_rig.state_file(spec, "real/here") == "in the real folder"
    assert not Path("/etc/botmaker-was-here").exists()


async def test_a_volume_goes_although_a_dead_controllers_helper_holds_it(
    engine_rig: EngineRig,
) -> None:
    """Our own helper is removed first; somebody else's of that name is left, and said."""
    spec = engine_rig.spec(state_path="/data", seeds=SEEDS)
    lay(engine_rig, spec, build_archive("1000:1000", Plan()))
    assert await engine_rig.runtime.has_volume(spec.bot_id)
    await engine_rig.runtime.remove_volume(spec.bot_id)
    assert await engine_rig.runtime.has_volume(spec.bot_id) is False
    assert engine_rig.leftovers() == []
    await engine_rig.runtime.create(spec)
    await engine_rig.runtime.remove(spec.bot_id, 1)
    body = preparation_body(spec, instance=engine_rig.instance)
    body["Labels"] = {"botmaker.instance": engine_rig.instance}
    engine_rig.make(body, f"botmaker-prepare-{spec.bot_id}")
    with pytest.raises(Conflict):
        await engine_rig.runtime.remove_volume(spec.bot_id)
    assert engine_rig.leftovers() == [f"/botmaker-prepare-{spec.bot_id}"]


# Rehearsals


async def test_a_rehearsal_is_in_the_bots_place_and_can_reach_nothing(
    engine_rig: EngineRig,
) -> None:
    """Its user, secrets, files, environment and folder, an empty state of its own; no network, no
    capability, nothing to write that stays."""
    files = engine_rig.secrets("files")
    spec = engine_rig.spec(
        state_path="/data", seeds=SEEDS, files=((files, "/config"),), workdir="/bin",
        env=(("LANG", "C.UTF-8"),), entrypoint=("/bin/absent",), user="1000:1000",
    )  # fmt: skip
    script = """
        echo "id=$(id -u):$(id -g)"; echo "pwd=$PWD"; echo "lang=$LANG"
        echo "cap=$(grep CapEff /proc/self/status | tr -d 'CapEf:\\t')"
        echo "net=$(ls /sys/class/net | tr '\\n' +)"
        echo "secret=$(cat /run/secrets/api_key)"; echo "file=$(cat /config/api_key)"
        echo "state=$(stat -c %u:%g /data)$(ls /data)"
        touch /data/x && echo wrote=yes
        for x in / /config /run/secrets; do touch $x/x 2>/dev/null && echo wrong=$x; done; true
    """
    result = await engine_rig.runtime.rehearse(spec, ("/bin/sh", "-c", script), 20)
    told = dict(line.split("=", 1) for line in result.output.splitlines())
    assert told == {
        "id": "1000:1000", "pwd": "/bin", "lang": "C.UTF-8", "cap": "0" * 16, "net": "lo+",
        "secret": "sk-test-not-a-secret", "file": "sk-test-not-a-secret",
        "state": "1000:1000", "wrote": "yes",
    }  # fmt: skip
    assert engine_rig.leftovers() == []


async def test_a_rehearsal_that_takes_too_long_is_killed(engine_rig: EngineRig) -> None:
    """137, what it had printed, and nothing left; the same where nobody waits any more."""
    spec = engine_rig.spec()
    command = ("/bin/sh", "-c", "echo waiting; sleep 60")
    result = await engine_rig.runtime.rehearse(spec, command, 0.5)
    assert (result.exit_code, result.output) == (137, "waiting")
    assert engine_rig.leftovers() == []
    waiting = asyncio.ensure_future(engine_rig.runtime.rehearse(spec, command, 1.5))
    await eventually(engine_rig.leftovers)
    assert await engine_rig.runtime.list_containers() == []
    waiting.cancel()
    with suppress(asyncio.CancelledError):
        await waiting
    await eventually(lambda: engine_rig.leftovers() == [])


async def test_what_a_rehearsal_prints_too_much_is_bounded(engine_rig: EngineRig) -> None:
    """The last 16 KiB, whole lines."""
    command = ("/bin/seq", "1", "20000")
    result = await engine_rig.runtime.rehearse(engine_rig.spec(), command, 20)
    lines = result.output.split("\n")
    assert 16_000 < len(result.output) <= 16_384
    assert lines == [str(number) for number in range(20_001 - len(lines), 20_001)]


async def test_what_dead_controllers_left_is_swept(engine_rig: EngineRig) -> None:
    """A rehearsal's and a look's container carry the labels that the sweep goes by."""
    spec = engine_rig.spec()
    waiting = asyncio.ensure_future(engine_rig.runtime.rehearse(spec, ("/bin/sleep", "60"), 30))
    (name,) = await eventually(engine_rig.leftovers)
    assert name.startswith("/botmaker-probe-")
    await asyncio.sleep(1.1)
    sweep(engine_rig.docker, engine_rig.instance, older_than=1.0)
    assert engine_rig.leftovers() == []
    with suppress(Exception):
        await waiting
    assert probe_labels(engine_rig.instance)["botmaker.probe"] == "true"


async def test_an_image_is_looked_into_behind_links_and_files(engine_rig: EngineRig) -> None:
    """What would be behind a file is not there, which is no error; and nothing is left."""
    paths = ("/bin/sh", "/bin/sh/x", "/bin/act/x/y", "/proc", "/run/secrets", "/no/such/thing")
    found = await engine_rig.runtime.image_has(engine_rig.image, paths)
    assert found == {"/bin/sh", "/proc", "/run/secrets"}
    assert engine_rig.leftovers() == []


# Running something inside


async def test_a_program_inside_is_the_bots_user_without_input(engine_rig: EngineRig) -> None:
    """Its id, its environment and its folder are the container's; there is nothing to read."""
    spec = await engine_rig.running(workdir="/data", env=(("LANG", "C.UTF-8"),))
    told = await inside(
        engine_rig, spec,
        "echo id=$(id -u):$(id -g); echo pwd=$PWD; echo lang=$LANG; echo read=$(cat)"
        "; echo cap=$(grep CapEff /proc/self/status | tr -d 'CapEf:\\t'); test -t 1 || echo tty=no",
    )  # fmt: skip
    assert told == {
        "id": "1000:1000", "pwd": "/data", "lang": "C.UTF-8", "read": "", "cap": "0" * 16,
        "tty": "no",
    }  # fmt: skip


async def test_a_flood_from_inside_is_bounded_while_it_comes(engine_rig: EngineRig) -> None:
    """Of 60 MB the last 16 KiB come, in whole lines; bad bytes are replaced, NUL stays."""
    spec = await engine_rig.running(nano_cpus=2_000_000_000)
    script = "yes 0123456789 | head -c 60000000; echo; printf 'a\\377b\\0c'"
    result = await engine_rig.runtime.execute(spec.bot_id, ("/bin/sh", "-c", script), 60)
    lines = result.output.split("\n")
    assert result.cut
    assert len(result.output.encode()) <= 16_384 + 2
    assert set(lines[:-2]) == {"0123456789"}
    assert len(lines) > 1400
    assert lines[-1] == "a\ufffdb\0c"


async def test_the_end_of_the_container_is_the_end_of_what_runs_in_it(
    engine_rig: EngineRig,
) -> None:
    """A stop does not leave the one who waits until the timeout."""
    spec = await engine_rig.running()
    began = time.monotonic()
    waiting = asyncio.ensure_future(
        engine_rig.runtime.execute(spec.bot_id, ("/bin/sh", "-c", "echo begun; sleep 60"), 60)
    )
    await asyncio.sleep(0.5)
    await engine_rig.runtime.stop(spec.bot_id, 1)
    result = await waiting
    assert (result.exit_code, result.output) == (137, "begun")
    assert time.monotonic() - began < 15


async def test_a_program_that_closed_its_output_still_counts(engine_rig: EngineRig) -> None:
    """Its exit code is waited for."""
    spec = await engine_rig.running()
    script = "echo first; exec >/dev/null 2>&1; sleep 0.7; exit 9"
    result = await engine_rig.runtime.execute(spec.bot_id, ("/bin/sh", "-c", script), 10)
    assert (result.exit_code, result.output) == (9, "first")


async def test_programs_that_hang_leave_their_threads(engine_rig: EngineRig) -> None:
    """Given up by time or by cancelling, more often than there are threads: the next one runs."""
    spec = await engine_rig.running(pids=200)
    wait = ("/bin/sh", "-c", "while :; do echo trickle; sleep 0.1; done")
    rounds = [engine_rig.runtime.execute(spec.bot_id, wait, 1) for _ in range(12)]
    results = await asyncio.gather(*rounds, return_exceptions=True)
    assert {getattr(result, "code", result) for result in results} == {"action-timeout"}
    waiting = [
        asyncio.ensure_future(engine_rig.runtime.execute(spec.bot_id, wait, 300)) for _ in range(8)
    ]
    await asyncio.sleep(1)
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    began = time.monotonic()
    result = await engine_rig.runtime.execute(spec.bot_id, ("/bin/true",), 10)
    assert result.exit_code == 0
    assert time.monotonic() - began < 5
