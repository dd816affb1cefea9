"""What a bot can do from inside its container, tried out, and what CIS says about our containers.
Next door: cis_benchmark.py has the checks, tests/runtime/test_hostconfig.py the configuration."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import docker
import pytest
import pytest_asyncio

from controller.catalog import FieldSpec, Template, load
from controller.catalog.loading import BUILTIN
from controller.domain.bot import Bot
from controller.domain.errors import BadInput
from controller.domain.names import new_bot_id
from controller.fleet.blueprint import Blueprints
from controller.fleet.hostpaths import HostPaths
from controller.runtime.engine import EngineRuntime
from controller.runtime.options import engine_options
from controller.vault import AtRest, Vault
from tests.conftest import engine_socket, remove_everything_of
from tests.process.process import BRISK, eventually, open_place
from tests.prove import cis_benchmark
from tests.prove.tally import Tally

pytestmark = [pytest.mark.engine, pytest.mark.asyncio(loop_scope="module")]

PROBE = r"""
try() {
  name=$1; shift
  if out=$("$@" 2>&1); then echo "DONE $name"; return; fi
  echo "refused $name: $out" | tr '\n' ' '; echo
}
try write-root touch /x
try write-etc sh -c 'echo x >>/etc/passwd'
try write-bin cp /bin/busybox /bin/x
try write-run touch /run/x
try write-own-secret sh -c 'echo x >/run/secrets/api_key'
try add-own-secret touch /run/secrets/new
try remove-own-secret rm -f /run/secrets/api_key
try chmod-own-secret chmod 777 /run/secrets/api_key
try remount-root mount -o remount,rw /
try remount-secrets mount -o remount,rw,bind /run/secrets
try mount-tmpfs mount -t tmpfs none /data
try mount-proc mount -t proc none /data
try read-others-folder ls "$OTHERS"
try read-others-secret cat "$OTHERS/api_key"
try read-host-root ls /proc/1/root/var/lib/docker
try run-from-tmp sh -c 'cp /bin/busybox /tmp/b; chmod 4755 /tmp/b; /tmp/b id'
try give-to-root sh -c 'cp /bin/busybox /data/b; chown 0:0 /data/b'
try su su -c id root
try setpriv setpriv --reuid 0 id
try user-namespace unshare -U id
try mount-namespace unshare -m id
try enter-namespace nsenter -t 1 -m id
try chroot chroot /data /b id
try device-node mknod /data/sda b 8 0
try kernel-log dmesg
try module insmod /data/none.ko
try sysctl sh -c 'echo x >/proc/sys/kernel/hostname'
try sysrq sh -c 'echo h >/proc/sysrq-trigger'
try sys-write sh -c 'echo 1 >/sys/kernel/profiling'
try hostname hostname other
try clock sh -c 'date -s 2001-01-01; test $(date +%Y) = 2001'
try fill-tmp dd if=/dev/zero of=/tmp/big bs=1M count=64
rm -f /tmp/big
try many-processes sh -c 'i=0; while [ $i -lt 99 ]; do sleep 2 & i=$((i+1)); done'
try core-dump sh -c 'ulimit -c 1000'
try peer-page sh -c 'echo "GET / HTTP/1.0" | nc -w 2 "$PEER" 8080 | grep reached'
try peer-nc nc -w 2 "$PEER" 8080 -e true
try peer-ping ping -c 1 -W 2 "$PEER"
mkdir /data/s; cp /bin/busybox /data/s/id; chmod 6755 /data/s/id; echo "setuid $(/data/s/id -u)"
echo "uid $(id -u):$(id -g)"
grep -E '^(Cap|NoNewPrivs|Seccomp:)' /proc/self/status
echo "secret $(stat -c '%a %u:%g' /run/secrets/api_key) $(sha256sum </run/secrets/api_key)"
echo "folder $(ls -A /run/secrets | tr '\n' ' ')"
echo "found $(find / -xdev -name api_key 2>/dev/null | grep -vc '^/run/secrets/')"
echo 'the end'
sleep 600
"""
LISTEN = "mkdir /tmp/www; echo reached >/tmp/www/index.html; httpd -f -p 8080 -h /tmp/www"
LIMITS = 'memory = "64m", cpus = 0.5, pids = 24'


def acting(name: str, script: str, limits: str = LIMITS, fields: tuple[str, ...] = ()) -> str:
    """A template whose bot runs a shell script."""
    head, _, tail = BRISK.partition("resources = ")
    rest = tail.partition("\n")[2]
    text = f"{head}resources = {{ {limits} }}\ntmpfs = {{ '/tmp' = '4m' }}\n{rest}"
    text = text.replace('id = "brisk"', f'id = "{name}"', 1)
    run = f"[run]\nentrypoint = [\"/bin/sh\", \"-c\", '''{script}''']\n"
    text = text.replace("[run]\n", run, 1) + "\n"
    for field in fields:
        text += f'[[fields]]\nname = "{field}"\nlabel = "{field}"\nenv = "{field.upper()}"\n'
    return text


@dataclass
class Yard:
    """Creates bots from templates with the controller's own parts, and has an engine client."""

    folder: Path
    engine: docker.APIClient
    runtime: EngineRuntime
    vault: Vault
    blueprints: Blueprints

    async def bot(self, template: str, **changes: Any) -> str:
        """Create and start a bot of that template with its own secrets; returns its id."""
        found = self.blueprints.catalog.get(template)
        choice = found.choose(None, None, None)
        image = await self.runtime.pin_image(found.image.ref, "never")
        bot = Bot(
            id=new_bot_id(), name=template, template=template, provider=choice.provider,
            model=choice.model, channel=choice.channel, created_at=1.0, created_by=1,
        )  # fmt: skip
        asked = found.fields_for(bot.provider, bot.channel)
        needed = {field.name: fitting(field) for field in asked if field.required}
        bot = replace(bot, **{"image": image, "fields": needed} | changes)
        names = [secret.name for secret in found.secrets_for(bot.provider, bot.channel)]
        values = {name: f"{name}-{bot.id}" for name in names}
        self.vault.write(bot.id, values, self.blueprints.owner(found))
        self.blueprints.write_files(bot)
        await self.runtime.create(self.blueprints.spec(bot))
        await self.runtime.start(bot.id)
        return bot.id

    def log(self, bot_id: str) -> str:
        return self.engine.logs(f"botmaker-{bot_id}").decode(errors="replace")

    def inside(self, bot_id: str, *words: str) -> tuple[int, str]:
        """What a program says inside the bot's container, and how it ends."""
        made = self.engine.exec_create(f"botmaker-{bot_id}", list(words))["Id"]
        said = self.engine.exec_start(made).decode(errors="replace")
        return int(self.engine.exec_inspect(made)["ExitCode"]), said

    def address(self, bot_id: str) -> str:
        networks = self.engine.inspect_container(f"botmaker-{bot_id}")["NetworkSettings"]
        (network,) = networks["Networks"].values()
        return str(network["IPAddress"])


