"""What people read about bots: pure functions from views to words. Sizes are held by `text`."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence

from controller.chat.text import (
    MESSAGE_MAX,
    code_block,
    moment,
    newest_fitting,
    plain,
    plural,
)
from controller.domain.bot import Bot, Wish
from controller.domain.crashes import describe_exit, recent
from controller.domain.events import LogLine
from controller.domain.observation import ContainerState, Health
from controller.domain.phase import Phase
from controller.manager.fleet import EngineState, Fleet, View
from controller.manager.logbook import Snippet
from controller.store import Entry

SIGNS = {
    Phase.CREATED: "⚪",
    Phase.STARTING: "🟡",
    Phase.RUNNING: "🟢",
    Phase.UNHEALTHY: "🟠",
    Phase.CRASH_LOOPING: "🔴",
    Phase.STOPPING: "🟡",
    Phase.STOPPED: "⚫",
    Phase.ERROR: "🔴",
    Phase.REMOVING: "🟡",
}
_WORST_FIRST = [
    Phase.ERROR,
    Phase.CRASH_LOOPING,
    Phase.UNHEALTHY,
    Phase.STARTING,
    Phase.STOPPING,
    Phase.REMOVING,
    Phase.CREATED,
    Phase.STOPPED,
    Phase.RUNNING,
]

_TAIL_ROOM = 60  # characters; in less than that a log's last lines say nothing


def phase_word(phase: Phase) -> str:
    """The phase, with what it waits for where the word alone would not say."""
    return "created (waiting for secrets)" if phase is Phase.CREATED else phase.value


def headline(view: View) -> str:
    """A bot in one line."""
    return f"{SIGNS[view.phase]} **{view.bot.name}** — {phase_word(view.phase)}"


def made_of(bot: Bot) -> str:
    """What the bot is made of: template, provider and model, channel."""
    model = f"{bot.provider}/{bot.model}" if bot.model else bot.provider
    parts = [bot.template, plain(model), bot.channel]
    return " · ".join(part for part in parts if part)


def reasons(view: View) -> list[str]:
    """Why it is not simply running: the problem, a crash, a failing check, a pause."""
    found: list[str] = []
    container, problem = view.world.container, view.bot.problem
    if problem is not None and view.bot.wish is Wish.RUN:
        found.append(plain(problem.message))
        if problem.hint:
            found.append(plain(problem.hint))
    elif view.last_crash is not None and view.bot.wish is Wish.RUN:
        crash = view.last_crash
        count = len(recent(view.crashes, time.time()))
        if count:
            what = describe_exit(crash.exit_code, oom_killed=crash.oom_killed)
            times = plural(count, "crash", "crashes")
            found.append(f"Crashed {moment(crash.at)} ({what}); {times} in ten minutes.")
    if container is not None and container.state is ContainerState.PAUSED:
        found.append("Its container is paused.")
    if container is not None and container.health is Health.UNHEALTHY:
        said = plain(container.probe_output) or "it said nothing"
        found.append(f"Its health check fails: {said}")
    if view.phase is Phase.UNHEALTHY and container and container.health is Health.STARTING:
        found.append("It runs, but its health check did not succeed in the time it is given.")
    if view.world.missing and view.phase is not Phase.CREATED:
        found.append(f"Secrets missing or not usable: {', '.join(view.world.missing)}.")
    return found


def card(view: View, engine: EngineState) -> str:
    """The public message about a bot."""
    lines = [headline(view), f"{made_of(view.bot)} · since {moment(view.since)}"]
    lines += reasons(view)
    if not engine.reachable and engine.since:
        lines.append(
            f"⚠️ The engine does not answer since {moment(engine.since)}; last known state."
        )
    text = "\n".join(lines)
    room = MESSAGE_MAX - len(text) - 1
    if view.tail and view.phase.bad and room >= _TAIL_ROOM:
        kept, _ = newest_fitting(view.tail, room)
        text += "\n" + code_block("\n".join(kept))
    return text[:MESSAGE_MAX]


def removed_card(title: str) -> str:
    """The last words about a bot."""
    return f"🗑️ **{title}** — removed. Nothing is left of it; revoke its keys at their providers."


def listing(views: Sequence[View], engine: EngineState) -> tuple[str, str | None]:
    """The list of bots: a message, and the whole list for a file where it does not fit."""
    if not views:
        return "There are no bots yet. `/bot create` makes the first one.", None
    ordered = sorted(views, key=lambda v: (_WORST_FIRST.index(v.phase), v.bot.name))
    lines = [f"{headline(v)} · {made_of(v.bot)} · {moment(v.since)}" for v in ordered]
    head = counts(views) + engine_note(engine)
    kept: list[str] = []
    room = MESSAGE_MAX - len(head) - 60
    for line in lines:
        if len(line) + 1 > room:
            break
        kept.append(line)
        room -= len(line) + 1
    text = "\n".join([head, *kept])
    if len(kept) == len(lines):
        return text, None
    text += f"\n… and {len(lines) - len(kept)} more: see the file."
    table = [f"{v.bot.name}\t{v.phase.value}\t{v.bot.template}\t{v.bot.model}" for v in ordered]
    return text, "\n".join(["name\tphase\ttemplate\tmodel", *table]) + "\n"


def counts(views: Sequence[View]) -> str:
    """`3 bots: 1 error, 2 running`."""
    found = Counter(view.phase for view in views)
    parts = [f"{found[phase]} {phase.value}" for phase in _WORST_FIRST if found[phase]]
    return f"{plural(len(views), 'bot')}: {', '.join(parts)}" if parts else "no bots"


def engine_note(engine: EngineState) -> str:
    """A warning when the engine does not answer, else nothing."""
    if engine.reachable:
        return ""
    return (
        f"\n⚠️ The engine does not answer: {plain(engine.reason)}. These are the last known states."
    )


def show(view: View, engine: EngineState, secrets: Mapping[str, str]) -> str:
    """Everything about one bot. `secrets` are fingerprints by name."""
    bot, container = view.bot, view.world.container
    lines = [headline(view), made_of(bot), f"since {moment(view.since)}", *reasons(view)]
    if container is not None:
        health = "" if container.health is Health.NONE else f", {container.health.value}"
        restarts = plural(container.restart_count, "restart")
        lines.append(
            f"container `{container.container_id[:12]}` {container.state.value}{health}, {restarts}"
        )
    if bot.image:
        lines.append(f"image `{bot.image[:32]}`")
    for name, value in bot.fields.items():
        lines.append(f"{name}: {plain(value, 100)}")
    prints = [f"{name} `{value}`" for name, value in sorted(secrets.items())]
    prints += [f"{name} missing" for name in view.world.missing if name not in secrets]
    if prints:
        lines.append("secrets (fingerprints): " + ", ".join(prints))
    lines.append(f"id `{bot.id}`, made {moment(bot.created_at)} by <@{bot.created_by}>")
    return ("\n".join(lines) + engine_note(engine))[:MESSAGE_MAX]


def outcome(view: View | None, name: str, doing: str, engine: EngineState) -> str:
    """How an action stands: ended, or still on its way."""
    if view is None:
        return f"🗑️ **{name}** — removed. Nothing is left of it."
    renewing = view.bot.wish is Wish.RUN and view.bot.ended_run
    if not view.phase.settled or renewing:
        text = f"{SIGNS[view.phase]} **{name}** — {doing}. Its public message follows it."
        return text + engine_note(engine)
    return ("\n".join([headline(view), *reasons(view)]) + engine_note(engine))[:MESSAGE_MAX]


def log_line(line: LogLine) -> str:
    """One log line for a code block; what came on stderr is marked."""
    mark = "! " if line.stream == "stderr" else "  "
    return time.strftime("%H:%M:%S ", time.gmtime(line.at)) + mark + line.text


def log_snippet(snippet: Snippet) -> tuple[str, bool]:
    """A snippet as a message, and whether all of it fitted."""
    name = snippet.bot.name
    if not snippet.lines:
        asked = snippet.query.grep or snippet.query.since
        if snippet.query.until:
            return f"**{name}** — Nothing older.", True
        nothing = "No line fits." if asked else "Its log is empty."
        return f"**{name}** — {nothing}", True
    head = f"**{name}** — {plural(len(snippet.lines), 'line')}, times in UTC, `!` is stderr"
    kept, fits = newest_fitting(
        [log_line(line) for line in snippet.lines], MESSAGE_MAX - len(head) - 60
    )
    if not fits:
        head += f"; the newest {len(kept)} here"
    return head + "\n" + code_block("\n".join(kept)), fits


def history(entries: Sequence[Entry], name: str) -> str:
    """Who asked what of a bot, newest first."""
    if not entries:
        return f"**{name}** — nothing happened yet."
    lines = [f"**{name}** — newest first"]
    for entry in entries:
        who = f"<@{entry.user_id}>" if entry.user_id else "BotMaker"
        detail = f" ({plain(entry.detail, 80)})" if entry.detail else ""
        ended = plain(entry.outcome, 160) if entry.outcome else "no end was noted"
        line = f"{moment(entry.at)} {who} **{entry.action}**{detail}: {ended}"
        if sum(len(item) + 1 for item in lines) + len(line) > MESSAGE_MAX:
            break
        lines.append(line)
    return "\n".join(lines)


def fleet_status(fleet: Fleet, views: Sequence[View], started_at: float, version: str) -> str:
    """The fleet in a few lines, the bots that need somebody named."""
    engine = fleet.engine
    answers = "answers" if engine.reachable else f"does not answer: {plain(engine.reason)}"
    lines = [
        f"BotMaker {version}, up since {moment(started_at)}; the engine {answers}.",
        counts(views),
    ]
    bad = [view for view in views if view.phase.bad]
    lines += [f"{headline(view)}: {' '.join(reasons(view)) or 'see its log'}" for view in bad[:8]]
    return "\n".join(lines)[:MESSAGE_MAX]
