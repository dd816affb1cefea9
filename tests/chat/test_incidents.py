"""Incidents as people see them: one message for each, the right reason, pinged once, closed."""

from __future__ import annotations

import asyncio
import re
import time
from dataclasses import replace

import pytest

from controller.chat.incidents.incident_buttons import incident_buttons
from controller.domain.bot import Bot
from controller.domain.incident import Change, Incident, Trouble
from controller.domain.journal import Kind
from controller.domain.observation import Health
from controller.domain.phase import Phase
from controller.fleet.views import View
from demo.world import World
from tests.chat.acting import (
    engine_of,
    fill,
    healthy_soon,
    incidents,
    labels,
    make,
    newcomer,
    public,
    ready_bot,
    said,
    until_card,
    until_incident,
    until_phase,
)
from tests.chat.house import House

TRACEBACK = "Traceback (most recent call last):\nKeyError: 'ticket'\nbye"


def pings(world: World) -> list[tuple[list[int], list[int]]]:
    """Whom each new message in the channel was allowed to ping: people and roles."""
    found = []
    for request in world.env.http_requests:
        posted = request.path == f"/channels/{world.channel.id}/messages"
        if request.method == "POST" and posted and request.json:
            allowed = request.json["allowed_mentions"]
            assert "everyone" not in allowed["parse"]
            found.append((allowed.get("users", []), allowed.get("roles", [])))
    return [one for one in found if any(one)]


async def test_a_crash_is_one_message_with_its_reason_and_pings_whoever_asked(
    world: World,
) -> None:
    """With the line that names the cause above the last lines, and what was changed before it."""
    await world.admin.slash(world.channel, "fleet alerts me")
    view = await ready_bot(world)
    engine = engine_of(world)
    engine.write_log(view.bot.id, TRACEBACK, "stderr")
    engine.crash(view.bot.id, 1)
    message = await until_incident(world, "KeyError: 'ticket'\nbye")
    text = message.content
    assert text.startswith("🔴 **shop crashed**\nsince <t:")
    assert "exit 1" in text
    assert "\n> KeyError: 'ticket'\n" in text
    assert re.search(r"Before it: secrets entered \(.*\) <t:\d+:R> by <@\d+>\.", text)
    assert "🟡 It runs again" in text
    assert labels(message) == [
        *("Logs", "Restart", "Acknowledge", "Mute 1 h", "Mute until it's over")
    ]
    assert len(incidents(world)) == 1
    assert pings(world) == [([world.admin.id], [])]


async def test_a_bot_that_was_given_up_says_how_to_go_on(world: World) -> None:
    """Five crashes are one message, and one ping."""
    await world.admin.slash(world.channel, "fleet alerts me")
    view = await ready_bot(world)
    for _ in range(5):
        await until_running(world, view.bot.id)
        engine_of(world).crash(view.bot.id, 137, oom=True)
    await until_phase(world, "shop", Phase.ERROR)
    message = await until_incident(world, "is down")
    assert "5 crashes" in message.content
    assert "exit 137: out of memory (limit " in message.content
    assert "It stays down until somebody presses Restart." in message.content
    assert len(incidents(world)) == 1
    assert len(pings(world)) == 1


async def checked(world: World, name: str = "shop") -> View:
    """A running bot whose health check succeeds."""
    view = await make(world, name, template="checked")
    healthy = asyncio.create_task(healthy_soon(world, view.bot.id))
    await fill(world)
    await healthy
    return await until_phase(world, name, Phase.RUNNING)


async def noted(world: World) -> None:
    """Wait until BotMaker has noted where the message of the first incident is."""
    while True:
        incident = await world.application.manager.incidents.get(1)
        if incident is not None and incident.message_id:
            return
        await asyncio.sleep(0.01)


async def until_running(world: World, bot_id: str) -> None:
    """Wait until its program runs and was looked at."""
    engine = engine_of(world)
    fleet = world.application.installation.tools.fleet
    while True:
        view, held = fleet.get(bot_id), engine.containers.get(bot_id)
        seen = view.world.container if view else None
        runs = held is not None and held.seen.state.active
        if runs and held and seen and seen.started_at == held.seen.started_at:
            return
        await asyncio.sleep(0.01)


