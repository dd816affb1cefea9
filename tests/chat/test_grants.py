"""Granting and taking away, also while somebody is in the middle of something; forged requests."""

from __future__ import annotations

from simcord.results import InteractionResult

from controller.domain.access import discord_user
from controller.domain.phase import Phase
from controller.fleet.journal import Caller
from demo.world import World
from tests.chat.acting import (
    COMMAND,
    COMPONENT,
    MODAL_SUBMIT,
    VALUES,
    as_admin,
    direct,
    filled,
    forge,
    invoked,
    make,
    newcomer,
    payload_of,
    press,
    ready_bot,
    said,
)


async def told(world: World, command: str, **options: object) -> str:
    """What an `/access` command answers its admin."""
    return said(await world.admin.slash(world.channel, f"access {command}", **options))


async def test_a_grant_works_at_once_and_ends_at_once(world: World) -> None:
    """No restart, no delay: the next command counts."""
    await ready_bot(world)
    bob = newcomer(world, "bob")
    assert f"✅ {bob.mention} is viewer for all bots." in await told(
        world, "grant", who=bob, role="viewer"
    )
    assert "**shop**" in said(await bob.slash(world.channel, "bot show", name="shop"))
    assert f"Removed <@{bob.id}>'s access to all bots." in await told(world, "revoke", who=bob)
    text = said(await bob.slash(world.channel, "bot show", name="shop"))
    assert "needs the role viewer; you have no role here." in text


async def test_the_list_says_who_has_what_and_from_where(world: World) -> None:
    """The settings' admin, a granted role and a grant for one bot, each with its source."""
    await ready_bot(world)
    bob = newcomer(world, "bob")
    crew = world.guild.create_role("crew")
    await told(world, "grant", who=crew, role="operator")
    await told(world, "grant", who=bob, role="viewer", bot="shop")
    text = await told(world, "list")
    assert f"{world.admin.mention} is admin for all bots (ADMIN_USER_IDS)" in text
    assert f"{crew.mention} is operator for all bots (granted)" in text
    assert f"{bob.mention} is viewer for **shop** (granted)" in text
    assert "Nobody else has access." in text


async def test_a_grant_for_one_bot_ends_with_the_bot(world: World) -> None:
    """A later bot of that name does not inherit it."""
    await make(world)
    bob = newcomer(world, "bob")
    await told(world, "grant", who=bob, role="operator", bot="shop")
    asked = await world.admin.slash(world.channel, "bot delete", name="shop")
    assert asked.response is not None
    await world.admin.click(asked.response, label="Delete shop")
    await make(world)
    text = said(await bob.slash(world.channel, "bot show", name="shop"))
    assert "needs the role viewer" in text


BAD_GRANTS: list[tuple[str, dict[str, str], str]] = [
    ("grant", {"role": "admin", "bot": "shop"}, "The role admin is for all bots"),
    ("grant", {"role": "viewer", "bot": "nosuch"}, "There is no bot of that name."),
    ("revoke", {}, "No grant to remove."),
    ("revoke", {"bot": "shop"}, "No grant to remove."),
    ("test", {"bot": "nosuch"}, "There is no bot of that name."),
]


async def test_a_bad_grant_is_refused_with_a_hint(world: World) -> None:
    """Nothing is granted or taken, and the answer says what to do."""
    await make(world)
    bob = newcomer(world, "bob")
    access = world.application.manager.access
    before = await access.listed(as_admin(world))
    for command, options, words in BAD_GRANTS:
        text = await told(world, command, who=bob, **options)
        assert text.startswith(f"❌ {words}")
        assert "\n" in text
        assert await access.listed(as_admin(world)) == before


async def test_a_grant_of_somebody_who_left_can_be_tested_and_taken_away(world: World) -> None:
    """Discord offers people by their id, too, when they are not in the server."""
    stranger = world.env.create_user("eve")
    assert "is viewer for all bots." in await told(world, "grant", who=stranger, role="viewer")
    assert "is **viewer** for all bots" in await told(world, "test", who=stranger)
    assert f"Removed <@{stranger.id}>'s access" in await told(world, "revoke", who=stranger)


