"""A bot's log in answers: the snippet, its buttons Older, Refresh and File, and what they carry.

What was asked for stands in the buttons' ids. A text to search for that is too long for an id is
remembered here instead, until the controller ends.
"""

from __future__ import annotations

import hashlib
import re
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace

import discord

from controller.chat.requests import addresses as buttons
from controller.chat.requests import delivery as answers
from controller.chat.words import bot_words as render
from controller.chat.words.text import plural, text_file
from controller.domain.bot import Bot
from controller.domain.errors import BadInput, NotFound
from controller.domain.events import STREAMS, LogQuery
from controller.manager import Manager
from controller.manager.logbook import LINES_MAX, Snippet

SEARCHES_MAX = 500
_SHORT = 16  # characters of a search that fit into every id
_KEY = re.compile(r"~[0-9a-f]{12}")


class LogView:
    """Answers with a bot's log, and goes on from there."""

    def __init__(self, manager: Manager) -> None:
        self._manager = manager
        self._searches: OrderedDict[str, str] = OrderedDict()

    async def newest(self, interaction: discord.Interaction, bot: Bot, query: LogQuery) -> None:
        """The newest lines that fit the query."""
        snippet = await self._manager.logbook.read(bot, query)
        text, fits = render.log_snippet(snippet)
        oldest = snippet.lines[0].at if snippet.lines else None
        content = whole_log(snippet)
        carried = replace(snippet.query, grep=self._carried(snippet.query.grep))
        await answers.say(
            interaction,
            text,
            view=buttons.of_log(snippet.bot, carried, oldest),
            make_file=None if fits else lambda: text_file(content, f"{snippet.bot.name}.log"),
        )

    async def again(
        self, interaction: discord.Interaction, bot: Bot, arguments: Sequence[str]
    ) -> None:
        """The same question once more: Refresh."""
        await self.newest(interaction, bot, self._asked(arguments))

    async def older(
        self, interaction: discord.Interaction, bot: Bot, arguments: Sequence[str]
    ) -> None:
        """What came before the oldest line that is shown."""
        query = self._asked(arguments)
        # Just before that line, which would come again otherwise.
        query = replace(query, since=0.0, until=query.since - 1e-6)
        await self.newest(interaction, bot, query)

    async def file(
        self, interaction: discord.Interaction, bot: Bot, arguments: Sequence[str]
    ) -> None:
        """As many lines as there may be, as a file."""
        query = replace(self._asked(arguments), lines=LINES_MAX)
        snippet = await self._manager.logbook.read(bot, query)
        if not snippet.lines:
            await answers.say(interaction, render.log_snippet(snippet)[0])
            return
        text = whole_log(snippet)
        await answers.say(
            interaction,
            f"**{bot.name}** — the newest {plural(len(snippet.lines), 'line')} as a file.",
            make_file=lambda: text_file(text, f"{bot.name}.log"),
        )

    def _carried(self, grep: str) -> str:
        """What a button carries for a search: the text, or the key under which it is kept."""
        if len(grep) <= _SHORT and not _KEY.fullmatch(grep):
            return grep
        key = "~" + hashlib.sha256(grep.encode()).hexdigest()[:12]
        self._searches[key] = grep
        self._searches.move_to_end(key)
        if len(self._searches) > SEARCHES_MAX:
            self._searches.popitem(last=False)
        return key

    def _asked(self, arguments: Sequence[str]) -> LogQuery:
        query = query_of(arguments)
        if not _KEY.fullmatch(query.grep):
            return query
        grep = self._searches.get(query.grep)
        if grep is None:
            raise NotFound(
                "What this button searched for is not known any more.",
                hint="Ask again: /bot logs.",
            )
        return replace(query, grep=grep)


def query_of(arguments: Sequence[str]) -> LogQuery:
    """The query in a log button's id: since, lines, stream, grep."""
    try:
        _, since, lines, stream, grep = arguments
        count = max(1, min(LINES_MAX, int(lines)))
        return LogQuery(lines=count, since=float(since), stream=STREAMS[stream], grep=grep)
    except (ValueError, KeyError):
        raise BadInput("That button is damaged.", hint="Use /bot logs.") from None


def whole_log(snippet: Snippet) -> str:
    """A snippet as the text of a file."""
    return "\n".join(render.log_line(line) for line in snippet.lines) + "\n"
