"""A week in words."""

from __future__ import annotations

from controller.chat.incidents.incident_words import duration
from controller.chat.languages import plural, say, told
from controller.chat.words.limits import MESSAGE_MAX
from controller.chat.words.text import fitted, plain
from controller.domain.digest import Digest
from controller.domain.journal import Kind

_CHANGES = {
    Kind.CREATED: ("bot created", "bots created"),
    Kind.REMOVED: ("bot deleted", "bots deleted"),
    Kind.SETTINGS: ("change of settings", "changes of settings"),
    Kind.SECRETS: ("entry of secrets", "entries of secrets"),
    Kind.NEW_IMAGE: ("new image", "new images"),
    Kind.TAKEN_BACK: ("change taken back", "changes taken back"),
}


def digest_words(found: Digest) -> str:
    """What its message says: the state first, then what went wrong, then what was changed."""
    lines = [
        say(
            "🗓️ **The week from <t:{since}:D> to <t:{until}:D>**",
            since=int(found.since),
            until=int(found.until),
        ),
        _bots(found),
        _incidents(found),
    ]
    lines += [
        say(
            "- **{name}**: {incidents}, {duration} in trouble",
            name=plain(one.name, 40),
            incidents=plural(one.incidents, "incident"),
            duration=duration(one.seconds),
        )
        for one in found.worst
    ]
    if found.others:
        lines.append(
            say(
                "- Docker, disk, backups or secrets: {incidents}",
                incidents=plural(found.others, "incident"),
            )
        )
    if found.missed:
        lines.append(say("⏭️ {runs} missed", runs=plural(found.missed, "scheduled run")))
    changes = [plural(found.changes[kind], *words) for kind, words in _CHANGES.items()
               if found.changes.get(kind)]  # fmt: skip
    lines.append(say("Changed: {changes}", changes=", ".join(changes) or say("nothing")))
    return fitted("\n".join(lines), MESSAGE_MAX)


def _bots(found: Digest) -> str:
    count = sum(found.phases.values())
    if not count:
        return say("No bots.")
    parts = [f"{number} {told(phase)}" for phase, number in sorted(found.phases.items())]
    return say("Now {bots}: {parts}", bots=plural(count, "bot"), parts=", ".join(parts))


def _incidents(found: Digest) -> str:
    if not found.incidents and not found.still_open:
        return say("✅ Nothing went wrong.")
    words = say("⚠️ {incidents} began", incidents=plural(found.incidents, "incident"))
    if found.longest:
        words += say(", the longest took {duration}", duration=duration(found.longest))
    if found.still_open:
        words += say("; {count} not over yet", count=found.still_open)
    return words
