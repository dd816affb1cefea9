"""A bot's log in answers: the snippet, and its buttons Older, Newer, Refresh and File.

The buttons' ids carry what was asked for. A search text that's too long for an id is remembered
here instead, until the controller ends.
"""

from __future__ import annotations

import hashlib
import re
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace

import discord

from controller.chat.languages import plural, say
from controller.chat.logs.log_words import log_snippet, whole_log
from controller.chat.requests.buttons import button, row
from controller.chat.requests.custom_ids import key_in
from controller.chat.requests.request import Request
from controller.chat.requests.selects import Option, select
from controller.chat.words.limits import CUSTOM_ID_MAX
from controller.chat.words.text import text_file
from controller.domain.bot import Bot
from controller.domain.errors import BadInput, NotFound
from controller.domain.events import STREAMS, LogQuery
from controller.manager import Manager
from controller.manager.logbook import LINES_MAX, Snippet

SEARCHES_MAX = 500
RECENT_SECONDS = 600.0
# What a pick shows instead, by the names that the ids carry.
PRESETS = {
    "new": "The newest lines",
    "errors": "Lines with “error”",
    "recent": "The last 10 minutes",
    "run": "Since its last start",
}
_SHORT = 16  # characters of a search that fit into every id
_KEY = re.compile(r"~[0-9a-f]{12}")


class LogAnswers:
    """Answers with a bot's log, and pages through it."""

    def __init__(self, manager: Manager) -> None:
        self._logbook = manager.logbook
        self._bots = manager.bots
        self._searches: OrderedDict[str, str] = OrderedDict()

    async def show(self, request: Request, bot: Bot, query: LogQuery | None = None) -> None:
        """Answer with the newest lines that match the query."""
        await request.acknowledge()
        await self._show(request, bot, query or LogQuery())

    async def newest(self, request: Request, bot: Bot) -> None:
        """The newest lines, in the same message."""
        await request.acknowledge_in_place()
        await self._show(request, bot, LogQuery())

    async def refresh(self, request: Request, bot: Bot) -> None:
        """Ask the same again, in the same message."""
        await request.acknowledge_in_place()
        await self._show(request, bot, self._asked(request.arguments))

    async def older(self, request: Request, bot: Bot) -> None:
        """Show what came before the oldest line shown, in the same message."""
        await request.acknowledge_in_place()
        query = self._asked(request.arguments)
        # `since` is the time of the oldest line seen; of that very time only those not seen yet.
        await self._show(request, bot, replace(query, since=0.0, until=query.since))

    async def newer(self, request: Request, bot: Bot) -> None:
        """Show what came after the newest line shown, in the same message."""
        await request.acknowledge_in_place()
        query = self._asked(request.arguments)
        await self._show(request, bot, query.behind(query.since, query.skip))

    async def preset(self, request: Request, bot: Bot) -> None:
        """Show what was picked of the presets, in the same message."""
        name = key_in(request.arguments)
        if name not in PRESETS:
            raise BadInput("That button is damaged.", hint="Use /bot logs.")
        await request.acknowledge_in_place()
        bots = self._bots
        view = bots.get(bot.id)
        container = view.world.container if view else None
        started = container.started if container else 0.0
        await self._show(request, bot, preset_query(name, bots.engine_time(), started))

    async def file(self, request: Request, bot: Bot) -> None:
        """Answer with as many lines as possible, as a file."""
        await request.acknowledge()
        query = replace(self._asked(request.arguments), lines=LINES_MAX)
        snippet = await self._logbook.read(request.caller, bot, query)
        if not snippet.lines:
            await request.reply(log_snippet(snippet)[0])
            return
        text = whole_log(snippet)
        await request.reply(
            say(
                "**{name}** — the newest {lines} as a file.",
                name=bot.name,
                lines=plural(len(snippet.lines), "line"),
            ),
            make_file=lambda: text_file(text, f"{bot.name}.log"),
        )

    async def _show(self, request: Request, bot: Bot, query: LogQuery) -> None:
        snippet = await self._logbook.read(request.caller, bot, query)
        text, fits = log_snippet(snippet)
        content = whole_log(snippet)
        carried = replace(snippet.query, grep=self._carried(snippet.query.grep))
        await request.reply(
            text,
            view=log_buttons(snippet, carried),
            make_file=None if fits else lambda: text_file(content, f"{snippet.bot.name}.log"),
        )

    def _carried(self, grep: str) -> str:
        """What a button carries for a search: its text, or the key under which it's remembered."""
        if len(grep) <= _SHORT and not _KEY.fullmatch(grep):
            return grep
        key = "~" + hashlib.sha256(grep.encode()).hexdigest()[:12]
        self._searches[key] = grep
        self._searches.move_to_end(key)
        if len(self._searches) > SEARCHES_MAX:
            self._searches.popitem(last=False)
        return key

    def _asked(self, arguments: Sequence[str]) -> LogQuery:
        query = query_in(arguments)
        if not _KEY.fullmatch(query.grep):
            return query
        grep = self._searches.get(query.grep)
        if grep is None:
            raise NotFound("This button's search was forgotten.", hint="Ask again: /bot logs.")
        return replace(query, grep=grep)


def log_buttons(snippet: Snippet, query: LogQuery) -> discord.ui.View | None:
    """Older, Newer, Refresh, Follow and File for a snippet, with the query as buttons carry it."""
    bot, tail = snippet.bot, (str(query.lines), query.stream, query.grep)
    found = []
    if snippet.lines or snippet.more:
        until, skip = snippet.seen_to
        found.append(button(say("Older"), "older", bot.id, f"{until!r}+{skip}", *tail))
    if snippet.newer:
        newest, skip = snippet.seen_from
        found.append(button(say("Newer"), "newer", bot.id, f"{newest!r}+{skip}", *tail))
    since = 0.0 if query.forward else query.since
    found.append(button(say("Refresh"), "refresh", bot.id, f"{since:.0f}", *tail))
    found.append(button(say("Follow"), "follow", bot.id, "on"))
    found.append(button(say("File"), "file", bot.id, f"{since:.0f}", *tail))
    fitting = [item for item in found if len(item.custom_id or "") <= CUSTOM_ID_MAX]
    presets = [Option(say(label), ("preset", bot.id, name)) for name, label in PRESETS.items()]
    return row([*fitting, select(say("Show instead…"), "logs", presets)])


def preset_query(name: str, now: float, started: float) -> LogQuery:
    """What a preset asks for. `now` and `started`, the bot's last start, are the engine's times."""
    match name:
        case "errors":
            return LogQuery(grep="error")
        case "recent":
            return LogQuery(lines=LINES_MAX, since=now - RECENT_SECONDS)
        case "run":
            return LogQuery(lines=LINES_MAX, since=started)
        case _:
            return LogQuery()


def query_in(arguments: Sequence[str]) -> LogQuery:
    """The query in a log button's id: bot, since, lines, stream, grep. BadInput for a forged id."""
    try:
        _, since, lines, stream, grep = arguments
        count = max(1, min(LINES_MAX, int(lines)))
        since, _, skip = since.partition("+")
        return LogQuery(
            lines=count,
            since=float(since),
            stream=STREAMS[stream],
            grep=grep,
            skip=max(0, int(skip or 0)),
        )
    except (ValueError, KeyError):
        raise BadInput("That button is damaged.", hint="Use /bot logs.") from None
