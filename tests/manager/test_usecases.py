"""Access, audit, logs, orphans, host paths and the doctor: what people ask beside the bots."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest

from controller.domain.access import Grant
from controller.domain.errors import BadInput, BadSetting, Conflict, NotFound
from controller.domain.events import LogQuery
from controller.domain.names import new_bot_id
from controller.domain.phase import Phase
from controller.domain.roles import Role
from controller.manager.access import Access, StaticGrants
from controller.fleet.journal import Caller
from controller.manager.doctor import Finding, examine, worded
from controller.fleet.hostpaths import HostPaths, binds_only, own_container
from controller.manager.logbook import parse_query
from controller.runtime import Probe, ProbeResult
from controller.store import Store
from tests.manager.rig import ANN, ANN_ASKS, API_KEY, BEN, Rig

BOT_ID = new_bot_id()


# Access


async def test_grants_outlive_the_controller(tmp_path: Path) -> None:
    """What an admin gave is there at the next start, and gone when it was taken back."""
    store = await Store.open(tmp_path)
    access = Access(store, StaticGrants())
    await access.load()
    assert access.role_of(BEN) is Role.NONE
    given = Grant("user", BEN.user_id, Role.OPERATOR, BOT_ID)
    await access.grant(given)
    again = Access(store, StaticGrants())
    await again.load()
    assert again.role_of(BEN, BOT_ID) is Role.OPERATOR
    assert again.role_of(BEN) is Role.NONE
    await again.revoke("user", BEN.user_id, BOT_ID)
    assert again.role_of(BEN, BOT_ID) is Role.NONE
    with pytest.raises(NotFound):
        await again.revoke("user", BEN.user_id, BOT_ID)
    await store.close()


async def test_admin_is_for_all_bots(rig: Rig) -> None:
    """It cannot be given for one."""
    with pytest.raises(BadInput):
        await rig.manager.access.grant(Grant("user", 2, Role.ADMIN, BOT_ID))
    assert rig.manager.access.role_of(BEN, BOT_ID) is Role.NONE


async def test_the_settings_grants_say_where_they_come_from(rig: Rig) -> None:
    """They decide, are named, and cannot be revoked here."""
    access = rig.manager.access
    why = access.why(ANN)
    assert why is not None
    assert (why.role, why.source) == (Role.ADMIN, "ADMIN_USER_IDS")
    with pytest.raises(NotFound) as caught:
        await access.revoke("user", ANN.user_id, "")
    assert "settings" in caught.value.hint


@pytest.mark.parametrize(
    ("static", "admin"),
    [
        (StaticGrants(), True),
        (StaticGrants(viewer_roles=(5,)), True),
        (StaticGrants(admin_users=(99,)), False),
        (StaticGrants(admin_roles=(5,)), False),
    ],
)
async def test_the_owner_is_admin_where_the_settings_name_none(
    rig: Rig, static: StaticGrants, admin: bool
) -> None:
    """And only there."""
    access = Access(rig.store, static)
    access.set_owners([BEN.user_id])
    assert (access.role_of(BEN) is Role.ADMIN) is admin


# Audit


async def test_every_order_has_one_line_with_its_outcome(rig: Rig) -> None:
    """Who, what, on which bot, and how it ended."""
    bot = await rig.running()
    lifecycle = rig.manager.lifecycle
    for order in (lifecycle.stop, lifecycle.start, lifecycle.restart, lifecycle.delete):
        await order(ANN_ASKS, bot)
    with pytest.raises(NotFound):
        await lifecycle.start(ANN_ASKS, bot)
    lines = [(entry.action, entry.outcome) for entry in await rig.manager.audit.history(bot.id)]
    assert lines == [
        ("start", "refused: no-such-bot"),
        ("delete", "removed"),
        ("restart", "running"),
        ("start", "running"),
        ("stop", "stopped"),
        ("enter secrets", "wrote api_key, channel_token"),
        ("create", "made, waiting for secrets"),
    ]
    entry = (await rig.manager.audit.history(bot.id))[-1]
    assert (entry.user_id, entry.user_name, entry.bot_name) == (1, "ann", bot.name)
    assert entry.ended_at is not None


async def test_a_request_acts_once(rig: Rig) -> None:
    """Discord may deliver the same interaction twice: the second is a duplicate."""
    bot = await rig.running()
    asked = Caller(ANN, "interaction-1")
    await rig.manager.lifecycle.restart(asked, bot)
    run = rig.run_of(bot)
    with pytest.raises(Conflict) as caught:
        await rig.manager.lifecycle.restart(asked, bot)
    assert caught.value.code == "duplicate"
    assert rig.run_of(bot) == run


async def test_a_taken_name_is_noted_as_refused(rig: Rig) -> None:
    """The code stands in the audit, nothing is made."""
    bot = await rig.create()
    with pytest.raises(Conflict):
        await rig.create(name=bot.name)
    outcomes = [entry.outcome for entry in await rig.manager.audit.history()]
    assert outcomes[0] == "refused: name-taken"
    assert len(rig.fleet) == 1


async def test_a_failure_of_our_own_is_noted(rig: Rig) -> None:
    """An exception that nobody expected ends the line too."""
    with pytest.raises(ZeroDivisionError):
        async with rig.manager.audit.entry(ANN_ASKS, "divide"):
            raise ZeroDivisionError
    assert (await rig.manager.audit.history())[0].outcome == "failed"


async def test_a_denied_request_is_noted(rig: Rig) -> None:
    """One line with what was asked and why not."""
    await rig.manager.audit.refused(Caller(BEN), "bot stop", None, "needs operator")
    (entry,) = await rig.manager.audit.history()
    assert (entry.user_id, entry.outcome, entry.detail) == (2, "refused: denied", "needs operator")


# Logs


@pytest.mark.parametrize(
    ("typed", "query"),
    [
        ((None, None, None, None), LogQuery()),
        ((1, "", "", ""), LogQuery(lines=1)),
        ((1000, None, "Error", "stderr"), LogQuery(lines=1000, grep="Error", stream="stderr")),
        ((None, None, "x" * 200, "stdout"), LogQuery(grep="x" * 100, stream="stdout")),
    ],
)
def test_what_is_typed_is_the_query(
    typed: tuple[int | None, str | None, str | None, str | None], query: LogQuery
) -> None:
    """With the defaults for what is left out."""
    assert parse_query(*typed) == query


@pytest.mark.parametrize(
    ("since", "seconds"), [("30s", 30), ("10m", 600), (" 2H ", 7200), ("1d", 86400), ("0s", 0)]
)
def test_since_is_a_time_back_from_now(since: str, seconds: int) -> None:
    """A number and a unit."""
    assert parse_query(None, since, None, None).since == pytest.approx(time.time() - seconds, abs=2)


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
        (None, None, None, "stdin"),
    ],
)
def test_what_is_no_query_is_refused(
    typed: tuple[int | None, str | None, str | None, str | None],
) -> None:
    """BadInput shows the right form."""
    with pytest.raises(BadInput):
        parse_query(*typed)


async def test_a_log_leaves_redacted(rig: Rig) -> None:
    """The bot's own key and every likely one are hidden."""
    bot = await rig.running()
    rig.runtime.write_log(bot.id, f"key {API_KEY}\nother sk-ant-{'x' * 30}\nplain")
    snippet = await rig.manager.logbook.read(bot, LogQuery())
    assert [line.text for line in snippet.lines] == [
        "key [redacted]",
        "other [redacted]",
        "plain",
    ]


