"""The console script beside a running controller, and what all of it leaves on the machine.
Next door: test_start.py has `run` itself."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.process.console import botmaker
from tests.process.process import Place, a_secret, disguises, environment_of, said

pytestmark = [pytest.mark.engine, pytest.mark.asyncio(loop_scope="module")]


async def test_list_shows_the_bots_as_they_are(shared: Place) -> None:
    """As a table and as JSON, while the controller runs."""
    bot_id = await shared.bot("listed")
    await shared.create("waiting")
    status, text, _ = await botmaker(shared.controller, "list", "--json")
    rows = {row["name"]: row for row in json.loads(text)}
    assert status == 0
    assert rows["listed"]["phase"] == "running"
    assert rows["listed"]["id"] == bot_id
    assert rows["waiting"]["phase"] == "created"
    status, table, _ = await botmaker(shared.controller, "list")
    assert status == 0
    assert [line.split()[:2] for line in table.splitlines()] == [
        ["listed", "running"],
        ["waiting", "created"],
    ]


async def test_what_the_controller_knows_and_writes_is_for_nobody_else(shared: Place) -> None:
    """A crash dumps no memory, which holds every secret; only what bots read is open to others."""
    await shared.bot("private")
    controller = shared.controller
    assert controller.process is not None
    limits = Path(f"/proc/{controller.process.pid}/limits").read_text().splitlines()
    (core,) = [line for line in limits if line.startswith("Max core file size")]
    assert core.split()[4:6] == ["0", "0"]
    files = controller.data / "files"
    ours = [path for path in controller.data.rglob("*") if files not in path.parents]
    assert controller.data / "botmaker.db" in ours
    assert [path.name for path in ours if path.stat().st_mode & 0o077] == []


async def test_logs_prints_the_newest_lines(shared: Place) -> None:
    """For an unknown bot it prints one sentence."""
    await shared.bot("talker")
    status, text, _ = await botmaker(shared.controller, "logs", "talker", "--lines", "20")
    assert status == 0
    assert "demo bot starting" in text
    status, text, err = await botmaker(shared.controller, "logs", "nobody")
    assert (status, text) == (1, "")
    assert "no bot of that name" in err


async def test_templates_lists_those_that_can_be_used(shared: Place) -> None:
    """The built-in ones and the folder's; a broken one gives line, reason and status 1."""
    status, text, _ = await botmaker(shared.controller, "templates")
    assert status == 0
    named = {line.split()[0] for line in text.splitlines()}
    assert named == {"brisk", "demo", "discordpy", "maubot", "openclaw"}
    folder = shared.controller.folder / "others"
    folder.mkdir()
    (folder / "bad.toml").write_text('schema = 1\nid = "bad"\ntitle = 7\n')
    status, text, err = await botmaker(
        shared.controller, "templates", BOTMAKER_TEMPLATES_DIR=str(folder)
    )
    assert status == 1
    assert "bad.toml, line" in err
    assert "demo" in text


async def test_doctor_finds_everything_well_and_gives_the_invite_link(shared: Place) -> None:
    """Token, server, channel, permissions, engine, database, and a secret read in a container."""
    status, text, err = await botmaker(shared.controller, "doctor")
    assert status == 0, text + err
    for subject in ("settings", "token", "server", "channel", "permissions", "engine", "database"):
        assert f"✅ {subject}: " in text, text
    assert "✅ secrets: readable inside a container as uid 1000" in text
    assert f"client_id={shared.world.application_id}" in text
    assert "applications.commands" in text
    assert shared.world.token not in text
    assert (await shared.ann.slash("bot list")).answered
    assert shared.world.gateway.sessions == 1  # doctor used only REST
    assert sorted(shared.controller.folders()) == sorted(
        row[0]
        for row in shared.controller.rows("SELECT id FROM bot")
        if row[0] in shared.controller.folders()
    )


@pytest.mark.parametrize(
    ("env", "words"),
    [
        ({"BOTMAKER_DISCORD_TOKEN": "quite.wrong.token"}, "❌ token"),
        ({"BOTMAKER_GUILD_ID": "42"}, "❌ server"),
        ({"BOTMAKER_ADMIN_CHANNEL_ID": "42"}, "❌ channel"),
        ({"BOTMAKER_DISCORD_TOKEN": ""}, "❌ settings"),
        ({"DOCKER_HOST": "unix:///absent.sock"}, "❌ engine"),
        ({"BOTMAKER_DISCORD_API_URL": "http://127.0.0.1:9/api/v10"}, "❌ discord"),
    ],
    ids=str,
)
async def test_doctor_names_what_is_wrong_with_its_remedy(
    shared: Place, env: dict[str, str], words: str
) -> None:
    """Status 1, what is wrong and what to do; the other checks still run."""
    status, text, _ = await botmaker(shared.controller, "doctor", **env)
    assert status == 1
    (line,) = [line for line in text.splitlines() if line.startswith(words)]
    assert "→" in line
    assert "database: sound" in text
    assert "quite.wrong.token" not in text


