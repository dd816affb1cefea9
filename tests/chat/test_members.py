"""Whose rights count: members as Discord lists them now; and whether Discord is connected."""

from __future__ import annotations

import contextlib
import os
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import aiohttp
import discord
import pytest
from simcord.results import InteractionResult

from controller.chat.client import owners_of
from controller.chat.requests.members import STALE_SECONDS, Members
from controller.chat.requests.place import Place
from controller.domain.access import Grant
from controller.domain.roles import Role
from demo.world import World
from tests.chat.acting import (
    COMMAND,
    VALUES,
    direct,
    invoked,
    make,
    newcomer,
    payload_of,
    said,
)
from tests.chat.house import House


def member(user_id: int, role: str, state: int) -> dict[str, Any]:
    """A member of a team, as Discord sends it."""
    user = {"id": str(user_id), "username": f"u{user_id}", "discriminator": "0", "avatar": None}
    return {"user": user, "role": role, "membership_state": state, "team_id": "1"}


@pytest.mark.parametrize(
    ("role", "state", "counts"),
    [
        ("admin", 2, True),
        ("developer", 2, True),
        ("read_only", 2, False),
        ("admin", 1, False),
        ("developer", 1, False),
        ("read_only", 1, False),
        ("auditor", 2, False),  # a role that Discord may have one day
        ("admin", 3, False),
    ],
)
def test_only_those_of_a_team_who_may_change_the_application_are_admins(
    role: str, state: int, counts: bool
) -> None:
    """The team's owner in any case."""
    data = {"id": "1", "name": "T", "icon": None, "owner_user_id": "7"}
    data["members"] = [member(7, "read_only", 2), member(8, role, state)]
    team = discord.team.Team(SimpleNamespace(), data)  # type: ignore[arg-type]
    application: Any = SimpleNamespace(team=team, owner=SimpleNamespace(id=99))
    assert owners_of(application) == ([7, 8] if counts else [7])
    application.team = None
    assert owners_of(application) == [99]


async def test_an_admin_who_left_the_server_has_no_rights_in_direct_messages(
    world: World,
) -> None:
    """Neither to open a form nor to submit one that was open; also by a grant of their own."""
    await make(world)
    bob = newcomer(world, "bob")
    await world.admin.slash(world.channel, "access grant", who=bob, role="admin")
    await bob.slash(world.channel, "bot secrets", name="shop")
    shown = await bob.user.click(direct(bob), label="Enter secrets")
    assert shown.modal is not None
    world.env.backend.remove_member(world.guild.id, bob.id)
    text = said(await bob.user.submit_modal(shown, VALUES))
    assert "BotMaker serves the members of its server only." in text
    again = await bob.user.click(direct(bob), label="Enter secrets")
    assert "members of its server only" in said(again)
    assert world.application.installation.tools.fleet.named("shop").world.missing


async def test_a_role_that_discordpy_has_not_heard_of_counts(world: World) -> None:
    """It's in the payload, and that is what Discord says."""
    await make(world)
    bob = newcomer(world, "bob")
    unheard = 123456789012345678
    async with world.application.installation.tools.store.transaction() as write:
        await write.save_grant(Grant("role", unheard, Role.VIEWER))
    await world.application.manager.access.load()
    data = invoked(world, "bot show", [{"name": "name", "type": 3, "value": "shop"}])
    record, payload = payload_of(world, bob, world.channel, COMMAND, data)
    payload["member"]["roles"] = [*payload["member"]["roles"], str(unheard)]
    world.env.backend.emit("INTERACTION_CREATE", payload)
    await world.env.settle()
    assert "**shop**" in said(InteractionResult(world.env, record))


async def test_a_role_counts_for_an_hour_while_discord_does_not_answer() -> None:
    """And no longer: somebody may have taken it away. What Discord says now counts at once."""
    now = 1000.0
    roles: list[str] | None = ["77"]

    async def get_member(_guild: int, _user: int) -> dict[str, Any]:
        if roles is None:
            raise OSError("Discord is away")
        return {"roles": roles}

    client = SimpleNamespace(user=object(), http=SimpleNamespace(get_member=get_member))
    members = Members(client, Place(1, 2), lambda: now)  # type: ignore[arg-type]
    assert await members.roles_of(5) == {1, 77}
    roles = None
    now += STALE_SECONDS - 1
    assert await members.roles_of(5) == {1, 77}
    now += 1
    assert await members.roles_of(5) == frozenset()
    roles = ["78"]
    assert await members.roles_of(5) == {1, 78}


@contextlib.asynccontextmanager
async def asking_console(house: House) -> AsyncIterator[aiohttp.ClientSession]:
    """A session with the controller's own socket, under a name short enough for one."""
    folder = os.open(house.settings.data_dir, os.O_RDONLY | os.O_DIRECTORY)
    where = aiohttp.UnixConnector(f"/proc/self/fd/{folder}/control.sock")
    async with aiohttp.ClientSession(connector=where) as session:
        yield session
    os.close(folder)


async def test_health_knows_when_the_gateway_is_away(house: House) -> None:
    """Connected, dropped, resumed, dropped again; also what the image's health check asks."""
    async with house.controller() as world, asking_console(house) as session:
        client, online = world.application.client, world.application.is_online
        assert online()
        for event, expected in (
            ("disconnect", False), ("resumed", True), ("disconnect", False), ("message", False),
            ("connect", True), ("ready", True),
        ):  # fmt: skip
            client.dispatch(event)
            assert online() is expected, event
            async with session.get("http://console/health") as answer:
                told = await answer.json()
            assert told["discord"] == {"connected": expected}, event
        assert client.is_ready()
