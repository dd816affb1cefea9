"""The secrets form: offered by a button, filled in page by page, answered with fingerprints.

A modal must be the first answer, so nothing slow comes before it. It can't follow a submit
directly, either: between two pages there is a button.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Literal

import discord

from controller.catalog import FieldSpec
from controller.chat.forms import modals
from controller.chat.forms.drafts import Drafts
from controller.chat.forms.pages import secret_pages
from controller.chat.forms.settings_form import SettingsForm, page_buttons
from controller.chat.languages import say, told
from controller.chat.requests.buttons import button, row
from controller.chat.requests.card_buttons import answer_buttons
from controller.chat.requests.custom_ids import step_in
from controller.chat.requests.discord_trouble import BROKEN, Unreadable, send_despite_break
from controller.chat.requests.quiet import QUIETLY
from controller.chat.requests.request import Request
from controller.chat.words.bot_facts import doubts_of, exposure_of, inside_of, outcome_of
from controller.chat.words.failures import failure_words
from controller.chat.words.sequel_words import after_secrets
from controller.chat.words.text import with_invite
from controller.domain.bot import Bot
from controller.domain.errors import BadInput, NotFound, NotReady, StorageTrouble
from controller.manager import Manager
from controller.manager.credentials import Submitted
from controller.manager.submission import Input, OpenForm, Sequel

# Where the form's button is offered: by direct message, in the private answer, or both.
FormsOffered = Literal["both", "dm", "answer"]
DM_CLOSED = 50007  # Discord's error code
NOTE_MAX = 300  # characters of what a service said
_KEEPS = "Leave it empty to keep the current value."
_PRIVACY = (
    "What you enter passes through Discord, is stored in a file only this bot can read, and is "
    "never shown again."
)
_ONLY_SEALED = "Secrets must be sealed before they are entered here."
_SEALING = (
    "`botmaker seal`, or the page that `botmaker seal --page` prints, seals a secret to this "
    "address, so that Discord never sees it:"
)


class SecretsForm:
    """Offers the form, opens its pages, takes them back."""

    def __init__(
        self, manager: Manager, settings: SettingsForm, drafts: Drafts, forms: FormsOffered
    ) -> None:
        self._manager = manager
        self._forms = forms
        self._settings = settings
        self._drafts = drafts

    async def offer_first(self, request: Request, bot: Bot) -> None:
        """Offer a new bot's form, or start the bot at once if there is nothing to ask."""
        credentials = self._manager.credentials
        form = await credentials.open_form(request.caller, bot, rotate=False)
        page = await credentials.form(request.caller, form.id)
        warnings = (exposure_of(self._manager, bot), await doubts_of(self._manager, bot))
        warning = "\n".join(filter(None, warnings))
        if page.inputs:
            privacy = await self._privacy(request, bot)
            offer = _Offer(bot, form.id, privacy, rotate=False, warning=warning)
            await self._offer(request, offer)
            return
        # A request is in the journal once, and creating the bot was this one.
        caller = replace(request.caller, request="")
        await credentials.submit(caller, form.id, (), {}, last=True)
        known = self._manager.bots.get(bot.id)
        ended = await self._manager.lifecycle.follow(bot)
        created = say(
            "**{name}** is created. There is nothing to enter, so it starts right away.",
            name=bot.name,
        )
        outcome = outcome_of(self._manager, ended, bot.name, say("starting")) if known else ""
        await request.reply("\n".join(filter(None, (created, warning, outcome))))

    async def offer_again(self, request: Request, bot: Bot, *, rotate: bool) -> None:
        """Offer the form of a bot that exists. `rotate`: every secret is there, to be replaced."""
        form = await self._manager.credentials.open_form(request.caller, bot, rotate=rotate)
        page = await self._manager.credentials.form(request.caller, form.id)
        if not page.inputs:
            raise NotReady(f"{bot.name} has no secrets to enter.", code="nothing-to-ask")
        privacy = await self._privacy(request, bot)
        await self._offer(request, _Offer(bot, form.id, privacy, rotate=rotate))

    async def offer_from_card(self, request: Request, bot: Bot) -> None:
        """The same for whoever picked it on the card."""
        view = self._manager.bots.get(bot.id)
        await request.acknowledge()
        await self.offer_again(request, bot, rotate=view is not None and not view.world.missing)

    async def _offer(self, request: Request, offer: _Offer) -> None:
        """Offer the form where the setting says, or in this answer if no message gets through.

        The answer repeats the warning in either case.
        """
        sent = False
        if self._forms != "answer":
            # Whatever stops the message, the button in this answer works as well.
            with contextlib.suppress(discord.HTTPException, Unreadable, *BROKEN):
                sent = await _send_button(request, offer)
        here = not sent or self._forms != "dm"
        await request.reply(
            offer.answer(sent=sent, here=here),
            view=form_button(offer.form_id) if here else None,
            later=offer.answer(sent=True, here=False) if sent else offer.later,
        )

    async def _privacy(self, request: Request, bot: Bot) -> str:
        """Who sees what is entered, and how nobody on the way does."""
        sealed = self._manager.credentials.sealed
        address = await sealed.address(request.caller, bot)
        first = _ONLY_SEALED if sealed.only else _PRIVACY
        return f"{say(first)} {say(_SEALING)}\n`{address.code}`"

    async def open_from_card(self, request: Request, bot: Bot) -> None:
        """Open a new form's first page for whoever pressed the card's button."""
        form = await self._manager.credentials.open_form(request.caller, bot, rotate=False)
        page = await self._manager.credentials.form(request.caller, form.id)
        await request.open_modal(_modal(page, 0))

    async def open_page(self, request: Request) -> None:
        """Open the page of a form that a button names."""
        step = step_in(request.arguments)
        page = await self._manager.credentials.form(request.caller, request.arguments[0])
        typed = self._drafts.read(request.person, _ids(page.form.id, step))
        await request.open_modal(_modal(page, step, typed))

    async def submit(self, request: Request) -> None:
        """Take a page; store everything and follow the bot once the form is complete."""
        await request.acknowledge()
        form_id, step = request.arguments[0], step_in(request.arguments)
        credentials = self._manager.credentials
        pages = secret_pages((await credentials.form(request.caller, form_id)).inputs)
        inputs = _inputs(pages, step)
        names = [spec.name for spec in inputs]
        values = modals.values_of(request.interaction)
        last = step == len(pages) - 1
        try:
            done = await credentials.submit(request.caller, form_id, names, values, last=last)
        except (BadInput, StorageTrouble) as error:
            # The form is still good: offer it again beside the reason.
            self._drafts.keep(request.person, _ids(form_id, step), inputs, values)
            await request.reply(failure_words(error), view=form_button(form_id, step))
            return
        self._drafts.drop(request.person, _ids(form_id, step))
        if not done.complete:
            await request.reply(receipt(done), view=form_button(form_id, step + 1))
            return
        warning = inside_of(self._manager, done.bot)
        more = f"\n{warning}" if warning else ""
        await request.reply(receipt(done) + more, more=True)
        ended = await self._manager.lifecycle.follow(done.bot)
        outcome = outcome_of(self._manager, ended, done.bot.name, say("starting"))
        later = self._settings.later_pages(done.bot)
        bad = ended is not None and ended.phase.bad
        # How it went comes first: a long receipt would push it out.
        text = f"{outcome}\n{receipt(done, ended=True, bad=bad)}{more}"
        offered = answer_buttons(ended, now=self._manager.bots.engine_time())
        view = row(offered) if offered else page_buttons(done.bot, later)
        await request.reply(text, view=view)


