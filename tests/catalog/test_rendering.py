"""Rendering: from a template and a bot to a container without secrets and its config files."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.catalog import container_spec, rendered_files
from controller.catalog.rendering import values_for
from controller.domain.errors import BadInput
from controller.domain.spec import ContainerSpec, HealthSpec
from tests.catalog.samples import BOT, bot, builtin, template

REF = {"source": "file", "id": "value"}


def spec_of(one: Any, which: Any = BOT, **changes: Any) -> ContainerSpec:
    parts: dict[str, Any] = {
        "image": "sha256:" + "0" * 64,
        "user": "1000:1000",
        "secrets_source": "/srv/secrets/x",
    }
    return container_spec(one, which, **{**parts, **changes})


def config_of(one: Any, which: Any) -> dict[str, Any]:
    (file,) = rendered_files(one, which)
    loaded: dict[str, Any] = json.loads(file.text)
    return loaded


def test_a_container_is_described_as_the_template_says() -> None:
    """Every part of the template arrives, sizes in bytes, the owner from the caller."""
    spec = spec_of(
        template(),
        bot(fields={"allow_from": "1, 2", "mood": ""}),
        user="4242:4343",
        files=[("/srv/files/0", "/etc/echo")],
        prepare_volume=True,
    )
    assert spec == ContainerSpec(
        bot_id=BOT.id,
        image="sha256:" + "0" * 64,
        user="4242:4343",
        secrets_source="/srv/secrets/x",
        files=(("/srv/files/0", "/etc/echo"),),
        state_path="/data",
        prepare_volume=True,
        command=("/bin/echo-bot",),
        env=(
            ("LANG", "C.UTF-8"),
            ("BOT_NAME", "shop-helper"),
            ("KEY_SECRET_FILE", "/run/secrets/api_key"),
            ("ALLOW_FROM", "1,2"),
        ),
        tmpfs=(("/tmp", "64m"),),
        memory=256 * 1024**2,
        nano_cpus=500_000_000,
        pids=128,
        restart="on-failure:5",
        stop_timeout=10,
        health=HealthSpec(test=("CMD", "/bin/check"), interval=30),
    )


def test_the_same_bot_gives_the_same_digest() -> None:
    """What did not change must not look changed: the digest decides about a new container."""
    assert spec_of(template()).digest() == spec_of(template()).digest()
    assert spec_of(template()).digest() != spec_of(template(), bot(name="other")).digest()


def test_what_has_no_value_is_not_set() -> None:
    """An empty field gives neither a variable nor a key in a file."""
    assert "ALLOW_FROM" not in dict(spec_of(template()).env)
    assert config_of(template(), BOT) == {
        "model": "acme/acme-1",
        "mood": "calm",
        "llm": {"limit": 3, "vendor": "acme"},
    }


def test_options_are_merged_into_the_first_file() -> None:
    """Tables of a provider join those of the template; its values win."""
    config = config_of(template(), bot(fields={"region": "eu", "mood": "wild"}))
    assert config == {
        "model": "acme/acme-1",
        "mood": "wild",
        "llm": {"limit": 3, "vendor": "acme", "region": "eu"},
    }
    (file,) = rendered_files(template(), BOT)
    assert (file.folder, file.name) == ("/etc/echo", "echo.json")


def test_a_model_that_names_its_provider_is_not_named_twice() -> None:
    """`openrouter/auto` stays what it is; where its provider lists its models it is one of them."""
    assert values_for(template(), bot(model="acme/x"))["model"] == "x"
    assert config_of(template(), bot(model="acme/x"))["model"] == "acme/x"
    assert config_of(template(), bot(model="other/x"))["model"] == "acme/other/x"


def test_a_bad_stored_field_is_refused_with_its_reason() -> None:
    """A template that changed under its bots says which field no longer fits."""
    for render in (lambda b: spec_of(template(), b), lambda b: rendered_files(template(), b)):
        with pytest.raises(BadInput, match="“Region” must be one of: eu, us"):
            render(bot(fields={"region": "moon"}))
    spec_of(template(), bot(fields={"of-an-older-template": "x"}))


def test_a_list_stands_where_its_placeholder_stood() -> None:
    """As a value it is a list, in an array its items, as a key one entry an item."""
    content = {
        "as_value": "{{field.who}}",
        "in_array": ["first", "{{field.who}}", "{{field.none}}", "{{field.empty}}"],
        "as_key": {"{{field.who}}": {"on": True}, "{{field.none}}": 1, "{{name}}": 2},
        "empty": "{{field.empty}}",
        "gone": "{{field.none}}",
    }
    one = template(
        'schema=1\nid="x"\ntitle="X"\nimage={ref="x:1"}\nrun={user="7"}\n',
        fields=[
            {"name": "who", "label": "Who", "list": True},
            {"name": "empty", "label": "Empty", "list": True},
            {"name": "none", "label": "None"},
        ],
        files=[{"path": "/etc/x/x.json", "format": "json", "content": content}],
    )
    which = bot(provider="", model="", channel="", fields={"who": "7, 8"})
    assert config_of(one, which) == {
        "as_value": ["7", "8"],
        "in_array": ["first", "7", "8"],
        "as_key": {"7": {"on": True}, "8": {"on": True}, "shop-helper": 2},
        "empty": [],
    }


@given(st.text(max_size=50))
def test_no_value_breaks_out_of_its_place(value: str) -> None:
    """Quotes, braces and placeholders in a field stay text in the field."""
    try:
        config = config_of(template(), bot(fields={"mood": value}))
    except BadInput:
        return
    assert config["mood"] == (value or "calm")
    assert set(config) == {"model", "mood", "llm"}


# The two config files that were seen to start a real OpenClaw, with our names for the secrets.


def _frame(**parts: Any) -> dict[str, Any]:
    aliases = ("gateway_token", "api_key", "channel_token")
    return {
        "secrets": {
            "providers": {
                alias: {"source": "file", "path": f"/run/secrets/{alias}", "mode": "singleValue"}
                for alias in aliases
            }
        },
        "gateway": {
            "mode": "local",
            "bind": "loopback",
            "port": 18789,
            "auth": {"mode": "token", "token": {**REF, "provider": "gateway_token"}},
            "controlUi": {"enabled": False},
        },
        "tools": {
            "profile": "messaging",
            "deny": [
                *("group:runtime", "group:fs", "group:automation"),
                *("sessions_spawn", "sessions_send"),
            ],
            "fs": {"workspaceOnly": True},
            "elevated": {"enabled": False},
            "sessions": {"visibility": "self"},
            "agentToAgent": {"enabled": False},
        },
        "session": {"dmScope": "per-channel-peer"},
        "telemetry": {"enabled": False},
        "update": {"checkOnStart": False},
        "logging": {"level": "info"},
        "commands": {"ownerAllowFrom": ["botmaker:nobody"]},
        **parts,
    }


def _defaults(model: str) -> dict[str, Any]:
    return {
        "defaults": {
            "model": {"primary": model},
            "heartbeat": {"every": "0m"},
            "skipBootstrap": True,
            "userTimezone": "UTC",
        }
    }


ANTHROPIC_DISCORD = _frame(
    models={"providers": {"anthropic": {"apiKey": {**REF, "provider": "api_key"}}}},
    agents=_defaults("anthropic/claude-sonnet-4-6"),
    channels={
        "discord": {
            "enabled": True,
            "token": {**REF, "provider": "channel_token"},
            "dmPolicy": "allowlist",
            "allowFrom": ["222222222222222222"],
            "groupPolicy": "allowlist",
            "guilds": {"333333333333333333": {"requireMention": True}},
            "configWrites": False,
        }
    },
)
OPENAI_TELEGRAM = _frame(
    models={
        "providers": {
            "openai": {
                "apiKey": {**REF, "provider": "api_key"},
                "agentRuntime": {"id": "openclaw"},
            }
        }
    },
    agents=_defaults("openai/gpt-5.5"),
    channels={
        "telegram": {
            "enabled": True,
            "botToken": {**REF, "provider": "channel_token"},
            "dmPolicy": "pairing",
            "allowFrom": [],
            "groupPolicy": "allowlist",
            "groups": {},
            "configWrites": False,
        }
    },
)


@pytest.mark.parametrize(
    ("provider", "channel", "fields", "expected"),
    [
        (
            "anthropic",
            "discord",
            {
                "direct_messages": "allowlist",
                "allow_from": "222222222222222222",
                "guilds": "333333333333333333",
            },
            ANTHROPIC_DISCORD,
        ),
        ("openai", "telegram", {}, OPENAI_TELEGRAM),
    ],
)
def test_openclaws_config_is_the_one_that_was_seen_to_work(
    provider: str, channel: str, fields: dict[str, str], expected: dict[str, Any]
) -> None:
    """Key for key the files that started a real gateway under this hardening."""
    one = builtin("openclaw")
    choice = one.choose(provider, None, channel)
    which = bot(provider=provider, model=choice.model, channel=channel, fields=fields)
    assert config_of(one, which) == expected


@pytest.mark.parametrize("provider", ["anthropic", "openai", "openrouter"])
@pytest.mark.parametrize(
    ("channel", "who"),
    [("telegram", "1234"), ("discord", "1" * 18), ("slack", "U0123ABCD")],
)
def test_every_reference_of_openclaws_config_leads_to_a_secret(
    provider: str, channel: str, who: str
) -> None:
    """For each choice the aliases, the files and the declared secrets are the same names."""
    one = builtin("openclaw")
    model = one.choose(provider, None, channel).model
    which = bot(provider=provider, model=model, channel=channel, fields={"allow_from": who})
    config = config_of(one, which)
    names = {spec.name for spec in one.secrets_for(provider, channel)}
    aliases = config["secrets"]["providers"]
    assert set(aliases) == names
    assert {alias["path"] for alias in aliases.values()} == {f"/run/secrets/{n}" for n in names}
    assert set(_references(config)) == names
    assert config["channels"][channel]["allowFrom"] == [who]
    assert config["agents"]["defaults"]["model"]["primary"].startswith(f"{provider}/")


def _references(value: Any) -> list[str]:
    if isinstance(value, list):
        return [name for item in value for name in _references(item)]
    if not isinstance(value, dict):
        return []
    if value.get("source") == "file" and "provider" in value:
        return [value["provider"]]
    return [name for item in value.values() for name in _references(item)]


@pytest.mark.parametrize("channel", ["telegram", "discord", "slack"])
def test_openclaw_answers_nobody_before_it_is_told_whom(channel: str) -> None:
    """With nothing but its secrets it pairs, knows nobody and is in no group."""
    one = builtin("openclaw")
    talk = config_of(one, bot(provider="anthropic", model="m", channel=channel))
    talk = talk["channels"][channel]
    assert (talk["dmPolicy"], talk["allowFrom"], talk["groupPolicy"]) == (
        "pairing",
        [],
        "allowlist",
    )
    assert [talk[key] for key in ("groups", "guilds", "channels") if key in talk] == [{}]


def test_openclaw_asks_for_its_secrets_and_nothing_else_at_creation() -> None:
    """For each choice one form, of at most five inputs: secrets, an address where one is needed."""
    one = builtin("openclaw")
    for provider in one.providers:
        for channel in one.channels:
            asked = [s.name for s in one.secrets_for(provider, channel) if not s.generated]
            asked += [f.name for f in one.fields_for(provider, channel) if not f.later]
            assert len(asked) <= 5, (provider, channel, asked)
            assert set(asked) <= {
                *("api_key", "channel_token", "channel_app_token", "base_url", "homeserver")
            }


def test_openclaw_runs_as_it_was_measured() -> None:
    """Memory, time-outs, environment and health check of the reference runs."""
    one = builtin("openclaw")
    which = bot(provider="openai", model="m", channel="telegram")
    spec = spec_of(one, which)
    assert (spec.memory, spec.nano_cpus, spec.pids) == (2 * 1024**3, 1_000_000_000, 512)
    assert (spec.stop_timeout, one.run.start_timeout, spec.restart) == (30, 90, "unless-stopped")
    assert one.run.fatal_exit_codes == (78,)
    assert dict(spec.env) == {
        "OPENCLAW_CONFIG_PATH": "/etc/openclaw/openclaw.json",
        "OPENCLAW_STATE_DIR": "/home/node/.openclaw",
        "OPENCLAW_CONFIG_READONLY": "1",
        "OPENCLAW_NO_AUTO_UPDATE": "1",
        "OPENCLAW_DISABLE_BONJOUR": "1",
        "XDG_CACHE_HOME": "/tmp/.cache",
        "NO_COLOR": "1",
        "TZ": "UTC",
    }
    assert spec.health is not None
    assert "healthz" in spec.health.test[-1]
    assert "readyz" in spec.health.test[-1]


def test_the_demo_is_told_its_choices_and_behaviour() -> None:
    """Choices and fields reach the demo image as variables, defaults included."""
    one = builtin("demo")
    choice = one.choose(None, None, None)
    which = bot(
        provider=choice.provider,
        model=choice.model,
        channel=choice.channel,
        fields={"behaviour": "crash-once"},
    )
    spec = spec_of(one, which)
    assert dict(spec.env) == {
        "BOT_PROVIDER": "demo",
        "BOT_MODEL": "demo-small",
        "BOT_CHANNEL": "demo",
        "DEMO_BEHAVIOUR": "crash-once",
        "DEMO_INTERVAL": "2",
    }
    assert rendered_files(one, which) == ()
    assert (spec.memory, spec.nano_cpus, spec.pids) == (32 * 1024**2, 250_000_000, 32)
