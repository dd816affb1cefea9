"""A template in words: people read where their secrets go before they type any."""

from __future__ import annotations

import json

from controller.catalog import explain, load
from tests.catalog.samples import FULL, MINIMAL, full, template


def section(text: str, heading: str) -> str:
    """One section of the words, without its heading."""
    (found,) = [block for block in text.split("\n\n") if block.startswith(f"{heading}\n")]
    return found.removeprefix(f"{heading}\n")


def test_it_says_what_runs_with_which_limits() -> None:
    """Image, command, user, state, files, checks, reload; memory and the rest."""
    text = explain(full())
    assert text.startswith("Full bot (full)\n")
    runs = section(text, "What it runs")
    for words in (
        "image example/full:1, pulled when it is missing",
        "command /bin/init /bin/full",
        "as user 1000:1000",
        "state in a volume at /data",
        "config /run/secrets/channel_config (yaml), with secrets in it",
        "config /etc/full/x.toml (toml), without secrets",
        "file in the state workspace/SOUL.md, written once",
        "file in the state workspace/A.md, written anew with each container",
        "config is checked first by /bin/full validate",
        "replaced secrets are read by /bin/full reload (up to 12 s)",
        "Telegram needs /app/telegram in the image: Use an image with the plugin.",
    ):
        assert words in runs
    limits = section(text, "Limits")
    assert "memory 256m, no swap; 0.5 CPUs; 128 processes" in limits
    assert "never after exit code 78" in limits


def test_it_says_where_each_secret_goes() -> None:
    """File, path in a variable, variable of the process, config file, service, each in words."""
    asks = section(explain(full()), "What it asks, and where each answer goes")
    key = asks[asks.index("secret api_key") : asks.index("field policy")]
    assert [line.strip() for line in key.strip().splitlines()] == [
        "secret api_key (Key)",
        "file /run/secrets/api_key",
        "variable API_KEY_FILE holds that path",
        "variable API_KEY of the bot's process holds the secret itself",
        "stands in /run/secrets/channel_config",
        "asked of anthropic before it is stored",
    ]
    seal = asks[asks.index("secret seal") :]
    assert "may be left out" in seal
    echo = explain(template())
    assert "made by BotMaker, never shown" in echo
    assert "variable KEY_SECRET_FILE holds that path" in echo
    assert "its path stands in /etc/openclaw/openclaw.json" in explain(load().get("openclaw"))


def test_it_says_where_each_field_goes() -> None:
    """Also what a choice brings, and that a field is asked later."""
    asks = section(explain(full()), "What it asks, and where each answer goes")
    persona = asks[asks.index("field persona") : asks.index("provider acme")]
    assert "asked by `/bot edit` only" in persona
    assert "becomes workspace/SOUL.md in the state" in persona
    assert "pairing adds to /run/secrets/channel_config" in asks
    assert "one of open, pairing" in asks
    assert "variable ALLOW_FROM" in explain(template())


def test_a_weaker_way_is_said_aloud() -> None:
    """Where a secret is in the process's environment, and where none is."""
    exposure = section(explain(full()), "Exposure")
    assert exposure.strip().startswith("⚠️ process-env")
    assert "API_KEY" in exposure
    assert "⚠️" not in explain(template())
    assert "none is in an environment variable" in section(explain(template()), "Exposure")


def test_it_says_what_counts_as_ill_and_what_can_be_done() -> None:
    """Health, signs in the log with what ends them, and the actions with their roles."""
    text = explain(full())
    health = section(text, "Health")
    assert "check /bin/check" in health
    assert "DEGRADED, until a line fits secrets reloaded: A secret could not be read." in health
    actions = section(text, "Actions")
    assert "pairing-approve (Approve a pairing code), operator, in telegram only:" in actions
    assert "asks code (Pairing code)" in actions
    assert "no health check" in explain(template(MINIMAL))
    assert "\nActions\n" not in explain(template(MINIMAL))


def test_the_sample_config_is_whole_and_holds_no_real_value() -> None:
    """The first provider and channel; what people type stands in angle brackets."""
    text = explain(full())
    secret = section(text, "Sample /run/secrets/channel_config with acme and telegram")
    assert 'key: "<secret api_key>"' in secret
    assert '- "<Who>"' in secret
    assert "dmPolicy: pairing" in secret
    assert 'model = "acme/acme-1"' in text
    sample = text[text.index("Sample /etc") :]
    assert sample.startswith("Sample /etc/full/x.toml")
    openclaw = explain(load().get("openclaw"))
    json.loads(openclaw[openclaw.index("Sample ") :].partition("\n")[2])


def test_a_provider_without_a_suggestion_has_a_sample_too() -> None:
    """A model is made up for it."""
    one = template(FULL.replace('models = ["acme-1"]\n', ""))
    assert 'model = "acme/some-model"' in explain(one)


def test_every_builtin_template_can_be_explained() -> None:
    """In full, each of its secrets and fields by name."""
    for template_id, one in load().templates.items():
        text = explain(one)
        assert f"({template_id})" in text
        for part in (one, *one.providers.values(), *one.channels.values()):
            for spec in (*part.secrets, *part.fields):
                assert f" {spec.name}" in text
