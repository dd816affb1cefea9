"""Create a bot by a button and a form: what `/bot create` does, for whoever doesn't know it yet.

The form must be the first answer, so everything before it comes from memory.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from controller.catalog import FieldSpec, Template
from controller.chat.forms import modals
from controller.chat.forms.drafts import Drafts
from controller.chat.forms.secrets_form import SecretsForm
from controller.chat.languages import say
from controller.chat.requests.buttons import CREATE, button, row
from controller.chat.requests.request import Request
from controller.chat.words.failures import NOTHING_DONE, failure_words
from controller.domain.acts import BOT_CREATE
from controller.domain.errors import Conflict, NotFound
from controller.manager import Manager
from controller.manager.lifecycle import Order

_FIRST = "Left empty: the first that the template offers"


class CreateForm:
    """Opens the form, and creates what it describes."""

    def __init__(self, manager: Manager, secrets_form: SecretsForm, drafts: Drafts) -> None:
        self._manager = manager
        self._secrets_form = secrets_form
        self._drafts = drafts

    async def open(self, request: Request) -> None:
        """Open the form for whoever may create a bot, with what was refused before."""
        await self._manager.access.require(request.caller, BOT_CREATE)
        typed = self._drafts.read(request.person, CREATE)
        fields = _fields(self._manager.bots.templates)
        boxes = (modals.box_of(field, typed.get(field.name, "")) for field in fields)
        await request.open_modal(modals.modal(say("Create a bot"), CREATE, boxes))

    async def submit(self, request: Request) -> None:
        """Create the bot and offer the form for its secrets."""
        await request.acknowledge()
        values = modals.values_of(request.interaction)
        try:
            bot = await self._manager.lifecycle.create(request.caller, _order(values))
        except (*NOTHING_DONE, NotFound, Conflict) as error:
            fields = _fields(self._manager.bots.templates)
            self._drafts.keep(request.person, CREATE, fields, values)
            again = row([button(say("Open the form again"), *CREATE)])
            await request.reply(failure_words(error), view=again)
            return
        self._drafts.drop(request.person, CREATE)
        request.is_about(bot)
        await self._secrets_form.offer_first(request, bot)


def _order(values: Mapping[str, str]) -> Order:
    return Order(
        name=values.get("name", ""),
        template=values.get("template", ""),
        provider=values.get("provider") or None,
        model=values.get("model") or None,
        channel=values.get("channel") or None,
    )


def _fields(templates: Mapping[str, Template]) -> tuple[FieldSpec, ...]:
    """What the form asks for: the options of `/bot create`."""
    return (
        FieldSpec(
            name="name", label=say("Name"), hint=say("Lower-case letters a-z, digits and dashes")
        ),
        FieldSpec(name="template", label=say("What kind of bot"), choices=_kinds(templates)),
        FieldSpec(
            name="provider", label=say("Whose model it uses"), hint=say(_FIRST), required=False
        ),
        FieldSpec(name="model", label=say("Which model"), hint=say(_FIRST), required=False),
        FieldSpec(
            name="channel", label=say("Where people talk to it"), hint=say(_FIRST), required=False
        ),
    )


def _kinds(templates: Mapping[str, Template]) -> tuple[str, ...]:
    """The templates by their titles; by their ids where several have the same one."""
    count = Counter(template.title.lower() for template in templates.values())
    return tuple(
        template.title if count[template.title.lower()] == 1 else template_id
        for template_id, template in templates.items()
    )
