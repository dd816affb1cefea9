"""The secrets form: a button by direct message, a modal a page, the answer with fingerprints."""

from __future__ import annotations

import discord

from controller.catalog import FieldSpec
from controller.chat.forms import modals
from controller.chat.requests import addresses as buttons
from controller.chat.requests import delivery as answers
from controller.chat.words.text import plain
from controller.domain.bot import Bot
from controller.manager.credentials import FormPage, Input, Submitted

DM_CLOSED = 50007
NOTE_MAX = 300  # characters of what a service said
_KEEPS = "Leave it empty to keep what is there."
_PRIVACY = (
    "What you enter passes through Discord, is written to this bot's own read-only folder, and is "
    "never shown again."
)


def modal_of(page: FormPage) -> discord.ui.Modal:
    """One page as a modal."""
    part = f" ({page.step + 1}/{page.steps})" if page.steps > 1 else ""
    title = f"Secrets for {page.bot.name}"
    return modals.modal(
        title[: modals.TITLE_MAX - len(part)] + part,
        ("form", page.form.id, str(page.step)),
        (_box(item, page) for item in page.inputs),
    )


def _box(item: Input, page: FormPage) -> modals.Box:
    if page.form.rotate or item.name in page.kept:
        return modals.Box(item, hint=_KEEPS, required=False)
    if isinstance(item, FieldSpec):
        return modals.box_of(item, page.bot.fields.get(item.name, item.default))
    return modals.Box(item, hint=item.hint, required=item.required)


async def send_button(
    user: discord.User | discord.Member, bot: Bot, form_id: str, *, rotate: bool, warning: str = ""
) -> bool:
    """Send the form's button by direct message; False when the person's DMs are closed."""
    why = "to replace its secrets" if rotate else "to enter its secrets"
    words = [f"**{bot.name}** ({bot.template}): press the button {why}.", _PRIVACY, warning]

    async def send() -> None:
        await user.send(
            "\n".join(filter(None, words)),
            view=buttons.of_form(form_id) or discord.utils.MISSING,
            allowed_mentions=answers.NO_MENTIONS,
            nonce=form_id,  # a second try after a lost answer makes no second message
        )

    try:
        await answers.once_more(send)
    except discord.Forbidden as error:
        if error.code != DM_CLOSED:
            raise
        return False
    return True


async def offer(
    interaction: discord.Interaction, bot: Bot, form_id: str, *, rotate: bool, warning: str = ""
) -> None:
    """Offer the form: by direct message, or right here where that is refused.

    `warning` is said aloud in every case.
    """
    done = "" if rotate else f"**{bot.name}** is made and waits for its secrets. "
    try:
        sent = await send_button(interaction.user, bot, form_id, rotate=rotate, warning=warning)
    except (discord.HTTPException, answers.Unreadable, *answers.BROKEN):
        sent = False  # whatever keeps the message from arriving, the button here does as well
    more = f"\n{warning}" if warning else ""
    if sent:
        text = f"{done}I sent you a direct message with a button to enter them.{more}"
        await answers.say(interaction, text)
        return
    text = f"{done}I could not send you a direct message; here is the button.\n{_PRIVACY}{more}"
    where = f"/bot secrets {bot.name}" if rotate else "the button under its public message"
    later = f"{done}I could not send you a direct message; use {where}.{more}"
    await answers.say(interaction, text, view=buttons.of_form(form_id), later=later)


def receipt(done: Submitted) -> str:
    """What the person reads after a submit: fingerprints, never a part of a value; and what the
    services said of the values."""
    lines = [
        f"`{name}` stored, fingerprint `{print_}`" for name, print_ in done.fingerprints.items()
    ]
    if not lines:
        lines = ["Stored."]
    lines += [f"ℹ️ {plain(note, NOTE_MAX)}" for note in done.notes]
    if done.next_step is not None:
        return "\n".join([*lines, "One more page: press Continue."])
    return "\n".join([f"✅ **{done.bot.name}**", *lines, done.then])
