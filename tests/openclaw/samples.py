"""Bots of the template `openclaw` as people would fill them in: one for every provider and channel,
and one for every choice of every setting. Next door: test_configs.py has OpenClaw judge them."""

from __future__ import annotations

from collections.abc import Iterator

from controller.catalog import FieldSpec, Template
from controller.domain.bot import Bot

# What a person could type, by the name of the setting.
TYPED = {
    "base_url": "http://192.168.1.10:11434/v1",
    "homeserver": "https://matrix.example.org",
    "api_root": "https://telegram.example.com",
    "timezone": "Europe/Berlin",
    "persona": "You are Claw.\nYou answer briefly.",
}
LISTED = {
    ("telegram", "allow_from"): "111111, 222222",
    ("telegram", "groups"): "-1001234567890",
    ("discord", "allow_from"): "222222222222222222",
    ("discord", "guilds"): "333333333333333333, 444444444444444444",
    ("slack", "allow_from"): "U0123ABCD",
    ("slack", "rooms"): "C0123ABCD",
    ("matrix", "allow_from"): "@ann:example.org",
    ("matrix", "rooms"): "!abc:example.org",
}


def bot(
    template: Template, provider: str, channel: str, *, name: str = "claw", **fields: str
) -> Bot:
    """A bot with what it must have, and these settings besides."""
    wanted = template.fields_for(provider, channel)
    required = {field.name: TYPED[field.name] for field in wanted if field.required}
    return Bot(
        id=name,
        name=name,
        template=template.id,
        provider=provider,
        model=(template.providers[provider].models or ("some-model",))[0],
        channel=channel,
        fields={**required, **fields},
    )


def plain(template: Template) -> Iterator[Bot]:
    """Every provider with every channel, and nothing that need not be typed."""
    for provider in template.providers:
        for channel in template.channels:
            yield bot(template, provider, channel, name=f"{provider}.{channel}")


def chosen(template: Template) -> Iterator[Bot]:
    """Everything typed that can be typed; over all of a channel's bots each choice stands once."""
    for channel in template.channels:
        fields = template.fields_for("anthropic", channel)
        typed = {field.name: value for field in fields if (value := _typed(channel, field))}
        for turn in range(max(len(field.choices) for field in fields)):
            turned = {f.name: f.choices[turn % len(f.choices)] for f in fields if f.choices}
            yield bot(
                template, "anthropic", channel, name=f"{channel}.{turn}", **{**typed, **turned}
            )


def _typed(channel: str, field: FieldSpec) -> str:
    return TYPED.get(field.name, "") or LISTED.get((channel, field.name), "")
