"""Bots in words: pure functions from a view to what people read about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto

from controller.chat.languages import number, plural, say, told
from controller.chat.words.text import fitted, moment, plain
from controller.domain.bot import Bot, Problem, Wish
from controller.domain.crashes import GIVE_UP_AT, describe_exit, recent
from controller.domain.observation import ContainerState, Health, Observation
from controller.domain.phase import Phase
from controller.fleet.views import EngineState, View

_PRINTS_A_LINE = 8
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
_SINCE = {
    Phase.CREATED: "created {when}",
    Phase.RUNNING: "started {when}",
    Phase.STOPPED: "stopped {when}",
}
# What people do to a container past BotMaker.
_BY_HAND = {
    "stopped": "Stopped outside BotMaker {when}",
    "paused": "Paused outside BotMaker {when}",
    "removed": "Removed outside BotMaker {when}",
    "renamed": "Renamed outside BotMaker {when}",
}
# What is done about what people do to a container past BotMaker.
UNDONE = {
    "stopped": "started again",
    "paused": "continued",
    "removed": "created again",
    "renamed": "has its own name again",
}
_ALIVE = {Phase.STARTING, Phase.RUNNING, Phase.UNHEALTHY}
_OF_A_CRASH = {"fatal-exit", "exited", "crash-loop"}  # problems that the last crash explains
_CONFIG_ERROR = 78  # the exit code for it


class Fix(Enum):
    """What mends a cause, beside what the phase offers anyway."""

    NONE = auto()
    SETTINGS = auto()
    SECRETS = auto()
    ROLL_BACK = auto()


@dataclass(frozen=True, slots=True)
class Cause:
    """Why a bot isn't simply running, in words, and what mends it."""

    words: str
    fix: Fix = Fix.NONE


def headline(view: View) -> str:
    """A bot in one line."""
    return f"{SIGNS[view.phase]} **{view.bot.name}** — {_phase_words(view)}"


def _phase_words(view: View) -> str:
    problem = view.bot.problem
    if view.phase is Phase.CREATED:
        return say("created (waiting for secrets)")
    if view.phase is Phase.ERROR and problem is not None and problem.code == "crash-loop":
        count = len(recent(view.crashes, problem.at)) or GIVE_UP_AT
        return say("gave up after {crashes}", crashes=plural(count, "crash", "crashes"))
    return told(view.phase.value)


def made_of(bot: Bot) -> str:
    """The bot's template, its provider and model, and its channel."""
    model = f"{bot.provider}/{bot.model}" if bot.model else bot.provider
    parts = [bot.template, plain(model), bot.channel]
    return " · ".join(part for part in parts if part)


def since(view: View) -> str:
    """`started 3 minutes ago`: when the bot got into its phase; when running, its last start."""
    container = view.world.container
    started = container.started if container and view.phase is Phase.RUNNING else 0.0
    when = moment(started or view.since)
    return say(_SINCE.get(view.phase, "changed {when}"), when=when)


def reasons(view: View, memory: int = 0, *, now: float) -> list[str]:
    """The causes in words alone."""
    return [cause.words for cause in causes(view, memory, now=now)]


def causes(view: View, memory: int = 0, *, now: float) -> list[Cause]:
    """Why the bot isn't simply running: a problem, a crash, a failing check, its own log, a pause.

    `memory` is the bot's limit in bytes, for a lack of it; 0 if unknown. `now` is the engine's
    time, as that of the crashes is.
    """
    found = _ended(view, memory, now) if view.bot.wish is Wish.RUN else []
    if view.bot.setback is not None:
        found.append(Cause(plain(told(view.bot.setback.message))))
    if view.world.previous is not None and view.bot.candidate:
        trying = say(
            "Trying release {candidate}; if it fails, the one before comes back.",
            candidate=view.bot.candidate,
        )
        found.append(Cause(trying))
    if view.bot.restoring and view.bot.problem is None:
        found.append(
            Cause(
                say(
                    "Its state is being replaced by snapshot {restoring}.",
                    restoring=view.bot.restoring,
                )
            )
        )
    if view.world.container is not None:
        found += map(Cause, _of_container(view, view.world.container))
    found += [Cause(plain(told(words))) for words in view.world.degraded]
    if view.world.missing and view.phase is not Phase.CREATED:
        words = say(
            "Secrets missing or not usable: {missing}.", missing=", ".join(view.world.missing)
        )
        found.append(Cause(words, Fix.SECRETS))
    found += [
        Cause(told(words)) for words in view.world.faults
    ]  # our own words about our own files, with markup
    if view.flood:
        words = say(
            "Its log is flooded: about {flood} lines a second. Older lines get lost.",
            flood=number(view.flood),
        )
        found.append(Cause(words))
    if view.held_up:
        found.append(
            Cause(say("Held up, and tried again: {held_up}", held_up=plain(told(view.held_up))))
        )
    said = [cause.words for cause in found]
    return [*found, *map(Cause, [*_refused_start(view, said), *_by_hand(view)])]


