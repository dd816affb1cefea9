"""What becomes of a submitted form: pure decisions, from what was typed to what is written.

`credentials` asks the services, writes and saves; nothing here does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from controller.catalog import FieldSpec, SecretSpec, tidy
from controller.domain.bot import Bot, Wish
from controller.domain.errors import BadInput
from controller.fleet.views import View
from controller.store import Form
from controller.vault import Opened, Staged

Input = SecretSpec | FieldSpec
REPEATED_MIN = 8  # characters of a secret that stands in a plain field by mistake


class Sequel(StrEnum):
    """What happens to the bot after a change of its secrets or settings."""

    STARTS = "starts"
    RESTARTS = "restarts"
    RELOADS = "reloads"  # it reads replaced secrets without a restart
    STOPPED = "stopped"  # it uses them when somebody starts it
    WAITS = "waits"  # it uses them when it starts; secrets are still missing
    LATER = "later"  # it uses them at its next start: its secrets can't be used just now
    NOTHING = "nothing"  # nothing was changed


@dataclass(frozen=True, slots=True)
class OpenForm:
    """A form that can be filled in: for whom, for which bot, what it asks, what it has so far."""

    form: Form
    bot: Bot
    inputs: tuple[Input, ...]
    kept: frozenset[str] = frozenset()  # secrets that exist or were typed: left empty they stay
    staged: Staged = field(default_factory=Staged)

    def value_of(self, spec: FieldSpec) -> str:
        """What a field is set to now, or what an earlier page set it to."""
        typed = self.staged.fields.get(spec.name)
        return typed if typed is not None else self.bot.fields.get(spec.name, spec.default)


@dataclass(frozen=True, slots=True)
class Given:
    """What one page gave, as far as it can be used, and what is wrong with the rest."""

    secrets: Mapping[str, str] = field(repr=False)
    fields: Mapping[str, str]
    wrong: tuple[BadInput, ...] = ()
    seals: Mapping[str, Opened] = field(default_factory=dict)  # of those that came sealed

    def without(self, taken: Mapping[str, BadInput]) -> Given:
        """The same without the secrets that can't be taken, each for its reason."""
        secrets = {name: value for name, value in self.secrets.items() if name not in taken}
        return replace(self, secrets=secrets, wrong=(*self.wrong, *taken.values()))

    def on(self, staged: Staged) -> Staged:
        """Everything that the form has now: what earlier pages gave, and this one."""
        secrets = {**staged.secrets, **self.secrets}
        return Staged(secrets, {**staged.fields, **self.fields})


@dataclass(frozen=True, slots=True)
class Plan:
    """What the last page of a form does to the bot."""

    owes: str  # "end", "reload" or nothing: what the present run has to do
    hide_log: bool  # its older log may hold the values that were replaced
    sequel: Sequel


def secrets_in(inputs: Iterable[Input], values: Mapping[str, str]) -> tuple[str, ...]:
    """What was typed into the boxes of secrets."""
    return tuple(tidy(s, values.get(s.name, "")) for s in inputs if isinstance(s, SecretSpec))


def repeats(text: str, secrets: Iterable[str]) -> bool:
    """Whether a secret is in the text; a short one may be in it by chance."""
    return any(len(secret) >= REPEATED_MIN and secret in text for secret in secrets)


def check(page: OpenForm, names: Iterable[str], values: Mapping[str, str]) -> Given:
    """Check what was typed into the inputs of these names."""
    asked = set(names)
    typed = secrets_in(page.inputs, values)
    secrets: dict[str, str] = {}
    fields: dict[str, str] = {}
    wrong: list[BadInput] = []
    for spec in page.inputs:
        if spec.name not in asked:
            continue
        value = tidy(spec, values.get(spec.name, ""))
        may_stay = page.form.rotate or not spec.required or spec.name in page.kept
        if not value and may_stay:
            continue
        try:
            spec.check(value)
            if isinstance(spec, FieldSpec) and repeats(value, typed):
                words = f"“{spec.label}” has a secret in it. Fields are shown to everybody."
                raise BadInput(words, code="bad-field", inputs={spec.name: words})
        except BadInput as error:
            wrong.append(error)
            continue
        (secrets if isinstance(spec, SecretSpec) else fields)[spec.name] = value
    return Given(secrets, fields, tuple(wrong))


def unanswered(page: OpenForm, staged: Staged) -> tuple[Input, ...]:
    """The inputs that the bot can't start without and that no page has given."""
    return tuple(
        spec
        for spec in page.inputs
        if spec.required
        and not page.form.rotate
        and spec.name not in staged.secrets
        and spec.name not in page.kept
        and not (isinstance(spec, FieldSpec) and page.value_of(spec))
        and spec.name not in staged.fields
    )


def changed_fields(page: OpenForm, fields: Mapping[str, str]) -> bool:
    """Whether a field differs from what it is: a form shows what is set, and sends it back."""
    specs = {spec.name: spec for spec in page.inputs if isinstance(spec, FieldSpec)}
    now = {name: page.bot.fields.get(name) or spec.default for name, spec in specs.items()}
    return any(now.get(name) != value for name, value in fields.items())


def decide(page: OpenForm, staged: Staged, view: View | None, *, reloadable: bool) -> Plan:
    """What the complete form does to the bot, as it is seen now.

    `reloadable` says that the running program can read replaced secrets by itself.
    """
    may_exist = view is not None and view.may_have_container
    changed = changed_fields(page, staged.fields)
    given = bool(staged.secrets)
    owes = ""
    if given or changed:
        # Most programs read their keys once: new values mean a new run, if the next look finds one.
        # What is seen now doesn't tell: one may begin before the values are written.
        owes = "reload" if page.form.rotate and not changed and reloadable else "end"
    return Plan(
        owes=owes,
        # A first form too may replace what a bot that ran already knew, and printed.
        hide_log=given and (page.form.rotate or may_exist),
        sequel=_sequel(page.bot, view, owes),
    )


def _sequel(bot: Bot, view: View | None, owes: str) -> Sequel:
    if bot.wish is Wish.STOP:
        return Sequel.STOPPED
    if not owes or view is None or not view.may_run:
        return Sequel.STARTS
    return Sequel.RELOADS if owes == "reload" else Sequel.RESTARTS