def _ids(form_id: str, step: int) -> tuple[str, ...]:
    """The parts of a page's custom id."""
    return "form", form_id, str(step)


def _inputs(pages: Sequence[Sequence[Input]], step: int) -> Sequence[Input]:
    if not 0 <= step < len(pages):
        raise NotFound("That form has no such page.", code="no-such-form")
    return pages[step]


# By whether secrets are replaced.
_LETTER = {
    True: "**{name}** ({template}): press the button to replace its secrets.",
    False: "**{name}** ({template}): press the button to enter its secrets.",
}
_LATER = {
    True: "Use /bot secrets {name}.",
    False: "**{name}** is created. Enter its secrets to start it. The button is on its card.",
}
# By whether secrets are replaced, and whether a direct message has the button as well.
_WHERE = {
    (True, True): "Enter the new secrets here, or by the direct message that I sent you.",
    (True, False): "Enter the new secrets here.",
    (False, True): "**{name}** is created. Enter its secrets to start it, here or by the direct "
    "message that I sent you.",
    (False, False): "**{name}** is created. Enter its secrets to start it.",
}


@dataclass(frozen=True, slots=True)
class _Offer:
    """A form and what is said beside its button."""

    bot: Bot
    form_id: str
    privacy: str
    rotate: bool
    warning: str = ""

    @property
    def letter(self) -> str:
        """The words of the direct message."""
        head = say(_LETTER[self.rotate], name=self.bot.name, template=self.bot.template)
        return "\n".join(filter(None, (head, self.privacy, self.warning)))

    def answer(self, *, sent: bool, here: bool) -> str:
        """The words of the answer. `sent`: a direct message has the button; `here`: this one."""
        name = self.bot.name
        if not here:
            where = say("I sent you a direct message with a button to enter them.")
            if not self.rotate:
                created = say("**{name}** is created and waits for its secrets.", name=name)
                where = f"{created} {where}"
            return "\n".join(filter(None, (where, self.warning)))
        where = say(_WHERE[self.rotate, sent], name=name)
        return "\n".join(filter(None, (where, self.privacy, self.warning)))

    @property
    def later(self) -> str:
        """What is said later of an answer with a button that couldn't be given."""
        where = say(_LATER[self.rotate], name=self.bot.name)
        return "\n".join(filter(None, (where, self.warning)))


