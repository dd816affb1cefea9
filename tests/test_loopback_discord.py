"""The loopback Discord against the real discord.py, each promise of the package once.
Next door: loopback/ is what is tested here; tests of BotMaker itself are in the other files."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import aiohttp
import discord
import pytest
from discord import app_commands
from discord.http import Route

from tests.loopback import LoopbackDiscord, NoAnswer, NotReached, Person
from tests.smallbot import SmallBot, point_discord_at, running


@pytest.fixture
async def world(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[LoopbackDiscord]:
    """A loopback Discord that this process's discord.py talks to."""
    async with LoopbackDiscord() as found:
        point_discord_at(found, monkeypatch)
        yield found


@pytest.fixture
async def bot(world: LoopbackDiscord) -> AsyncIterator[SmallBot]:
    """The small bot, connected, with its commands synced."""
    found = SmallBot(world)
    async with running(found, world):
        yield found


@pytest.fixture
def ann(world: LoopbackDiscord) -> Person:
    """A member with the role ops."""
    return world.person("ann", roles=["ops"])


async def test_a_deferred_answer_shows_its_text_after_the_edit(bot: SmallBot, ann: Person) -> None:
    """A slash command that defers and edits is first 'deferred', then carries its text."""
    channel = ann.world.other_channel_id
    inv = await ann.slash("bot create", name="shop", channel=channel)
    assert (inv.kind, inv.ephemeral) == ("deferred", True)
    await inv.until(lambda inv: "made shop in general" in inv.text)
    assert inv.message is not None
    assert inv.message.edits == 0
    assert ann.world.messages(ann.world.admin_channel_id) == []
    assert inv.answered_ms is not None
    assert inv.answered_ms < 3000


async def test_autocomplete_offers_what_the_bot_knows(bot: SmallBot, ann: Person) -> None:
    """Typing into an option returns the bot's choices."""
    choices = await ann.autocomplete("bot show", option="name", value="sh")
    assert [choice["value"] for choice in choices] == ["shop", "shed"]


async def test_a_user_option_arrives_with_its_roles(bot: SmallBot, ann: Person) -> None:
    """A user option is resolved to a member whose roles are the current ones."""
    ann.world.set_roles(ann, ["boss"])
    inv = await ann.slash("/bot show", name="shop", user=ann)
    assert inv.text == "shop ann ['@everyone', 'boss']"
    assert [m.content for m in ann.world.messages(inv.channel_id)] == [inv.text]


async def test_a_button_in_a_dm_opens_a_modal_and_the_submit_arrives(
    bot: SmallBot, ann: Person
) -> None:
    """From the DM through the modal to the submit, with no view or modal stored by the bot."""
    world = ann.world
    await ann.slash("bot create", name="shop")
    await world.until(lambda _: ann.dms)
    clicked = await ann.click(ann.dms[0], label="Enter secrets")
    assert clicked.kind == "modal"
    assert clicked.modal is not None
    assert "member" not in clicked.payload
    assert clicked.payload["context"] == 1
    labels = [(field["label"], field["required"]) for field in clicked.modal.fields]
    assert labels == [("API key", True), ("Note", False)]
    assert clicked.modal.texts == ["Kept in a file, never shown."]
    done = await ann.submit(clicked.modal, {"api_key": "sk-hidden"})
    assert (done.text, done.ephemeral) == ("stored", True)
    display, label, row = bot.submitted[0]["components"]
    assert (display["type"], label["type"], row["type"]) == (10, 18, 1)
    assert label["component"]["value"] == "sk-hidden"
    assert row["components"][0]["value"] == ""
    assert "sk-hidden" not in world.traffic_text("from_bot")
    assert "sk-hidden" in world.traffic_text()


async def test_a_closed_dm_is_refused(bot: SmallBot, world: LoopbackDiscord) -> None:
    """A message to a closed DM is 403/50007, and the private follow-up can be clicked instead."""
    bob = world.person("bob", dm_closed=True)
    inv = await bob.slash("bot create", name="shop")
    await inv.until(lambda inv: inv.followups)
    assert inv.followups[0].content == "your DM is closed"
    assert inv.followups[0].ephemeral
    assert bob.dms == []
    assert world.messages(inv.channel_id) == []
    assert 50007 in [request.code for request in world.requests]
    clicked = await bob.click(inv, label="Enter secrets")
    assert clicked.modal is not None
    with pytest.raises(ValueError, match="only bob"):
        await world.owner.click(inv.followups[0], label="Enter secrets")


