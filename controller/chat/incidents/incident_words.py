"""An incident in words: what, since when, why, the log's last lines, and what changed before it."""

from __future__ import annotations

import math
from collections.abc import Sequence

from controller.chat.languages import plural, say, told
from controller.chat.words.bot_words import UNDONE
from controller.chat.words.limits import MESSAGE_MAX
from controller.chat.words.text import code_block, fitted, moment, newest_fitting, plain
from controller.domain.announcing import Alert, hours_words
from controller.domain.crashes import describe_exit
from controller.domain.incident import Change, Ending, Incident, Trouble, telling_line
from controller.domain.journal import Kind

QUOTE_MAX = 300  # characters
CHANGE_MAX = 120
TAIL_LEAST = 60  # characters of log that are worth showing
PINGS_MOST = 20  # that are named; all of them are pinged
_WRONG = {
    Trouble.CRASHED: "crashed",
    Trouble.LOOPING: "keeps crashing",
    Trouble.DOWN: "is down: BotMaker gave up",
    Trouble.HELD_UP: "can't start",
    Trouble.UNHEALTHY: "isn't healthy",
    Trouble.DEGRADED: "runs, but can't do its work",
    Trouble.BY_HAND: "was {what} outside BotMaker",
}
_WRONG_HERE = {
    Trouble.ENGINE: "Docker stopped answering",
    Trouble.DISK: "The disk is nearly full",
    Trouble.SECRETS: "Secrets are due to be replaced",
    Trouble.BACKUP: "The scheduled backup wasn't made",
}
_WELL_HERE = {
    Trouble.ENGINE: "Docker answers again",
    Trouble.DISK: "The disk has room again",
    Trouble.SECRETS: "The secrets were replaced",
    Trouble.BACKUP: "Backups are made again",
}
_WILL = {
    Trouble.CRASHED: "Docker starts it again by itself.",
    Trouble.LOOPING: "Docker starts it again, ever later. After 5 crashes in ten minutes BotMaker "
    "stops it.",
    Trouble.HELD_UP: "BotMaker tries again by itself, ever later.",
    Trouble.DOWN: "It stays down until somebody presses Restart.",
    Trouble.UNHEALTHY: "It runs on. Restart it if it doesn't recover.",
    Trouble.ENGINE: "The cards show the last known states. What you ask for is done when Docker is "
    "back.",
    Trouble.DISK: "Make room: a full disk stops BotMaker from writing anything down.",
    Trouble.BACKUP: "BotMaker tries again by itself.",
    Trouble.SECRETS: "Replace them with `/bot secrets`.",
}
_CHANGES = {
    Kind.SETTINGS.value: "settings changed",
    Kind.SECRETS.value: "secrets entered",
    Kind.NEW_IMAGE.value: "image changed",
}


def incident_words(incident: Incident, shown_to: str = "") -> str:
    """What its message says. `shown_to`: the mentions of whom it pings."""
    lines = [_headline(incident), _facts(incident)]
    if incident.is_over:
        return fitted("\n".join(line for line in lines if line))
    details = incident.details
    quote = details.cause or telling_line(details.tail)
    if quote:
        lines.append(f"> {plain(told(quote), QUOTE_MAX)}")
    if details.hint:
        lines.append(plain(told(details.hint), QUOTE_MAX))
    lines += _before(incident.changes)
    after = [line for line in (_now(incident), _quiet(incident), shown_to) if line]
    text = "\n".join(line for line in lines if line)
    end = "\n".join(after)
    room = MESSAGE_MAX - len(text) - len(end) - 2
    if details.tail and room >= TAIL_LEAST:
        kept, _ = newest_fitting(details.tail, room)
        text += "\n" + code_block("\n".join(kept))
    return fitted(f"{text}\n{end}".rstrip())


def one_line(incident: Incident) -> str:
    """An incident in a list."""
    return f"{_headline(incident)} · {_facts(incident)}"


def _headline(incident: Incident) -> str:
    name = plain(incident.bot_name, 40)
    if incident.is_over:
        lasted = duration(incident.over_at - incident.opened_at)
        if not incident.bot_id:
            return say(
                "✅ **{well_here}**, after {lasted}",
                well_here=say(_WELL_HERE[incident.trouble]),
                lasted=lasted,
            )
        match incident.ending:
            case Ending.STOPPED:
                return say(
                    "⚫ **{name} was stopped**, {lasted} after it went wrong",
                    name=name,
                    lasted=lasted,
                )
            case Ending.REMOVED:
                return say(
                    "🗑️ **{name} was deleted**, {lasted} after it went wrong",
                    name=name,
                    lasted=lasted,
                )
            case _:
                return say("✅ **{name} recovered** after {lasted}", name=name, lasted=lasted)
    if not incident.bot_id:
        return f"⚠️ **{say(_WRONG_HERE[incident.trouble])}** {moment(incident.opened_at)}"
    wrong = say(_WRONG[incident.trouble], what=told(incident.details.what or "stopped"))
    sign = "🔴" if incident.trouble in {Trouble.DOWN, Trouble.LOOPING, Trouble.CRASHED} else "🟠"
    return f"{sign} **{name} {wrong}**"