async def _send_button(request: Request, offer: _Offer) -> bool:
    """Send the form's button by direct message; False if the person's DMs are closed."""

    async def send() -> None:
        await request.interaction.user.send(
            offer.letter,
            view=form_button(offer.form_id) or discord.utils.MISSING,
            nonce=offer.form_id,  # Discord drops the second message of a try that had arrived
            **QUIETLY,
        )

    try:
        await send_despite_break(send)
    except discord.Forbidden as error:
        if error.code != DM_CLOSED:
            raise
        return False
    return True


def form_button(form_id: str, step: int = 0) -> discord.ui.View | None:
    """The button that opens a page of a form."""
    label = say("Enter secrets") if step == 0 else say("Continue")
    return row([button(label, "form", form_id, str(step), style=discord.ButtonStyle.primary)])


def _modal(
    form: OpenForm, step: int, typed: Mapping[str, str] = MappingProxyType({})
) -> discord.ui.Modal:
    """A page of the form; `typed` is what its plain fields had when it was refused."""
    pages = secret_pages(form.inputs)
    inputs = _inputs(pages, step)
    part = f" ({step + 1}/{len(pages)})" if len(pages) > 1 else ""
    return modals.modal(
        modals.title_with(say("Secrets for {name}", name=form.bot.name), part),
        _ids(form.form.id, step),
        (_box(item, form, typed) for item in inputs),
    )


def _box(item: Input, form: OpenForm, typed: Mapping[str, str]) -> modals.Box:
    if isinstance(item, FieldSpec):
        if item.name in typed:
            required = item.required and not form.form.rotate
            return modals.Box(item, typed[item.name], item.hint, required)
        if form.form.rotate and item.name not in form.staged.fields:
            return modals.Box(item, hint=say(_KEEPS), required=False)
        return modals.box_of(item, form.value_of(item))
    if form.form.rotate or item.name in form.kept:
        return modals.Box(item, hint=say(_KEEPS), required=False)
    return modals.Box(item, hint=item.hint, required=item.required)


def receipt(done: Submitted, *, ended: bool = False, bad: bool = False) -> str:
    """What was stored, by fingerprints (never a part of a value), and what the services said.

    With `ended` it stands below how the start went, and doesn't announce it again; `bad` if that
    is red, so that no green tick follows.
    """
    lines = [
        say("`{name}` stored, fingerprint `{print_}`", name=name, print_=print_)
        for name, print_ in done.fingerprints.items()
    ]
    if not lines:
        lines = [say("Stored.")]
    lines += [f"ℹ️ {with_invite(told(note), NOTE_MAX)}" for note in done.notes]
    if not done.complete:
        return "\n".join(
            [*lines, say("One more page: press Continue. Nothing is used before that.")]
        )
    announced = ended and done.sequel in (Sequel.STARTS, Sequel.RESTARTS)
    after = [] if announced else [after_secrets(done.sequel)]
    sign = "" if bad else "✅ "
    return "\n".join([f"{sign}**{done.bot.name}**", *lines, *after])