async def test_a_command_that_is_no_longer_there_is_worded(world: World) -> None:
    """A client that still shows an old command gets an answer that helps."""
    data = invoked(world, "bot list", [])
    data["options"][0]["name"] = "teleport"
    result = forge(world, world.admin, world.channel, COMMAND, data)
    await world.env.settle(idle=0.002)
    assert "That command has changed" in said(result)


async def test_a_role_taken_away_before_the_submit_counts(world: World) -> None:
    """The form was opened with the right; the submit without it writes nothing."""
    await make(world)
    bob = newcomer(world, "bob")
    await told(world, "grant", who=bob, role="admin")
    await bob.slash(world.channel, "bot secrets", name="shop")
    shown = await bob.user.click(direct(bob), label="Enter secrets")
    await told(world, "revoke", who=bob)
    text = said(await bob.user.submit_modal(shown, VALUES))
    assert "Entering a bot's secrets needs the role admin" in text
    view = world.application.installation.tools.fleet.named("shop")
    assert view.phase is Phase.CREATED
    assert not (world.application.settings.secrets_dir / view.bot.id).exists()


async def test_a_discord_role_taken_away_counts_in_direct_messages_too(world: World) -> None:
    """A direct message carries no roles: the server is asked, each time."""
    await make(world)
    crew = world.guild.create_role("crew")
    bob = newcomer(world, "bob", crew)
    await told(world, "grant", who=crew, role="admin")
    await bob.slash(world.channel, "bot secrets", name="shop")
    shown = await bob.user.click(direct(bob), label="Enter secrets")
    assert shown.modal is not None
    world.env.backend.remove_member_role(world.guild.id, bob.id, crew.id)
    text = said(await bob.user.submit_modal(shown, VALUES))
    assert "Entering a bot's secrets needs the role admin; you have no role here." in text


async def test_everyone_can_be_granted_a_role_for_direct_messages_too(world: World) -> None:
    """@everyone is listed for nobody, and counts for all."""
    await make(world)
    asked = await world.admin.slash(
        world.channel, "access grant", who=world.guild.default_role, role="admin"
    )
    assert "Make **everybody in this server** admin?" in said(asked)
    assert "everyone" not in await told(world, "list")
    assert asked.response is not None
    given = await world.admin.click(asked.response, label="Make everybody admin")
    assert "✅ Everybody in this server is admin for all bots." in given.response.content
    bob = newcomer(world, "bob")
    await bob.slash(world.channel, "bot secrets", name="shop")
    shown = await bob.user.click(direct(bob), label="Enter secrets")
    assert shown.modal is not None


async def test_somebody_elses_form_stays_closed(world: World) -> None:
    """Another admin who learns a form's id cannot open or submit it."""
    await make(world)
    bob = newcomer(world, "bob")
    await told(world, "grant", who=bob, role="admin")
    bot = world.application.installation.tools.fleet.named("shop").bot
    credentials = world.application.manager.credentials
    form = await credentials.open_form(Caller(discord_user(world.admin.id)), bot, rotate=False)
    scrap = await bob.send(world.channel, "scrap")
    opened = forge(world, bob, world.channel, COMPONENT, press(f"form:{form.id}:0"), scrap)
    sent = forge(world, bob, world.channel, MODAL_SUBMIT, filled(f"form:{form.id}:0", VALUES))
    await world.env.settle(idle=0.002)
    assert "This form is somebody else's." in said(opened)
    assert "This form is somebody else's." in said(sent)


