"""Logs, orphans, host paths and the doctor: what people ask beside the bots."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from controller.domain.bot import Bot
from controller.domain.errors import BadInput, BadSetting, NotFound, NotReady
from controller.domain.events import LogQuery
from controller.domain.journal import Kind
from controller.domain.names import new_bot_id
from controller.domain.phase import Phase
from controller.fleet.hostpaths import HostPaths, binds_only, own_container
from controller.manager.doctor import Finding, worded
from controller.manager.logbook import parse_query
from controller.manager.orphans import Orphans
from controller.runtime import NetworkInfo, Probe, ProbeResult, VolumeInfo
from controller.runtime.memory import MemoryRuntime
from tests.manager.rig import ANN_ASKS, API_KEY, Rig

NOW = 1_700_000_000.0  # by the engine's clock

# Logs


@pytest.mark.parametrize(
    ("typed", "query"),
    [
        ((None, None, None, None), LogQuery()),
        ((1, "", "", ""), LogQuery(lines=1)),
        ((1000, None, "Error", "stderr"), LogQuery(lines=1000, grep="Error", stream="stderr")),
        ((None, " ", None, " STDERR "), LogQuery(stream="stderr")),
        ((None, None, "x" * 200, "stdout"), LogQuery(grep="x" * 100, stream="stdout")),
    ],
)
def test_what_is_typed_is_the_query(
    typed: tuple[int | None, str | None, str | None, str | None], query: LogQuery
) -> None:
    """With the defaults for what is left out."""
    assert parse_query(*typed, now=NOW) == query


@pytest.mark.parametrize(
    ("since", "seconds"),
    [
        *(("30s", 30), ("10m", 600), (" 2H ", 7200), ("1d", 86400), ("0s", 0)),
        *(("10 min", 600), ("2 hours ago", 7200), ("1 Day", 86400), ("5mins", 300)),
        ("90 secs", 90),
    ],
)
def test_since_is_a_time_back_from_now(since: str, seconds: int) -> None:
    """A number and a unit, counted from the engine's now: ours may be anywhere."""
    assert parse_query(None, since, None, None, now=NOW).since == NOW - seconds


@pytest.mark.parametrize(
    "typed",
    [
        (0, None, None, None),
        (-1, None, None, None),
        (1001, None, None, None),
        (None, "yesterday", None, None),
        (None, "10", None, None),
        (None, "-5m", None, None),
        (None, "1.5h", None, None),
        (None, "999999d", None, None),
        (None, "3 weeks", None, None),
        (None, "5 minutes past", None, None),
        (None, None, None, "stdin"),
    ],
)
def test_what_is_no_query_is_refused(
    typed: tuple[int | None, str | None, str | None, str | None],
) -> None:
    """BadInput shows the right form."""
    with pytest.raises(BadInput):
        parse_query(*typed, now=NOW)


async def test_a_log_leaves_redacted(rig: Rig) -> None:
    """The bot's own key and every likely one are hidden."""
    bot = await rig.running()
    rig.runtime.write_log(bot.id, f"key {API_KEY}\nother sk-ant-{'x' * 30}\nplain")
    snippet = await rig.manager.logbook.read(ANN_ASKS, bot, LogQuery())
    assert [line.text for line in snippet.lines] == [
        "key [redacted]",
        "other [redacted]",
        "plain",
    ]


async def test_a_bot_without_a_container_has_no_log(rig: Rig) -> None:
    """NotFound, not an empty answer."""
    bot = await rig.create()
    with pytest.raises(NotFound):
        await rig.manager.logbook.read(ANN_ASKS, bot, LogQuery())


# Orphans


async def orphaned(rig: Rig) -> tuple[Bot, str]:
    """A bot that runs; and the id of one that is gone but for its containers, volume and folder."""
    bot, lost = await rig.running(), new_bot_id()
    spec = replace(rig.runtime.containers[bot.id].spec, bot_id=lost)
    await rig.runtime.create(spec)
    await rig.runtime.start(lost)
    await rig.runtime.park(lost, 1)
    await rig.runtime.create(spec)
    (rig.secrets / lost).mkdir()
    (rig.secrets / lost / "api_key").write_text("x" * 20)
    return bot, lost


