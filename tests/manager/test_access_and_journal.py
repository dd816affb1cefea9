"""Who may what, and what the journal tells of it."""

from __future__ import annotations

import asyncio

import pytest

from controller.domain.access import Grant, Principal
from controller.domain.acts import ACTS, BOT_STOP, FLEET_DOCTOR
from controller.domain.bot import Bot, Wish
from controller.domain.errors import BadInput, Conflict, Denied, NotFound
from controller.domain.journal import Kind
from controller.domain.roles import Role
from controller.fleet.journal import Caller
from controller.manager.access import StaticGrants
from tests.manager.rig import ANN, ANN_ASKS, BEN, BEN_ASKS, Rig, eventually

# Access


async def role(rig: Rig, whom: Principal, bot: Bot | None = None) -> Role:
    """The role that somebody has, as an admin who tests it reads it."""
    grant = (await rig.manager.access.test(ANN_ASKS, whom, bot, ACTS.values())).grant
    return grant.role if grant else Role.NONE


async def test_grants_outlive_the_controller(rig: Rig) -> None:
    """What an admin gave holds at the next start, and is gone once it was taken back."""
    bot = await rig.create()
    assert await role(rig, BEN, bot) is Role.NONE
    given = Grant("user", int(BEN.id), Role.OPERATOR, bot.id)
    await rig.manager.access.grant(ANN_ASKS, given, bot)
    await rig.restart()
    assert await role(rig, BEN, bot) is Role.OPERATOR
    assert await role(rig, BEN) is Role.NONE
    await rig.manager.access.revoke(ANN_ASKS, "user", int(BEN.id), bot)
    assert await role(rig, BEN, bot) is Role.NONE
    with pytest.raises(NotFound):
        await rig.manager.access.revoke(ANN_ASKS, "user", int(BEN.id), bot)


async def test_admin_is_for_all_bots(rig: Rig) -> None:
    """It can't be given for one."""
    bot = await rig.create()
    with pytest.raises(BadInput):
        await rig.manager.access.grant(ANN_ASKS, Grant("user", 2, Role.ADMIN, bot.id), bot)
    assert await role(rig, BEN, bot) is Role.NONE


async def test_the_settings_grants_say_where_they_come_from(rig: Rig) -> None:
    """They decide, are named, and can't be revoked here."""
    access = rig.manager.access
    tested = await access.test(ANN_ASKS, ANN, None, [FLEET_DOCTOR])
    assert tested.grant is not None
    assert (tested.grant.role, tested.grant.source) == (Role.ADMIN, "ADMIN_USER_IDS")
    assert tested.allowed == {"fleet.doctor": True}
    with pytest.raises(NotFound) as caught:
        await access.revoke(ANN_ASKS, "user", int(ANN.id))
    assert "settings" in caught.value.hint


async def test_a_test_of_access_names_the_bots_for_which_more_is_allowed(rig: Rig) -> None:
    """In general nothing, for one bot something: both are said."""
    bot, _ = await rig.create(), await rig.create()
    await rig.manager.access.grant(ANN_ASKS, Grant("user", 2, Role.OPERATOR, bot.id), bot)
    tested = await rig.manager.access.test(ANN_ASKS, BEN, None, [BOT_STOP])
    assert (tested.grant, tested.allowed) == (None, {"bot.stop": False})
    assert tested.more == {bot.name: Role.OPERATOR}


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
    rig.static = static
    await rig.restart()
    rig.manager.access.set_owners([int(BEN.id)])
    assert rig.manager.access.may(BEN, FLEET_DOCTOR) is admin


# The journal


async def test_every_order_has_one_line_with_its_outcome(rig: Rig) -> None:
    """Who, what, on which bot, and how it ended."""
    bot = await rig.running()
    lifecycle = rig.manager.lifecycle
    for order in (lifecycle.stop, lifecycle.start, lifecycle.restart, lifecycle.delete):
        await order(ANN_ASKS, bot)
    with pytest.raises(NotFound):
        await lifecycle.start(ANN_ASKS, bot)
    history = await rig.history(bot)
    ends = [event.outcome.data for event in history if event.outcome]
    assert [{**end, "act": end["act"].removeprefix("bot.")} for end in ends] == [
        {"act": "start", "result": "refused", "code": "no-such-bot"},
        {"act": "delete", "result": "done", "phase": "gone"},
        {"act": "restart", "result": "done", "phase": "running"},
        {"act": "start", "result": "done", "phase": "running"},
        {"act": "stop", "result": "done", "phase": "stopped"},
        {"act": "secrets", "result": "done", "names": ["api_key", "channel_token"]},
        {"act": "create", "result": "done"},
    ]
    assert len(history) == len(ends)
    for entry in (event.entry for event in history):
        assert (entry.author.principal.id, entry.author.principal.name) == ("1", "ann")
        assert (entry.kind, entry.bot_name) == (Kind.ASKED, bot.name)


