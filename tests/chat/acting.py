"""What people do and read in the simulated Discord; and interactions made by hand."""

from __future__ import annotations

import asyncio
import re
import time
from typing import Any

import discord
from simcord.actors import MemberActor
from simcord.builders import ChannelHandle, UserHandle
from simcord.interactions import base_payload
from simcord.results import InteractionResult, ResponseMessage

from controller.domain.access import discord_user
from controller.domain.errors import ControllerError
from controller.domain.observation import Health
from controller.domain.phase import Phase
from controller.fleet.journal import Caller
from controller.fleet.views import View
from controller.runtime.memory import MemoryRuntime
from demo.world import World
from tests.loopback.world import read_text, walk_components

KEY = "sk-test-0123456789abcdef"
TOKEN = "987654321:telegram-like-token"
VALUES = {"api_key": KEY, "channel_token": TOKEN}
EPHEMERAL = 64
COMMAND, COMPONENT, MODAL_SUBMIT = 2, 3, 5
BUTTON, SELECT = 2, 3
# A sign, and in bold what is wrong or no longer is, in more than one word.
INCIDENT = re.compile(r"^(?:🔴|🟠|⚠️|✅|⚫|🗑️) \*\*[^*\n]+ [^*\n]+\*\*")

Message = discord.Message | ResponseMessage


def check_errors(world: World) -> None:
    """Fail on an unexpected error; SimCord records those that are worded, too."""
    for error in world.env.errors:
        if not isinstance(getattr(error, "original", error), ControllerError):
            raise error


def engine_of(world: World) -> MemoryRuntime:
    """The in-memory engine underneath."""
    runtime = world.application.installation.tools.runtime
    assert isinstance(runtime, MemoryRuntime)
    return runtime


# What is read


def said(result: InteractionResult) -> str:
    """The words of an answer, which must be private."""
    assert result.response is not None, result
    assert result.response.ephemeral, result.response.content
    assert len(result.response.content) <= 2000
    return read_text(result.response.content, result.response.components)


def as_read(message: discord.Message) -> discord.Message:
    """The message with everything that a person reads in it as its content, wherever it stands."""
    message.content = read_text(message.content, _parts(message))
    return message


def labels(message: Message) -> list[str]:
    """What the buttons under a message say."""
    return [button["label"] for button in buttons_of(message)]


def buttons_of(message: Message) -> list[dict[str, Any]]:
    """The buttons under a message, as Discord has them."""
    return [part for part in walk_components(_parts(message)) if part["type"] == BUTTON]


def picks(message: Message) -> dict[str, str]:
    """Everything that can be picked in the selects under a message, and where it leads."""
    found = [part["options"] for part in walk_components(_parts(message)) if part["type"] == SELECT]
    return {option["label"]: option["value"] for options in found for option in options}


def _parts(message: Message) -> list[dict[str, Any]]:
    found: list[Any] = message.components
    if isinstance(message, discord.Message):
        return [part.to_dict() for part in found]
    return found


def public(world: World) -> list[discord.Message]:
    """Every message in the admin channel that everybody there can read, but the very first one and
    those of incidents."""
    every = [m for m in world.channel.history() if not m.flags.ephemeral and not is_incident(m)]
    return [m for m in map(as_read, every) if not is_welcome(m)]


def incidents(world: World) -> list[discord.Message]:
    """The messages of incidents, oldest first."""
    every = [m for m in world.channel.history() if not m.flags.ephemeral and is_incident(m)]
    return sorted(every, key=lambda message: message.id)


def is_incident(message: discord.Message) -> bool:
    """Whether it tells of something that is wrong, or was: its whole first sentence is bold."""
    return INCIDENT.match(message.content) is not None


async def until_incident(world: World, text: str, seconds: float = 8.0) -> discord.Message:
    """The first message of an incident with these words, as soon as there is one."""
    end = time.monotonic() + seconds
    while True:
        found = next((m for m in incidents(world) if text in m.content), None)
        if found is not None:
            return found
        told = [m.content for m in incidents(world)]
        assert time.monotonic() < end, f"no {text!r} in {told}"
        await asyncio.sleep(0.02)


def is_welcome(message: discord.Message) -> bool:
    """Whether it's the message of the first start."""
    return any(button["custom_id"] == "create:new" for button in buttons_of(message))


def card(world: World, name: str) -> discord.Message | None:
    """The card of a bot."""
    found = [m for m in public(world) if f"**{name}**" in m.content]
    assert len(found) <= 1, [m.content for m in found]
    return found[0] if found else None


async def until_card(world: World, name: str, text: str, seconds: float = 6.0) -> discord.Message:
    """The card of a bot, as soon as it says that."""
    end = time.monotonic() + seconds
    while True:
        message = card(world, name)
        if message is not None and text in message.content:
            return message
        if time.monotonic() > end:
            raise AssertionError(f"no {text!r} in {message.content if message else 'no message'!r}")
        await asyncio.sleep(0.02)


