"""Incidents over HTTP and at the console; and what the keeper makes of a controller's end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from controller.domain.access import Grant
from controller.domain.announcing import Alert
from controller.domain.bot import Bot
from controller.domain.errors import BadInput, NotFound
from controller.domain.incident import Incident
from controller.domain.journal import Kind
from controller.domain.names import new_bot_id
from controller.domain.phase import Phase
from controller.domain.roles import Role
from controller.manager.incidents import Wanted
from tests.api.client import Api, token_of
from tests.cli.socketed import botmaker, served
from tests.manager.rig import ANN_ASKS, BEN_ASKS, Rig, eventually


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    """A controller that serves its socket and keeps incidents."""
    async with served(tmp_path) as rig:
        work = asyncio.create_task(rig.manager.incidents.run())
        yield rig
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)


async def crashed(rig: Rig) -> Bot:
    """A bot with an incident."""
    bot = await rig.running()
    rig.runtime.crash(bot.id, 3)
    await until_known(rig, bot)
    return bot


async def until_known(rig: Rig, bot: Bot) -> Incident:
    """The bot's incident, as soon as it's written down."""
    for _ in range(1000):
        found = await rig.store.incidents.last_of(bot.id)
        if found is not None:
            return found
        await asyncio.sleep(0.005)
    raise AssertionError("no incident")


async def test_an_incident_is_listed_acknowledged_and_muted_over_http(rig: Rig, api: Api) -> None:
    """As people see it in the channel; who acknowledged it is its owner's name."""
    bot = await crashed(rig)
    (shown,) = (await api.get("/incidents?open=true")).json["items"]
    told = {key: shown[key] for key in ("id", "trouble", "crashes", "exit_code", "over_at")}
    assert told == {
        "id": "1",
        "trouble": "crashed",
        "crashes": 1,
        "exit_code": 3,
        "over_at": None,
    }
    assert shown["bot"] == {"id": bot.id, "name": bot.name}
    assert [change["kind"] for change in shown["changes"]] == ["secrets"]
    done = await api.post("/incidents/1/acknowledge")
    assert (done.status, done.json["acknowledged_by"]) == (200, "ann (token ann-has-all)")
    muted = await api.post("/incidents/1/mute", {"seconds": 3600})
    assert (muted.json["muted"], muted.json["muted_until"] is not None) == (True, True)
    whole = await api.post("/incidents/1/mute", {})
    assert (whole.json["muted"], whole.json["muted_until"]) == (True, None)
    missing = await api.post("/incidents/7/acknowledge")
    assert (missing.status, missing.code) == (404, "no-such-incident")
    odd = await api.post("/incidents/x/acknowledge")
    assert (odd.status, odd.code) == (404, "no-such-incident")


async def test_whoever_may_not_see_a_bot_doesnt_see_its_incidents(rig: Rig, api: Api) -> None:
    """Neither in the list nor by its number."""
    await crashed(rig)
    other = await rig.create()
    token = await token_of(rig, "narrow", Role.OPERATOR, other)
    assert (await api.get("/incidents", token=token)).json["items"] == []
    refused = await api.post("/incidents/1/acknowledge", token=token)
    assert (refused.status, refused.code) == (404, "no-such-incident")


async def test_whoever_only_sees_a_bot_acknowledges_nothing_of_it(rig: Rig) -> None:
    """Though they may act on another one. And nobody has others pinged by the right for oneself."""
    bot, other = await crashed(rig), await rig.create()
    await rig.manager.access.grant(ANN_ASKS, Grant("user", 2, Role.VIEWER, bot.id), bot)
    await rig.manager.access.grant(ANN_ASKS, Grant("user", 2, Role.OPERATOR, other.id), other)
    incidents = rig.manager.incidents
    assert [one.id for one in (await incidents.listed(BEN_ASKS, Wanted()))[0]] == [1]
    with pytest.raises(NotFound):
        await incidents.acknowledge(BEN_ASKS, 1)
    with pytest.raises(BadInput):
        await incidents.set_own_alert(BEN_ASKS, Alert(kind="user", subject=1), on=True)
    assert await incidents.alerts(ANN_ASKS) == []


