"""A template: which image to run and how, which providers and channels it knows, what it asks for.

The file's tables are in `tables`, what a person is asked in `asked`, what becomes of a template and
a bot in `render`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import model_validator

from controller.catalog import rules
from controller.catalog.asked import FieldSpec, SecretSpec
from controller.catalog.tables import Action, Option, Tables
from controller.domain.bot import Bot
from controller.domain.errors import BadInput
from controller.domain.keys import looks_like_key
from controller.domain.names import check_model


@dataclass(frozen=True, slots=True)
class Choice:
    """What was chosen for a bot; empty where the template has nothing to choose from."""

    provider: str
    model: str
    channel: str


@dataclass(frozen=True, slots=True)
class Need:
    """What an image must have inside for an option of the template, and what to do without."""

    path: str
    hint: str
    title: str  # the option's


class Template(Tables):
    """One template, complete and checked."""

    @model_validator(mode="after")
    def _sound(self) -> Template:
        rules.check(self)
        return self

    def choose(self, provider: str | None, model: str | None, channel: str | None) -> Choice:
        """Complete and check a choice; what was left open becomes the first that there is."""
        chosen = _pick("provider", self.providers, provider, self.title)
        return Choice(
            provider=chosen,
            model=self._model(chosen, model),
            channel=_pick("channel", self.channels, channel, self.title),
        )

    def secrets_for(self, provider: str, channel: str) -> tuple[SecretSpec, ...]:
        """All secrets of such a bot: those to ask for in order, then those to generate."""
        found = [spec for part in self._parts(provider, channel) for spec in part.secrets]
        return tuple(sorted(found, key=lambda spec: spec.generated))

    def fields_for(self, provider: str, channel: str) -> tuple[FieldSpec, ...]:
        """All fields of such a bot, in the order in which to show them."""
        return tuple(spec for part in self._parts(provider, channel) for spec in part.fields)

    def needs_for(self, provider: str, channel: str) -> tuple[Need, ...]:
        """What such a bot's image must have inside."""
        return tuple(
            Need(option.needs.path, option.needs.hint, option.title)
            for option in self.options_for(provider, channel)
            if option.needs is not None
        )

    def actions_for(self, bot: Bot) -> Mapping[str, Action]:
        """The actions that such a bot has, by key."""
        return {
            key: action
            for key, action in self.actions.items()
            if not action.channels or bot.channel in action.channels
        }

    @property
    def exposes_secrets(self) -> bool:
        """Whether secrets of its bots are in the environment of the bots' own processes."""
        return self.run.secret_exposure is not None

    def options_for(self, provider: str, channel: str) -> tuple[Option, ...]:
        """The tables of the chosen provider and channel, as far as there is a choice."""
        chosen = (("provider", self.providers, provider), ("channel", self.channels, channel))
        return tuple(
            options[_known(kind, options, wanted, self.title)]
            for kind, options, wanted in chosen
            if options or wanted
        )

    def _parts(self, provider: str, channel: str) -> tuple[Option | Template, ...]:
        return (*self.options_for(provider, channel), self)

    def _model(self, provider: str, model: str | None) -> str:
        if not provider:
            if model:
                raise BadInput(f"{self.title} has no models to choose from.", code="unknown-model")
            return ""
        suggestions = self.providers[provider].models
        if not model:
            if suggestions:
                return suggestions[0]
            title = self.providers[provider].title
            raise BadInput(f"{title} needs the name of a model.", code="missing-model")
        if looks_like_key(model):
            raise BadInput(
                "That looks like a key, not like a model.",
                hint="Revoke it if others can see this channel; keys are asked for later.",
                code="bad-model",
            )
        return check_model(model)


def _pick(kind: str, options: Mapping[str, Option], wanted: str | None, title: str) -> str:
    return _known(kind, options, wanted, title) if wanted else next(iter(options), "")


def _known(kind: str, options: Mapping[str, Option], wanted: str, title: str) -> str:
    if wanted in options:
        return wanted
    hint = f"There is: {', '.join(options)}." if options else f"Leave `{kind}` out."
    what = f"no {kind} of that name" if options else f"no {kind}s to choose from"
    raise BadInput(f"{title} has {what}.", hint=hint, code=f"unknown-{kind}")
