"""setup-server.sh on a Debian whose first process is systemd: set up, killed, hung, taken away."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import pyrage
import pytest

from tests.conftest import bridge_address, engine_socket, remove_everything_of
from tests.deploy.real.machine import SUITES, Machine, bare_machine, built, machine
from tests.deploy.real.proxies import HOST, certificate
from tests.loopback import LoopbackDiscord
from tests.process.process import BRISK

pytestmark = [pytest.mark.engine, pytest.mark.timeout(1800)]
SCRIPT = "/src/deploy/setup-server.sh"
SECRETS = {"api_key": "FAKE-key-of-the-server-test", "channel_token": "FAKE-token-of-the-test"}
TUNNEL, TUNNEL_TOKEN = "botmaker-tunnel.service", "FAKE-tunnel-token-of-the-test"
SOON = "[Timer]\\nOnCalendar=\\nOnCalendar=*:*:0/10\\nRandomizedDelaySec=0\\nAccuracySec=1\\n"
HASTY = "[Service]\\nWatchdogSec=8\\nTimeoutAbortSec=2\\n"


@pytest.fixture(params=SUITES)
def suite(request: pytest.FixtureRequest) -> str:
    """Each release that the script is for and that can be built here."""
    built(request.param)
    return str(request.param)


@pytest.fixture
def folder(tmp_path: Path, docker_client: docker.APIClient, demo_image: str) -> Iterator[Path]:
    """What the server is given; afterwards its bots are removed."""
    (tmp_path / "state" / "templates").mkdir(parents=True)
    (tmp_path / "state" / "templates" / "brisk.toml").write_text(BRISK)
    (tmp_path / "in").mkdir()
    certificate(tmp_path / "in")
    yield tmp_path
    database = tmp_path / "state" / "data" / "botmaker.db"
    if database.exists():
        with sqlite3.connect(database) as base:
            rows = base.execute("SELECT value FROM installation WHERE key = 'instance'").fetchone()
        base.close()
        remove_everything_of(docker_client, str(rows[0]))


def settings(world: LoopbackDiscord, admin: int) -> str:
    """A filled-in .env."""
    return "".join(
        f"{name}={value}\n"
        for name, value in {
            "BOTMAKER_GUILD_ID": world.guild_id,
            "BOTMAKER_ADMIN_CHANNEL_ID": world.admin_channel_id,
            "BOTMAKER_ADMIN_USER_IDS": admin,
            "BOTMAKER_DISCORD_API_URL": world.api_url,
            "BOTMAKER_DISCORD_GATEWAY_URL": world.gateway_url,
            "BOTMAKER_ALLOW_REMOTE_API": 1,
            "BOTMAKER_TEMPLATES_DIR": "/var/lib/botmaker/templates",
        }.items()
    )


async def a_bot(world: LoopbackDiscord, ann: Any) -> None:
    """Ann creates a bot, enters its secrets and sees it run."""
    await ann.slash("bot create", name="bee", template="brisk")
    await world.until(lambda _: bool(ann.dms), timeout=20)
    form = await ann.click(ann.dms[-1], label="Enter secrets")
    assert form.modal is not None
    await ann.submit(form.modal, SECRETS)

    def running(_: LoopbackDiscord) -> bool:
        cards = [message.content for message in world.messages(world.admin_channel_id)]
        return any("bee" in card and "— running" in card for card in cards)

    await world.until(running, timeout=60)


async def test_a_server_is_set_up_used_killed_hung_and_taken_away(
    docker_client: docker.APIClient, folder: Path, suite: str
) -> None:
    """Its bot notices none of it."""
    key = pyrage.x25519.Identity.generate()
    setup = (
        f"{SCRIPT} --wheels /src/wheels --token-file /in/token --settings /in/env "
        f"--proxy nginx --host {HOST} --tls /in --backup-recipient {key.to_public()}"
    )
    async with LoopbackDiscord(host=bridge_address(docker_client)) as world:
        ann = world.person("ann")
        (folder / "in" / "token").write_text(world.token)
        (folder / "in" / "env").write_text(settings(world, ann.id))
        (folder / "in" / "tunnel-token").write_text(TUNNEL_TOKEN)
        shutil.copy(Path(__file__).parent / "cloudflared", folder / "in")
        with machine(docker_client, folder, suite) as server:
            gid = os.stat(engine_socket()).st_gid
            await server.does(f"groupadd -o -g {gid} docker")

            # A dry run changes nothing, the first run everything, the second nothing.
            said = await server.does(f"{setup} --dry-run")
            assert "Would create the user botmaker" in said
            assert "Note:" not in said
            await server.does("! getent passwd botmaker && ! test -e /etc/botmaker")
            said = await server.does(setup)
            assert "Now: start BotMaker." in said
            assert "secrets: readable inside a container" in said, said
            await world.wait_ready(timeout=5)
            first = server.unit("MainPID")
            said = await server.does(setup)
            assert "Nothing to change." in said, said
            assert "Now:" not in said
            assert server.unit("MainPID") == first
            await the_files_are_private(server)
            await the_proxy_answers(server)

            await a_bot(world, ann)
            (made,) = docker_client.containers(
                filters={"label": f"botmaker.instance={instance(folder)}"}
            )
            began = docker_client.inspect_container(made["Id"])["State"]["StartedAt"]

            # Killed, hung, and wrongly set: restarted twice, and then not in vain.
            await server.does(f"kill -9 {first}")
            await back(server, after=first)
            assert server.unit("NRestarts") == "1"
            await server.does(
                "mkdir -p /run/systemd/system/botmaker.service.d && "
                f"printf '{HASTY}' >/run/systemd/system/botmaker.service.d/hasty.conf && "
                "systemctl daemon-reload && systemctl restart botmaker"
            )
            second = server.unit("MainPID")
            await server.does(f"kill -STOP {second}")
            await back(server, after=second)
            assert "Watchdog timeout" in server.journal()
            await asyncio.sleep(10)  # longer than a sign of life may take
            assert server.active()
            await the_timer_makes_a_backup(server, folder / "state" / "backups")
            await server.does(
                "sed -i s/^BOTMAKER_GUILD_ID=.*/BOTMAKER_GUILD_ID=x/ /etc/botmaker/.env"
            )
            status, _ = await asyncio.to_thread(server.run, "systemctl", "restart", "botmaker")
            assert status != 0
            await asyncio.sleep(7)  # longer than RestartSec
            assert server.unit("ActiveState") == "failed"
            assert server.unit("ExecMainStatus") == "78"
            assert "BOTMAKER_GUILD_ID" in server.journal()

            # What the settings file says again is set again; then all is taken away.
            await server.does(setup)
            await server.until(server.active, "it isn't started again")
            await caddy_takes_over(server, setup)
            await a_tunnel_takes_over(server, setup)
            said = await server.does(f"{SCRIPT} --uninstall")
            assert "the bots, which run on" in said
            await server.does(
                "! systemctl cat botmaker && ! systemctl cat botmaker-tunnel"
                " && ! ls /opt/botmaker* && ! which botmaker"
                " && test -s /etc/botmaker/master.key && test -s /var/lib/botmaker/data/botmaker.db"
            )
            assert "Nothing to change." in await server.does(f"{SCRIPT} --uninstall")
            state = docker_client.inspect_container(made["Id"])["State"]
            assert (state["Running"], state["StartedAt"]) == (True, began)


async def the_timer_makes_a_backup(server: Machine, backups: Path) -> None:
    """By itself, at its time, which is soon here instead of at night."""
    assert not list(backups.glob("botmaker-*.age"))
    assert server.active("botmaker-backup.timer")
    drop = "/run/systemd/system/botmaker-backup.timer.d"
    await server.does(
        f"mkdir -p {drop} && printf '{SOON}' >{drop}/soon.conf && systemctl daemon-reload && "
        "systemctl restart botmaker-backup.timer"
    )
    await server.until(lambda: list(backups.glob("botmaker-*.age")), "the timer made no backup", 60)
    await server.does(
        f"rm -r {drop} && systemctl daemon-reload && systemctl restart botmaker-backup.timer"
    )
    await server.until(
        lambda: server.unit("ActiveState", "botmaker-backup.service") == "inactive", "it goes on"
    )
    assert server.unit("Result", "botmaker-backup.service") == "success"


async def test_docker_is_installed_where_there_is_none(
    docker_client: docker.APIClient, suite: str
) -> None:
    """From the distribution's packages; it runs, and starts with the machine. A second run changes
    nothing."""
    with bare_machine(docker_client, suite) as server:
        setup = f"{SCRIPT} --wheels /src/wheels"
        said = await server.does(setup)
        assert "Now: install docker.io from this system's packages." in said
        assert "Not started yet: run `sudo botmaker init`" in said
        ask = "import docker; docker.from_env().ping()"  # as the service does
        await server.does(
            "systemctl is-enabled docker && cd / && "
            f"runuser -u botmaker -- /opt/botmaker/bin/python -c '{ask}'"
        )
        assert "Nothing to change." in await server.does(setup)


def instance(folder: Path) -> str:
    """The installation's id."""
    with sqlite3.connect(folder / "state" / "data" / "botmaker.db") as base:
        rows = base.execute("SELECT value FROM installation WHERE key = 'instance'").fetchone()
    base.close()
    return str(rows[0])