async def test_a_click_edits_its_message(bot: SmallBot, ann: Person) -> None:
    """A callback of type 7 changes the message in place, and the old button is gone."""
    panel = await ann.slash("bot panel")
    inv = await ann.click(panel, label="Bump")
    assert (inv.kind, inv.text) == ("update", "bumped")
    assert panel.message is not None
    assert panel.message.edits == 1
    with pytest.raises(LookupError, match="no component 'Bump'"):
        await ann.click(panel, label="Bump")


async def test_a_select_brings_its_values(bot: SmallBot, ann: Person) -> None:
    """A select is found by its placeholder and sends what was picked."""
    panel = await ann.slash("bot panel")
    inv = await ann.click(panel, label="Which?", values=["1"])
    assert inv.text == "picked ['1']"


async def test_components_v2_and_their_buttons_are_found(bot: SmallBot, ann: Person) -> None:
    """A button beside a section inside a container can be clicked by its label."""
    board = await ann.slash("bot board")
    assert board.message is not None
    assert board.message.labels() == ["Manage"]
    inv = await ann.click(board, label="Manage")
    assert inv.modal is not None


async def test_a_modal_with_every_kind_of_input_can_be_submitted(
    bot: SmallBot, ann: Person
) -> None:
    """Selects, uploads, radios and checkboxes arrive in discord.py as its own objects."""
    board = await ann.slash("bot board")
    form = (await ann.click(board, label="Manage")).modal
    assert form is not None
    values = {"who": [ann], "which": ["1"], "file": [("a.txt", b"abc")], "mode": "x", "sure": True}
    done = await ann.submit(form, values)
    assert done.text == "who=ann which=1 file=a.txt:abc mode=x sure=True"


async def test_a_forged_click_arrives_as_it_was_forged(bot: SmallBot, ann: Person) -> None:
    """custom_id and guild are the attacker's to choose: tests can send any."""
    panel = await ann.slash("bot panel")
    assert panel.message is not None
    override = {"guild_id": "42", "guild": {"id": "42", "locale": "en-US", "features": []}}
    inv = await ann.click(panel, custom_id="whoami", forged=True, override=override)
    assert inv.text == "guild 42"


async def test_a_wrong_interaction_token_is_refused(
    bot: SmallBot, world: LoopbackDiscord, ann: Person
) -> None:
    """A made-up token is 401/50027, a made-up interaction 404/10062."""
    inv = await ann.slash("bot show", name="shop")
    async with aiohttp.ClientSession() as session:
        for path, code in [
            (f"/interactions/{inv.id}/wrong/callback", 50027),
            ("/interactions/1/wrong/callback", 10062),
            (f"/webhooks/{world.application_id}/wrong", 50027),
        ]:
            async with session.post(world.api_url + path, json={"type": 5}) as response:
                assert (await response.json())["code"] == code


async def test_a_repeated_nonce_is_one_message(bot: SmallBot, world: LoopbackDiscord) -> None:
    """With enforce_nonce, which discord.py sends, a message sent twice is stored once."""
    channel = bot.get_channel(world.admin_channel_id)
    assert isinstance(channel, discord.TextChannel)
    first, second = [await channel.send("board", nonce=7) for _ in range(2)]
    assert first.id == second.id
    assert len(world.messages(channel.id)) == 1


async def test_an_application_may_belong_to_a_team(bot: SmallBot, ann: Person) -> None:
    """The team's members are read by discord.py, the owner first."""
    ann.world.team = [ann, ann.world.owner]
    team = (await bot.application_info()).team
    assert team is not None
    assert [member.id for member in team.members] == [ann.id, ann.world.owner.id]


async def test_a_file_answer_keeps_its_bytes(bot: SmallBot, ann: Person) -> None:
    """A multipart answer arrives as an attachment that can be read and downloaded."""
    inv = await ann.slash("bot logs")
    assert inv.message is not None
    (file,) = inv.message.attachments
    assert (file.filename, file.data, file.size) == ("shop.log", b"line 1\nline 2\n", 14)
    assert "line 2" in ann.world.traffic_text("from_bot")
    async with aiohttp.ClientSession() as session, session.get(file.url) as response:
        assert await response.read() == file.data


async def test_a_second_delivery_is_refused_with_40060(bot: SmallBot, ann: Person) -> None:
    """The same interaction delivered twice runs twice, and the second answer gets 40060."""
    inv = await ann.slash("bot show", name="shop")
    await ann.world.deliver_again(inv)
    failure = await bot.next_failure()
    assert inv.callbacks == [200, 400]
    assert bot.seen == [inv.id, inv.id]
    assert isinstance(failure, discord.HTTPException)
    assert failure.code == 40060