async def test_a_submit_delivered_twice_acts_once(world: World) -> None:
    """Discord may repeat a delivery; the second one is silent and changes nothing."""
    await make(world)
    shown = await world.admin.user.click(direct(world.admin), label="Enter secrets")
    assert shown.modal is not None
    place = world.admin.user.dm_channel
    data = filled(shown.modal["custom_id"], VALUES)
    record, payload = payload_of(world, world.admin.user, place, MODAL_SUBMIT, data)
    for _ in range(2):
        world.env.backend.emit("INTERACTION_CREATE", payload)
    await world.env.settle(idle=0.002)
    assert "🟢 **shop** — running" in said(InteractionResult(world.env, record))
    bot = world.application.installation.tools.fleet.named("shop").bot
    events = await world.application.manager.history.of_bot(as_admin(world), bot)
    asked = [event for event in events if event.entry.data["act"] == "bot.secrets"]
    ends = [event.outcome.data["names"] for event in asked if event.outcome]
    assert ends == [["api_key", "channel_token"]]


async def test_two_submits_at_once_use_the_form_once(world: World) -> None:
    """Two devices, one form: one is told that it was used already."""
    await make(world)
    shown = await world.admin.user.click(direct(world.admin), label="Enter secrets")
    assert shown.modal is not None
    data = filled(shown.modal["custom_id"], VALUES)
    place = world.admin.user.dm_channel
    both = [forge(world, world.admin.user, place, MODAL_SUBMIT, data) for _ in range(2)]
    await world.env.settle(idle=0.002)
    texts = sorted((said(one) for one in both), key=lambda text: "already used" in text)
    assert "running" in texts[0]
    assert "This form was already used." in texts[1]


FORGED = [
    "",
    "nonsense",
    "nonsense:1",
    "start",
    "start:",
    "start:../../etc",
    "start:00000000-0000-4000-8000-000000000000",
    "delete:{bot}",
    "delete:{bot}:abc",
    "delete:{bot}:nan",
    "delete:{bot}:1:2",
    "delete:{bot}:²",
    "older:{bot}",
    "older:{bot}:x:y:z:",
    "refresh:{bot}:0:50:sideways:",
    "file:{bot}:0:-5:both:x",
    "form:{bot}",
    "form:{bot}:0",
    "form:{bot}:-1",
    "form:{bot}:9",
    "form:x:99999999999999999999",
    "::::::",
    "start:{bot}:" + "9" * 50,
]


async def test_a_forged_custom_id_gets_an_answer_and_does_no_harm(world: World) -> None:
    """An id is an address, never a right, and damage is answered in words."""
    view = await ready_bot(world)
    for custom_id in FORGED:
        scrap = await world.admin.send(world.channel, "scrap")
        data = press(custom_id.format(bot=view.bot.id))
        result = forge(world, world.admin, world.channel, COMPONENT, data, scrap)
        await world.env.settle(idle=0.002)
        found = [result.response, *result.followups]
        assert found[0] is not None, custom_id
        assert not any("incident" in one.content for one in found if one), custom_id
        after = world.application.installation.tools.fleet.named("shop")
        assert after.world.container == view.world.container, custom_id
        assert after.phase is Phase.RUNNING, custom_id


async def test_a_submit_of_another_shape_is_answered(world: World) -> None:
    """Fields that the form does not have are ignored; a broken payload is worded."""
    await make(world)
    shown = await world.admin.user.click(direct(world.admin), label="Enter secrets")
    assert shown.modal is not None
    place = world.admin.user.dm_channel
    good = filled(shown.modal["custom_id"], {**VALUES, "../../evil": "x", "extra": "y"})
    broken = {"custom_id": shown.modal["custom_id"], "components": [{"type": 10, "id": 1}]}
    refused = forge(world, world.admin.user, place, MODAL_SUBMIT, broken)
    await world.env.settle(idle=0.002)
    assert "That form could not be read." in said(refused)
    taken = forge(world, world.admin.user, place, MODAL_SUBMIT, good)
    await world.env.settle(idle=0.002)
    assert "running" in said(taken)
    bot = world.application.installation.tools.fleet.named("shop").bot
    folder = world.application.settings.secrets_dir / bot.id
    assert sorted(file.name for file in folder.iterdir()) == ["api_key", "channel_token"]
