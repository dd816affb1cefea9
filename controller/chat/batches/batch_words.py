"""Acts on many bots in words: the question before, and how it goes."""

from __future__ import annotations

from collections.abc import Sequence

from controller.chat.languages import plural, say, told
from controller.chat.words.limits import MESSAGE_MAX
from controller.chat.words.text import moment, plain
from controller.domain.batches import Batch, BatchState, Item, ItemState, Verb
from controller.fleet.views import View

_ASKED = {
    Verb.START: "Start",
    Verb.STOP: "Stop",
    Verb.RESTART: "Restart",
    Verb.UPDATE: "Update",
}
_DOING = {
    Verb.START: "Starting",
    Verb.STOP: "Stopping",
    Verb.RESTART: "Restarting",
    Verb.UPDATE: "Updating",
}
_SIGNS = {
    ItemState.FAILED: "❌",
    ItemState.WORKING: "⏳",
    ItemState.DONE: "✅",
    ItemState.LEFT_OUT: "➖",
}
_EXTRA = {
    Verb.STOP: " They stay stopped until somebody starts them.",
    Verb.UPDATE: " Each update is tried, and taken back if it fails.",
}
_WORDS_MAX = 160


def question(verb: Verb, views: Sequence[View]) -> str:
    """What is asked before it is done: each bot by its name, nothing else is touched."""
    head = say(
        "{verb} **{bots}**? Exactly these:{extra} The button works for five minutes.",
        verb=say(_ASKED[verb]),
        bots=plural(len(views), "bot"),
        extra=say(_EXTRA.get(verb, "")),
    )
    return "\n".join([head, *(f"**{view.bot.name}** · {told(view.phase.value)}" for view in views)])


def button_label(verb: Verb, count: int) -> str:
    """What the button says that confirms it."""
    return f"{say(_ASKED[verb])} {plural(count, 'bot')}"


def progress(batch: Batch) -> str:
    """How it goes: the counts, what failed, what is under way, and what is done, newest last."""
    lines = [_head(batch), _counts(batch)]
    shown = [
        item
        for state in (ItemState.FAILED, ItemState.WORKING, ItemState.LEFT_OUT, ItemState.DONE)
        for item in batch.items
        if item.state is state
    ]
    room = MESSAGE_MAX - sum(map(len, lines)) - 60
    for number, item in enumerate(shown):
        line = _line(item)
        if len(line) + 1 > room:
            lines.append(say("… and {count} more.", count=len(shown) - number))
            break
        lines.append(line)
        room -= len(line) + 1
    return "\n".join(lines)


def _head(batch: Batch) -> str:
    by = batch.by
    who = f"<@{by.id}>" if by.kind == "user" and by.id.isdecimal() else plain(by.name, 40)
    many = plural(len(batch.items), "bot")
    if batch.state is not BatchState.ENDED:
        how = say(", cancelled") if batch.cancelled else ""
        return say(
            "**{doing} {many}**{how}, for {who}",
            doing=say(_DOING[batch.verb]),
            many=many,
            how=how,
            who=who,
        )
    failed = batch.count(ItemState.FAILED)
    sign = "❌" if failed else "➖" if batch.cancelled else "✅"
    how = say("cancelled") if batch.cancelled else say("ended")
    return say(
        "**{doing} {many}** — {sign} {how} {when}, for {who}",
        doing=say(_DOING[batch.verb]),
        many=many,
        sign=sign,
        how=how,
        when=moment(batch.ended_at),
        who=who,
    )


def _counts(batch: Batch) -> str:
    waiting = batch.count(ItemState.WAITING, ItemState.WORKING)
    parts = [
        (batch.count(ItemState.DONE), say("done")),
        (batch.count(ItemState.FAILED), say("failed")),
        (batch.count(ItemState.LEFT_OUT), say("left out")),
        (waiting, say("to go")),
    ]
    return ", ".join(f"{count} {word}" for count, word in parts if count)


def _line(item: Item) -> str:
    words = plain(told(item.words), _WORDS_MAX)
    return f"{_SIGNS.get(item.state, '')} **{item.name}** {words}".rstrip()