async def test_a_dropped_callback_is_lost_on_linux(bot: SmallBot, ann: Person) -> None:
    """When the connection closes before the callback is processed, discord.py gives up."""
    with (
        ann.world.fault("POST", r"/interactions/.*/callback", drop=True, times=1) as fault,
        pytest.raises(NoAnswer, match=r"callback → no answer"),
    ):
        await ann.slash("bot show", name="shop", within=0.5)
    assert fault.hits == 1
    assert isinstance(await bot.next_failure(), aiohttp.ServerDisconnectedError)


async def test_a_callback_dropped_after_processing_is_seen_by_the_person(
    bot: SmallBot, ann: Person
) -> None:
    """When only the answer is lost, the person has the message and the bot has an error."""
    with ann.world.fault("POST", r"/callback$", drop_after=True, times=1):
        inv = await ann.slash("bot show", name="shop")
    assert inv.text.startswith("shop")
    await ann.world.until(lambda _: ann.world.requests[-1].status == 0)
    again = await ann.slash("bot show", name="shed")
    assert again.text.startswith("shed")
    assert isinstance(await bot.next_failure(), aiohttp.ServerDisconnectedError)


async def test_a_person_can_submit_while_the_modal_callback_is_delayed(
    bot: SmallBot, ann: Person
) -> None:
    """`modal_sent` is done before the callback is answered, so a submit can overtake it."""
    await ann.slash("bot create", name="shop")
    await ann.world.until(lambda _: ann.dms)
    with ann.world.fault("POST", r"/callback$", delay=0.3, times=1):
        clicked = await ann.click(ann.dms[0], label="Enter secrets", wait=False)
        modal = await clicked.modal_sent
        pending = next(r for r in ann.world.requests if str(clicked.id) in r.path)
        done = await ann.submit(modal, {"api_key": "early"})
        assert (done.text, pending.status) == ("stored", 0)


async def test_a_rate_limit_is_waited_out(bot: SmallBot, ann: Person) -> None:
    """A 429 with Via and a JSON body is retried by discord.py after the time that it names."""
    with ann.world.fault("POST", r"/callback$", status=429, retry_after=0.05, times=1) as fault:
        inv = await ann.slash("bot show", name="shop")
    assert fault.hits == 1
    assert inv.answered_ms is not None
    assert inv.answered_ms >= 50


async def test_an_injected_refusal_is_discords_own_json_error(bot: SmallBot, ann: Person) -> None:
    """An injected status comes with a code that discord.py reads."""
    with ann.world.fault("PATCH", r"/messages/@original", status=403, code=50001, times=1):
        inv = await ann.slash("bot create", name="shop")
        failure = await bot.next_failure()
    assert isinstance(failure, discord.Forbidden)
    assert failure.code == 50001
    assert inv.text == ""


@pytest.mark.parametrize(("empty", "code"), [(False, 50035), (True, 50006)])
async def test_a_message_that_discord_would_refuse_is_refused(
    bot: SmallBot, ann: Person, empty: bool, code: int
) -> None:
    """Over-long and empty messages get the code that Discord gives."""
    inv = await ann.slash("bot long", empty=empty, wait=False)
    failure = await bot.next_failure()
    assert isinstance(failure, discord.HTTPException)
    assert failure.code == code
    assert not inv.answered
    assert inv.callbacks == [400]


async def test_an_answer_after_the_window_is_an_unknown_interaction(
    bot: SmallBot, ann: Person
) -> None:
    """The first callback after the window is 404/10062, and the person saw no answer."""
    ann.world.answer_window = 0.2
    with pytest.raises(NoAnswer, match="said nothing"):
        await ann.slash("bot slow")
    failure = await bot.next_failure()
    assert isinstance(failure, discord.NotFound)
    assert failure.code == 10062


async def test_a_deleted_message_is_unknown(bot: SmallBot, world: LoopbackDiscord) -> None:
    """Editing a message that somebody deleted is 404/10008."""
    channel = bot.get_channel(world.admin_channel_id)
    assert isinstance(channel, discord.TextChannel)
    sent = await channel.send("board")
    await sent.edit(content="board 2")
    stored = world.messages(channel.id)[0]
    assert (stored.content, stored.edits, stored.history) == ("board 2", 1, ["board"])
    world.delete_message(stored)
    with pytest.raises(discord.NotFound) as refusal:
        await sent.edit(content="board 3")
    assert refusal.value.code == 10008
    assert world.messages(channel.id) == []


