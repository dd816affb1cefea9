"""Weekly digests and missed runs: each is told once, also if it was due while BotMaker was away."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace

import discord

from demo.world import World
from tests.chat.acting import make, newcomer, public, said
from tests.chat.house import House

LATE = 10_000.0  # seconds


async def overdue(world: World) -> None:
    """Let a month pass for those who want a digest."""
    digests = world.application.manager.digests
    wishes = tuple(replace(one, next_at=one.next_at - 35 * 86_400.0) for one in digests.wishes)
    await digests._keep(wishes)


def told(world: World, words: str) -> list[discord.Message]:
    """The messages in the channel that begin so."""
    return [message for message in public(world) if message.content.startswith(words)]


async def until_told(world: World, words: str) -> discord.Message:
    """Wait for the one message that begins so."""
    for _ in range(500):
        found = told(world, words)
        if found:
            return found[0]
        await asyncio.sleep(0.02)
    raise AssertionError(f"nothing begins with {words}")


async def test_a_digest_that_was_due_meanwhile_comes_once(house: House) -> None:
    """To the channel and by direct message; the next one is in the future."""
    async with house.controller() as world:
        await make(world)
        asked = await world.admin.slash(
            world.channel, "fleet digest here", day="friday", at="8:30", zone="Europe/Berlin"
        )
        assert "A digest comes to this channel every week, first <t:" in said(asked)
        assert "comes to you" in said(await world.admin.slash(world.channel, "fleet digest me"))
        await overdue(world)
    async with house.controller() as world:
        message = await until_told(world, "🗓️ **The week from")
        assert "Now 1 bot: 1 created" in message.content
        assert "1 bot created" in message.content
        for _ in range(500):
            if all(one.next_at > time.time() for one in world.application.manager.digests.wishes):
                break
            await asyncio.sleep(0.02)
        assert len(world.application.manager.digests.wishes) == 2
        last = world.admin.user.dm_channel.last_message
        assert last is not None
        assert last.content.startswith("🗓️ **The week from")
    async with house.controller() as world:
        await asyncio.sleep(0.3)
        assert len(told(world, "🗓️")) == 1


async def test_a_digest_can_be_had_no_longer(world: World) -> None:
    """And who never asked is told so."""
    await world.admin.slash(world.channel, "fleet digest me")
    off = await world.admin.slash(world.channel, "fleet digest me", off=True)
    assert said(off) == "No weekly digest for you any more."
    again = said(await world.admin.slash(world.channel, "fleet digest me", off=True))
    assert "No digest comes there." in again
    odd = said(await world.admin.slash(world.channel, "fleet digest me", at="late"))
    assert "on a weekday at a time of day" in odd


async def test_who_left_the_server_is_written_to_no_more(house: House) -> None:
    """Their wish goes; nobody else's does."""
    async with house.controller() as world:
        guest = newcomer(world, "guest")
        await world.admin.slash(world.channel, "access grant", who=guest, role="viewer")
        await guest.slash(world.channel, "fleet digest me")
        await world.admin.slash(world.channel, "fleet digest me")
        await overdue(world)
        world.env.inject_error(
            "GET", f"/guilds/{world.guild.id}/members/{guest.id}", status=404, code=10007,
            message="Unknown Member", times=None,
        )  # fmt: skip
    async with house.controller() as world:
        digests = world.application.manager.digests
        for _ in range(500):
            if len(digests.wishes) == 1 and digests.wishes[0].next_at > time.time():
                break
            await asyncio.sleep(0.02)
        assert [one.subject for one in digests.wishes] == [world.admin.id]


async def test_missed_runs_are_one_message_and_told_once(house: House) -> None:
    """Also after another restart; with what was missed and when."""
    async with house.controller() as world:
        view = await make(world)
        for what, at in (("restart", "hourly"), ("stop", "daily 3:00")):
            await world.admin.slash(
                world.channel, "bot schedule add", name="shop", what=what, at=at
            )
        store = world.application.installation.tools.store
        while not (before := await store.recall("missed-notice")):
            await asyncio.sleep(0.02)
        found = await store.schedules(view.bot.id)
        async with store.transaction() as write:
            for one in found:
                await write.schedules.save(replace(one, next_at=one.next_at - LATE - 86_400.0))
    async with house.controller() as world:
        message = await until_told(world, "⏭️")
        assert "scheduled runs missed**: BotMaker wasn't running when they were due." in (
            message.content
        )
        assert "- **shop**: restart, " in message.content
        assert "- **shop**: stop, " in message.content
        store = world.application.installation.tools.store
        while await store.recall("missed-notice") == before:
            await asyncio.sleep(0.02)
    async with house.controller() as world:
        await asyncio.sleep(2.5)
        assert len(told(world, "⏭️")) == 1