async def test_a_bot_without_a_container_has_no_log(rig: Rig) -> None:
    """NotFound, not an empty answer."""
    bot = await rig.create()
    with pytest.raises(NotFound):
        await rig.manager.logbook.read(bot, LogQuery())


# Orphans


async def test_orphans_are_found_and_left_alone(rig: Rig) -> None:
    """A container, a volume and a folder without a row are named; those of bots are not."""
    bot = await rig.running()
    assert await rig.manager.orphans.find() == []
    lost = new_bot_id()
    spec = rig.runtime.containers[bot.id].spec
    await rig.runtime.create(replace(spec, bot_id=lost))
    (rig.secrets / lost).mkdir()
    found = await rig.manager.orphans.find()
    assert [(orphan.kind, orphan.name) for orphan in found] == [
        ("container", f"botmaker-{lost}"),
        ("volume", f"botmaker-{lost}"),
        ("secrets folder", lost),
    ]
    await rig.restart()
    await rig.loop.watcher.resync()
    assert await rig.manager.orphans.find() == found


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
    found = await examine(rig.manager.patient)
    assert bad(found) == []
    assert {one.subject for one in found} == {"database", "disk", "templates", "engine", "secrets"}
    assert rig.secrets_on_disk() == set()
    assert worded(found)[0] == "✅ database: sound"


async def test_unreadable_secrets_are_found_before_a_bot_needs_them(rig: Rig) -> None:
    """The probe's own words and a remedy; the canary goes all the same."""
    rig.runtime.answer_probe = lambda _: ProbeResult(exit_code=1, output="Permission denied")
    found = await examine(rig.manager.patient)
    assert bad(found) == ["secrets"]
    line = worded(found)[-1]
    assert line.startswith("❌ secrets: ")
    assert "Permission denied" in line
    assert " → " in line
    assert rig.secrets_on_disk() == set()


async def test_without_an_image_the_secrets_are_not_called_sound(rig: Rig) -> None:
    """Neither good nor bad: not tried."""
    rig.runtime.images.clear()
    found = await examine(rig.manager.patient)
    assert bad(found) == []
    assert [one.ok for one in found if one.subject == "secrets"] == [None]


async def test_an_absent_engine_is_a_finding(rig: Rig) -> None:
    """No exception, and the other checks are made."""
    rig.runtime.go_away()
    found = await examine(rig.manager.patient)
    assert bad(found) == ["engine", "secrets"]
    assert {"database", "disk"} <= {one.subject for one in found}


async def test_a_refused_template_is_a_finding_with_its_line(rig: Rig) -> None:
    """The others still load."""
    rig.runtime.answer_probe = honest
    rig.template("schema = 1\nid = 3\n", "broken")
    await rig.restart()
    found = await examine(rig.manager.patient)
    assert bad(found) == ["templates"]
    (line,) = [text for text in worded(found) if text.startswith("❌")]
    assert "broken.toml, line 2" in line


async def test_a_folder_that_is_gone_is_a_finding(rig: Rig) -> None:
    """The doctor examines on: what it cannot look at is told like all the rest."""
    patient = replace(rig.manager.patient, data_dir=rig.folder / "gone")
    found = await examine(patient)
    (space,) = [finding for finding in found if finding.subject == "disk"]
    assert (space.ok, "No such file" in space.message) == (False, True)
    assert space.remedy
    assert "engine" in {finding.subject for finding in found}


async def test_since_when_it_runs_is_the_same_before_and_after_a_new_controller(rig: Rig) -> None:
    """By the engine's own time in both: nothing is said in public because BotMaker restarted."""
    bot = await rig.running()
    before = rig.view(bot).since
    assert before == rig.runtime.containers[bot.id].seen.started
    await rig.restart()
    view = await rig.becomes(bot, Phase.RUNNING)
    assert view.since == before
