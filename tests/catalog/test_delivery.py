"""How secrets and texts get to a bot: by file, by path, by a secret config file, by a shell."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from controller.catalog import (
    Template,
    container_spec,
    rendered_files,
    secret_files,
    seed_files,
)
from controller.domain.bot import Bot
from controller.domain.errors import BadInput, NotReady
from controller.domain.spec import ContainerSpec, HealthSpec, SeedFile
from tests.catalog.samples import BOT, MINIMAL, bot, builtin, full, full_bot, template

KEY = "ak-FAKE-1e5"
SECRETS = {"api_key": KEY, "channel_token": "FAKE: token"}


def spec_of(one: Template, which: Bot, **changes: Any) -> ContainerSpec:
    return container_spec(
        one,
        which,
        **{
            "image": "sha256:" + "0" * 64,
            "user": "1000:1000",
            "secrets_source": "/srv/secrets/x",
            **changes,
        },
    )


# --- what was, stays ------------------------------------------------------------------------------


def test_a_template_without_the_new_parts_gives_the_container_it_gave() -> None:
    """The hashes of before these parts existed: no bot gets a new container for nothing."""
    files = {"files": [("/srv/files/0", "/etc/echo")], "prepare_volume": True}
    asked = bot(fields={"allow_from": "1, 2", "mood": ""})
    demo = bot(
        provider="demo", model="demo-small", channel="demo", fields={"behaviour": "crash-once"}
    )
    assert spec_of(template(), BOT).digest() == "6ade133388e05a89"
    assert spec_of(template(), asked, user="4242:4343", **files).digest() == "0be062c094e5bcf6"
    assert spec_of(builtin("demo"), demo).digest() == "f252195cd6e3b796"


# --- by path --------------------------------------------------------------------------------------


def test_a_path_is_handed_over_in_a_variable() -> None:
    """The variable holds where the secret is; another channel's is not there."""
    assert dict(spec_of(full(), full_bot()).env) == {"API_KEY_FILE": "/run/secrets/api_key"}
    letter = spec_of(full(), full_bot(channel="letter"))
    assert dict(letter.env)["SEAL_FILE"] == "/run/secrets/seal"


# --- by a shell -----------------------------------------------------------------------------------


def test_a_shell_reads_the_secret_and_becomes_the_program() -> None:
    """The container's description names the file; entrypoint and command follow, unquoted."""
    spec = spec_of(full(), full_bot())
    assert spec.entrypoint == (
        "/bin/sh",
        "-c",
        'export API_KEY="$(cat /run/secrets/api_key)"; exec "$@"',
        "sh",
    )
    assert spec.command == ("/bin/init", "/bin/full")
    assert "API_KEY" not in dict(spec.env)
    assert full().exposes_secrets
    assert not template().exposes_secrets


def _run(spec: ContainerSpec, folder: Path) -> list[str]:
    entrypoint = [part.replace("/run/secrets", str(folder)) for part in spec.entrypoint]
    done = subprocess.run(
        [*entrypoint, *spec.command],
        capture_output=True,
        text=True,
        check=True,
        env={"PATH": "/bin:/usr/bin"},
    )
    found: list[str] = json.loads(done.stdout)
    return found


def test_the_program_finds_what_was_typed_and_its_own_arguments(tmp_path: Path) -> None:
    """Run in a real shell: nothing in secrets or arguments is taken for shell words."""
    program = (
        "import json, os, sys;"
        "print(json.dumps([os.environ.get('A'), os.environ.get('B'), *sys.argv[1:]]))"
    )
    secret = {"label": "x"}
    one = template(
        MINIMAL,
        run={
            "user": "1000:1000",
            "command": [sys.executable, "-c", program, "two words", "$A", "`id`", '"'],
            "secret_exposure": "process-env",
        },
        secrets=[
            {"name": "a", "process_env": "A", **secret},
            {"name": "b", "process_env": "B", "required": False, **secret},
        ],
    )
    which = bot(template="ten", provider="", model="", channel="")
    value = "FAKE $HOME `id` \"'\\ *"
    (tmp_path / "a").write_text(value)
    rest = ["two words", "$A", "`id`", '"']
    assert _run(spec_of(one, which), tmp_path) == [value, None, *rest]
    (tmp_path / "b").write_text("FAKE")
    assert _run(spec_of(one, which), tmp_path) == [value, "FAKE", *rest]


def test_only_bots_with_such_a_secret_get_a_shell() -> None:
    """A channel's exposure is no other channel's."""
    one = full(
        secrets=[],
        run={"user": "7", "command": ["/bin/full"], "secret_exposure": "process-env"},
        files=[],
        providers={},
        channels={
            "open": {"title": "Open", "secrets": [{"name": "t", "label": "T", "process_env": "T"}]},
            "shut": {"title": "Shut"},
        },
        actions={},
        fields=[],
        seeds=[],
        validation=None,
    )
    assert spec_of(one, full_bot(provider="", channel="open")).entrypoint[0] == "/bin/sh"
    shut = spec_of(one, full_bot(provider="", channel="shut"))
    assert (shut.entrypoint, shut.command) == ((), ("/bin/full",))


# --- in a secret config file ----------------------------------------------------------------------


