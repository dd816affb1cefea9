"""The history: pages, people, refusals that fill nothing, and everything at once."""

from __future__ import annotations

import re

import discord

from controller.chat.words.history_words import history_words
from controller.domain.journal import Entry, Kind
from controller.manager.history import Event
from demo.world import World
from tests.chat.acting import labels, make, newcomer, said
from tests.chat.house import House


def acts(text: str) -> list[str]:
    """The acts of a page, in its order."""
    return re.findall(r"\*\*([\w ]+)\*\*[:(]? ?", text.split("newest first")[1])


async def test_twenty_refusals_are_two_entries_and_bury_nothing(world: World) -> None:
    """The first is written, the rest are counted; who looks sees neither unless they ask."""
    await make(world)
    eve = newcomer(world, "eve")
    for _ in range(20):
        await eve.slash(world.channel, "bot stop", name="shop")
    store = world.application.installation.tools.store
    assert len(await store.entries(kinds=[Kind.REFUSED])) == 1
    shown = said(await world.admin.slash(world.channel, "bot history", name="shop"))
    assert "refused" not in shown
    assert "**create**" in shown
    every = await world.admin.slash(world.channel, "bot history", name="shop", refusals=True)
    assert "refused (denied), 19 more times within ten minutes (shop)" in said(every)
    assert len(await store.entries(kinds=[Kind.REFUSED])) == 2
    assert eve.user.name in said(every)


async def test_refusals_that_were_counted_are_not_lost_with_the_controller(house: House) -> None:
    """Nobody looked before it ended; the next one tells of all of them."""
    async with house.controller() as world:
        await make(world)
        eve = newcomer(world, "eve")
        for _ in range(3):
            await eve.slash(world.channel, "bot stop", name="shop")
    async with house.controller() as world:
        every = await world.admin.slash(world.channel, "bot history", name="shop", refusals=True)
        assert "refused (denied), 2 more times within ten minutes (shop)" in said(every)


async def test_refusals_are_shown_and_hidden_by_a_button(world: World) -> None:
    """The same message, with and without them."""
    await make(world)
    await newcomer(world, "eve").slash(world.channel, "bot stop", name="shop")
    answer = await world.admin.slash(world.channel, "bot history", name="shop")
    assert answer.response is not None
    assert labels(answer.response) == ["Show refusals"]
    more = await world.admin.click(answer.response, label="Show refusals")
    assert "refused (denied)" in more.response.content
    fewer = await world.admin.click(more.response, label="Hide refusals")
    assert "refused" not in fewer.response.content


async def test_every_event_is_on_exactly_one_page_in_both_directions(world: World) -> None:
    """Older to the end, and newer back to the beginning."""
    await make(world)
    for _ in range(13):
        await world.admin.slash(world.channel, "access grant", who=world.admin, role="viewer")
        await world.admin.slash(world.channel, "access revoke", who=world.admin)
    answer = await world.admin.slash(world.channel, "fleet history")
    pages = [said(answer)]
    shown = answer.response
    while shown is not None and "Older" in labels(shown):
        shown = (await world.admin.click(shown, label="Older")).response
        pages.append(shown.content)
    wanted = ["access revoke", "access grant"] * 13 + ["create"]
    assert [act for page in pages for act in acts(page)] == wanted
    assert len(pages) == 3
    back = [pages[-1]]
    while "Newer" in labels(shown):
        shown = (await world.admin.click(shown, label="Newer")).response
        back.append(shown.content)
    assert [act for page in back[::-1] for act in acts(page)] == wanted


async def test_removed_bots_and_grants_are_in_the_fleets_history(world: World) -> None:
    """By name, though the bot is gone."""
    await make(world)
    bob = newcomer(world, "bob")
    await world.admin.slash(world.channel, "access grant", who=bob, role="viewer")
    asked = await world.admin.slash(world.channel, "bot delete", name="shop")
    assert asked.response is not None
    await world.admin.click(asked.response, label="Delete shop")
    text = said(await world.admin.slash(world.channel, "fleet history"))
    assert "shop: ann" in text
    assert "**delete**: removed" in text
    assert f"**access grant** (viewer to <@{bob.id}>)" in text
    assert "needs the role admin" in said(await bob.slash(world.channel, "fleet history"))


def test_an_act_on_many_names_those_that_failed() -> None:
    """And counts the rest."""
    data = {"verb": "restart", "done": 3, "failed": ["shop", "bee"], "left_out": 1}
    told = history_words([Event(Entry(at=1.0, kind=Kind.BATCH, data=data))], "")
    assert told.endswith("**restart of many**: 3 done, 2 failed (shop, bee), 1 left out")


async def test_the_history_can_be_asked_for_one_person(world: World) -> None:
    """Only what that person asked for."""
    await make(world)
    bob = newcomer(world, "bob")
    await world.admin.slash(world.channel, "access grant", who=bob, role="operator")
    await bob.slash(world.channel, "bot start", name="shop")
    await bob.slash(world.channel, "bot stop", name="shop")
    text = said(await world.admin.slash(world.channel, "bot history", name="shop", who=bob))
    assert f"bob <@{bob.id}> **stop**" in text
    assert "create" not in text


async def test_strangers_are_not_offered_the_commands(world: World) -> None:
    """The server's administrators open them to others; nobody has them by default."""
    tree = world.application.client.tree
    top = tree.get_commands(guild=discord.Object(world.guild.id))
    assert {one.name for one in top} == {"bot", "fleet", "access", "help"}
    assert {one.default_permissions for one in top} == {discord.Permissions.none()}