async def test_what_a_request_changed_is_written_down_as_its_work(rig: Rig) -> None:
    """Each change names the entry that asked for it; the loop's own changes name none."""
    bot = await rig.running()
    await rig.manager.lifecycle.stop(ANN_ASKS, bot)
    asked = {e.seq: e.data["act"] for e in await rig.entries(Kind.ASKED, bot=bot)}
    made = [(e.kind, asked.get(e.author.cause)) for e in await rig.entries(bot=bot)]
    assert (Kind.CREATED, "bot.create") in made
    assert (Kind.SECRETS, "bot.secrets") in made
    assert (Kind.WISH, "bot.stop") in made
    assert (Kind.IMAGE, None) in made


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


async def test_an_answer_is_owed_until_it_was_given_and_outlives_the_controller(rig: Rig) -> None:
    """Noted with the request itself, for the way by which it was asked."""
    bot = await rig.create()
    await rig.manager.lifecycle.stop(Caller(ANN, "interaction-1", "discord"), bot)
    await rig.manager.lifecycle.start(Caller(ANN, "interaction-2"), bot)
    await rig.restart()
    (owed,) = await rig.manager.notebook.owed("discord")
    assert (owed.request, owed.recipient, owed.act) == ("interaction-1", ANN.id, "bot.stop")
    assert await rig.manager.notebook.owed("http") == []
    await rig.manager.notebook.drop_owed("interaction-1")
    assert await rig.manager.notebook.owed("discord") == []


async def test_a_request_that_a_dead_controller_left_open_is_cut_short(rig: Rig) -> None:
    """The next controller ends it in the journal, so nothing seems to be under way for ever."""
    bot = await rig.running()
    rig.runtime.hang()
    waiting = asyncio.create_task(rig.manager.lifecycle.stop(ANN_ASKS, bot))
    await eventually(lambda: rig.view(bot).bot.wish is Wish.STOP)
    await rig.kill()
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    rig.runtime.release()
    await rig.open()
    (event, *_) = await rig.history(bot)
    assert event.outcome is not None
    assert event.outcome.data == {"act": "bot.stop", "result": "cut-short"}


async def test_a_taken_name_is_noted_as_refused(rig: Rig) -> None:
    """The journal has the code, and nothing is made."""
    bot = await rig.create()
    with pytest.raises(Conflict):
        await rig.create(name=bot.name)
    (event, *_) = await rig.history()
    assert event.outcome is not None
    assert event.outcome.data["code"] == "name-taken"
    assert len(rig.fleet) == 1


async def test_a_failure_of_our_own_is_noted(rig: Rig) -> None:
    """An exception that nobody expected ends the request too."""
    with pytest.raises(ZeroDivisionError):
        async with rig.house.tools.journal.request(ANN_ASKS, FLEET_DOCTOR):
            raise ZeroDivisionError
    (event, *_) = await rig.history()
    assert event.outcome is not None
    assert event.outcome.data["result"] == "failed"


async def test_a_request_that_an_edge_refuses_is_noted(rig: Rig) -> None:
    """One entry with what was asked and why not: a wrong channel, for one."""
    wrong_channel = Denied("In the wrong channel.")
    with pytest.raises(Denied):
        await rig.manager.access.refuse(BEN_ASKS, BOT_STOP.id, None, wrong_channel)
    ((entry,)) = await rig.entries()
    assert (entry.kind, entry.author.principal) == (Kind.REFUSED, BEN)
    wanted = {"act": "bot.stop", "code": "denied", "message": "In the wrong channel."}
    assert entry.data == wanted


async def test_a_request_is_told_once_in_the_history(rig: Rig) -> None:
    """By its own entry: the row, the secrets and the wish that it changed add none of theirs."""
    bot = await rig.running()
    await rig.manager.lifecycle.stop(ANN_ASKS, bot)
    told = await rig.manager.history.of_bot(ANN_ASKS, bot)
    written = {entry.kind for entry in await rig.entries()}
    assert {Kind.CREATED, Kind.SECRETS, Kind.WISH} <= written
    assert {event.entry.kind for event in told} == {Kind.ASKED}
