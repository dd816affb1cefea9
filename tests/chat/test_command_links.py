"""Commands in texts open when they are pressed; nothing else becomes a link."""

from __future__ import annotations

import re

import pytest

from controller.chat.requests.command_links import CommandLinks
from demo.world import World

NAMES = ("bot edit", "bot list", "fleet alerts me", "fleet alerts", "help", "bot")
IDS = {"bot": 11, "fleet": 22, "help": 33}


@pytest.fixture
def links() -> CommandLinks:
    """Some commands with their numbers."""
    made = CommandLinks()
    made.learn(NAMES, IDS)
    return made


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("Use /bot edit.", "Use </bot edit:11>."),
        ("`/bot edit`, then `/help`", "</bot edit:11>, then </help:33>"),
        ("/bot edit shop again", "</bot edit:11> shop again"),
        ("/fleet alerts me pings you", "</fleet alerts me:22> pings you"),
        ("`/bot edit shop`", "`/bot edit shop`"),
        ("```\nGET /bot edit\n```", "```\nGET /bot edit\n```"),
        ("https://x.example/help and a/help", "https://x.example/help and a/help"),
        ("/bot editing, /helpful, /help-me", "</bot:11> editing, /helpful, /help-me"),
        ("</bot edit:5>", "</bot edit:5>"),
        ("/dance", "/dance"),
    ],
)
def test_commands_are_links_and_nothing_else_is(links: CommandLinks, text: str, read: str) -> None:
    """Code stays as it is, but for code that is exactly a command."""
    assert links.linked(text) == read


def test_a_text_that_would_be_too_long_stays_as_it_is(links: CommandLinks) -> None:
    """So does every text before Discord has told the numbers."""
    text = "/help " * 300
    assert links.linked(text) == text
    assert CommandLinks().linked("/help") == "/help"


async def test_answers_and_refusals_have_the_numbers_that_discord_gave(world: World) -> None:
    """Those of this server's registration."""
    number = {one["name"]: one["id"] for one in world.env.backend.commands[world.guild.id].values()}
    empty = await world.admin.slash(world.channel, "fleet alerts list")
    assert empty.response is not None
    assert f"</fleet alerts me:{number['fleet']}>" in empty.response.content
    refused = await world.admin.slash(world.channel, "bot show", name="nobody")
    assert refused.response is not None
    assert re.search(rf"</bot list:{number['bot']}> shows all bots", refused.response.content)
