"""What people read about bots: pure functions from views to words. Sizes are held by `text`."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from controller.chat.words.text import (
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
from controller.manager.actions import ActionResult
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

_OF_A_CRASH = {"fatal-exit", "exited", "crash-loop"}  # problems whose reason is the last crash
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


def reasons(view: View, memory: int = 0) -> list[str]:
    """Why it is not simply running: the problem, a crash, a failing check, its own log, a pause.

    `memory` is its limit in bytes, for the words about a lack of it; 0 where it is not known.
    """
    found = _ended(view, memory) if view.bot.wish is Wish.RUN else []
    container = view.world.container
    if container is not None and container.state is ContainerState.PAUSED:
        found.append("Its container is paused.")
    if container is not None and container.health is Health.UNHEALTHY:
        said = plain(container.probe_output) or "it said nothing"
        found.append(f"Its health check fails: {said}")
    if view.phase is Phase.UNHEALTHY and container and container.health is Health.STARTING:
        found.append("It runs, but its health check did not succeed in the time it is given.")
    found += [plain(words) for words in view.world.degraded]
    if view.world.missing and view.phase is not Phase.CREATED:
        found.append(f"Secrets missing or not usable: {', '.join(view.world.missing)}.")
    return [*found, *view.world.faults]  # our own words about our own files, with markup


def _ended(view: View, memory: int) -> list[str]:
    """Why its last run ended, and what to do, as far as nobody wished for that."""
    crash, problem = view.last_crash, view.bot.problem
    short_of_memory = crash is not None and crash.oom_killed
    if problem is not None and short_of_memory and problem.code in _OF_A_CRASH:
        return [plain(problem.message), f"{_lacking(memory)} Then press Restart."]
    if problem is not None:
        return [plain(words) for words in (problem.message, problem.hint) if words]
    count = len(recent(view.crashes, time.time()))
    if crash is None or not count:
        return []
    what = describe_exit(crash.exit_code, oom_killed=crash.oom_killed)
    times = plural(count, "crash", "crashes")
    found = [f"Crashed {moment(crash.at)} ({what}); {times} in ten minutes."]
    return [*found, _lacking(memory)] if short_of_memory else found


def _lacking(memory: int) -> str:
    limit = f" (limit {_size(memory)})" if memory else ""
    return (
        f"It was killed for lack of memory{limit}: "
        "give it more in its template, `run.resources.memory`."
    )


def _size(count: int) -> str:
    """A size in bytes as templates put it: `256 MiB`, `2 GiB`."""
    gib = 1024**3
    return f"{count // gib} GiB" if count % gib == 0 else f"{round(count / 1024**2)} MiB"


def exposure(names: Sequence[str]) -> str:
    """The warning about secrets that are in the environment of a bot's process; none for none."""
    if not names:
        return ""
    return (
        f"⚠️ This bot gets {plain(', '.join(names), 200)} as environment variables of its process: "
        "its program can only read them there. Whatever runs in its container can read them too, "
        "and so can root on the host."
    )


def doubts(needs: Sequence[tuple[str, str]]) -> str:
    """What the bot's first start will have to find in its image: titles, and what to do without."""
    return "\n".join(
        f"⚠️ {plain(title, 60)} needs a part that not every image has. This image is not on the "
        f"machine yet, so whether it has it shows at the first start. {plain(hint, 400)}"
        for title, hint in needs
    )


def card(view: View, engine: EngineState, memory: int = 0) -> str:
    """The public message about a bot."""
    lines = [headline(view), f"{made_of(view.bot)} · since {moment(view.since)}"]
    lines += reasons(view, memory)
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
    return f"\n⚠️ The engine does not answer: {_why(engine)} These are the last known states."


def _why(engine: EngineState) -> str:
    """The reason as one sentence, however it ends."""
    return plain(engine.reason).rstrip(". ") + "."


def show(
    view: View,
    engine: EngineState,
    secrets: Mapping[str, str],
    *,
    memory: int = 0,
    warning: str = "",
) -> str:
    """Everything about one bot. `secrets` are fingerprints by name, `warning` is said aloud."""
    bot, container = view.bot, view.world.container
    lines = [headline(view), made_of(bot), f"since {moment(view.since)}", *reasons(view, memory)]
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
    if warning:
        lines.append(warning)
    lines.append(f"id `{bot.id}`, made {moment(bot.created_at)} by <@{bot.created_by}>")
    return ("\n".join(lines) + engine_note(engine))[:MESSAGE_MAX]


def outcome(view: View | None, name: str, doing: str, engine: EngineState, memory: int = 0) -> str:
    """How an action stands: ended, or still on its way."""
    if view is None:
        return f"🗑️ **{name}** — removed. Nothing is left of it."
    renewing = view.bot.wish is Wish.RUN and view.bot.ended_run
    if not view.phase.settled or renewing:
        text = f"{SIGNS[view.phase]} **{name}** — {doing}. Its public message follows it."
        return text + engine_note(engine)
    text = "\n".join([headline(view), *reasons(view, memory)])
    return (text + engine_note(engine))[:MESSAGE_MAX]


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


def fleet_status(
    fleet: Fleet,
    views: Sequence[View],
    started_at: float,
    version: str,
    memory: Callable[[Bot], int] = lambda _: 0,
) -> str:
    """The fleet in a few lines, the bots that need somebody named."""
    engine = fleet.engine
    answers = "answers." if engine.reachable else f"does not answer: {_why(engine)}"
    lines = [
        f"BotMaker {version}, up since {moment(started_at)}; the engine {answers}",
        counts(views),
    ]
    for view in [view for view in views if view.phase.bad][:8]:
        why = " ".join(reasons(view, memory(view.bot)))
        lines.append(f"{headline(view)}: {why or 'see its log'}")
    return "\n".join(lines)[:MESSAGE_MAX]


def result_head(done: ActionResult, name: str) -> str:
    """How an action ended, without what it printed."""
    sign, code = ("❌", f" (exit {done.exit_code})") if done.exit_code else ("✅", "")
    return f"{sign} **{name}** — {plain(done.title)}{code}"


def result(done: ActionResult, name: str) -> tuple[str, bool]:
    """What an action did, as a message, and whether all of its output fitted."""
    head = result_head(done, name)
    if not done.text.strip():
        return f"{head}\nIt said nothing.", True
    kept, fits = newest_fitting(done.text.split("\n"), MESSAGE_MAX - len(head) - 60)
    if not fits:
        head += "; the end of what it said, all of it in the file"
    return head + "\n" + code_block("\n".join(kept)), fits