async def until_public(world: World, text: str) -> discord.Message:
    """The first message of the admin channel with these words, as soon as there is one."""
    end = time.monotonic() + 8
    while True:
        found = next((m for m in public(world) if text in m.content), None)
        if found is not None:
            return found
        assert time.monotonic() < end, f"no {text!r} in {[m.content for m in public(world)]}"
        await asyncio.sleep(0.02)


async def until_phase(world: World, name: str, phase: Phase, seconds: float = 5.0) -> View:
    """The bot's view, as soon as it is in that phase."""
    fleet = world.application.installation.tools.fleet
    view = fleet.named(name)
    seen = await fleet.wait_for(view.bot.id, lambda v: v is not None and v.phase is phase, seconds)
    assert seen is not None
    assert seen.phase is phase
    return seen


def direct(person: MemberActor) -> discord.Message:
    """The newest direct message to a person."""
    message = person.user.dm_channel.last_message
    assert message is not None
    return message


# What is done


async def make(world: World, name: str = "shop", template: str = "echo") -> View:
    """A bot by `/bot create`, waiting for its secrets and looked at once."""
    answer = await world.admin.slash(world.channel, "bot create", name=name, template=template)
    assert f"**{name}**" in said(answer)
    return await until_phase(world, name, Phase.CREATED)


async def fill(
    world: World, values: dict[str, str] | None = None, person: MemberActor | None = None
) -> InteractionResult:
    """Press the button of the newest direct message and submit the form."""
    user = (person or world.admin).user
    shown = await user.click(direct(person or world.admin), label="Enter secrets")
    assert shown.modal is not None, shown.response
    result: InteractionResult = await user.submit_modal(shown, values or VALUES)
    return result


async def ready_bot(world: World, name: str = "shop", template: str = "echo") -> View:
    """A running bot, made the way a person makes it."""
    await make(world, name, template)
    assert "running" in said(await fill(world))
    return await until_phase(world, name, Phase.RUNNING)


async def healthy_soon(world: World, bot_id: str) -> None:
    """Let the bot's health check succeed once its program runs."""
    engine = engine_of(world)
    while bot_id not in engine.containers or not engine.containers[bot_id].seen.state.active:
        await asyncio.sleep(0.01)
    engine.set_health(bot_id, Health.HEALTHY)


def newcomer(world: World, name: str, *roles: Any) -> MemberActor:
    """Another member of the server."""
    return world.guild.add_member(world.env.create_user(name), roles=list(roles))


# Interactions made by hand: what no client offers, and many at once


def forge(
    world: World,
    person: MemberActor | UserHandle,
    channel: ChannelHandle,
    kind: int,
    data: dict[str, Any],
    message: Message | None = None,
    **changes: Any,
) -> InteractionResult:
    """Deliver an interaction as Discord would, without asking whether a client could send it."""
    record, payload = payload_of(world, person, channel, kind, data, message)
    payload.update(changes)
    world.env.backend.emit("INTERACTION_CREATE", payload)
    return InteractionResult(world.env, record)


def payload_of(
    world: World,
    person: MemberActor | UserHandle,
    channel: ChannelHandle,
    kind: int,
    data: dict[str, Any],
    message: Message | None = None,
) -> tuple[Any, dict[str, Any]]:
    """An interaction as it goes over the wire, and SimCord's record of it."""
    record, payload = base_payload(
        world.env.backend,
        type=kind,
        channel_id=channel.id,
        guild_id=channel.guild.id if channel.guild else None,
        user_id=person.id,
        data=data,
    )
    if message is not None:
        from simcord.backend import serializers

        stored = world.env.backend.get_message(channel.id, message.id)
        payload["message"] = dict(serializers.message_payload(world.env.backend, stored))
        record.source_message_id = message.id
    return record, payload


def press(custom_id: str) -> dict[str, Any]:
    """The data of a press on a button."""
    return {"custom_id": custom_id, "component_type": 2}


def filled(custom_id: str, values: dict[str, str]) -> dict[str, Any]:
    """The data of a modal's submit."""
    fields = [
        {
            "type": 18,
            "id": 2 * i + 1,
            "component": {"type": 4, "id": 2 * i + 2, "custom_id": name, "value": value},
        }
        for i, (name, value) in enumerate(values.items())
    ]
    return {"custom_id": custom_id, "components": fields}


def invoked(world: World, path: str, options: list[dict[str, Any]]) -> dict[str, Any]:
    """The data of a slash command such as `bot show`, by the command that was registered."""
    root, *inside = path.split()
    known = world.env.backend.find_command(root, world.guild.id, type=1)
    assert known is not None, root
    inner = options
    for depth, name in enumerate(reversed(inside), 1):  # a command, then the group around it
        inner = [{"name": name, "type": depth, "options": inner}]
    return {
        "id": known["id"],
        "name": root,
        "type": 1,
        "guild_id": str(world.guild.id),
        "options": inner,
    }


def as_admin(world: World) -> Caller:
    """Ann, as one who asks the manager itself."""
    return Caller(discord_user(world.admin.id, "ann"))
