"""A template: the image and how to run it, the providers and channels, and what a bot is asked for.

`tables` has the tables of the file, `inputs` what a person is asked for, and `rendering` turns a
template and a bot into a container.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import ValidationError, model_validator

from controller.catalog import template_rules
from controller.catalog.inputs import FieldSpec, SecretSpec
from controller.catalog.tables import Action, Option, Resources, Tables, Update
from controller.domain.bot import Bot
from controller.domain.bot_limits import CPUS, MEMORY, PIDS
from controller.domain.errors import BadInput, NotFound
from controller.domain.keys import looks_like_key
from controller.domain.names import check_model, meant, same_word
from controller.domain.release import Gate


@dataclass(frozen=True, slots=True)
class Choice:
    """The provider, model and channel of a bot; empty if the template offers none."""

    provider: str
    model: str
    channel: str


@dataclass(frozen=True, slots=True)
class Need:
    """A path that the image must contain for an option to work, and what to do if it doesn't."""

    path: str
    hint: str
    title: str  # of the option


class Template(Tables):
    """A complete template that has passed every check."""

    @model_validator(mode="after")
    def _sound(self) -> Template:
        template_rules.check(self)
        return self

    def choose(self, provider: str | None, model: str | None, channel: str | None) -> Choice:
        """Check a choice and complete it: what is left open becomes the template's first option.

        Raises BadInput for an option that the template doesn't have.
        """
        chosen = _pick("provider", self.providers, provider, self.title)
        return Choice(
            provider=chosen,
            model=self._model(chosen, model),
            channel=_pick("channel", self.channels, channel, self.title),
        )

    def secrets_for(self, provider: str, channel: str) -> tuple[SecretSpec, ...]:
        """All secrets of such a bot: first those to ask for, in order, then the generated ones."""
        found = [spec for part in self._parts(provider, channel) for spec in part.secrets]
        return tuple(sorted(found, key=lambda spec: spec.generated))

    def fields_for(self, provider: str, channel: str) -> tuple[FieldSpec, ...]:
        """All fields of such a bot, in the order to show them."""
        return tuple(spec for part in self._parts(provider, channel) for spec in part.fields)

    def needs_for(self, provider: str, channel: str) -> tuple[Need, ...]:
        """What the image of such a bot must contain."""
        return tuple(
            Need(option.needs.path, option.needs.hint, option.title)
            for option in self.options_for(provider, channel)
            if option.needs is not None
        )

    def actions_for(self, bot: Bot) -> Mapping[str, Action]:
        """The bot's actions, by key."""
        return {
            key: action
            for key, action in self.actions.items()
            if not action.channels or bot.channel in action.channels
        }

    def limits_of(self, bot: Bot) -> Resources:
        """The limits of the bot: its own, and the template's for the rest."""
        usual, own = self.run.resources, bot.limits
        if not own:
            return usual
        return Resources(
            memory=own.get(MEMORY, usual.memory),
            cpus=float(own.get(CPUS, usual.cpus)),
            pids=int(own.get(PIDS, usual.pids)),
        )

    @property
    def gate(self) -> Gate:
        """What a new release of a bot has to do to prove itself."""
        update = self.update or Update()
        usual = self.run.start_timeout + 2 * update.healthy_for
        return Gate(update.healthy_for, update.deadline or usual)

    @property
    def text(self) -> str:
        """The whole template as a text that `from_text` reads; the same for the same template."""
        return self.model_dump_json(by_alias=True, exclude_unset=True)

    @classmethod
    def from_text(cls, text: str) -> Template:
        """The template of such a text. NotFound where this version can't read it any more."""
        try:
            return cls.model_validate_json(text)
        except ValidationError:
            raise NotFound(
                "The template of that time can't be read by this version of BotMaker.",
                hint="Update the bot: it follows its present template then.",
                code="unknown-template",
            ) from None

    @property
    def exposes_secrets(self) -> bool:
        """Whether bots may have secrets in the environment of their own process."""
        return self.run.secret_exposure is not None

    def options_for(self, provider: str, channel: str) -> tuple[Option, ...]:
        """The tables of the provider and the channel; none of a kind that the template lacks."""
        chosen = (("provider", self.providers, provider), ("channel", self.channels, channel))
        return tuple(
            options[_known(kind, options, wanted, self.title)]
            for kind, options, wanted in chosen
            if options or wanted
        )

    def _parts(self, provider: str, channel: str) -> tuple[Option | Template, ...]:
        return (*self.options_for(provider, channel), self)

    def _model(self, provider: str, model: str | None) -> str:
        model = (model or "").strip()
        if not provider:
            if model:
                raise BadInput(f"{self.title} has no models to choose from.", code="unknown-model")
            return ""
        suggestions = self.providers[provider].models
        if not model:
            if suggestions:
                return suggestions[0]
            title = self.providers[provider].title
            raise BadInput(
                f"{title} needs a model.",
                hint=f"Enter the name of any model that {title} offers.",
                code="missing-model",
            )
        if looks_like_key(model):
            raise BadInput(
                "That looks like a key, not a model.",
                hint="Revoke it if others can see it here. You enter keys later, in a form.",
                code="bad-model",
            )
        return same_word(model, {one: one for one in suggestions}) or check_model(model)


def _pick(kind: str, options: Mapping[str, Option], typed: str | None, title: str) -> str:
    """The option that is meant by its id or its title; the first one when nothing was typed."""
    if not typed or not typed.strip():
        return next(iter(options), "")
    wanted = meant(typed, {name: option.title for name, option in options.items()})
    return _known(kind, options, wanted or typed, title)


def _known(kind: str, options: Mapping[str, Option], wanted: str, title: str) -> str:
    if wanted in options:
        return wanted
    hint = f"Available: {', '.join(options)}." if options else f"Leave `{kind}` out."
    what = f"no such {kind}" if options else f"no {kind}s to choose from"
    raise BadInput(f"{title} has {what}.", hint=hint, code=f"unknown-{kind}")