def _by_hand(view: View) -> list[str]:
    """What somebody did past BotMaker; that it's undone is said only while the bot does run."""
    if view.by_hand is None or view.bot.wish is not Wish.RUN:
        return []
    what, at = view.by_hand.what, view.by_hand.at
    undone = f"; {say(UNDONE[what])}" if view.phase in _ALIVE else ""
    return [say(_BY_HAND[what], when=moment(at)) + undone + "."]


def _of_container(view: View, container: Observation) -> list[str]:
    found = []
    if container.state is ContainerState.PAUSED:
        found.append(say("Its container is paused."))
    if container.health is Health.UNHEALTHY:
        said = plain(container.probe_output) or say("it printed nothing")
        found.append(say("Its health check fails: {said}", said=said))
    if view.phase is Phase.UNHEALTHY and container.health is Health.STARTING:
        found.append(say("It runs, but its health check hasn't succeeded in the time allowed."))
    return found


def _refused_start(view: View, found: Sequence[str]) -> list[str]:
    """The engine's own reason for a start that failed, unless something in `found` gives it."""
    container = view.world.container
    if container is None or view.bot.wish is not Wish.RUN or view.phase is Phase.RUNNING:
        return []
    said = plain(told(container.error))
    if not said or any(said.rstrip(".…") in reason for reason in found):
        return []
    return [say("Docker couldn't start it: {said}", said=said)]


def _ended(view: View, memory: int, now: float) -> list[Cause]:
    """Why its last run ended though nobody asked for that, and what to do."""
    crash, problem = view.last_crash, view.bot.problem
    short_of_memory = crash is not None and crash.oom_killed
    if problem is not None:
        hint = problem.hint
        if short_of_memory and problem.code in _OF_A_CRASH:
            return [Cause(plain(told(problem.message))), Cause(_lacking(memory))]
        fix = _fix_of(view, problem)
        return [
            Cause(plain(told(words)), fix if at == 0 else Fix.NONE)
            for at, words in enumerate((problem.message, hint))
            if words
        ]
    count = len(recent(view.crashes, now))
    if crash is None or not count:
        return []
    what = told(describe_exit(crash.exit_code, oom_killed=crash.oom_killed))
    times = plural(count, "crash", "crashes")
    fix = _going_back(view) if view.phase is Phase.CRASH_LOOPING else Fix.NONE
    found = [
        Cause(
            say(
                "Crashed {when} ({what}); {times} in ten minutes.",
                when=moment(crash.at),
                what=what,
                times=times,
            ),
            fix,
        )
    ]
    return [*found, Cause(_lacking(memory))] if short_of_memory else found


def _fix_of(view: View, problem: Problem) -> Fix:
    """What mends a problem; trying again is offered anyway."""
    crash = view.last_crash
    ended = problem.code in _OF_A_CRASH
    if problem.code == "config-refused":
        return Fix.SETTINGS
    if ended and crash is not None and crash.exit_code == _CONFIG_ERROR:
        return Fix.SETTINGS
    return _going_back(view) if ended else Fix.NONE


def _going_back(view: View) -> Fix:
    """Roll back, if there may be a release to go back to."""
    return Fix.ROLL_BACK if view.bot.release > 1 else Fix.NONE


def _lacking(memory: int) -> str:
    limit = say(" (limit {size})", size=_size(memory)) if memory else ""
    return say(
        "It was killed for lack of memory{limit}: give it more with `/bot edit`, option `memory`.",
        limit=limit,
    )


def _size(count: int) -> str:
    """A size in bytes as templates write it: `256 MiB`, `2 GiB`."""
    gib = 1024**3
    return f"{count // gib} GiB" if count % gib == 0 else f"{round(count / 1024**2)} MiB"