async def test_orphans_are_found_and_left_alone(rig: Rig) -> None:
    """Containers, a parked one, a volume and a folder without a row are named, with their sizes;
    those of bots are not."""
    await rig.running()
    assert await rig.manager.orphans.find(ANN_ASKS) == []
    _, lost = await orphaned(rig)
    found = await rig.manager.orphans.find(ANN_ASKS)
    assert [(orphan.kind, orphan.name, orphan.size) for orphan in found] == [
        ("container", f"botmaker-{lost}", 4096),
        ("parked container", f"botmaker-{lost}-previous", 4096),
        ("volume", f"botmaker-{lost}", 4096),
        ("secrets folder", lost, 20),
    ]
    await rig.restart()
    await rig.loop.watcher.resync()
    again = await rig.manager.orphans.find(ANN_ASKS)
    assert [one.key for one in again] == [one.key for one in found]


async def test_orphans_that_were_listed_are_removed_and_nothing_else(rig: Rig) -> None:
    """All that is of the one who is gone; the bots and what isn't ours stay. The history tells."""
    bot, lost = await orphaned(rig)
    rig.runtime.make_foreign_volume("botmaker-somebody-elses")
    keys = [one.key for one in await rig.manager.orphans.find(ANN_ASKS)]
    done = await rig.manager.orphans.remove(ANN_ASKS, keys)
    assert [(one.orphan.key, one.reason) for one in done] == [(key, "") for key in keys]
    assert await rig.manager.orphans.find(ANN_ASKS) == []
    assert set(rig.runtime.containers) == {bot.id}
    assert rig.runtime.volumes == {bot.id}
    assert not rig.runtime.parked
    assert not (rig.secrets / lost).exists()
    assert (rig.secrets / bot.id).exists()
    assert rig.runtime.foreign_volumes == {"botmaker-somebody-elses"}
    (told,) = await rig.entries(Kind.ORPHANS)
    assert told.author.principal == ANN_ASKS.principal
    assert told.data == {"removed": keys, "failed": []}


async def test_nothing_is_removed_if_one_of_them_is_no_orphan(rig: Rig) -> None:
    """A key of a bot's own volume, or of what went meanwhile, stops all of it."""
    bot, _ = await orphaned(rig)
    keys = [one.key for one in await rig.manager.orphans.find(ANN_ASKS)]
    for odd in (f"volume/botmaker-{bot.id}", "volume/nothing", f"container/../{bot.id}"):
        with pytest.raises(NotReady) as refused:
            await rig.manager.orphans.remove(ANN_ASKS, [*keys, odd])
        assert refused.value.code == "orphans-changed"
    with pytest.raises(NotReady):
        await rig.manager.orphans.remove(ANN_ASKS, [])
    assert [one.key for one in await rig.manager.orphans.find(ANN_ASKS)] == keys


async def test_what_cant_be_removed_is_said_and_the_rest_goes(rig: Rig) -> None:
    """Somebody else's container uses the volume: it stays, with the reason."""
    _, lost = await orphaned(rig)
    rig.runtime.volume_users.add(f"botmaker-{lost}")
    keys = [one.key for one in await rig.manager.orphans.find(ANN_ASKS)]
    done = await rig.manager.orphans.remove(ANN_ASKS, keys)
    stays = [one for one in done if not one.done]
    assert [one.orphan.kind for one in stays] == ["volume"]
    assert "still uses" in stays[0].reason
    left = await rig.manager.orphans.find(ANN_ASKS)
    assert [one.kind for one in left] == ["volume"]