def fitting(field: FieldSpec) -> str:
    """A value that the field accepts."""
    examples = re.findall(r"`([^`]+)`", field.hint)
    for value in (field.default, *field.choices, "12345678", *examples):
        with contextlib.suppress(BadInput):
            field.check(value)
            return value
    raise AssertionError(f"nothing fits {field.name}: {field.hint}")


def shaped(template: Template) -> Template:
    """A built-in template with only its program and image replaced: `sleep` in the demo image."""
    run = {"entrypoint": ("/bin/sleep",), "command": ("600",)}
    image = {"ref": "botmaker-demo:2", "pull": "never"}
    return template.model_copy(
        update={
            "run": template.run.model_copy(update=run),
            "image": template.image.model_copy(update=image),
        }
    )


BUILT_IN = sorted(file.stem for file in BUILTIN.glob("*.toml"))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def yard(
    tmp_path_factory: pytest.TempPathFactory, docker_client: docker.APIClient, demo_image: str
) -> AsyncIterator[Yard]:
    folder = tmp_path_factory.mktemp("yard")
    templates = folder / "templates"
    templates.mkdir()
    texts = {"prober": acting("prober", PROBE, fields=("peer", "others"))}
    texts["listener"] = acting("listener", LISTEN)
    for name, text in texts.items():
        (templates / f"{name}.toml").write_text(text)
    catalog = load(templates)
    assert not catalog.refused, [str(refusal) for refusal in catalog.refused]
    shapes = {name: shaped(catalog.templates[name]) for name in BUILT_IN}
    catalog = replace(catalog, templates={**catalog.templates, **shapes})
    vault = Vault(folder / "secrets")
    vault.open()
    instance = f"hardening-{new_bot_id()[:8]}"
    runtime = EngineRuntime(instance, engine_options({}))
    blueprints = Blueprints(catalog, vault, folder / "files", HostPaths(), AtRest(()))
    try:
        yield Yard(folder, docker_client, runtime, vault, blueprints)
    finally:
        await runtime.close()
        remove_everything_of(docker_client, instance)


@pytest.mark.parametrize("name", BUILT_IN)
async def test_no_check_of_the_benchmark_fails_on_a_bot_of_each_template(
    yard: Yard, tally: Tally, name: str
) -> None:
    """CIS section 5 on a real container of each built-in template; exceptions are listed."""
    bot_id = await yard.bot(name)
    failed = cis_benchmark.failures(yard.engine, f"botmaker-{bot_id}")
    tally.tried["CIS checks"] += len(cis_benchmark.CHECKS)
    tally.lost["CIS checks"] += len(failed)
    assert failed == []
    assert cis_benchmark.main([f"botmaker-{bot_id}"]) == 0


