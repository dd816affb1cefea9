"""`/help`: the commands by what a person wants to do, and only those that they may use."""

from __future__ import annotations

import re

import pytest
from simcord.results import InteractionResult

from controller.chat.commands.help_topics import TOPICS, help_words
from controller.chat.requests.ways import WITHOUT_COMMAND, command_of
from controller.domain.acts import ACTS, Act
from controller.domain.roles import Role
from demo.world import World
from tests.chat.acting import newcomer, ready_bot, said
from tests.chat.test_access import registered

COMMAND = re.compile(r"^`/([\w ]+ )?([\w|]+)` \S.*$", re.MULTILINE)


def shown(answer: InteractionResult) -> str:
    """The words of an answer, with commands that are links as if they were only shown."""
    said(answer)
    assert answer.response is not None
    return re.sub(r"</([\w -]+):\d+>", r"`/\1`", answer.response.content)


def named_in(text: str) -> set[str]:
    """Every command that the help names; `/bot start|stop` are two."""
    return {f"{group}{one}" for group, last in COMMAND.findall(text) for one in last.split("|")}


def test_every_act_stands_under_one_topic() -> None:
    """A new one has to be put where people look for it."""
    sorted_in = [act.id for acts in TOPICS.values() for act in acts]
    assert sorted(sorted_in) == sorted(set(ACTS) - {act.id for act in WITHOUT_COMMAND})


def test_an_act_that_nobody_sorted_in_is_shown_all_the_same() -> None:
    """Under "More", so that it can't be forgotten."""
    act = Act("bot.dance", Role.VIEWER, "Dancing")
    assert help_words([act], {"bot dance": "Dance"}) == "**More**\n`/bot dance` Dance"


async def test_an_admin_reads_every_command_in_one_message(world: World) -> None:
    """Each with its own description; it fits into a message, so nothing is cut into a file."""
    answer = await world.admin.slash(world.channel, "help")
    text = shown(answer)
    assert len(text) <= 2000
    assert answer.response is not None
    assert answer.response.attachments == []
    assert named_in(text) == set(registered(world))
    for title in TOPICS:
        assert f"**{title}**\n`/" in text
    assert "`/bot create` Create a bot; what you leave out is asked for" in text


@pytest.mark.parametrize("role", ["viewer", "operator"])
async def test_others_read_only_what_they_may_do(world: World, role: str) -> None:
    """By the same rules that hold for real; a heading without a command isn't there."""
    person = newcomer(world, "bob")
    await world.admin.slash(world.channel, "access grant", who=person, role=role)
    text = shown(await person.slash(world.channel, "help"))
    held = Role.parse(role)
    assert held is not None
    may = {
        command_of(act) for act in ACTS.values() if held >= act.role and act not in WITHOUT_COMMAND
    }
    assert named_in(text) == may
    assert "Decide who may do what" not in text


async def test_a_role_for_one_bot_shows_what_can_be_done_to_it(world: World) -> None:
    """Starting it, but nothing of the fleet."""
    await ready_bot(world)
    person = newcomer(world, "bob")
    await world.admin.slash(world.channel, "access grant", who=person, role="operator", bot="shop")
    text = shown(await person.slash(world.channel, "help"))
    assert "`/bot restart`" in text
    assert "`/bot create`" not in text
    assert "`/fleet doctor`" not in text


async def test_who_has_no_role_is_told_who_can_give_one(world: World) -> None:
    """As everywhere."""
    text = said(await newcomer(world, "eve").slash(world.channel, "help"))
    assert "Reading the help needs the role viewer; you have no role here." in text
    assert "/access grant" in text