def test_a_secret_config_file_stands_apart_from_the_plain_ones() -> None:
    """The first is among the secrets with what the options add; the other one holds none."""
    which = full_bot(fields={"allow_from": "7, 8"})
    files = secret_files(full(), which, {**SECRETS, "of-an-older-template": "FAKE"})
    assert list(files) == ["channel_config"]
    assert yaml.safe_load(files["channel_config"]) == {
        "key": KEY,
        "token": "FAKE: token",
        "allow": ["7", "8"],
        "channels": {"telegram": {"dmPolicy": "pairing"}},
    }
    (plain,) = rendered_files(full(), which)
    assert (plain.folder, plain.name) == ("/etc/full", "x.toml")
    assert tomllib.loads(plain.text) == {"model": "acme/acme-1"}
    assert KEY not in repr(spec_of(full(), which))


def test_a_secret_that_may_be_missing_is_left_out() -> None:
    """And one that is required is waited for, by its name for people."""
    letter = full_bot(channel="letter")
    text = secret_files(full(), letter, {"api_key": KEY})["channel_config"]
    assert yaml.safe_load(text) == {
        "key": KEY,
        "channels": {"telegram": {"dmPolicy": "pairing"}},
    }
    with pytest.raises(NotReady, match="The Key is missing") as caught:
        secret_files(full(), letter, {"seal": KEY})
    assert caught.value.code == "secrets-missing"
    assert KEY not in str(caught.value)


def test_a_template_without_secret_files_needs_no_secrets_for_them() -> None:
    """Nothing is asked for and nothing comes."""
    assert secret_files(template(), BOT, {}) == {}


# --- what a choice adds ---------------------------------------------------------------------------


def test_a_choice_brings_its_config_after_provider_and_channel() -> None:
    """Base, provider, channel, then the fields' choices in order: what comes last wins."""
    said = [
        {"name": "a", "label": "A", "choices": ["x", "y"], "default": "x",
         "when": {"x": {"who": "choice", "seen": ["x"]}, "y": {"seen": ["y"]}}},
        {"name": "b", "label": "B", "choices": ["p", "q"], "list": True,
         "when": {"p": {"p": "{{name}}"}, "q": {"q": "{{field.a}}"}}},
    ]  # fmt: skip
    one = template(
        fields=said,
        providers={"acme": {"title": "A", "config": {"who": "provider", "of": "provider"}}},
        channels={"post": {"title": "P", "config": {"of": "channel"}, "fields": [
            {"name": "c", "label": "C", "choices": ["z"], "when": {"z": {"own": "{{field.c}}"}}},
        ]}},
        files=[{"path": "/etc/e/e", "format": "json", "content": {"who": "base", "base": True}}],
        run={"user": "7"},
        secrets=[],
    )  # fmt: skip

    def config(**fields: str) -> dict[str, Any]:
        (file,) = rendered_files(one, bot(fields=fields))
        loaded: dict[str, Any] = json.loads(file.text)
        return loaded

    frame = {"base": True, "of": "channel"}
    assert config() == {**frame, "who": "choice", "seen": ["x"]}
    assert config(a="y") == {**frame, "who": "provider", "seen": ["y"]}
    assert config(a="y", b="p q", c="z") == {
        **frame, "who": "provider", "seen": ["y"], "p": "shop-helper", "q": "y", "own": "z",
    }  # fmt: skip


# --- seeds ----------------------------------------------------------------------------------------


def test_seeds_are_literal_or_a_whole_field() -> None:
    """One without a text is not written, and the container's description has them."""
    fixed = SeedFile(path="workspace/A.md", text="Hello.\n", keep=False)
    assert seed_files(full(), full_bot()) == (fixed,)
    persona = "You are kind.\n\nAnd short."
    which = full_bot(fields={"persona": persona})
    assert seed_files(full(), which) == (
        SeedFile(path="workspace/SOUL.md", text=persona, keep=True),
        fixed,
    )
    assert spec_of(full(), which).seeds == seed_files(full(), which)


# --- the rest of the new parts --------------------------------------------------------------------


def test_signs_in_the_log_are_no_healthcheck_of_the_engine() -> None:
    """A template may have the one, the other or both."""
    sign = {"pattern": "X", "means": "Y."}
    both = template(health={"test": ["CMD", "/bin/check"], "log": [sign]})
    assert spec_of(both, BOT).health == HealthSpec(test=("CMD", "/bin/check"))
    only = template(health={"log": [sign]})
    assert spec_of(only, BOT).health is None
    assert only.health is not None
    assert only.health.log[0].means == "Y."


def test_needs_are_those_of_the_chosen_options() -> None:
    """With the title of the option, so that a sentence can be made of it."""
    (need,) = full().needs_for("acme", "telegram")
    assert (need.path, need.title) == ("/app/telegram", "Telegram")
    assert need.hint == "Use an image with the plugin."
    assert full().needs_for("acme", "letter") == ()


def test_a_field_of_several_lines_takes_four_thousand_characters() -> None:
    """Line breaks and tabs are fine in it, other controls and keys are not."""
    persona = full().fields[1]
    persona.check("line\n\tline\n" + "x" * 3900)
    for value in ("x" * 4001, "a\x1bb", "a\n" + "sk-" + "ant-" + "FAKE" * 8):
        with pytest.raises(BadInput):
            persona.check(value)
    assert (persona.multiline, persona.later) == (True, True)


def test_a_template_names_the_service_that_knows_a_secret() -> None:
    """By a check that there is."""
    assert full().secrets[0].live_check == "anthropic"
    assert template().secrets[0].live_check == ""
