"""One use-case, three ways to ask: Discord, HTTP, the console. The journal tells the same."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
from simcord.env import Env

from controller.cli import controller_client
from controller.domain.access import CONSOLE, discord_user
from controller.domain.journal import Entry, Kind
from controller.domain.phase import Phase
from controller.fleet.journal import Caller
from demo.world import World
from tests.api.client import free_port, serving
from tests.chat.acting import VALUES, buttons_of, fill, make, newcomer, said, until_phase
from tests.chat.house import House

Ask = Callable[[str, str, Any], Awaitable[Any]]


async def by_chat(world: World, name: str, guest: Any) -> None:
    """The life of a bot, by commands, buttons and the form."""

    async def say(command: str, **options: object) -> Any:
        answer = await world.admin.slash(world.channel, command, **options)
        return said(answer) and answer.response

    await make(world, name)
    await fill(world)
    await until_phase(world, name, Phase.RUNNING)
    for act in ("stop", "start", "restart"):
        await say(f"bot {act}", name=name)
    await say("access grant", who=guest, role="viewer", bot=name)
    await say("access revoke", who=guest, bot=name)
    asked = await say("bot delete", name=name)
    await world.admin.click(asked, label=f"Delete {name}")


async def by_requests(world: World, name: str, guest: Any, ask: Ask) -> None:
    """The same life by requests for operations."""
    await ask("POST", "/bots", {"name": name, "template": "echo"})
    await ask("PUT", f"/bots/{name}/secrets", {"values": VALUES})
    await until_phase(world, name, Phase.RUNNING)
    for act in ("stop", "start", "restart"):
        await ask("POST", f"/bots/{name}/{act}", None)
    given = {"kind": "user", "subject": str(guest.id), "role": "viewer", "bot": name}
    await ask("POST", "/access/grants", given)
    await ask("DELETE", f"/access/grants/user/{guest.id}?bot={name}", None)
    await ask("DELETE", f"/bots/{name}", None)


async def told(world: World, name: str) -> list[Entry]:
    """What the journal tells of a bot, oldest first."""
    store = world.application.installation.tools.store
    entries = await store.entries(kinds=tuple(Kind), limit=1000)
    return [entry for entry in reversed(entries) if entry.bot_name == name]


def without_who(entries: list[Entry]) -> list[tuple[object, ...]]:
    """The entries without when, who asked, and how: those that somebody asked for, then BotMaker's
    own, each in their order. The two run side by side, so which of them came first says nothing."""
    told = sorted(entries, key=lambda entry: entry.author.principal.kind == "system")
    return [(entry.kind, dict(entry.data)) for entry in told]


async def test_every_way_of_asking_leaves_the_same_entries(world: World) -> None:
    """Create, secrets, stop, start, restart, grant, revoke, delete: the same but who and how."""
    guest = newcomer(world, "guest")
    await by_chat(world, "one", guest)

    owner = Caller(discord_user(world.admin.id, "ann"))
    async with serving(world.application, owner=owner) as api:

        async def over_http(method: str, path: str, body: Any) -> Any:
            answer = await api.ask(method, path, body, headers={"Prefer": "wait=20"})
            assert answer.status in {200, 201, 204}, answer.raw
            return answer

        await by_requests(world, "two", guest, over_http)

    local = controller_client.local(world.application.settings.data_dir)

    async def at_the_console(method: str, path: str, body: Any) -> Any:
        answer = (await asyncio.to_thread(local.ask, method, path, body)).json
        while answer and answer.get("state") == "running":
            answer = await asyncio.to_thread(local.get, f"/operations/{answer['id']}")
        return answer

    await by_requests(world, "three", guest, at_the_console)

    lives = [await told(world, name) for name in ("one", "two", "three")]
    first, second, third = map(without_who, lives)
    assert len(first) > 20
    assert second == first
    assert third == first

    asked = [[entry for entry in life if entry.kind is Kind.ASKED] for life in lives]
    assert {entry.author.request.partition(":")[0] for entry in asked[0]} == {"discord"}
    assert all(entry.author.request.startswith("http:token:") for entry in asked[1])
    assert all(entry.author.request.startswith("http:console:") for entry in asked[2])
    assert {entry.author.principal.id for entry in asked[0] + asked[1]} == {str(world.admin.id)}
    assert {entry.author.principal.kind for entry in asked[2]} == {CONSOLE.kind}


async def test_there_is_no_link_without_a_dashboard(world: World) -> None:
    """Without a dashboard `/access web` says how to get one."""
    answer = await world.admin.slash(world.channel, "access web")
    hint = "Set BOTMAKER_API=1, and BOTMAKER_PUBLIC_URL for other machines."
    assert said(answer) == f"❌ The dashboard is off.\n{hint}"


async def test_tokens_are_made_listed_and_revoked(world: World) -> None:
    """The text is in the private answer alone; the list says whose it is and until when."""
    create = "access token create"
    made = said(await world.admin.slash(world.channel, create, name="Deploy", role="operator"))
    text = made.split("`")[1]
    manager = world.application.manager
    assert manager.tokens.holder(text).name == "deploy"
    assert "It may do what an operator may, for all bots, until <t:" in made
    listed = said(await world.admin.slash(world.channel, "access token list"))
    assert f"**deploy**: operator for all bots, of {world.admin.mention}, until <t:" in listed
    assert text not in listed
    assert manager.tokens.holder(text).expires_at > time.time() + 89 * 86400
    assert "An assistant may only look by it." in made
    helper = await world.admin.slash(
        world.channel, create, name="helper", role="operator", acting=True
    )
    assert "An assistant may act by it." in said(helper)
    assert manager.tokens.holder(said(helper).split("`")[1]).acting
    listed = said(await world.admin.slash(world.channel, "access token list"))
    assert [line.endswith("assistants may act") for line in listed.splitlines()] == [False, True]
    ended = said(await world.admin.slash(world.channel, "access token revoke", name="deploy"))
    assert ended == "✅ The token **deploy** no longer works."
    said_again = said(await world.admin.slash(world.channel, "access token revoke", name="deploy"))
    assert said_again == "❌ There is no token of that name.\n/access token list shows them."
    history = said(await world.admin.slash(world.channel, "fleet history"))
    assert "access token create** (deploy, operator): done" in history
    assert text not in history
    assert not [b for b in world.env.errors if text in str(b)]


async def test_sessions_are_listed_and_ended(world: World) -> None:
    """Who, since when, in which browser; one is ended by its id."""
    nobody = said(await world.admin.slash(world.channel, "access sessions"))
    assert nobody == "Nobody is signed in."
    sessions = world.application.manager.web_sessions
    code = await sessions.invite(Caller(discord_user(world.admin.id, "ann")))
    session = (await sessions.sign_in(code, "", "Firefox")).session
    listed = said(await world.admin.slash(world.channel, "access sessions"))
    assert listed.startswith(f"`{session.id}` {world.admin.mention}, since <t:")
    assert listed.endswith(", Firefox")
    ended = said(await world.admin.slash(world.channel, "access sessions", end=session.id))
    assert ended == f"✅ {world.admin.mention} is signed out of that browser."


async def test_a_private_link_signs_in(house: House, env: Env) -> None:
    """A button that one person sees; its code is behind the #, and the cookie is that person."""
    port = free_port()
    served = {"api": True, "http_listen": f"127.0.0.1:{port}"}
    house.settings = house.settings.model_copy(update=served)
    async with house.controller() as world, aiohttp.ClientSession() as browser:
        answer = await world.admin.slash(world.channel, "access web")
        assert said(answer).startswith("This signs you in once, within five minutes.")
        assert answer.response is not None
        (button,) = buttons_of(answer.response)
        page, _, code = button["url"].partition("#")
        assert page == f"http://127.0.0.1:{port}/login"
        base, own = f"http://127.0.0.1:{port}/api/v1", {"Origin": f"http://127.0.0.1:{port}"}
        async with browser.post(f"{base}/session", json={"code": code}, headers=own) as signed:
            assert (signed.status, (await signed.json())["user"]["id"]) == (
                201,
                str(world.admin.id),
            )
            cookie = signed.headers["Set-Cookie"].partition(";")[0]
        async with browser.get(f"{base}/session", headers={"Cookie": cookie}) as me:
            assert (await me.json())["role"] == "admin"
        assert code not in str(await told(world, ""))