def exposure(names: Sequence[str]) -> str:
    """The warning about secrets in the environment of a bot's process; empty if there are none."""
    if not names:
        return ""
    return say(
        "⚠️ This bot gets {names} as environment variables of its process: its "
        "program can only read them there. Anything that runs in its container can "
        "read them too, and so can root on the host.",
        names=plain(", ".join(map(told, names)), 200),
    )


def doubts(needs: Sequence[tuple[str, str]]) -> str:
    """What the image may lack, for (title, hint) pairs that can't be checked yet."""
    return "\n".join(
        say(
            "⚠️ {title} needs a part that not every image has. This image isn't "
            "downloaded yet, so I can't check. {hint}",
            title=plain(told(title), 60),
            hint=plain(told(hint), 400),
        )
        for title, hint in needs
    )


def inside(addresses: Sequence[tuple[str, str]]) -> str:
    """The warning about (label, address to use instead) pairs of settings that lead nowhere."""
    return "\n".join(
        say(
            "⚠️ {label} leads to the bot's own container: inside it, localhost is the container "
            "itself. For a server on Docker's host use {instead}, and let it listen on more than "
            "localhost.",
            label=plain(told(label), 60),
            instead=_code(instead),
        )
        if instead
        else say(
            "⚠️ {label} leads to the bot's own container: inside it, localhost is the container "
            "itself. Use the address of that machine in your network.",
            label=plain(told(label), 60),
        )
        for label, instead in addresses
    )


def _code(text: str) -> str:
    return f"`{fitted(text, 300).replace('`', '')}`"


def engine_note(engine: EngineState) -> str:
    """A warning on a line of its own if the engine doesn't answer, else nothing."""
    if engine.reachable:
        return ""
    why = engine_reason(engine)
    return "\n" + say("⚠️ {why} These are the last known states.", why=why)


def engine_reason(engine: EngineState) -> str:
    """Why the engine doesn't answer, as a sentence with exactly one full stop."""
    return (plain(told(engine.reason)) or say("Docker doesn't answer")).rstrip(". ") + "."


def show(
    view: View,
    engine: EngineState,
    secrets: Mapping[str, str],
    *,
    memory: int = 0,
    limits: str = "",
    warning: str = "",
    now: float,
) -> str:
    """Everything about one bot. `secrets` are fingerprints by name; `now` is the engine's time."""
    bot, container = view.bot, view.world.container
    warnings = [words for words in (warning, engine_note(engine).strip()) if words]
    lines = [headline(view), *warnings, made_of(bot), since(view), *reasons(view, memory, now=now)]
    prints = [f"{name} `{value}`" for name, value in sorted(secrets.items())]
    prints += [
        say("{name} missing", name=name) for name in view.world.missing if name not in secrets
    ]
    for at in range(0, len(prints), _PRINTS_A_LINE):
        lines.append(
            say("secrets (fingerprints):") + " " + ", ".join(prints[at : at + _PRINTS_A_LINE])
        )
    lines.append(
        say(
            "id `{id}`, created {when} by <@{created_by}>",
            id=bot.id,
            when=moment(bot.created_at),
            created_by=bot.created_by,
        )
    )
    if container is not None:
        health = "" if container.health is Health.NONE else f", {told(container.health.value)}"
        restarts = plural(container.restart_count, "restart")
        lines.append(
            say(
                "container `{container_id}` {state}{health}, {restarts}",
                container_id=container.container_id[:12],
                state=told(container.state.value),
                health=health,
                restarts=restarts,
            )
        )
    if limits:
        lines.append(limits)
    if bot.image:
        lines.append(say("image `{image}`", image=bot.image[:32]))
    for name, value in bot.fields.items():
        lines.append(f"{name}: {plain(value, 100)}")
    return "\n".join(lines)


def outcome(
    view: View | None,
    name: str,
    doing: str,
    engine: EngineState,
    memory: int = 0,
    *,
    now: float,
) -> str:
    """How it went: finished, or still `doing` it. `now` is the engine's time."""
    if view is None:
        return say("🗑️ **{name}** — removed. Nothing is left of it.", name=name)
    renewing = view.bot.wish is Wish.RUN and view.bot.run.to_end
    if not view.phase.settled or renewing:
        text = say(
            "{sign} **{name}** — {doing}… Its card shows how it goes.",
            sign=SIGNS[view.phase],
            name=name,
            doing=doing,
        )
        return text + engine_note(engine)
    return "\n".join([headline(view) + engine_note(engine), *reasons(view, memory, now=now)])