async def test_the_benchmark_finds_what_is_not_hardened(yard: Yard, demo_image: str) -> None:
    """An ordinary container with the worst options fails nearly everything."""
    config = yard.engine.create_host_config(
        privileged=True, network_mode="host", pid_mode="host", ipc_mode="host", cap_add=["ALL"],
        binds=["/etc:/mnt:rw,rshared", f"{engine_socket()}:/s"],
        security_opt=["seccomp=unconfined"],
        tmpfs={"/t": ""}, restart_policy={"Name": "always"}, uts_mode="host",
    )  # fmt: skip
    made = yard.engine.create_container(
        demo_image, user="0", labels={"botmaker.instance": "worst"}, host_config=config
    )["Id"]
    try:
        failed = {line.split()[0] for line in cis_benchmark.failures(yard.engine, made)}
    finally:
        yard.engine.remove_container(made, force=True, v=True)
    expected = "4.1 5.4 5.5 5.6 5.10 5.11 5.12 5.13 5.15 5.16 5.17 5.19 5.20 5.21 5.22 5.26 5.29"
    assert set(f"{expected} 5.30 5.32 +1 +3 +4 +5".split()) <= failed


@pytest.mark.parametrize(
    ("bound", "expected"),
    [(("127.0.0.1", 8080), {"5.9"}), (("0.0.0.0", 80), {"5.8", "5.9", "5.14"})],
)
async def test_the_benchmark_finds_a_published_port(
    yard: Yard, demo_image: str, bound: tuple[str, int], expected: set[str]
) -> None:
    """Even one that only this machine can reach: bots must have none."""
    config = yard.engine.create_host_config(port_bindings={8080: bound})
    labels = {"botmaker.instance": "open"}
    made = yard.engine.create_container(
        demo_image, ports=[8080], labels=labels, host_config=config
    )["Id"]
    try:
        failed = {line.split()[0] for line in cis_benchmark.failures(yard.engine, made)}
    finally:
        yard.engine.remove_container(made, force=True, v=True)
    assert failed & {"5.8", "5.9", "5.14"} == expected


async def test_a_bot_cannot_write_read_reach_or_become_what_is_not_its_own(
    yard: Yard, tally: Tally
) -> None:
    """A bot tries from inside: root file system, secrets, other bots, privileges, limits."""
    listener = await yard.bot("listener")
    fetch = ("/bin/wget", "-q", "-O", "-", "http://127.0.0.1:8080/")
    await eventually(lambda: yard.inside(listener, *fetch) == (0, "reached\n"))
    served = await asyncio.to_thread(urlopen, f"http://{yard.address(listener)}:8080/", None, 5)
    assert served.read() == b"reached\n"  # the host can connect, so the listener works
    served.close()
    others = str(yard.vault.folder(listener))
    fields = {"peer": yard.address(listener), "others": others}
    prober = await yard.bot("prober", fields=fields)
    await eventually(lambda: "the end" in yard.log(prober), 40)
    log = yard.log(prober)
    tried = [line.split()[1] for line in PROBE.splitlines() if line.startswith("try ")]
    done = [line for line in log.splitlines() if line.startswith("DONE")]
    tally.tried["escapes from inside"] += len(tried)
    tally.lost["escapes from inside"] += len(done)
    assert [name for name in tried if f"refused {name}:" not in log] == [], log
    assert done == [], log
    found = dict(line.split(maxsplit=1) for line in log.splitlines() if "refused" not in line)
    caps = [found[f"Cap{kind}:"] for kind in ("Inh", "Prm", "Eff", "Bnd", "Amb")]
    assert caps == ["0000000000000000"] * 5
    assert (found["NoNewPrivs:"], found["Seccomp:"]) == ("1", "2")
    assert (found["uid"], found["setuid"]) == ("1000:1000", "1000")
    value = hashlib.sha256(f"api_key-{prober}".encode()).hexdigest()
    assert found["secret"] == f"600 1000:1000 {value}  -"
    assert (found["folder"].split(), found["found"]) == (["api_key", "channel_token"], "0")
    for why in ("No space left", "can't fork", "Read-only file system"):
        assert why in log
    assert listener not in yard.inside(prober, "/bin/cat", "/proc/1/mountinfo")[1]


async def test_a_bot_that_takes_too_much_memory_is_ended_and_said_so(
    tmp_path: Path, docker_client: docker.APIClient, demo_image: str
) -> None:
    """The kernel ends it at its limit; the card says `out of memory` and what to do."""
    hog = acting("hog", "sleep 1; tail /dev/zero", 'memory = "16m", cpus = 0.5, pids = 24')
    async with open_place(tmp_path, docker_client, start=False) as place:
        (tmp_path / "templates" / "hog.toml").write_text(hog)
        await place.controller.start()
        await place.create("hog", "hog")
        await place.submit(await place.open_form("hog"))
        await place.card_says("hog", "out of memory", 25)
