"""Newer images in words: what a check found, and how updating the bots goes."""

from __future__ import annotations

from controller.chat.languages import plural, say, told
from controller.chat.words.release_words import short
from controller.chat.words.text import plain
from controller.manager.update_checks import Found, Rollout

SHOWN = 20  # bots


def found_words(found: Found) -> str:
    """What a check found, and how the last updates went."""
    lines = [_head(found)]
    for offer in found.offers[:SHOWN]:
        ref = offer.bot.image_ref.replace("`", "")[:100]
        images = f"`{short(offer.bot.image)}` → `{short(offer.image)}`"
        lines.append(f"**{offer.bot.name}** {images} (`{ref}`)")
    if len(found.offers) > SHOWN:
        lines.append(say("and {count} more", count=len(found.offers) - SHOWN))
    if found.silent:
        names = ", ".join(f"`{ref.replace('`', '')[:100]}`" for ref in found.silent[:SHOWN])
        lines.append(say("Nobody could say what these mean now: {names}.", names=names))
    if found.offers:
        first = found.offers[0].bot.name
        lines.append(
            say(
                "They're updated one at a time, **{first}** first. The first one that "
                "doesn't work ends it, and goes on as it was.",
                first=first,
            )
        )
    if found.rollout is not None:
        lines.append(rollout_words(found.rollout))
    return "\n".join(lines)


def _head(found: Found) -> str:
    if found.offers:
        return say("{bots} can be updated:", bots=plural(len(found.offers), "bot"))
    return (
        say("No newer images.") if not found.silent else say("No newer images that could be found.")
    )


def begun_words(rollout: Rollout) -> str:
    """What is answered to whoever approved."""
    count = plural(len(rollout.names), "bot")
    return say(
        "Updating {count}, one at a time, **{first}** first. Their cards show how it "
        "goes, and `/fleet updates` how far it is.",
        count=count,
        first=rollout.names[0],
    )


def rollout_words(rollout: Rollout) -> str:
    """How updating several bots goes, or went."""
    done = say(
        "{done} of {bots} updated", done=rollout.done, bots=plural(len(rollout.names), "bot")
    )
    if rollout.failed:
        return say(
            "🔴 {done}. It ended with **{failed}**: {why}",
            done=done,
            failed=rollout.failed,
            why=plain(told(rollout.why), 300),
        )
    return say("🟡 Updating: {done}.", done=done) if rollout.running else f"🟢 {done}."
