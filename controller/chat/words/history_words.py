"""The journal in words: what happened to a bot, and who asked for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from controller.chat.languages import command, plural, say, told
from controller.chat.words.bot_words import UNDONE
from controller.chat.words.text import moment, plain
from controller.domain.access import Principal
from controller.domain.crashes import describe_exit
from controller.domain.journal import Entry, Kind, Result
from controller.manager.history import Event

DETAIL_MAX = 160
_RESULTS = {
    Result.UNKNOWN: "not known whether it happened",
    Result.FAILED: "failed inside BotMaker",
    Result.CUT_SHORT: "cut short by a restart of BotMaker",
}
# What an outcome names, with words for some names and for none.
_NAMED = {
    "names": ("stored {names}", "nothing stored"),
    "changed": ("changed {names}", "nothing changed"),
}


def history_words(events: Sequence[Event], name: str) -> str:
    """What happened to a bot, or to everything if `name` is empty; newest first."""
    head = f"**{name}**" if name else say("**Everything**")
    if not events:
        return say("{head} — nothing else has happened.", head=head)
    return "\n".join(
        [say("{head} — newest first", head=head), *(_line(event, name) for event in events)]
    )


def _line(event: Event, name: str) -> str:
    about = event.entry.bot_name if not name else ""
    where = f"{plain(about, 40)}: " if about else ""
    return f"{moment(event.entry.at)} {where}{_what(event)}"


def who(principal: Principal) -> str:
    """Who it was: the name they had then, and a mention that pings nobody.

    Discord shows only a number for who has left the server.
    """
    name = plain(principal.name, 40)
    if principal.kind == "user" and principal.id.isdecimal():
        return f"{name} <@{principal.id}>".strip()
    return name or "BotMaker"


def _what(event: Event) -> str:
    entry, data = event.entry, event.entry.data
    match entry.kind:
        case Kind.ASKED:
            return f"{who(entry.author.principal)} **{_act(entry)}**{_detail(entry)}: {_end(event)}"
        case Kind.REFUSED:
            refused = say("refused ({reason})", reason=plain(str(data.get("code", "")), 40))
            return f"{who(entry.author.principal)} **{_act(entry)}**: {refused}{_times(entry)}"
        case Kind.CRASH:
            code, oom = data.get("exit_code"), bool(data.get("oom_killed"))
            return say("**crashed**: {how}", how=told(describe_exit(code, oom_killed=oom)))
        case Kind.PROBLEM:
            return say(
                "**gave up**: {message}",
                message=plain(told(str(data.get("message", ""))), DETAIL_MAX),
            )
        case Kind.RELOAD if data.get("ok"):
            return say("**read its replaced secrets**")
        case Kind.RELOAD:
            reason = plain(told(str(data.get("reason", ""))), DETAIL_MAX)
            return say(
                "**couldn't read its replaced secrets** ({reason}), so it restarts", reason=reason
            )
        case Kind.UNCHECKED:
            return say(
                "**config not checked**: {how}",
                how=told(describe_exit(data.get("exit_code"))),
            )
        case Kind.NOTED:
            words = plain(told(str(data.get("words", ""))), DETAIL_MAX)
            return f"**{plain(str(data.get('act', '')), 40)}**: {words}"
        case _:
            return _of_the_container(entry.kind, data)


def _of_the_container(kind: Kind, data: Mapping[str, Any]) -> str:
    match kind:
        case Kind.RENAMED:
            before, after = (plain(str(data.get(key, "")), 40) for key in ("before", "after"))
            return say("**renamed** from {before} to {after}", before=before, after=after)
        case Kind.BY_HAND:
            what = str(data.get("what", ""))
            return say(
                "**{what} outside BotMaker**: {undone}",
                what=plain(told(what), 20),
                undone=say(UNDONE.get(what, "undone")),
            )
        case Kind.TAKEN_BACK:
            why = plain(told(str(data.get("message", ""))), DETAIL_MAX)
            number, to = data.get("number"), data.get("to")
            return say(
                "**release {number} taken back**, release {to} runs again: {why}",
                number=number,
                to=to,
                why=why,
            )
        case Kind.RELEASE:
            return say(
                "**release {number}** ({why})",
                number=data.get("number"),
                why=plain(told(str(data.get("why", ""))), 20),
            )
        case Kind.PROVED:
            return say("**release {number} works**", number=data.get("number"))
        case Kind.SNAPSHOT:
            what = plain(told(str(data.get("what", ""))), 20)
            return say(
                "**snapshot {number}** of its state {what}", number=data.get("number"), what=what
            )
        case Kind.NEW_IMAGE:
            return say("**another image**: {change}", change=_image_change(data))
        case _:
            return _of_the_installation(kind, data)


def _of_the_installation(kind: Kind, data: Mapping[str, Any]) -> str:
    match kind:
        case Kind.WEBHOOK:
            reason = plain(told(str(data.get("reason", ""))), DETAIL_MAX)
            count = data.get("count") or 0
            events = f", {plural(int(count), 'event')}" if count else ""
            what = plain(told(str(data.get("what", ""))), 20)
            return say(
                "webhook {name} **{what}**{events}: {reason}",
                name=plain(str(data.get("name", "")), 40),
                what=what,
                events=events,
                reason=reason,
            )
        case Kind.MISSED | Kind.BATCH:
            return _of_many(kind, data)
        case Kind.ORPHANS:
            removed = plain(", ".join(map(str, data.get("removed") or ())), DETAIL_MAX)
            return say(
                "**removed what belonged to no bot**: {removed}", removed=removed or say("nothing")
            )
        case Kind.HEALTH:
            return say("BotMaker is **{state}**", state=plain(told(str(data.get("state", ""))), 20))
        case Kind.WORKER:
            reason = plain(told(str(data.get("reason", ""))), DETAIL_MAX)
            version = plain(str(data.get("version", "")), 20)
            return say(
                "**Worker {what}** {version} {reason}",
                what=plain(told(str(data.get("what", ""))), 20),
                version=version,
                reason=reason,
            ).strip()
        case Kind.EDGE_WISH:
            action = plain(told(str(data.get("action", ""))), 20)
            return say(
                "**{action}** by the Worker: {result}",
                action=action,
                result=plain(told(str(data.get("result", ""))), 20),
            )
        case Kind.RESTORED:
            made = moment(float(data.get("made_at", 0.0)))
            return say("**restored** from the backup of {made}", made=made)
        case _:
            return f"**{kind.value}**"


def _of_many(kind: Kind, data: Mapping[str, Any]) -> str:
    """Runs of a schedule that weren't made, and acts on many bots."""
    if kind is Kind.MISSED:
        runs = plural(int(data.get("times") or 0), "run")
        due = moment(float(data.get("due") or 0.0))
        chore = plain(told(str(data.get("chore", ""))), 20)
        return say(
            "**missed {runs}** of schedule {schedule} ({chore}), the last {due}",
            runs=runs,
            schedule=data.get("schedule"),
            chore=chore,
            due=due,
        )
    failed = data.get("failed")
    names = [str(one) for one in failed] if isinstance(failed, list) else []
    words = say(
        "**{verb} of many**: {done} done",
        verb=plain(told(str(data.get("verb", ""))), 20),
        done=data.get("done"),
    )
    if names:
        words += say(
            ", {count} failed ({names})",
            count=len(names),
            names=plain(", ".join(names), DETAIL_MAX),
        )
    return words + (
        say(", {left_out} left out", left_out=data["left_out"]) if data.get("left_out") else ""
    )