async def test_a_requested_stop_and_a_restart_are_no_incident(world: World) -> None:
    """Nothing is said about what somebody asked for."""
    await ready_bot(world)
    for command in ("restart", "stop", "start", "stop"):
        await world.admin.slash(world.channel, f"bot {command}", name="shop")
    await asyncio.sleep(1)
    assert incidents(world) == []


async def test_a_failing_health_check_is_told_in_its_own_words(world: World) -> None:
    """And when it is healthy again it's over, unless that was for a moment."""
    view = await checked(world)
    engine_of(world).set_health(view.bot.id, Health.UNHEALTHY, "no answer from **the API**")
    message = await until_incident(world, "isn't healthy")
    assert "> no answer from \\*\\*the API\\*\\*" in message.content


async def test_a_stop_by_hand_is_undone_and_told(world: World) -> None:
    """Somebody stopped it outside BotMaker."""
    view = await ready_bot(world)
    engine_of(world).do_stop(view.bot.id)
    message = await until_incident(world, "was stopped outside BotMaker")
    await until_incident(world, "It was started again")
    assert len(incidents(world)) == 1
    assert message.content.startswith("🟠")


async def test_a_container_that_somebody_removed_is_created_again_and_told(world: World) -> None:
    """`docker rm -f` behind our back."""
    view = await ready_bot(world)
    engine_of(world).do_remove(view.bot.id)
    await until_incident(world, "was removed outside BotMaker")
    await until_incident(world, "It was created again")
    assert len(incidents(world)) == 1


async def test_an_incident_is_acknowledged_and_muted_by_its_buttons(world: World) -> None:
    """By whoever may; the message says who looks after it."""
    view = await ready_bot(world)
    engine_of(world).crash(view.bot.id, 1)
    message = await until_incident(world, "crashed")
    bob = newcomer(world, "bob")
    await world.admin.slash(world.channel, "access grant", who=bob, role="viewer")
    refused = said(await bob.click(message, label="Acknowledge"))
    assert "Acknowledging an incident needs the role operator" in refused
    assert "You look after it." in said(await world.admin.click(message, label="Acknowledge"))
    message = await until_incident(world, "👀 ann looks after it.")
    assert "Acknowledge" not in labels(message)
    assert "for an hour" in said(await world.admin.click(message, label="Mute 1 h"))
    known = await world.application.manager.incidents.get(1)
    assert known is not None
    assert known.muted_until == pytest.approx(time.time() + 3600, abs=60)
    await asyncio.sleep(2.2)
    listed = said(await bob.slash(world.channel, "fleet incidents"))
    assert "🔴 **shop crashed** · since <t:" in listed


async def test_a_bot_that_is_stopped_or_deleted_has_its_incident_closed(world: World) -> None:
    """In the same message."""
    view = await ready_bot(world)
    engine_of(world).crash(view.bot.id, 1)
    message = await until_incident(world, "crashed")
    await world.admin.slash(world.channel, "bot stop", name="shop")
    closed = await until_incident(world, "⚫ **shop was stopped**")
    assert closed.id == message.id
    assert labels(closed) == []


async def test_an_incident_goes_on_in_the_next_controller_and_is_told_once(house: House) -> None:
    """Neither the message nor the ping is repeated, and what follows is told in it."""
    async with house.controller() as world:
        await world.admin.slash(world.channel, "fleet alerts me")
        view = await ready_bot(world)
        engine_of(world).crash(view.bot.id, 1)
        message = await until_incident(world, "crashed")
        await noted(world)
    async with house.controller() as world:
        await until_phase(world, "shop", Phase.RUNNING)
        await asyncio.sleep(0.5)
        assert [one.id for one in incidents(world)] == [message.id]
        assert len(pings(world)) == 1
        await world.admin.slash(world.channel, "bot stop", name="shop")
        assert (await until_incident(world, "was stopped")).id == message.id


@pytest.mark.parametrize("who", ["everyone", "viewer"])
async def test_nobody_can_have_everybody_pinged_nor_others_without_the_right(
    world: World, who: str
) -> None:
    """A role can be pinged, @everyone can't; others are given alerts by admins."""
    bob, crew = newcomer(world, "bob"), world.guild.create_role("crew")
    if who == "everyone":
        answer = await world.admin.slash(
            world.channel, "fleet alerts give", who=world.guild.default_role
        )
        assert "Everybody can't be pinged." in said(answer)
    else:
        await world.admin.slash(world.channel, "access grant", who=bob, role="operator")
        answer = await bob.slash(world.channel, "fleet alerts give", who=crew)
        assert "Having others pinged needs the role admin" in said(answer)
    assert "Nobody is pinged" in said(await world.admin.slash(world.channel, "fleet alerts list"))


