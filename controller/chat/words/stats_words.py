"""What bots use, in words."""

from __future__ import annotations

from collections.abc import Sequence

from controller.chat.words.limits import MESSAGE_MAX
from controller.chat.words.text import plural
from controller.domain.usage import Figures
from controller.manager.stats import BotUsage, Measured

NEAR = 0.9  # of the memory limit
_UNITS = ("B", "KB", "MB", "GB", "TB")


def amount(value: float) -> str:
    """`512 MB`, as Docker's own limits are counted."""
    for unit in _UNITS:
        if value < 1024 or unit == _UNITS[-1]:
            digits = 1 if value < 10 and unit != "B" else 0
            return f"{value:.{digits}f} {unit}"
        value /= 1024
    raise AssertionError("the last unit takes all")


def bot_stats(usage: BotUsage) -> str:
    """What one bot uses now, and the most of the time before."""
    now, view = usage.now, usage.now.view
    head = f"**{view.bot.name}** — {view.phase.value}"
    if now.figures is None:
        return f"{head}\n{_nothing(now)}"
    lines = [head + f", measured {_age(now.age)}", *_figures(now.figures)]
    container = view.world.container
    restarts = container.restart_count if container else 0
    if restarts or view.crashes:
        crashes = plural(len(view.crashes), "remembered crash", "remembered crashes")
        lines.append(f"Restarts: {restarts} by Docker; {crashes}")
    if view.flood:
        lines.append(f"⚠️ Its log is flooded: about {view.flood:,.0f} lines a second.")
    if usage.points and usage.step:
        most = max(one.memory_most for one in usage.points)
        cpu = max(one.cpu_most for one in usage.points)
        lines.append(f"Most in {_hours(usage.hours)}: CPU {cpu:.0%}, memory {amount(most)}")
    return "\n".join(lines)


def _nothing(now: Measured) -> str:
    container = now.view.world.container
    if container is not None and container.state.active:
        return "It hasn't been measured yet. Try again in half a minute."
    return "It doesn't run, so it uses nothing."


def _figures(one: Figures) -> list[str]:
    memory = f"Memory {amount(one.memory)}"
    if one.limit:
        memory += f" of {amount(one.limit)} ({one.share:.0%})"
    if one.share >= NEAR:
        memory = f"⚠️ {memory}: near its limit"
    lines = [f"CPU {one.cpu:.1%} of a core", memory]
    if one.received >= 0:
        lines.append(f"Network {amount(one.received)}/s in, {amount(max(0, one.sent))}/s out")
    if one.read >= 0:
        lines.append(f"Disk {amount(one.read)}/s read, {amount(max(0, one.written))}/s written")
    return lines


def fleet_stats(found: Sequence[Measured]) -> str:
    """All bots together, then each: flooded logs first, then by what is nearest to its limit."""
    if not found:
        return "No bot has been measured yet. They are once they run for half a minute."
    figures = [one.figures for one in found if one.figures is not None]
    head = (
        f"{plural(len(found), 'bot')}: CPU {sum(one.cpu for one in figures):.0%} of a core, "
        f"memory {amount(sum(one.memory for one in figures))}, "
        f"measured {_age(max(one.age for one in found))}"
    )
    lines, room = [head], MESSAGE_MAX - len(head) - 40
    for number, one in enumerate(found):
        line = _row(one)
        if len(line) + 1 > room:
            lines.append(f"… and {len(found) - number} more.")
            break
        lines.append(line)
        room -= len(line) + 1
    return "\n".join(lines)


def _row(one: Measured) -> str:
    figures = one.figures
    assert figures is not None
    of = f" ({figures.share:.0%} of {amount(figures.limit)})" if figures.limit else ""
    line = f"**{one.view.bot.name}** CPU {figures.cpu:.1%}, {amount(figures.memory)}{of}"
    if one.view.flood:
        line = f"⚠️ {line}, log flooded: {one.view.flood:,.0f} lines/s"
    elif figures.share >= NEAR:
        line = f"⚠️ {line}"
    return line


def _age(seconds: float) -> str:
    return f"{seconds:.0f} s ago"


def _hours(hours: float) -> str:
    return f"{hours / 24:.0f} days" if hours >= 48 else plural(round(hours) or 1, "hour")