async def test_a_container_that_was_only_renamed_is_no_incident(rig: Rig) -> None:
    """It has its name again, and its program ran on."""
    bot = await rig.running()
    rig.runtime.rename_container(bot.id, "mine")
    await eventually(lambda: rig.view(bot).by_hand)
    await asyncio.sleep(0.5)
    assert await rig.store.incidents.newest() == []


async def test_the_list_goes_on_by_its_cursor(rig: Rig, api: Api) -> None:
    """Newest first, each once."""
    for _ in range(3):
        await crashed(rig)
    first = (await api.get("/incidents?limit=2")).json
    rest = (await api.get(f"/incidents?limit=2&cursor={first['next']}")).json
    assert [one["id"] for one in (*first["items"], *rest["items"])] == ["3", "2", "1"]


async def test_the_console_lists_what_is_wrong(rig: Rig) -> None:
    """A line each; as JSON what the API answers."""
    empty = await botmaker(rig.folder, "incidents")
    assert (empty.status, empty.out) == (0, "Nothing is wrong.\n")
    bot = await crashed(rig)
    listed = await botmaker(rig.folder, "incidents")
    number, about, trouble, _, over, *why = listed.out.split()
    assert (number, about, trouble, over, why) == ("1", bot.name, "crashed", "-", ["exit", "3"])
    listed = await botmaker(rig.folder, "incidents", "--all", "--json")
    assert [one["id"] for one in listed.json] == ["1"]


async def test_a_crash_is_one_incident_however_often_the_controller_is_killed(
    tmp_path: Path,
) -> None:
    """Also one that came while no keeper ran: its cursor stands in the journal."""
    rig = Rig(tmp_path)
    await rig.open()
    rig.run()
    bot = await rig.running()
    rig.runtime.crash(bot.id, 3)
    await eventually(lambda: rig.view(bot).crashes)
    for _ in range(3):
        await rig.restart()
        work = asyncio.create_task(rig.manager.incidents.run())
        assert (await until_known(rig, bot)).crashes == 1
        await asyncio.sleep(0.3)
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
    found = await rig.store.incidents.newest()
    assert [(one.id, one.crashes, one.returns) for one in found] == [(1, 1, 0)]
    assert len(await rig.entries(Kind.INCIDENT)) == 1
    await rig.kill()


async def test_of_crashes_that_nobody_kept_meanwhile_the_last_one_counts(tmp_path: Path) -> None:
    """All are counted, and the newest exit is shown."""
    rig = Rig(tmp_path)
    await rig.open()
    rig.run()
    bot = await rig.running()
    for count, code in enumerate((3, 4), 1):
        await rig.becomes(bot, Phase.RUNNING)
        rig.runtime.crash(bot.id, code)
        await eventually(lambda count=count: len(rig.view(bot).crashes) == count)  # type: ignore[misc]
    work = asyncio.create_task(rig.manager.incidents.run())
    found = await until_known(rig, bot)
    assert (found.crashes, found.details.exit_code) == (2, 4)
    work.cancel()
    await asyncio.gather(work, return_exceptions=True)
    await rig.kill()


async def test_an_earlier_versions_crashes_are_no_news(tmp_path: Path) -> None:
    """The migration puts the cursor behind what the journal has."""
    rig = Rig(tmp_path)
    await rig.open()
    rig.run()
    bot = await rig.running()
    rig.runtime.crash(bot.id, 3)
    await eventually(lambda: rig.view(bot).crashes)
    newest = await rig.store.newest()
    async with rig.store.transaction() as write:
        await write.remember("incidents", str(newest))
    await rig.restart()
    work = asyncio.create_task(rig.manager.incidents.run())
    await rig.becomes(bot, rig.view(bot).phase)
    await asyncio.sleep(0.5)
    assert await rig.store.incidents.newest() == []
    work.cancel()
    await asyncio.gather(work, return_exceptions=True)
    await rig.kill()


