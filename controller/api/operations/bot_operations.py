"""The operations on bots: which there are, and create, start, stop, restart, delete."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from controller.api.cursors import cursor_of, place_of
from controller.api.deeds import DEED_SECONDS
from controller.api.operation import (
    Answer,
    Assistant,
    Call,
    Given,
    Nothing,
    Operation,
    Operations,
    Source,
    Values,
)
from controller.api.resources import BotOut, BotPages, OperationOut, Page, Seen, bot_out
from controller.domain import acts
from controller.domain.bot import Bot
from controller.domain.phase import Phase
from controller.manager.lifecycle import Order

PAGE_MOST = 500


LimitName = Literal["memory", "cpus", "pids"]
LimitsWanted = Annotated[
    dict[LimitName, Annotated[str, Field(max_length=20)]],
    Field(description="Limits of its own, like 512m, 0.5 and 128; empty: as the template says."),
]


class BotsWanted(Given):
    """Which bots are listed: all that you may see, by name."""

    phase: Phase | None = None
    template: str = ""
    name: Annotated[str, Field(max_length=32, description="A part of the name.")] = ""
    limit: Annotated[int, Field(ge=1, le=PAGE_MOST)] = 200
    cursor: Annotated[str, Field(max_length=200)] = ""


class NewBot(Given):
    """What a new bot should be. What is left out is the template's first choice."""

    name: Annotated[str, Field(max_length=100)]
    template: Annotated[str, Field(max_length=100)]
    provider: Annotated[str, Field(max_length=100)] | None = None
    model: Annotated[str, Field(max_length=300)] | None = None
    channel: Annotated[str, Field(max_length=100)] | None = None
    settings: Values = Field(default_factory=dict)
    limits: LimitsWanted = Field(default_factory=dict)
    wish: Literal["run", "stop"] = "run"
    source: Source = ""


class BotChange(Given):
    """What a bot should be instead. Its settings and secrets have paths of their own."""

    model: Annotated[str, Field(min_length=1, max_length=300)] | None = None
    provider: Annotated[str, Field(min_length=1, max_length=100)] | None = None
    channel: Annotated[str, Field(min_length=1, max_length=100)] | None = None
    limits: LimitsWanted = Field(default_factory=dict)


class AnotherName(Given):
    """What a bot is to be called."""

    name: Annotated[str, Field(max_length=100)]


async def list_bots(call: Call[BotsWanted, Nothing]) -> Answer:
    """A page of bots, each from its own kept JSON."""
    wanted, pages = call.query, call.pages
    seen = await call.manager.bots.seen(call.caller)
    pages.tidy(len(call.manager.bots))
    return Answer(pages.page(wanted, seen, lambda: _page(wanted, seen, pages)))


def _page(wanted: BotsWanted, seen: Seen, pages: BotPages) -> bytes:
    after = place_of(wanted.cursor)
    found = sorted(
        (
            (view.bot.name, view, role)
            for view, role in seen
            if (wanted.phase is None or view.phase is wanted.phase)
            and (not wanted.template or view.bot.template == wanted.template)
            and wanted.name.lower() in view.bot.name
            and (after is None or view.bot.name > str(after))
        ),
        key=lambda row: row[0],
    )
    shown = found[: wanted.limit]
    more = cursor_of(shown[-1][0]) if len(shown) < len(found) else None
    items = b",".join(pages.json(view, role) for _, view, role in shown)
    return b'{"items":[%b],"next":%b}' % (items, json.dumps(more).encode())


async def create_bot(call: Call[Nothing, NewBot]) -> Answer:
    """A new bot that waits for its secrets."""
    given = call.body
    order = Order(
        name=given.name,
        template=given.template,
        provider=given.provider,
        model=given.model,
        channel=given.channel,
        fields=given.settings,
        limits=_limits(given.limits),
        stopped=given.wish == "stop",
        source=given.source,
    )
    return _made(call, await call.manager.lifecycle.create(call.caller, order))


async def clone_bot(call: Call[Nothing, AnotherName]) -> Answer:
    """A new bot like it, that waits for secrets of its own."""
    bot = await call.bot(acts.BOT_CLONE)
    return _made(call, await call.manager.lifecycle.clone(call.caller, bot, call.body.name))


def _limits(given: Mapping[LimitName, str]) -> dict[str, str]:
    return {name: value for name, value in given.items()}  # noqa: C416 - of another type of keys


def _made(call: Call[Any, Any], bot: Bot) -> Answer:
    view = call.manager.bots.get(bot.id)
    assert view is not None, "it was just made"
    role = call.manager.access.role(call.caller.principal, bot)
    return Answer(bot_out(view, role), headers={"Location": f"/api/v1/bots/{bot.id}"})


async def rename_bot(call: Call[Nothing, AnotherName]) -> Answer:
    """Call it something else."""
    bot = await call.bot(acts.BOT_RENAME)
    view = await call.manager.lifecycle.rename(call.caller, bot, call.body.name)
    return Answer(bot_out(view, call.manager.access.role(call.caller.principal, view.bot)))