async def test_health_and_metrics_say_how_it_is(shared: Place) -> None:
    """Version, uptime, both connections, bots by phase; metrics in Prometheus format."""
    await shared.bot("counted")
    await shared.card_says("counted", "running")
    health = await shared.controller.health()
    assert health["status"] == "ok"
    assert health["discord"] == {"connected": True}
    assert health["engine"]["reachable"] is True
    assert health["bots"]["running"] >= 1
    assert health["uptime_seconds"] > 0
    metrics = (await shared.controller.get("/metrics"))[1]
    assert "botmaker_engine_up 1.0" in metrics
    assert f'botmaker_bots{{phase="running"}} {float(health["bots"]["running"])}' in metrics
    assert (await shared.controller.get("/"))[0] == 404


async def test_an_entered_value_is_nowhere_but_in_its_file(shared: Place) -> None:
    """It isn't in Discord, log, database, `docker inspect` or an environment, in any disguise."""
    values = {"api_key": a_secret(), "channel_token": a_secret()}
    bot_id = await shared.bot("sealed", **values)
    for command in ("bot show", "bot logs", "bot history"):
        inv = await shared.ann.slash(command, name="sealed")
        await said(inv, "sealed")
    found = shared.controller.inspect(bot_id)
    assert found is not None
    process = environment_of(found["State"]["Pid"])
    assert "BOT_PROVIDER=demo" in process  # proves that the search looks at the right processes
    assert shared.controller.leaks() == []
    home = shared.controller.secrets_dir / bot_id
    assert {file.name: file.read_text() for file in home.iterdir()} == values
    for disguise in disguises(values["api_key"]):  # proves that the search would find one
        stray = shared.controller.data / "stray"
        stray.write_text(f"x{disguise}x")
        assert shared.controller.leaks()
        stray.unlink()


async def test_a_bots_container_is_hardened(shared: Place) -> None:
    """As in the contract: user, capabilities, read-only root, limits, network, restart, image."""
    bot_id = await shared.bot("tight")
    found = shared.controller.inspect(bot_id)
    assert found is not None
    host, config = found["HostConfig"], found["Config"]
    assert config["User"] == "1000:1000"
    assert host["CapDrop"] == ["ALL"]
    assert not host["CapAdd"]
    assert any(option.startswith("no-new-privileges") for option in host["SecurityOpt"])
    assert host["ReadonlyRootfs"]
    assert "/tmp" in host["Tmpfs"]
    assert host["Memory"] == host["MemorySwap"] == 32 * 1024 * 1024
    assert host["PidsLimit"] == 32
    assert host["Init"]
    assert not host["Privileged"]
    assert not host["PortBindings"]
    assert host["RestartPolicy"]["Name"] == "unless-stopped"
    assert host["LogConfig"]["Config"]["max-size"]
    assert config["Image"].startswith("sha256:")
    mounts = {mount["Destination"]: mount for mount in found["Mounts"]}
    assert mounts["/run/secrets"]["RW"] is False
    assert mounts["/run/secrets"]["Source"] == str(shared.controller.secrets_dir / bot_id)
    labels = config["Labels"]
    assert labels["botmaker.managed"] == "true"
    assert labels["botmaker.bot-id"] == bot_id
    assert labels["botmaker.instance"] == shared.controller.instance
    assert labels["botmaker.spec"]
    (network,) = found["NetworkSettings"]["Networks"]
    options = shared.controller.engine.inspect_network(network)["Options"]
    assert options["com.docker.network.bridge.enable_icc"] == "false"


async def test_doctor_names_the_permission_that_is_missing(shared: Place) -> None:
    """Judged by the actual roles and channel; it also says where to grant the permission."""
    everyone, own = shared.world.guild.roles.values()
    had = everyone.permissions, own.permissions
    everyone.permissions = own.permissions = 1 << 10 | 1 << 16  # view, history
    try:
        status, text, _ = await botmaker(shared.controller, "doctor")
    finally:
        everyone.permissions, own.permissions = had
    assert status == 1
    assert "❌ permissions: missing: send messages, attach files" in text
    assert "the bot's role in that channel's settings" in text
