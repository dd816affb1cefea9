"""The secrets form: a button by direct message, a modal a page, the answer with fingerprints."""

from __future__ import annotations

from typing import Any

import discord

from controller.catalog import FieldSpec, SecretSpec
from controller.chat import answers, buttons
from controller.domain.bot import Bot
from controller.domain.errors import BadInput
from controller.manager.credentials import FormPage, Input, Submitted

DM_CLOSED = 50007
_PRIVACY = (
    "What you enter passes through Discord, is written to this bot's own read-only folder, and is "
    "never shown again."
)


def modal_of(page: FormPage) -> discord.ui.Modal:
    """One page as a modal. It is sent finished: discord.py stores none, `router` finds the way."""
    part = f" ({page.step + 1}/{page.steps})" if page.steps > 1 else ""
    title = f"Secrets for {page.bot.name}"
    modal = discord.ui.Modal(
        title=title[: 45 - len(part)] + part,
        custom_id=buttons.SEPARATOR.join(("form", page.form.id, str(page.step))),
        timeout=None,
    )
    for item in page.inputs:
        modal.add_item(_labelled(item, page))
    modal.stop()
    return modal


def _labelled(item: Input, page: FormPage) -> discord.ui.Label[discord.ui.Modal]:
    hint = item.hint
    if page.form.rotate:
        hint = "Leave it empty to keep what is there."
    keep = isinstance(item, FieldSpec) and not page.form.rotate
    known = page.bot.fields.get(item.name, item.default) if isinstance(item, FieldSpec) else ""
    field: discord.ui.TextInput[discord.ui.Modal] = discord.ui.TextInput(
        custom_id=item.name,
        style=discord.TextStyle.long if _is_long(item) else discord.TextStyle.short,
        required=item.required and not page.form.rotate,
        max_length=4000,
        placeholder=hint[:100] or None,
        default=known if keep and known else None,
    )
    choices = ", ".join(item.choices) if isinstance(item, FieldSpec) else ""
    return discord.ui.Label(
        text=item.label[:45], description=choices[:100] or None, component=field
    )


def _is_long(item: Input) -> bool:
    return isinstance(item, SecretSpec) and item.multiline


def values_of(interaction: discord.Interaction) -> dict[str, str]:
    """The submitted texts by custom id, from the raw payload; BadInput for another shape."""
    data: dict[str, Any] = dict(interaction.data or {})
    try:
        pairs = [_pair(item) for item in data.get("components", [])]
    except (LookupError, TypeError, AttributeError):
        pairs = [(None, None)]
    found: dict[str, str] = {}
    for name, value in pairs:
        if not isinstance(name, str) or not isinstance(value, str):
            raise BadInput("That form could not be read.", hint="Open it again.")
        found[name] = value
    return found


def _pair(item: dict[str, Any]) -> tuple[object, object]:
    inner = item.get("component") or (item.get("components") or [{}])[0]
    return inner.get("custom_id"), inner.get("value", "")


async def send_button(
    user: discord.User | discord.Member, bot: Bot, form_id: str, *, rotate: bool
) -> bool:
    """Send the form's button by direct message; False when the person's DMs are closed."""
    why = "to replace its secrets" if rotate else "to enter its secrets"

    async def send() -> None:
        await user.send(
            f"**{bot.name}** ({bot.template}): press the button {why}.\n{_PRIVACY}",
            view=buttons.of_form(form_id) or discord.utils.MISSING,
            allowed_mentions=answers.NO_MENTIONS,
            nonce=form_id,  # a second try after a lost answer makes no second message
        )

    try:
        try:
            await send()
        except answers.BROKEN:
            await send()
    except discord.Forbidden as error:
        if error.code != DM_CLOSED:
            raise
        return False
    return True


async def offer(interaction: discord.Interaction, bot: Bot, form_id: str, *, rotate: bool) -> None:
    """Offer the form: by direct message, or right here where that is refused."""
    done = "" if rotate else f"**{bot.name}** is made and waits for its secrets. "
    try:
        sent = await send_button(interaction.user, bot, form_id, rotate=rotate)
    except (discord.HTTPException, *answers.BROKEN):
        sent = False  # whatever keeps the message from arriving, the button here does as well
    if sent:
        text = f"{done}I sent you a direct message with a button to enter them."
        await answers.say(interaction, text)
        return
    text = f"{done}I could not send you a direct message; here is the button.\n{_PRIVACY}"
    where = f"/bot secrets {bot.name}" if rotate else "the button under its public message"
    later = f"{done}I could not send you a direct message; use {where}."
    await answers.say(interaction, text, view=buttons.of_form(form_id), later=later)


def receipt(done: Submitted) -> str:
    """What the person reads after a submit: fingerprints, never a part of a value."""
    lines = [
        f"`{name}` stored, fingerprint `{print_}`" for name, print_ in done.fingerprints.items()
    ]
    if not lines:
        lines = ["Stored."]
    if done.next_step is not None:
        return "\n".join([*lines, "One more page: press Continue."])
    return "\n".join([f"✅ **{done.bot.name}**", *lines, done.then])