async def test_a_bot_that_is_created_meanwhile_is_no_orphan(rig: Rig) -> None:
    """The world is listed before the rows are read: what belongs to a new row is its bot's."""

    class Slow(MemoryRuntime):
        async def list_volumes(self) -> list[VolumeInfo]:
            await rig.running()
            return await rig.runtime.list_volumes()

    slow = Slow(images=rig.runtime.images)
    tools, access = rig.house.tools, rig.manager.access
    orphans = Orphans(replace(tools, runtime=slow), access)
    assert await orphans.find(ANN_ASKS) == []


# Host paths

MOUNTS = (("/srv/botmaker", "/data"), ("/srv/deep", "/data/secrets"), ("/", "/host"))


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("/data", "/srv/botmaker"),
        ("/data/files/x", "/srv/botmaker/files/x"),
        ("/data/secrets", "/srv/deep"),
        ("/data/secrets/x", "/srv/deep/x"),
        ("/data/secrets2", "/srv/botmaker/secrets2"),
        ("/host/etc", "/etc"),
    ],
)
def test_a_path_is_translated_by_the_longest_mount(path: str, place: str) -> None:
    """Whole names count, not beginnings of names."""
    assert HostPaths(MOUNTS).translate(Path(path)) == place


@pytest.mark.parametrize("mounts", [(), MOUNTS])
def test_a_path_of_our_own_container_alone_is_refused(mounts: tuple[tuple[str, str], ...]) -> None:
    """A bot could not see it: said with the remedy."""
    with pytest.raises(BadSetting) as caught:
        HostPaths(mounts).translate(Path("/database"))
    assert caught.value.code == "not-a-host-path"
    assert "compose.yaml" in caught.value.hint


def test_on_the_host_itself_nothing_is_translated() -> None:
    """A relative path becomes a full one."""
    assert HostPaths().translate(Path("/x/y")) == "/x/y"
    assert HostPaths().translate(Path("secrets")) == str(Path("secrets").absolute())


def test_only_bind_mounts_are_places_of_the_host() -> None:
    """A named volume's source is the engine's matter."""
    rows = (("bind", "/a", "/b"), ("volume", "v", "/c"), ("tmpfs", "", "/d"))
    assert binds_only(rows) == (("/a", "/b"),)


def test_our_own_container_is_known_by_its_mounts(tmp_path: Path) -> None:
    """By the engine's hostname file; by the marker at least; on a host there is none."""
    info, marker = tmp_path / "mountinfo", tmp_path / "marker"
    assert own_container(info, marker) is None
    info.write_text("22 1 8:1 / / rw - ext4 /dev/sda rw\n")
    assert own_container(info, marker) is None
    marker.touch()
    assert own_container(info, marker)
    ident = "ab" * 32
    info.write_text(f"9 1 8:1 /var/lib/docker/containers/{ident}/hostname /etc/hostname rw\n")
    assert own_container(info, marker) == ident


# The doctor


def honest(probe: Probe) -> ProbeResult:
    """A container that really reads the file."""
    name = Path(probe.command[-1]).name
    return ProbeResult(exit_code=0, output=(Path(probe.secrets_source) / name).read_text() + "\n")


def bad(found: list[Finding]) -> list[str]:
    return [one.subject for one in found if one.ok is False]


async def test_a_sound_installation_has_no_bad_finding(rig: Rig) -> None:
    """Every subject is reported, and the canary is gone afterwards."""
    rig.runtime.answer_probe = honest
    found = await rig.manager.doctor.examine(ANN_ASKS)
    assert bad(found) == []
    assert {one.subject for one in found} == {
        *("database", "disk", "templates", "sealing", "engine", "secrets", "backup")
    }
    assert list(rig.secrets.iterdir()) == []
    assert worded(found)[0] == "✅ database: sound"