def _image_change(data: Mapping[str, Any]) -> str:
    """By the names where they differ, else by the ids of a name that means another image now."""
    before, after = str(data.get("ref_before", "")), str(data.get("ref_after", ""))
    if before != after:
        return f"`{before[:100] or '?'}` → `{after[:100]}`"
    ids = (str(data[key]).rpartition(":")[2][:12] for key in ("before", "after"))
    return f"`{after[:100]}` " + " → ".join(f"`{one}`" for one in ids)


def _times(entry: Entry) -> str:
    """How often more, where repeated refusals were counted."""
    times = entry.data.get("times")
    if not isinstance(times, int):
        return ""
    bots = entry.data.get("bots")
    names = plain(", ".join(map(str, bots)), DETAIL_MAX) if isinstance(bots, list) else ""
    return say(", {times} within ten minutes", times=plural(times, "more time")) + (
        f" ({names})" if names else ""
    )


def _act(entry: Entry) -> str:
    """`start`, `do status`: the act without its group, which the bot's name replaces."""
    act = str(entry.data.get("act", ""))
    short = command(act.replace(".", " "))[1:].removeprefix("bot ")
    action = entry.data.get("action", "")
    return plain(f"{short} {action}".strip(), 60)


def _detail(entry: Entry) -> str:
    data = entry.data
    if "token" in data:
        level = plain(told(str(data.get("level", ""))), 20)
        return f" ({plain(str(data.get('name', '')), 40)}{f', {level}' if level else ''})"
    if "webhook" in data:
        return f" ({plain(str(data.get('name', '')), 40)}, {plain(str(data.get('host', '')), 60)})"
    if "role" in data:
        return say(
            " ({role} to {subject})",
            role=plain(told(str(data["role"])), 20),
            subject=_subject(entry),
        )
    if "whom" in data:
        return say(" (from {subject})", subject=_subject(entry))
    if "schedule" in data:
        return say(" (schedule {schedule})", schedule=data["schedule"])
    detail = str(data.get("detail", ""))
    return f" ({plain(detail, 80)})" if detail else ""


def _subject(entry: Entry) -> str:
    subject = str(entry.data.get("subject", ""))
    mark = "@&" if entry.data.get("whom") == "role" else "@"
    return f"<{mark}{subject}>" if subject.isdecimal() else plain(subject, 40)


def _end(event: Event) -> str:
    if event.outcome is None:
        return say("not finished")
    data = event.outcome.data
    result = str(data.get("result", Result.DONE.value))
    if result == Result.REFUSED.value:
        return say("refused ({reason})", reason=plain(str(data.get("code", "")), 40))
    if result != Result.DONE.value:
        return say(_RESULTS.get(Result(result), result))
    return _done(data) or say("done")


def _done(data: dict[str, object] | object) -> str:
    found = dict(data) if isinstance(data, dict) else {}
    if "delivered" in found:
        why = plain(told(str(found.get("reason", ""))), DETAIL_MAX)
        return say("delivered") if found["delivered"] else say("not delivered: {why}", why=why)
    if "problem" in found:
        phase = told(str(found.get("phase")))
        return f"{phase}: {plain(told(str(found['problem'])), DETAIL_MAX)}"
    if "phase" in found:
        return say("removed") if found["phase"] == "gone" else told(str(found["phase"]))
    for key, (some, none) in _NAMED.items():
        if key in found:
            names = ", ".join(map(str, found[key])) if isinstance(found[key], list) else ""
            return say(some, names=plain(names, DETAIL_MAX)) if names else say(none)
    if "schedule" in found:
        return say("schedule {schedule}", schedule=found["schedule"])
    if "exit_code" in found:
        return say("exit {exit_code}", exit_code=found["exit_code"])
    return plain(told(str(found.get("words", ""))), DETAIL_MAX)