async def get_bot(call: Call[Nothing, Nothing]) -> Answer:
    """One bot."""
    view = await call.view(acts.BOT_SHOW)
    role = call.manager.access.role(call.caller.principal, view.bot)
    return Answer(bot_out(view, role))


async def change_bot(call: Call[Nothing, BotChange]) -> Answer:
    """Give it another model, provider or channel, or other limits."""
    bot, wanted = await call.bot(acts.BOT_EDIT), call.body
    await call.manager.edits.choose(
        call.caller,
        bot,
        provider=wanted.provider,
        model=wanted.model,
        channel=wanted.channel,
        limits=_limits(wanted.limits),
    )
    view = await call.view(acts.BOT_EDIT)
    return Answer(bot_out(view, call.manager.access.role(call.caller.principal, view.bot)))


async def start_bot(call: Call[Nothing, Nothing]) -> Answer:
    """Wish it to run."""
    bot = await call.bot(acts.BOT_START)
    await call.manager.lifecycle.start(call.caller, bot, DEED_SECONDS)
    return Answer()


async def stop_bot(call: Call[Nothing, Nothing]) -> Answer:
    """Wish it to be stopped."""
    bot = await call.bot(acts.BOT_STOP)
    await call.manager.lifecycle.stop(call.caller, bot, DEED_SECONDS)
    return Answer()


async def restart_bot(call: Call[Nothing, Nothing]) -> Answer:
    """Wish for a new run."""
    bot = await call.bot(acts.BOT_RESTART)
    await call.manager.lifecycle.restart(call.caller, bot, DEED_SECONDS)
    return Answer()


async def delete_bot(call: Call[Nothing, Nothing]) -> Answer:
    """Wish that nothing is left of it."""
    bot = await call.bot(acts.BOT_DELETE)
    await call.manager.lifecycle.delete(call.caller, bot, DEED_SECONDS)
    return Answer()


BOT_OPERATIONS: Operations = (
    Operation(
        id="listBots",
        method="GET",
        path="/bots",
        act=acts.BOT_LIST,
        summary="The bots that you may see, by name.",
        query=BotsWanted,
        body=Nothing,
        answer=Page[BotOut],
        handler=list_bots,
        assistant=Assistant.LOOK,
    ),
    Operation(
        id="createBot",
        method="POST",
        path="/bots",
        act=acts.BOT_CREATE,
        summary="A new bot. It waits for its secrets, if it needs any.",
        query=Nothing,
        body=NewBot,
        answer=BotOut,
        status=201,
        handler=create_bot,
    ),
    Operation(
        id="getBot",
        method="GET",
        path="/bots/{bot}",
        act=acts.BOT_SHOW,
        summary="One bot.",
        query=Nothing,
        body=Nothing,
        answer=BotOut,
        handler=get_bot,
        assistant=Assistant.LOOK,
    ),
    Operation(
        id="changeBot",
        method="PATCH",
        path="/bots/{bot}",
        act=acts.BOT_EDIT,
        summary="Give a bot another model, provider, channel, or limits. It restarts if it has to.",
        query=Nothing,
        body=BotChange,
        answer=BotOut,
        handler=change_bot,
    ),
    Operation(
        id="cloneBot",
        method="POST",
        path="/bots/{bot}/clone",
        act=acts.BOT_CLONE,
        summary="A new bot like this one. It waits for secrets of its own.",
        query=Nothing,
        body=AnotherName,
        answer=BotOut,
        status=201,
        handler=clone_bot,
    ),
    Operation(
        id="renameBot",
        method="POST",
        path="/bots/{bot}/rename",
        act=acts.BOT_RENAME,
        summary="Call a bot something else. It goes on running.",
        query=Nothing,
        body=AnotherName,
        answer=BotOut,
        handler=rename_bot,
    ),
    Operation(
        id="deleteBot",
        method="DELETE",
        path="/bots/{bot}",
        act=acts.BOT_DELETE,
        summary="Remove a bot with its container, its data and its secrets. It can't be undone.",
        query=Nothing,
        body=Nothing,
        answer=OperationOut,
        deed=True,
        handler=delete_bot,
    ),
    Operation(
        id="startBot",
        method="POST",
        path="/bots/{bot}/start",
        act=acts.BOT_START,
        summary="Start a bot, also after BotMaker gave up on it.",
        query=Nothing,
        body=Nothing,
        answer=OperationOut,
        deed=True,
        handler=start_bot,
        assistant=Assistant.ACT,
    ),
    Operation(
        id="stopBot",
        method="POST",
        path="/bots/{bot}/stop",
        act=acts.BOT_STOP,
        summary="Stop a bot.",
        query=Nothing,
        body=Nothing,
        answer=OperationOut,
        deed=True,
        handler=stop_bot,
        assistant=Assistant.ACT,
    ),
    Operation(
        id="restartBot",
        method="POST",
        path="/bots/{bot}/restart",
        act=acts.BOT_RESTART,
        summary="End a bot's present run, and begin a new one.",
        query=Nothing,
        body=Nothing,
        answer=OperationOut,
        deed=True,
        handler=restart_bot,
        assistant=Assistant.ACT,
    ),
)
