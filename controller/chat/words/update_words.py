"""Newer images in words: what a check found, and how updating the bots goes."""

from __future__ import annotations

from controller.chat.words.release_words import short
from controller.chat.words.text import plain, plural
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
        lines.append(f"and {len(found.offers) - SHOWN} more")
    if found.silent:
        names = ", ".join(f"`{ref.replace('`', '')[:100]}`" for ref in found.silent[:SHOWN])
        lines.append(f"Nobody could say what these mean now: {names}.")
    if found.offers:
        first = found.offers[0].bot.name
        lines.append(
            f"They're updated one at a time, **{first}** first. The first one that doesn't work "
            "ends it, and goes on as it was."
        )
    if found.rollout is not None:
        lines.append(rollout_words(found.rollout))
    return "\n".join(lines)


def _head(found: Found) -> str:
    if found.offers:
        return f"{plural(len(found.offers), 'bot')} can be updated:"
    return "No newer images." if not found.silent else "No newer images that could be found."


def begun_words(rollout: Rollout) -> str:
    """What is answered to whoever approved."""
    count = plural(len(rollout.names), "bot")
    return (
        f"Updating {count}, one at a time, **{rollout.names[0]}** first. "
        "Their cards show how it goes, and `/fleet updates` how far it is."
    )


def rollout_words(rollout: Rollout) -> str:
    """How updating several bots goes, or went."""
    done = f"{rollout.done} of {plural(len(rollout.names), 'bot')} updated"
    if rollout.failed:
        return f"🔴 {done}. It ended with **{rollout.failed}**: {plain(rollout.why, 300)}"
    return f"🟡 Updating: {done}." if rollout.running else f"🟢 {done}."