async def back(server: Machine, *, after: str) -> None:
    """Wait until the service serves again, as another process."""
    await server.until(
        lambda: server.active() and server.unit("MainPID") not in ("0", after), "it isn't back"
    )


async def the_files_are_private(server: Machine) -> None:
    """Settings and keys are for root and the service, the rest for the service alone."""
    told = await server.does(
        "stat -c '%n %a %U:%G' /etc/botmaker /etc/botmaker/{.env,discord-token,master.key} "
        "/var/lib/botmaker /var/lib/botmaker/{data,secrets,backups} "
        "/var/log/botmaker{,/botmaker.log}"
    )
    assert dict(line.split(" ", 1) for line in told.splitlines()) == {
        "/etc/botmaker": "750 root:botmaker",
        "/etc/botmaker/.env": "640 root:botmaker",
        "/etc/botmaker/discord-token": "640 root:botmaker",
        "/etc/botmaker/master.key": "640 root:botmaker",
        "/var/lib/botmaker": "700 botmaker:botmaker",
        "/var/lib/botmaker/data": "700 botmaker:botmaker",
        "/var/lib/botmaker/secrets": "700 botmaker:botmaker",
        "/var/lib/botmaker/backups": "700 botmaker:botmaker",
        "/var/log/botmaker": "700 botmaker:botmaker",
        "/var/log/botmaker/botmaker.log": "600 botmaker:botmaker",
    }
    # The service's environment names files, and has neither the token nor the key.
    told = await server.does("tr '\\0' '\\n' </proc/$(systemctl show -P MainPID botmaker)/environ")
    assert "BOTMAKER_DISCORD_TOKEN_FILE=/run/credentials/botmaker.service/discord-token" in told
    assert await server.does("cat /etc/botmaker/master.key") not in told
    assert await server.does("cat /etc/botmaker/discord-token") not in told