async def test_the_console_acknowledges_and_mutes(rig: Rig) -> None:
    """By the number that it lists."""
    await crashed(rig)
    done = await botmaker(rig.folder, "incidents", "acknowledge", "1")
    assert done.out == "incident 1: console looks after it.\n"
    muted = await botmaker(rig.folder, "incidents", "mute", "1", "--for", "2h")
    assert muted.out.startswith("incident 1: muted until 20")
    whole = await botmaker(rig.folder, "incidents", "mute", "1")
    assert whole.out == "incident 1: muted until it is over.\n"
    odd = await botmaker(rig.folder, "incidents", "mute", "1", "--for", "soon")
    assert (odd.status, "30m, 1h or 2d" in odd.err) == (2, True)
    missing = await botmaker(rig.folder, "incidents", "acknowledge", "9")
    assert (missing.status, "There is no such incident." in missing.err) == (1, True)


async def test_who_is_pinged_is_set_over_http_and_at_the_console(rig: Rig, api: Api) -> None:
    """For all bots or for one, with quiet hours; a person's own by who asks."""
    bot = await rig.create()
    order = {"kind": "role", "subject": "77", "bot": bot.name, "quiet": "22:00-07:00"}
    made = await api.post("/alerts", order | {"zone": "Europe/Berlin"})
    assert made.json == {
        "kind": "role",
        "subject": "77",
        "bot": {"id": bot.id, "name": bot.name},
        "quiet": "22:00-07:00 Europe/Berlin",
    }
    own = await api.ask("PUT", "/alerts/me", {})
    assert (own.status, own.json["subject"]) == (200, "1")
    given = await botmaker(rig.folder, "alerts", "give", "user", "5", "--quiet", "1-2")
    assert given.out == "user 5 is pinged when something goes wrong, not at 01:00-02:00 UTC.\n"
    listed = await botmaker(rig.folder, "alerts", "list", "--json")
    assert {(one["kind"], one["subject"]) for one in listed.json} == {
        *(("role", "77"), ("user", "1"), ("user", "5")),
    }
    assert (await api.ask("DELETE", "/alerts/me")).status == 204
    assert (await api.ask("DELETE", f"/alerts/role/77?bot={bot.name}")).status == 204
    dropped = await botmaker(rig.folder, "alerts", "drop", "user", "5")
    assert dropped.out == "user 5 is no longer pinged.\n"
    assert (await api.get("/alerts")).json["items"] == []
    again = await api.ask("DELETE", "/alerts/role/77")
    assert (again.status, again.code) == (404, "no-such-alert")
    odd = await api.post("/alerts", {"kind": "user", "subject": "5", "quiet": "late"})
    assert (odd.status, odd.code) == (422, "bad-quiet-hours")
    shown = await botmaker(rig.folder, "alerts", "list")
    assert shown.out == "Nobody is pinged.\n"


async def test_orphans_are_listed_and_removed_over_http_and_at_the_console(
    rig: Rig, api: Api
) -> None:
    """Exactly those that were listed; the console asks first."""
    none = await botmaker(rig.folder, "orphans")
    assert none.out == "Nothing is left over: everything belongs to a bot.\n"
    lost, other = new_bot_id(), new_bot_id()
    for one in (lost, other):
        (rig.secrets / one).mkdir()
    (shown, _) = sorted(
        (await api.get("/fleet/orphans")).json["items"], key=lambda one: one["name"] != lost
    )
    assert shown == {
        "id": f"secrets folder/{lost}",
        "kind": "secrets folder",
        "name": lost,
        "state": "",
        "age_seconds": shown["age_seconds"],
        "bytes": 0,
    }
    stale = await api.post("/fleet/orphans/remove", {"ids": [shown["id"], "volume/none"]})
    assert (stale.status, stale.code) == (409, "orphans-changed")
    done = await api.post("/fleet/orphans/remove", {"ids": [shown["id"]]})
    assert done.json["items"] == [{"id": shown["id"], "removed": True, "reason": ""}]
    assert not (rig.secrets / lost).exists()
    unasked = await botmaker(rig.folder, "orphans", "--remove", typed="no\n")
    assert (unasked.status, (rig.secrets / other).exists()) == (1, True)
    gone = await botmaker(rig.folder, "orphans", "--remove", "--yes")
    assert f"secrets folder/{other}: removed" in gone.out
    assert not (rig.secrets / other).exists()
