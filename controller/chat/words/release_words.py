"""Releases in words: what an update would change, and what a bot was made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from controller.chat.languages import say, told
from controller.chat.words.history_words import who
from controller.chat.words.text import moment, plain
from controller.domain.bot import Bot
from controller.domain.release import Outcome, Release
from controller.domain.spec_changes import Difference
from controller.manager.releases import Changes

VALUE_MAX = 120  # characters of a value that differs
DIFFERENCES_MAX = 15
_WHY = {
    "create": "created",
    "settings": "new settings",
    "secrets": "new secrets",
    "image": "another image",
    "template": "its template changed",
    "update": "update",
    "rollback": "rollback",
}
_ENDED: Mapping[Outcome, str] = {
    Outcome.TRYING: "🟡 not proven yet",
    Outcome.GOOD: "🟢 works",
    Outcome.FAILED: "🔴 failed",
    Outcome.REPLACED: "⚪ replaced before it was proven",
}


def update_words(bot: Bot, changes: Changes) -> str:
    """What an update of the bot would change, before anybody decides."""
    if not changes:
        return say("**{name}** is up to date.", name=bot.name)
    lines = [say("**{name}** — an update would change this:", name=bot.name)]
    before, after = changes.image
    if before != after:
        old, new = changes.reference
        names = f" (`{_code(new)}`)" if old == new else f" (`{_code(old)}` → `{_code(new)}`)"
        lines.append(
            say(
                "image: `{before}` → `{after}`{names}",
                before=short(before),
                after=short(after),
                names=names,
            )
        )
    lines += [_difference(one) for one in changes.versions]
    if changes.template:
        lines.append(say("template: a newer version"))
    shown = changes.config[:DIFFERENCES_MAX]
    lines += [_difference(one) for one in shown]
    if len(shown) < len(changes.config):
        lines.append(say("and {count} more", count=len(changes.config) - len(shown)))
    if changes.failed:
        lines.append(
            say("⚠️ The same was taken back before: {failed}", failed=plain(told(changes.failed)))
        )
    lines.append(
        say("It is tried first: if it doesn't work, the present release comes back by itself.")
    )
    return "\n".join(lines)


def updated_words(changes: Changes) -> str:
    """What an update changed, as far as its images say so: a line each, mostly none."""
    return "".join(f"\n{_difference(one)}" for one in changes.versions)


def pulling_words(bot: Bot, percent: int) -> str:
    """How far the pull of a bot's newer image has come."""
    return say("**{name}** — getting its image: {percent} %", name=bot.name, percent=percent)


def _difference(one: Difference) -> str:
    name = plain(told(one.name), 60)
    if one.name == "config files":
        return say("{name}: changed", name=name)
    before, after = (plain(text, VALUE_MAX) for text in (one.before, one.after))
    return f"{name}: {before or say('none')} → {after or say('none')}"


def releases_words(bot: Bot, found: Sequence[Release]) -> str:
    """A bot's releases, newest first."""
    if not found:
        return say("**{name}** has no releases.", name=bot.name)
    return "\n".join(
        [
            say("**{name}** — releases, newest first", name=bot.name),
            *(_line(bot, one) for one in found),
        ]
    )


def _line(bot: Bot, one: Release) -> str:
    mark = f" ({say('current')})" if one.number == bot.release else ""
    words = f"**{one.number}**{mark} {moment(one.at)} {say(_ENDED[one.outcome])}"
    words += say(
        ": {why} by {who}",
        why=say(_WHY.get(one.why, plain(one.why, 20))),
        who=who(one.author.principal),
    )
    if one.content.image:
        words += say(", image `{image}`", image=short(one.content.image))
    if one.outcome is Outcome.FAILED and one.problem is not None:
        words += f"\n  {plain(told(one.problem.message), 200)}"
    return words


def short(image: str) -> str:
    """The first digits of a pinned image."""
    return image.rpartition(":")[2][:12] or say("none")


def _code(text: str) -> str:
    return text.replace("`", "")[:100] or "?"