async def test_discord_py_can_read_back_what_it_asks_for(
    bot: SmallBot, world: LoopbackDiscord, ann: Person
) -> None:
    """Application, guild, member, roles, channels, history and commands parse in discord.py."""
    info = await bot.application_info()
    assert (info.id, info.owner.id) == (world.application_id, world.owner.id)
    guild = await bot.fetch_guild(world.guild_id)
    assert guild.owner_id == world.owner.id
    assert [role.name for role in (await guild.fetch_member(ann.id)).roles][1:] == ["ops"]
    assert {role.name for role in await guild.fetch_roles()} >= {"ops", "BotMaker"}
    assert {c.name for c in await guild.fetch_channels()} == {"admin", "general"}
    await ann.say("hello", world.other_channel_id)
    general = bot.get_channel(world.other_channel_id)
    assert isinstance(general, discord.TextChannel)
    assert [m.content async for m in general.history()] == ["hello"]
    (command,) = await bot.tree.fetch_commands(guild=bot.guild)
    assert command.name == "bot"
    assert str(command.id) == world.commands[0]["id"]
    assert world.unknown_requests == []
    with pytest.raises(discord.NotFound):
        await guild.fetch_channel(1)


async def test_an_unknown_route_is_404_and_recorded(bot: SmallBot, world: LoopbackDiscord) -> None:
    """What the loopback does not know is kept for the test to see."""
    with pytest.raises(discord.NotFound):
        await bot.http.request(Route("GET", "/guilds/1/emojis"))
    assert [request.path for request in world.unknown_requests] == ["/guilds/1/emojis"]


async def test_a_wrong_token_is_a_login_failure(world: LoopbackDiscord) -> None:
    """Another token gets 401 on /users/@me."""
    bot = SmallBot(world)
    with pytest.raises(discord.LoginFailure):
        await bot.start("wrong")
    await bot.close()
    assert [(r.path, r.status) for r in world.requests] == [("/users/@me", 401)]


async def test_a_bad_command_is_refused_with_its_path(world: LoopbackDiscord) -> None:
    """A sync that breaks a limit is a CommandSyncFailure that names the command."""
    bot = SmallBot(world)
    command = bot.tree.get_commands(guild=bot.guild)[0]
    assert isinstance(command, app_commands.Group)
    command.description = "x" * 101
    with pytest.raises(app_commands.CommandSyncFailure, match="description"):
        await bot.start(world.token)
    await bot.close()


Break = Callable[[LoopbackDiscord], Coroutine[Any, Any, None]]
BREAKS: dict[str, Break] = {
    "drop": lambda world: world.gateway.drop(),
    "close": lambda world: world.gateway.close(4000),
    "op7": lambda world: world.gateway.request_reconnect(),
}


@pytest.mark.parametrize("how", BREAKS)
async def test_an_interaction_sent_while_the_bot_is_away_is_replayed(
    bot: SmallBot, ann: Person, how: str
) -> None:
    """After a lost connection the bot resumes, and what it missed is delivered."""
    gateway = ann.world.gateway
    with gateway.paused():
        await BREAKS[how](ann.world)
        assert not gateway.connected
        inv = await ann.slash("bot show", name="shop", wait=False)
    await inv.wait()
    assert (gateway.sessions, gateway.resumes) == (1, 1)
    assert gateway.compression == "zlib-stream"


async def test_an_invalidated_session_is_identified_anew(bot: SmallBot, ann: Person) -> None:
    """After op 9 the bot identifies again, and what was sent in between is lost."""
    world = ann.world
    await world.gateway.invalidate(resumable=False)
    lost = await ann.slash("bot show", name="shop", wait=False)
    await world.wait_ready(timeout=8, sessions=2)
    assert not lost.answered
    assert not lost.heard
    inv = await ann.slash("bot show", name="shop")
    assert inv.answered
    assert world.gateway.resumes == 0


async def test_member_updates_reach_only_those_who_asked(
    world: LoopbackDiscord, ann: Person
) -> None:
    """GUILD_MEMBER_UPDATE is dispatched when the bot identified with the members intent."""
    updated = asyncio.Event()
    intents = discord.Intents(guilds=True, members=True)
    bot = discord.Client(intents=intents, guild_ready_timeout=0.05)

    @bot.event
    async def on_member_update(_: discord.Member, after: discord.Member) -> None:
        if [role.name for role in after.roles][1:] == ["boss"]:
            updated.set()

    world.command_syncs = 1
    async with running(bot, world):
        await bot.wait_until_ready()
        world.set_roles(ann, ["boss"])
        await asyncio.wait_for(updated.wait(), 2)


