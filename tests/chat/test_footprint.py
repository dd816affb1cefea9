"""What BotMaker asks of Discord is what its code uses: no permission, scope or intent too many."""

from __future__ import annotations

import ast
import inspect

import discord
import discord.http
import pytest
from discord import app_commands

from controller.chat import footprint
from demo.world import World
from tests.chat.acting import fill, make, public, said, until_card
from tests.chat.house import House
from tests.conftest import ROOT

# Every call of discord.py's that goes over the wire and is used, by its name, and the permissions
# that it needs in the admin channel (Discord's documentation of each endpoint). Direct messages,
# answers to interactions and the bot's own messages need none.
SPEAKS = ("view_channel", "send_messages")
READS = ("view_channel", "read_message_history")
RIGHTS: dict[str, tuple[str, ...]] = {
    "send": SPEAKS,
    "history": READS,
    "fetch_message": READS,
    "fetch_channel": ("view_channel",),
    "fetch_channels": (),
    "fetch_guild": (),
    "fetch_guilds": (),
    "fetch_member": (),
    "get_member": (),
    "fetch_commands": (),
    "sync": (),
    "create_dm": (),
    "edit_message": (),
    "change_presence": (),
    "delete_message": (),
    "edit_original_interaction_response": (),
    "defer": (),
    "send_modal": (),
    "send_message": (),
    "autocomplete": (),
    "login": (),
    "connect": (),
    "close": (),
}
# A file needs a permission, whichever call carries it.
FILES = {"File": ("attach_files",)}
# Names that discord.py has for something on the wire, and we for something else, or for what it
# knows already.
OURS = {
    "clone",
    "delete",
    "edit",
    "follow",
    "get_guild",
    "reply",
    "publish",
    "set_translator",
    "start",
    "timeout",
    "translate",
    "wait_until_ready",
}
SPEAKERS = (
    *(discord.Client, discord.http.HTTPClient, discord.Guild, discord.TextChannel, discord.Member),
    *(discord.PartialMessageable, discord.Message, discord.InteractionResponse, discord.Webhook),
    *(app_commands.CommandTree, discord.abc.Messageable, discord.User, discord.Interaction),
)


def wire_calls() -> set[str]:
    """The names of all coroutines of discord.py's that speak to Discord."""
    found = {"edit_original_interaction_response"}
    for kind in SPEAKERS:
        for name, member in inspect.getmembers(kind):
            wired = inspect.iscoroutinefunction(member) or inspect.isasyncgenfunction(member)
            returns = str(getattr(member, "__annotations__", {}).get("return", ""))
            if wired or returns.startswith("Response["):
                found.add(name)
    return {name for name in found if not name.startswith("_")}


def used() -> set[str]:
    """The names of the calls in the code that speaks to Discord."""
    found = set()
    for path in (ROOT / "controller/chat").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                found.add(node.func.attr)
    return found


def test_every_permission_is_used_and_every_used_one_is_asked_for() -> None:
    """By each call over the wire that the code has; a new kind of call has to be judged here."""
    calls = used() & (wire_calls() | FILES.keys())
    assert calls - RIGHTS.keys() - FILES.keys() - OURS == set()
    assert RIGHTS.keys() <= calls  # nothing is judged that isn't used
    needed = {name for call in calls for name in (RIGHTS | FILES).get(call, ())}
    assert discord.Permissions(**dict.fromkeys(needed, True)) == footprint.NEEDED


def test_the_invite_link_names_them() -> None:
    """As Discord spells them: bits, and scopes for a bot that has commands."""
    link = footprint.invite_link(42)
    assert "client_id=42" in link
    assert "scope=bot+applications.commands" in link
    # View Channel, Send Messages, Attach Files, Read Message History
    assert f"permissions={1 << 10 | 1 << 11 | 1 << 15 | 1 << 16}" in link


async def test_the_client_identifies_with_these_intents_and_none_is_privileged(
    world: World,
) -> None:
    """So nobody has to turn anything on in the developer portal."""
    assert world.application.client.intents == footprint.INTENTS
    privileged = discord.Intents(presences=True, members=True, message_content=True)
    assert footprint.INTENTS.value & privileged.value == 0
    assert footprint.privileged_intents() == ()
    assert footprint.unused_intents() == ("Presence", "Server Members", "Message Content")


def restrict(house: House, permissions: discord.Permissions) -> None:
    """The bot gets these permissions and no others. People need one of their own for commands."""
    backend, server = house.env.backend, house.guild.id
    theirs = permissions | discord.Permissions(use_application_commands=True)
    backend.edit_role(server, server, {"permissions": theirs.value})
    (own,) = (role for role in backend.guilds[server].roles.values() if role.managed)
    backend.edit_role(server, own.id, {"permissions": permissions.value})


async def test_with_exactly_these_permissions_everything_works(house: House) -> None:
    """First message, cards, files in answers, and looking for cards after a restart."""
    restrict(house, footprint.NEEDED)
    async with house.controller() as world:
        await make(world)
        await fill(world)
        await until_card(world, "shop", "running")
        assert "all that are needed" in said(await world.admin.slash(world.channel, "fleet doctor"))
    async with house.controller() as world:
        assert len(public(world)) == 1


@pytest.mark.parametrize("name", ["send_messages", "attach_files", "read_message_history"])
async def test_one_that_is_missing_is_named(house: House, name: str) -> None:
    """By /fleet doctor, with where to give it."""
    async with house.controller() as world:
        restrict(
            house, discord.Permissions(footprint.NEEDED.value) ^ discord.Permissions(**{name: True})
        )
        text = said(await world.admin.slash(world.channel, "fleet doctor"))
        assert f"missing: {name.replace('_', ' ')}" in text
        assert "this channel's settings" in text