async def test_unreadable_secrets_are_found_before_a_bot_needs_them(rig: Rig) -> None:
    """The probe's own words and a remedy; the canary goes all the same."""
    rig.runtime.answer_probe = lambda _: ProbeResult(exit_code=1, output="Permission denied")
    found = await rig.manager.doctor.examine(ANN_ASKS)
    assert bad(found) == ["secrets"]
    (line,) = worded([one for one in found if one.ok is False])
    assert line.startswith("❌ secrets: ")
    assert "Permission denied" in line
    assert " → " in line
    assert list(rig.secrets.iterdir()) == []


async def test_without_an_image_the_secrets_are_not_called_sound(rig: Rig) -> None:
    """Neither good nor bad: not tried."""
    rig.runtime.images.clear()
    found = await rig.manager.doctor.examine(ANN_ASKS)
    assert bad(found) == []
    assert [one.ok for one in found if one.subject == "secrets"] == [None]


async def test_an_absent_engine_is_a_finding(rig: Rig) -> None:
    """No exception, and the other checks are made."""
    rig.runtime.go_away()
    found = await rig.manager.doctor.examine(ANN_ASKS)
    assert bad(found) == ["engine", "secrets"]
    assert {"database", "disk"} <= {one.subject for one in found}


async def test_the_doctor_says_how_many_bots_fit(rig: Rig) -> None:
    """Before the network is full it's a bad finding, with the setting that helps."""
    rig.runtime.answer_probe = honest
    await rig.running()
    name = rig.runtime.network_info.name
    for fits, ok in ((253, True), (1, False)):
        rig.runtime.network_info = NetworkInfo(name=name, subnet="10.1.0.0/24", fits=fits)
        found = await rig.manager.doctor.examine(ANN_ASKS)
        (room,) = [one for one in found if one.subject == "network"]
        assert room.ok is ok
        assert f"1 of {fits} bots" in room.message
        assert ("BOTMAKER_NETWORK_SUBNET" in room.remedy) is not ok


async def test_the_doctor_tells_of_networks_to_remove_or_create_again(rig: Rig) -> None:
    """Those of gone installations, and our own where it still has another subnet."""
    rig.runtime.network_info = NetworkInfo(
        name="botmaker-here",
        subnet="10.1.0.0/24",
        wanted="10.2.0.0/20",
        fits=253,
        leftovers=("botmaker-gone",),
    )
    found = await rig.manager.doctor.examine(ANN_ASKS)
    remedies = " ".join(one.remedy for one in found if one.subject == "network" and one.ok is None)
    assert "docker network rm botmaker-gone" in remedies
    assert "docker network rm botmaker-here" in remedies


async def test_a_refused_template_is_a_finding_with_its_line(rig: Rig) -> None:
    """The others still load."""
    rig.runtime.answer_probe = honest
    rig.template("schema = 1\nid = 3\n", "broken")
    await rig.restart()
    found = await rig.manager.doctor.examine(ANN_ASKS)
    assert bad(found) == ["templates"]
    (line,) = [text for text in worded(found) if text.startswith("❌")]
    assert "broken.toml, line 2" in line


async def test_a_folder_that_is_gone_is_a_finding(rig: Rig) -> None:
    """The doctor examines on: what it cannot look at is told like all the rest."""
    rig.data.rename(rig.folder / "elsewhere")
    found = await rig.manager.doctor.examine(ANN_ASKS)
    (rig.folder / "elsewhere").rename(rig.data)
    (folder,) = [finding for finding in found if finding.subject == "folder"]
    assert (folder.ok, "No such file" in folder.message) == (False, True)
    assert folder.remedy
    assert "database" in bad(found)
    assert "engine" in {finding.subject for finding in found}


async def test_since_when_it_runs_is_the_same_before_and_after_a_new_controller(rig: Rig) -> None:
    """By the engine's own time in both: nothing is said in public because BotMaker restarted."""
    bot = await rig.running()
    before = rig.view(bot).since
    assert before == rig.runtime.containers[bot.id].seen.started
    await rig.restart()
    view = await rig.becomes(bot, Phase.RUNNING)
    assert view.since == before
