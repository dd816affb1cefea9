"""Templates as they are answered: what a page needs to ask somebody for a bot."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from controller.api.resources import Resource
from controller.catalog import Action, FieldSpec, SecretSpec, Template


class FieldOut(Resource):
    """A setting that isn't secret."""

    name: str
    label: str
    hint: str
    default: str
    required: bool
    choices: list[str]
    is_list: bool
    multiline: bool
    later: bool  # not asked for at creation


class SecretAsked(Resource):
    """A secret that somebody enters."""

    name: str
    label: str
    hint: str
    pattern: str
    min_length: int
    max_length: int
    required: bool
    multiline: bool


class OptionOut(Resource):
    """A provider or a channel, and what is asked for because of it."""

    id: str
    title: str
    models: list[str]  # suggestions; none for a channel
    secrets: list[SecretAsked]
    fields: list[FieldOut]


class TemplateOut(Resource):
    """A template: the first provider, model and channel are taken where nothing is said."""

    id: str
    title: str
    description: str
    providers: list[OptionOut]
    channels: list[OptionOut]
    secrets: list[SecretAsked]
    fields: list[FieldOut]


class ActionOut(Resource):
    """An action that a bot's template offers."""

    name: str
    title: str
    role: Literal["viewer", "operator", "admin"]
    fields: list[FieldOut]


def field_out(spec: FieldSpec) -> FieldOut:
    """A field as it is answered."""
    return FieldOut(
        name=spec.name,
        label=spec.label,
        hint=spec.hint,
        default=spec.default,
        required=spec.required,
        choices=list(spec.choices),
        is_list=spec.is_list,
        multiline=spec.multiline,
        later=spec.later,
    )


def action_out(name: str, action: Action) -> ActionOut:
    """An action as it is answered."""
    return ActionOut(
        name=name,
        title=action.title,
        role=action.role,
        fields=[field_out(spec) for spec in action.args],
    )


def template_out(template: Template) -> TemplateOut:
    """A template as it is answered."""
    return TemplateOut(
        id=template.id,
        title=template.title,
        description=template.description,
        providers=[
            OptionOut(
                id=name,
                title=one.title,
                models=list(one.models),
                secrets=_asked(one.secrets),
                fields=[field_out(spec) for spec in one.fields],
            )
            for name, one in template.providers.items()
        ],
        channels=[
            OptionOut(
                id=name,
                title=one.title,
                models=[],
                secrets=_asked(one.secrets),
                fields=[field_out(spec) for spec in one.fields],
            )
            for name, one in template.channels.items()
        ],
        secrets=_asked(template.secrets),
        fields=[field_out(spec) for spec in template.fields],
    )


def _asked(specs: Iterable[SecretSpec]) -> list[SecretAsked]:
    return [
        SecretAsked(
            name=spec.name,
            label=spec.label or spec.name,
            hint=spec.hint,
            pattern=spec.pattern,
            min_length=spec.min_length,
            max_length=spec.max_length,
            required=spec.required,
            multiline=spec.multiline,
        )
        for spec in specs
        if not spec.generated
    ]