def _facts(incident: Incident) -> str:
    """When, how often, and how its program ended."""
    details, found = incident.details, []
    if incident.bot_id and not incident.is_over:
        found.append(say("since {when}", when=moment(incident.opened_at)))
    if incident.is_over and incident.bot_id:
        found.append(say("began {when}", when=f"<t:{int(incident.opened_at)}:f>"))
    if incident.crashes > 1:
        found.append(plural(incident.crashes, "crash", "crashes"))
    if incident.returns:
        found.append(say("came back {times}", times=plural(incident.returns, "time")))
    if details.ended:
        found.append(_exit(incident))
    if details.bots and not incident.is_over:
        found.append(
            say("{bots} can't be looked after meanwhile", bots=plural(details.bots, "bot"))
        )
    return " · ".join(found)


def _exit(incident: Incident) -> str:
    details = incident.details
    what = told(describe_exit(details.exit_code, oom_killed=details.oom_killed))
    if not details.oom_killed:
        return what
    limit = (
        say(" (limit {memory} MiB)", memory=round(details.memory / 1024**2))
        if details.memory
        else ""
    )
    return say(
        "{what}{limit}: give it more in its template, `run.resources.memory`",
        what=what,
        limit=limit,
    )


def _before(changes: Sequence[Change]) -> list[str]:
    if not changes:
        return []
    return [say("Before it: {changes}.", changes="; ".join(map(_change, changes)))]


def _change(change: Change) -> str:
    what = f" ({plain(change.what, CHANGE_MAX)})" if change.what else ""
    by = f"<@{change.by_id}>" if change.by_id.isdecimal() else plain(change.by, 40)
    return say(
        "{change}{what} {when} by {by}",
        change=say(_CHANGES.get(change.kind, change.kind)),
        what=what,
        when=moment(change.at),
        by=by or "?",
    )


def _now(incident: Incident) -> str:
    """What happens next by itself, or what somebody has to do."""
    if incident.well_since and incident.bot_id:
        undone = UNDONE.get(incident.details.what, "")
        ran = say("It runs again")
        if incident.trouble is Trouble.BY_HAND and undone and incident.details.what != "renamed":
            ran = say("It was {undone}", undone=say(undone))
        return say(
            "🟡 {ran}, {when}; it's being watched.", ran=ran, when=moment(incident.well_since)
        )
    return say(_WILL.get(incident.trouble, ""))


def _quiet(incident: Incident) -> str:
    if incident.muted_until == math.inf:
        return say("🔕 Muted until it's over.")
    if incident.acknowledged_at:
        return say(
            "👀 {acknowledged_by} looks after it.",
            acknowledged_by=plain(incident.acknowledged_by, 40),
        )
    if incident.muted_until:
        return say("🔕 Muted until {when}.", when=f"<t:{int(incident.muted_until)}:t>")
    return ""


def mentions(whom: frozenset[str]) -> str:
    """The mentions of these people and roles, as incidents remember them."""
    return " ".join(map(_mention, sorted(whom)[:PINGS_MOST]))


def _mention(whom: str) -> str:
    kind, _, subject = whom.partition(":")
    return f"<@&{subject}>" if kind == "role" else f"<@{subject}>"


def duration(seconds: float) -> str:
    """`12 seconds`, `3 minutes`, `2 hours 5 minutes`, `3 days`."""
    whole = max(1, round(seconds))
    if whole < 120:
        return plural(whole, "second")
    minutes = round(whole / 60)
    if minutes < 120:
        return plural(minutes, "minute")
    hours, rest = divmod(minutes, 60)
    if hours >= 48:
        return plural(round(hours / 24), "day")
    return plural(hours, "hour") + (f" {plural(rest, 'minute')}" if rest else "")


def alert_line(alert: Alert, bot_name: str) -> str:
    """Who is pinged, for what, and when not."""
    about = (
        say("for **{bot_name}**", bot_name=plain(bot_name, 40))
        if bot_name
        else say("for every bot and for BotMaker")
    )
    hours = hours_words(alert)
    return f"{_mention(alert.whom)} {about}" + (
        say(", not at {hours}", hours=hours) if hours else ""
    )
