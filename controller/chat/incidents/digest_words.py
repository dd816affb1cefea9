"""A week in words."""

from __future__ import annotations

from controller.chat.incidents.incident_words import duration
from controller.chat.words.limits import MESSAGE_MAX
from controller.chat.words.text import fitted, plain, plural
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
        f"🗓️ **The week from <t:{int(found.since)}:D> to <t:{int(found.until)}:D>**",
        _bots(found),
        _incidents(found),
    ]
    lines += [
        f"- **{plain(one.name, 40)}**: {plural(one.incidents, 'incident')}, "
        f"{duration(one.seconds)} in trouble"
        for one in found.worst
    ]
    if found.others:
        lines.append(f"- Docker, disk, backups or secrets: {plural(found.others, 'incident')}")
    if found.missed:
        lines.append(f"⏭️ {plural(found.missed, 'scheduled run')} missed")
    changes = [plural(found.changes[kind], *words) for kind, words in _CHANGES.items()
               if found.changes.get(kind)]  # fmt: skip
    lines.append("Changed: " + (", ".join(changes) if changes else "nothing"))
    return fitted("\n".join(lines), MESSAGE_MAX)


def _bots(found: Digest) -> str:
    count = sum(found.phases.values())
    if not count:
        return "No bots."
    parts = [f"{number} {phase}" for phase, number in sorted(found.phases.items())]
    return f"Now {plural(count, 'bot')}: {', '.join(parts)}"


def _incidents(found: Digest) -> str:
    if not found.incidents and not found.still_open:
        return "✅ Nothing went wrong."
    words = f"⚠️ {plural(found.incidents, 'incident')} began"
    if found.longest:
        words += f", the longest took {duration(found.longest)}"
    if found.still_open:
        words += f"; {found.still_open} not over yet"
    return words