async def test_alerts_are_for_people_roles_and_single_bots_with_quiet_hours(world: World) -> None:
    """As the list tells them; `off` ends one."""
    await ready_bot(world)
    crew = world.guild.create_role("crew")
    options = {"quiet": "22:00-07:00", "zone": "Europe/Berlin"}
    await world.admin.slash(world.channel, "fleet alerts me", bot="shop", **options)
    await world.admin.slash(world.channel, "fleet alerts give", who=crew)
    listed = said(await world.admin.slash(world.channel, "fleet alerts list"))
    me = f"<@{world.admin.id}> for **shop**, not at 22:00-07:00 Europe/Berlin"
    assert listed.splitlines() == [me, f"<@&{crew.id}> for every bot and for BotMaker"]
    await world.admin.slash(world.channel, "fleet alerts me", bot="shop", off=True)
    listed = said(await world.admin.slash(world.channel, "fleet alerts list"))
    assert str(world.admin.id) not in listed


async def test_what_lasts_is_announced_again_by_itself_in_place_of_the_old_message(
    house: House,
) -> None:
    """Nothing changes meanwhile; whoever asked is pinged again."""
    house.pace = replace(house.pace, first=0.5)
    async with house.controller() as world:
        await world.admin.slash(world.channel, "fleet alerts me")
        view = await ready_bot(world)
        engine_of(world).crash(view.bot.id, 78)
        first = await until_incident(world, "is down")
        async with asyncio.timeout(8):
            while len(pings(world)) < 2 or len(incidents(world)) != 1:
                await asyncio.sleep(0.02)
        (now,) = incidents(world)
        assert now.id > first.id


async def test_an_end_that_couldnt_be_shown_is_shown_by_the_next_controller(house: House) -> None:
    """Though nothing happens to the bot any more."""
    async with house.controller() as world:
        view = await ready_bot(world)
        engine_of(world).crash(view.bot.id, 1)
        message = await until_incident(world, "crashed")
        await noted(world)
        path = f"/channels/*/messages/{message.id}"
        world.env.inject_error("PATCH", path, status=403, code=50013, times=1)
        await world.admin.slash(world.channel, "bot stop", name="shop")
        async with asyncio.timeout(8):
            while not (known := await world.application.manager.incidents.get(1)) or (
                not known.is_over
            ):
                await asyncio.sleep(0.01)
        await asyncio.sleep(2.2)
        assert "crashed" in incidents(world)[0].content
    async with house.controller() as world:
        assert (await until_incident(world, "was stopped")).id == message.id


async def test_what_comes_back_is_told_as_the_same_and_nothing_from_long_before_is_blamed(
    house: House,
) -> None:
    """In the journal too."""
    house.pace = replace(house.pace, steady=0.1, before=0.0)
    async with house.controller() as world:
        view = await ready_bot(world)
        for _ in range(2):
            await until_running(world, view.bot.id)
            engine_of(world).crash(view.bot.id, 1)
            await until_incident(world, "✅")
        known = await world.application.manager.incidents.get(1)
        assert known is not None
        assert known.changes == ()
        store = world.application.installation.tools.store
        async with asyncio.timeout(8):
            while len(told := await store.entries(view.bot.id, (Kind.INCIDENT,))) < 2:
                await asyncio.sleep(0.02)
        assert [entry.data.get("again", False) for entry in told] == [True, False]


async def test_what_the_database_refused_is_told_once_it_takes_it(house: House) -> None:
    """Though nothing more is heard of the bot."""
    house.pace = replace(house.pace, trouble=0.1)
    async with house.controller() as world:
        view = await checked(world)
        shell = world.application.installation.tools.store._db._connection
        await shell.execute("PRAGMA query_only = ON")
        engine_of(world).set_health(view.bot.id, Health.UNHEALTHY, "no answer")
        await until_phase(world, "shop", Phase.UNHEALTHY)
        await asyncio.sleep(0.5)
        await shell.execute("PRAGMA query_only = OFF")
        await until_incident(world, "isn't healthy")