async def caddy_takes_over(server: Machine, setup: str) -> None:
    """In nginx's place, by the same script; a Caddyfile with sites of its own stays as it is."""
    await server.does("systemctl disable --now nginx")
    with_caddy = setup.replace("--proxy nginx", "--proxy caddy")
    await server.does("cp /etc/caddy/Caddyfile /tmp && echo '# mine' >>/etc/caddy/Caddyfile")
    status, said = await asyncio.to_thread(server.run, "/bin/sh", "-c", with_caddy)
    assert status != 0
    assert "has sites of its own" in said
    await server.does("cp /tmp/Caddyfile /etc/caddy/Caddyfile")
    await server.does(with_caddy)
    assert "Nothing to change." in await server.does(with_caddy)
    script = (
        "import http.client; to = http.client.HTTPConnection('127.0.0.1'); "
        f"to.request('GET', '/x', headers={{'Host': '{HOST}'}}); "
        "got = to.getresponse(); print(got.status, got.headers['Location'])"
    )
    assert await server.does(f'python3 -c "{script}"') == f"308 https://{HOST}/x"


async def a_tunnel_takes_over(server: Machine, setup: str) -> None:
    """As somebody who is nobody else, with its token in a file that only it can read; it comes back
    when it dies. cloudflared itself is in no package, so its place is taken by something that
    reads the same words."""
    await server.does(
        "systemctl disable --now caddy && install -m 755 /in/cloudflared /usr/local/bin"
    )
    setup = setup.replace("--proxy nginx", "--tunnel /in/tunnel-token")
    assert "Firewall: BotMaker needs no open port." in await server.does(setup)
    assert "Nothing to change." in await server.does(setup)
    wanted = hashlib.sha256(TUNNEL_TOKEN.encode()).hexdigest()
    first = server.unit("MainPID", TUNNEL)
    for dead in ("0", first):
        await server.until(
            lambda dead=dead: server.active(TUNNEL) and server.unit("MainPID", TUNNEL) != dead,
            "the tunnel isn't back",
        )
        ask = "import urllib.request as u; print(u.urlopen('http://127.0.0.1:7101/ready').read().decode())"
        said = json.loads(
            await server.does(f'for n in 1 2 3 4 5; do python3 -c "{ask}" && break; sleep 1; done')
        )
        assert said["token"] == wanted
        assert said["uid"] >= 1000
        told = await server.does(
            f"cd /proc/$(systemctl show -P MainPID {TUNNEL}) && tr '\\0' '\\n' <cmdline && "
            f"tr '\\0' '\\n' <environ; journalctl -u {TUNNEL} -o cat; systemctl cat {TUNNEL}"
        )
        assert "--token-file" in told
        assert TUNNEL_TOKEN not in told
        await server.does(f"kill -9 $(systemctl show -P MainPID {TUNNEL})")
    assert await server.does("stat -c '%a %U:%G' /etc/botmaker/tunnel-token") == "600 root:root"


async def the_proxy_answers(server: Machine) -> None:
    """The dashboard comes over https, under its name."""
    script = (
        "import http.client, ssl; "
        "to = http.client.HTTPSConnection('127.0.0.1', context=ssl._create_unverified_context()); "
        f"to.request('GET', '/', headers={{'Host': '{HOST}'}}); print(to.getresponse().status)"
    )
    assert await server.does(f'python3 -c "{script}"') == "200"
