"""Create a bot by selects: what `/bot create` asks for where only a name was given.

What was chosen so far is in the ids, as `choose:<name>:<template>:<provider>:<model>:<channel>`,
each by a mark of its own, so nothing is remembered and a restart of the controller changes nothing.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import discord

from controller.catalog import Template
from controller.catalog.tables import Option as Offered
from controller.chat.forms.secrets_form import SecretsForm
from controller.chat.languages import say, told
from controller.chat.requests.buttons import button, row
from controller.chat.requests.request import Request
from controller.chat.requests.selects import Option, Select, select
from controller.chat.words.create_words import guide_words, image_words
from controller.domain.errors import BadInput, NotReady
from controller.domain.names import check_name
from controller.manager import Manager
from controller.manager.lifecycle import Order

_OPEN = "-"


@dataclass(frozen=True, slots=True)
class Chosen:
    """What was chosen so far; completed, so that nobody is surprised by a default."""

    name: str
    template: Template
    provider: str
    model: str
    channel: str

    @property
    def parts(self) -> tuple[str, ...]:
        """The choice as ids carry it."""
        every = (self.template.id, self.provider, self.model, self.channel)
        return (self.name, *(mark(one) for one in every))


class GuidedForm:
    """Asks for a template, a provider, a model and a channel, and creates what was chosen."""

    def __init__(self, manager: Manager, secrets_form: SecretsForm) -> None:
        self._manager = manager
        self._secrets_form = secrets_form

    async def begin(self, request: Request, order: Order) -> None:
        """Ask for what the order leaves open; what it names is chosen already."""
        await request.acknowledge()
        offered = await self._manager.bots.offered(request.caller)
        if not offered:
            raise NotReady("There is no template to create a bot of.", code="nothing-to-ask")
        name = check_name(order.name)
        first = offered[0]
        wanted = (first.id, order.provider or "", order.model or "", order.channel or "")
        await self._ask(request, complete(name, offered, [mark(one) for one in wanted]))

    async def choose(self, request: Request) -> None:
        """Show what a pick leads to, in the same message."""
        chosen = await self._chosen(request)
        await request.acknowledge_in_place()
        await self._ask(request, chosen)

    async def create(self, request: Request) -> None:
        """Create what was chosen, and offer the form for its secrets in the same message."""
        chosen = await self._chosen(request)
        await request.acknowledge_in_place()
        order = Order(
            name=chosen.name,
            template=chosen.template.id,
            provider=chosen.provider or None,
            model=chosen.model or None,
            channel=chosen.channel or None,
        )
        bot = await self._manager.lifecycle.create(request.caller, order)
        request.is_about(bot)
        await self._secrets_form.offer_first(request, bot)

    async def _chosen(self, request: Request) -> Chosen:
        offered = await self._manager.bots.offered(request.caller)
        name, *marks = request.arguments
        if len(marks) != 4 or not offered:
            raise BadInput("That button is damaged.", hint="Use /bot create.")
        return complete(check_name(name), offered, marks)

    async def _ask(self, request: Request, chosen: Chosen) -> None:
        offered = await self._manager.bots.offered(request.caller)
        ready = await self._manager.bots.images_ready(offered)
        text = guide_words(chosen.name, chosen.template, ready.get(chosen.template.id))
        await request.reply(text, view=_controls(chosen, offered, ready))


def mark(text: str) -> str:
    """A name of any length as ids carry it."""
    return hashlib.sha256(text.encode()).hexdigest()[:8] if text else _OPEN


def complete(name: str, offered: Sequence[Template], marks: Sequence[str]) -> Chosen:
    """The choice that the marks stand for; what they leave open, or what is gone, is the first."""
    by_template, by_provider, by_model, by_channel = marks
    by_id = {template.id: template for template in offered}
    template = by_id.get(_marked(by_id, by_template) or "", offered[0])
    provider = _marked(template.providers, by_provider) or next(iter(template.providers), "")
    models = template.providers[provider].models if provider else ()
    model = _marked(models, by_model) or next(iter(models), "")
    channel = _marked(template.channels, by_channel) or next(iter(template.channels), "")
    return Chosen(name, template, provider, model, channel)


def _marked(names: Iterable[str], wanted: str) -> str | None:
    return next((name for name in names if mark(name) == wanted), None)


def _controls(
    chosen: Chosen, offered: Sequence[Template], ready: Mapping[str, bool | None]
) -> discord.ui.View | None:
    create = button(say("Create"), "make", *chosen.parts, style=discord.ButtonStyle.success)
    return row([*_selects(chosen, offered, ready), create])


def _selects(
    chosen: Chosen, offered: Sequence[Template], ready: Mapping[str, bool | None]
) -> Iterator[Select | None]:
    """One select for each thing that there's a choice of."""
    count = Counter(one.title for one in offered)
    templates = (
        Option(
            told(one.title) if count[one.title] == 1 else f"{told(one.title)} ({one.id})",
            ("choose", chosen.name, mark(one.id), *[_OPEN] * 3),
            f"{image_words(one, ready.get(one.id))} {told(one.description)}",
            chosen=one.id == chosen.template.id,
        )
        for one in offered
    )
    yield select(say("Template"), "template", templates)
    providers, channels = chosen.template.providers, chosen.template.channels
    if len(providers) > 1:
        yield select(say("Provider"), "provider", _providers(chosen, providers))
    models = providers[chosen.provider].models if chosen.provider else ()
    if len(models) > 1:
        yield select(say("Model"), "model", _models(chosen, models))
    if len(channels) > 1:
        yield select(say("Channel"), "channel", _channels(chosen, channels))


def _option(label: str, leads_to: Chosen, now: Chosen, below: str) -> Option:
    return Option(label, ("choose", *leads_to.parts), below, chosen=leads_to.parts == now.parts)


def _providers(chosen: Chosen, providers: Mapping[str, Offered]) -> Iterator[Option]:
    for name, one in providers.items():
        first = next(iter(chosen.template.providers[name].models), "")
        leads_to = chosen
        if name != chosen.provider:
            leads_to = replace(chosen, provider=name, model=first)
        yield _option(
            told(one.title),
            leads_to,
            chosen,
            say("Whose model it uses: {first}", first=first) if first else "",
        )


def _models(chosen: Chosen, models: Sequence[str]) -> Iterator[Option]:
    for name in models:
        yield _option(name, replace(chosen, model=name), chosen, say("Which model"))


def _channels(chosen: Chosen, channels: Mapping[str, Offered]) -> Iterator[Option]:
    for name, one in channels.items():
        below = say("Needs a plugin in the image") if one.needs else say("Where people talk to it")
        yield _option(told(one.title), replace(chosen, channel=name), chosen, below)