@pytest.mark.parametrize(("release", "offered"), [(1, False), (2, True)])
def test_a_bot_is_rolled_back_only_where_it_has_something_to_go_back_to(
    release: int, offered: bool
) -> None:
    """After a change, that is."""
    bot = Bot(
        id="b", name="shop", template="t", provider="p", model="m", channel="c", release=release
    )
    change = Change(at=1.0, kind="settings")
    incident = Incident(
        id=1, subject="b", bot_id="b", trouble=Trouble.DOWN, opened_at=2.0, changes=(change,)
    )
    found = [one.label for one in incident_buttons(incident, View(bot))]
    assert ("Roll back" in found) is offered


# The engine


def notice(world: World) -> None:
    """Have the engine looked at now, which a failing look at any bot leads to."""
    for view in world.application.installation.tools.fleet:
        world.application.installation.tools.queue.poke(view.bot.id)


async def test_an_engine_that_goes_and_comes_back_is_told_once_whatever_it_took_with_it(
    world: World,
) -> None:
    """One message, edited in place; none for any bot that ended with it."""
    await world.admin.slash(world.channel, "fleet alerts me")
    views = [await checked(world, "one"), *[await ready_bot(world, n) for n in ("two", "three")]]
    await make(world, "four")
    await world.admin.slash(world.channel, "bot stop", name="four")
    await until_card(world, "four", "stopped")
    before = {m.id for m in public(world)}
    engine = engine_of(world)
    engine.go_away()
    notice(world)
    told = await until_incident(world, "Docker stopped answering")
    assert "3 bots can't be looked after meanwhile" in told.content
    assert labels(told) == ["Acknowledge", "Mute 1 h", "Mute until it's over"]
    for view in views[1:]:
        engine.do_stop(view.bot.id)  # with the engine: nobody hears of it
    engine.set_health(views[0].bot.id, Health.UNHEALTHY, "it finds its feet")
    engine.come_back()
    back = await until_incident(world, "✅ **Docker answers again**, after")
    assert back.id == told.id
    await until_phase(world, "one", Phase.UNHEALTHY)
    await asyncio.sleep(1)
    engine.set_health(views[0].bot.id, Health.HEALTHY)
    for view in views:
        await until_phase(world, view.bot.name, Phase.RUNNING)
    await asyncio.sleep(1)
    assert len(incidents(world)) == 1
    assert {m.id for m in public(world)} == before
    assert pings(world) == [([world.admin.id], [])]


async def test_a_short_absence_of_the_engine_is_no_news(world: World) -> None:
    """Back before anybody could have read it."""
    await ready_bot(world)
    fleet = world.application.installation.tools.fleet
    for _ in range(5):
        fleet.note_engine(False, "busy")
        await asyncio.sleep(0.1)
        fleet.note_engine(True)
        await asyncio.sleep(0.05)
    await asyncio.sleep(2.5)
    assert incidents(world) == []


async def test_the_next_controller_says_that_the_engine_is_back(house: House) -> None:
    """The incident of a controller that ended meanwhile doesn't stay open for ever."""
    async with house.controller() as world:
        await ready_bot(world)
        engine_of(world).go_away()
        notice(world)
        told = await until_incident(world, "Docker stopped answering")
        await noted(world)
    house.engine.come_back()
    async with house.controller() as world:
        assert (await until_incident(world, "Docker answers again")).id == told.id


# Calm


async def test_a_storm_of_changes_edits_a_message_at_most_every_two_seconds(world: World) -> None:
    """A thousand a second; the last one is shown in the end."""
    view = await ready_bot(world)
    engine, fleet = engine_of(world), world.application.installation.tools.fleet
    engine.crash(view.bot.id, 1)
    message = await until_incident(world, "crashed")
    end = time.monotonic() + 4
    count = 0
    while time.monotonic() < end:
        for _ in range(20):
            count += 1
            fleet.show_tail(view.bot.id, (f"Error: number {count}",))
        await asyncio.sleep(0.02)
    assert count > 2000
    edits = [
        r
        for r in world.env.http_requests
        if r.method == "PATCH" and r.path.endswith(f"/messages/{message.id}")
    ]
    assert len(edits) <= 3