async def test_a_forbidden_intent_closes_with_4014(world: LoopbackDiscord) -> None:
    """A privileged intent that is not allowed ends discord.py with its own error."""
    world.gateway.allowed_privileged = 0
    bot = discord.Client(intents=discord.Intents(guilds=True, members=True))
    with pytest.raises(discord.PrivilegedIntentsRequired):
        await bot.start(world.token)
    await bot.close()


async def test_two_hundred_interactions_in_sequence_are_all_answered(
    bot: SmallBot, ann: Person
) -> None:
    """A benchmark may send many: each is answered, and each with its own text."""
    texts = [(await ann.slash("bot show", name=f"bot-{n}")).text.split()[0] for n in range(200)]
    assert texts == [f"bot-{n}" for n in range(200)]


async def test_a_failed_wait_says_what_was_said(bot: SmallBot, ann: Person) -> None:
    """The error of a wait carries the person's words, the bot's words and the requests."""
    inv = await ann.slash("bot show", name="shop")
    with pytest.raises(NoAnswer, match=r"(?s)ann: /bot show name='shop'.*message: 'shop.*POST"):
        await inv.until(lambda inv: "never" in inv.text, timeout=0.05)
    with pytest.raises(NotReached, match=r"(?s)connected: True.*#admin: 'shop"):
        await ann.world.until(lambda w: False, timeout=0.05)


async def test_what_a_client_would_not_send_is_refused_in_the_test(
    bot: SmallBot, ann: Person
) -> None:
    """Unknown commands, options and missing ones are the test's own mistakes."""
    with pytest.raises(LookupError, match="at 'nope' there are create"):
        await ann.slash("bot nope")
    with pytest.raises(ValueError, match="has no option"):
        await ann.slash("bot show", name="shop", colour="red")
    with pytest.raises(ValueError, match="without"):
        await ann.slash("bot show")


OTHER_PROCESS = """
import os, discord, yarl
from discord import app_commands
discord.http.Route.BASE = os.environ["BOTMAKER_DISCORD_API_URL"]
gateway = yarl.URL(os.environ["BOTMAKER_DISCORD_GATEWAY_URL"])
discord.gateway.DiscordWebSocket.DEFAULT_GATEWAY = gateway
client = discord.Client(intents=discord.Intents(guilds=True))
tree = app_commands.CommandTree(client)
guild = discord.Object(int(os.environ["BOTMAKER_GUILD_ID"]))
@tree.command(name="pid", description="Its process", guild=guild)
async def pid(interaction):
    await interaction.response.send_message(str(os.getpid()))
async def setup_hook():
    await tree.sync(guild=guild)
client.setup_hook = setup_hook
client.run(os.environ["BOTMAKER_DISCORD_TOKEN"], log_handler=None)
"""


async def test_a_killed_process_is_gone_and_its_successor_answers(
    world: LoopbackDiscord, ann: Person
) -> None:
    """A bot in another process can be killed; the loopback sees it leave and the next arrive."""
    environment = {
        "BOTMAKER_DISCORD_API_URL": world.api_url,
        "BOTMAKER_DISCORD_GATEWAY_URL": world.gateway_url,
        "BOTMAKER_DISCORD_TOKEN": world.token,
        "BOTMAKER_GUILD_ID": str(world.guild_id),
    }
    for turn in (1, 2):
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", OTHER_PROCESS, env=os.environ | environment
        )
        try:
            await world.wait_ready(sessions=turn)
            assert (await ann.slash("pid")).text == str(process.pid)
        finally:
            process.send_signal(signal.SIGKILL)
            await process.wait()
        await world.until(lambda w: not w.gateway.connected, timeout=2)


async def test_the_world_ends_quickly_with_a_bot_still_connected(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Leaving the block cuts a connected bot off instead of waiting for it."""
    async with LoopbackDiscord() as world:
        point_discord_at(world, monkeypatch)
        bot = SmallBot(world)
        task = asyncio.create_task(bot.start(world.token))
        await world.wait_ready(timeout=5)
        started = time.monotonic()
    assert time.monotonic() - started < 2
    await bot.close()
    await asyncio.wait([task])
