"""What bots use, in words."""

from __future__ import annotations

from collections.abc import Sequence

from controller.chat.languages import number, percent, plural, say, told
from controller.chat.words.limits import MESSAGE_MAX
from controller.domain.usage import Figures
from controller.manager.stats import BotUsage, Measured

NEAR = 0.9  # of the memory limit
_UNITS = ("B", "KB", "MB", "GB", "TB")


def amount(value: float) -> str:
    """`512 MB`, as Docker's own limits are counted."""
    for unit in _UNITS:
        if value < 1024 or unit == _UNITS[-1]:
            digits = 1 if value < 10 and unit != "B" else 0
            return f"{number(value, digits, grouped=False)} {unit}"
        value /= 1024
    raise AssertionError("the last unit takes all")


def bot_stats(usage: BotUsage) -> str:
    """What one bot uses now, and the most of the time before."""
    now, view = usage.now, usage.now.view
    head = f"**{view.bot.name}** — {told(view.phase.value)}"
    if now.figures is None:
        return f"{head}\n{_nothing(now)}"
    lines = [head + say(", measured {age}", age=_age(now.age)), *_figures(now.figures)]
    container = view.world.container
    restarts = container.restart_count if container else 0
    if restarts or view.crashes:
        crashes = plural(len(view.crashes), "remembered crash", "remembered crashes")
        lines.append(
            say("Restarts: {restarts} by Docker; {crashes}", restarts=restarts, crashes=crashes)
        )
    if view.flood:
        lines.append(
            say("⚠️ Its log is flooded: about {flood} lines a second.", flood=number(view.flood))
        )
    if usage.points and usage.step:
        most = max(one.memory_most for one in usage.points)
        cpu = max(one.cpu_most for one in usage.points)
        lines.append(
            say(
                "Most in {hours}: CPU {cpu}, memory {most}",
                hours=_hours(usage.hours),
                cpu=percent(cpu),
                most=amount(most),
            )
        )
    return "\n".join(lines)


def _nothing(now: Measured) -> str:
    container = now.view.world.container
    if container is not None and container.state.active:
        return say("It hasn't been measured yet. Try again in half a minute.")
    return say("It doesn't run, so it uses nothing.")


def _figures(one: Figures) -> list[str]:
    memory = say("Memory {memory}", memory=amount(one.memory))
    if one.limit:
        memory += say(" of {limit} ({share})", limit=amount(one.limit), share=percent(one.share))
    if one.share >= NEAR:
        memory = say("⚠️ {memory}: near its limit", memory=memory)
    lines = [say("CPU {cpu} of a core", cpu=percent(one.cpu, 1)), memory]
    if one.received >= 0:
        lines.append(
            say(
                "Network {received}/s in, {sent}/s out",
                received=amount(one.received),
                sent=amount(max(0, one.sent)),
            )
        )
    if one.read >= 0:
        lines.append(
            say(
                "Disk {read}/s read, {written}/s written",
                read=amount(one.read),
                written=amount(max(0, one.written)),
            )
        )
    return lines


def fleet_stats(found: Sequence[Measured]) -> str:
    """All bots together, then each: flooded logs first, then by what is nearest to its limit."""
    if not found:
        return say("No bot has been measured yet. They are once they run for half a minute.")
    figures = [one.figures for one in found if one.figures is not None]
    head = say(
        "{bots}: CPU {cpu} of a core, memory {memory}, measured {age}",
        bots=plural(len(found), "bot"),
        cpu=percent(sum(one.cpu for one in figures)),
        memory=amount(sum(one.memory for one in figures)),
        age=_age(max(one.age for one in found)),
    )
    lines, room = [head], MESSAGE_MAX - len(head) - 40
    for at, one in enumerate(found):
        line = _row(one)
        if len(line) + 1 > room:
            lines.append(say("… and {count} more.", count=len(found) - at))
            break
        lines.append(line)
        room -= len(line) + 1
    return "\n".join(lines)


def _row(one: Measured) -> str:
    figures = one.figures
    assert figures is not None
    of = (
        say(" ({share} of {limit})", share=percent(figures.share), limit=amount(figures.limit))
        if figures.limit
        else ""
    )
    line = say(
        "**{name}** CPU {cpu}, {memory}{of}",
        name=one.view.bot.name,
        cpu=percent(figures.cpu, 1),
        memory=amount(figures.memory),
        of=of,
    )
    if one.view.flood:
        line = say(
            "⚠️ {line}, log flooded: {flood} lines/s", line=line, flood=number(one.view.flood)
        )
    elif figures.share >= NEAR:
        line = f"⚠️ {line}"
    return line


def _age(seconds: float) -> str:
    return say("{seconds} s ago", seconds=number(seconds))


def _hours(hours: float) -> str:
    if hours >= 48:
        return plural(round(hours / 24), "day")
    return plural(round(hours) or 1, "hour")
