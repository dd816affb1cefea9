"""Rules across tables: each mistake in a full template is refused with its line and reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from controller.catalog import load, mistakes
from controller.catalog.loading import BUILTIN
from tests.catalog.samples import ECHO, FULL, MINIMAL, folder_with

FAKE = "sk-" + "ant-" + "FAKE" * 8
ACTION = '["/bin/full", "approve", "{{channel}}", "{{field.code}}"]'
ARG = '[[actions.pairing-approve.args]]\nname = "{}"\nlabel = "x"\n'

# What is exchanged in the full template, for what, the line of the error, and its words.
BROKEN: dict[str, tuple[str, str, int, str]] = {
    # how a secret is handed over
    "exposure not said": (
        'secret_exposure = "process-env"\n', "", 33, "declare that with `secret_exposure",
    ),
    "exposure of nothing": ('process_env = "API_KEY"\n', "", 14, "no secret has `process_env`"),
    "another exposure": ('= "process-env"', '= "environment"', 14, "must be 'process-env'"),
    "shim without command": ('command = ["/bin/full"]\n', "", 33, "needs `command` in [run]"),
    "no such variable": ('= "API_KEY"', '= "API KEY"', 34, "isn't a valid name for a variable"),
    "env_file without _FILE": ("API_KEY_FILE", "API_KEY_PATH", 35, "must end in _FILE"),
    "variable of two secrets": ('"SEAL_FILE"', '"API_KEY_FILE"', 69, "`API_KEY_FILE` is taken"),
    "variable of the template": (
        'user = "1000"', 'user = "1000"\nenv = { API_KEY = "x" }', 10, "sounds like a secret",
    ),
    "path set twice": (
        'user = "1000"', 'user = "1000"\nenv = { API_KEY_FILE = "/run/secrets/api_key" }', 36,
        "`API_KEY_FILE` is taken",
    ),
    "variable of a field": (
        'name = "persona"', 'name = "persona"\nenv = "SEAL_FILE"', 69, "`SEAL_FILE` is taken",
    ),
    "unknown check": (
        'check = "anthropic"', 'check = "acme"', 36, "available: anthropic, discord",
    ),
    "check of a generated one": (
        'env_file = "API_KEY_FILE"', 'generate = "hex32"', 36,
        "no service knows a generated secret",
    ),
    # secrets in files
    "secret in a plain file": (
        '"{{provider/model}}"', '"{{secret.api_key}}"', 102, "in a file with `secret = true`",
    ),
    "secret in a seed": ('"{{field.persona}}"', '"{{secret.api_key}}"', 106, "`secret = true`"),
    "secret in an action": (
        '"{{channel}}", ', '"{{secret.api_key}}", ', 116, "`secret = true`",
    ),
    "secret that is not declared": (
        '"{{secret.api_key}}"', '"{{secret.other}}"', 95,
        "a secret that isn't declared for every bot",
    ),
    "secret of another option": (
        '"{{secret.seal}}"', '"{{secret.channel_token}}"', 72, "isn't declared for every bot",
    ),
    "secret of some bots only": (
        '"{{secret.api_key}}"', '"{{secret.seal}}"', 95, "isn't declared for every bot",
    ),
    "option's secret, plain file": (
        FULL[FULL.index("[[files]]") : FULL.index("[[files]]\npath = \"/etc")], "", 54,
        "in a file with `secret = true`",
    ),
    "plain file on a secret's place": (
        "\nsecret = true", "", 90, "must not be in /run/secrets",
    ),
    "literal secret in a file": ('"{{secret.api_key}}"', f'"{FAKE}"', 95, "looks like a secret"),
    "secret file elsewhere": (
        "/run/secrets/channel_config", "/etc/full/config", 90, "must be like /run/secrets/",
    ),
    "secret file in a folder": (
        "/run/secrets/channel_config", "/run/secrets/a/config", 90, "must be like /run/secrets/",
    ),
    "secret file with an ending": (
        "/run/secrets/channel_config", "/run/secrets/config.yaml", 90, "must be like /run/secrets/",
    ),
    "secret file over a secret": (
        "/run/secrets/channel_config", "/run/secrets/seal", 90,
        "is already the path of the secret `seal`",
    ),
    "plain file among secrets": (
        "/etc/full/x.toml", "/run/secrets/x", 98, "must not be in /run/secrets",
    ),
    # formats
    "unknown format": ('format = "yaml"', 'format = "ini"', 91, "must be 'json', 'yaml' or 'toml'"),
    "a time in YAML": ('dmPolicy = "pairing"', "dmPolicy = 07:30:00", 81, "YAML doesn't have"),
    "a number too large for TOML": (
        '"{{provider/model}}"', "9223372036854775808", 102, "whole number in TOML",
    ),
    # seeds
    "seeds without a state": ('[state]\npath = "/data"\n', "", 102, "has no [state]"),
    "seed upwards": ('"workspace/A.md"', '"../A.md"', 109, "leads out of the state volume"),
    "seed by full path": (
        '"workspace/A.md"', '"/data/A.md"', 109, "must be a path inside the state volume",
    ),
    "seed twice": ('"workspace/A.md"', '"workspace/SOUL.md"', 109, "is declared twice"),
    "seed in a seed": ('"workspace/A.md"', '"workspace/SOUL.md/x"', 109, "the other's folder"),
    "seed with a key": ('"Hello.\\n"', f'"{FAKE}"', 110, "looks like a secret"),
    "seed with a pasted field": (
        '"Hello.\\n"', '"Hello {{name}}"', 110, "must be one placeholder",
    ),
    # fields
    "later without default": (
        "later = true", "later = true\nrequired = true", 87, "needs a `default` or",
    ),
    "lines and choices": (
        "multiline = true", 'multiline = true\nchoices = ["a"]', 86,
        "can't be combined with `choices`",
    ),
    "when without choices": ('choices = ["open", "pairing"]\n', "", 79, "needs `choices`"),
    "when of no choice": ("when.pairing", "when.pared", 80, "isn't one of the choices: open"),
    "when with an unknown field": (
        'dmPolicy = "pairing"', 'dmPolicy = "{{field.x}}"', 81, "doesn't exist here",
    ),
    "when with a key": ('dmPolicy = "pairing"', f'dmPolicy = "{FAKE}"', 81, "looks like a secret"),
    # run, health, validation, needs
    "reload_timeout alone": (
        'reload = ["/bin/full", "reload"]\n', "", 12, "has no effect without `reload`",
    ),
    "reload of a week": ("reload_timeout = 12", "reload_timeout = 9e5", 13, "at most 300"),
    "reload with a placeholder": ('"reload"]', '"{{name}}"]', 12, "can't have placeholders"),
    "health test with a placeholder": ('"/bin/check"', '"{{name}}"', 20, "can't have placeholders"),
    "reload with a key": ('"reload"]', f'"{FAKE}"]', 12, "looks like a secret"),
    "health without a test": (
        'test = ["CMD", "/bin/check"]', "interval = 5", 19, "`health.test` is missing",
    ),
    "pattern of a log sign": ("'DEGRADED'", "'DEGRADED('", 23, "isn't a valid regular expression"),
    "sign of everything": ("'DEGRADED'", "'.*'", 23, "matches every text"),
    "end of a log sign": ("'secrets reloaded'", "'[a-'", 25, "isn't a valid regular expression"),
    "validation with a key": ('"validate"]', f'"{FAKE}"]', 28, "looks like a secret"),
    "validation with nothing": (
        '["/bin/full", "validate"]', "[]", 28, "`validation.command` must not be empty",
    ),
    "needs half a path": ('"/app/telegram"', '"telegram"', 46, "must be a full path"),
    "needs without a hint": ('hint = "Use an image with the plugin."\n', "", 45, "is missing"),
    # actions
    "action's key": (
        "[actions.pairing-approve]",
        '[actions.Pair]\ntitle = "x"\nrole = "viewer"\ncommand = ["x"]\n[actions.pairing-approve]',
        113, "at most 32",
    ),
    "action's title": ("Approve a pairing code", "A" * 46, 114, "at most 45 characters"),
    "action's role": ('"operator"', '"boss"', 115, "'viewer', 'operator' or 'admin'"),
    "action's placeholder": (ACTION, '["{{field.nope}}"]', 116, "doesn't exist here"),
    "action's pasted placeholder": (
        ACTION, '["code={{field.code}}"]', 116, "must be one placeholder",
    ),
    "action's key in words": (ACTION, f'["{FAKE}"]', 116, "looks like a secret"),
    "action of no command": (ACTION, "[]", 116, "must not be empty"),
    "action's foreign path": (ACTION, '["/run/secrets/no"]', 116, "names a secret `no`"),
    "action's channel": ('["telegram"]', '["telegrem"]', 117, "isn't a channel of this template"),
    "action's field of one channel": (
        f'{ACTION}\nchannels = ["telegram"]', '["{{field.allow_from}}"]', 116, "doesn't exist here",
    ),
    "action's hide": (r"'\d{6}'", r"'(\d{6}'", 118, "isn't a valid regular expression"),
    "action that hides all": (r"'\d{6}'", "'x*'", 118, "matches every text"),
    "six arguments": (
        '[[actions.pairing-approve.args]]', "".join(ARG.format(n) for n in "abcde")
        + '[[actions.pairing-approve.args]]', 135, "room for 5",
    ),
    "argument of lines": (
        'label = "Pairing code"', 'label = "x"\nmultiline = true', 123, "each is one line",
    ),
    "argument that is a field": ('name = "code"', 'name = "persona"', 121, "`persona`"),
    "argument that is a secret": ('name = "code"', 'name = "token"', 121, "sounds like a secret"),
    "arguments of one name": (
        "[[actions.pairing-approve.args]]",
        ARG.format("code") + "[[actions.pairing-approve.args]]", 124, "is taken",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BROKEN)
def test_a_mistake_is_refused_with_line_and_reason(tmp_path: Path, case: str) -> None:
    """The line where to look, why in plain words, and never the secret that was written there."""
    old, new, line, words = BROKEN[case]
    assert FULL.count(old) >= 1
    folder = folder_with(tmp_path / "t", full=FULL.replace(old, new, 1), ten=MINIMAL.strip())
    (refusal,) = load(folder).refused
    assert (refusal.line, words in refusal.reason) == (line, True), str(refusal)
    assert FAKE not in str(refusal)
    assert refusal.file.name == "full.toml"
    for jargon in ("Input should", "pydantic", "tuple", "dict", "NoneType", "extra_forbidden"):
        assert jargon not in refusal.reason


def test_the_full_template_is_right(tmp_path: Path) -> None:
    """What the table above breaks was whole before."""
    folder = folder_with(tmp_path / "t", full=FULL, echo=ECHO)
    assert load(folder).refused == ()
    assert mistakes(folder / "full.toml") == ()


# What is added to a template of ten lines, the line of the error, and its words.
ADDED: dict[str, tuple[str, int, str]] = {
    "validation without files": ('[validation]\ncommand = ["x"]', 11, "has no [[files]] to check"),
    "seeds without a state": ('[[seeds]]\npath = "a"\ntext = "b"', 11, "has no [state]"),
    "when without files": (
        '[[fields]]\nname = "a"\nlabel = "A"\nchoices = ["b"]\nwhen = { b = { c = 1 } }', 15,
        "has no [[files]] to go into",
    ),
    "config without files": (
        '[channels.a]\ntitle = "A"\nconfig = { b = 1 }', 13, "has no [[files]] to go into",
    ),
    "an empty health": ("[health]", 11, "`health.test` is missing"),
    "two secret files of a name": (
        '[[files]]\npath = "/run/secrets/a"\nformat = "json"\nsecret = true\n'
        '[[files]]\npath = "/run/secrets/a"\nformat = "json"\nsecret = true', 16,
        "is declared twice",
    ),
    "channel for an action": (
        '[actions.a]\ntitle = "A"\nrole = "admin"\ncommand = ["{{channel}}"]', 14,
        "doesn't exist here",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", ADDED)
def test_a_part_that_lacks_its_ground_is_refused(tmp_path: Path, case: str) -> None:
    """Parts that go into others are refused where those are missing."""
    text, line, words = ADDED[case]
    (refusal,) = load(folder_with(tmp_path / "t", ten=f"{MINIMAL}{text}\n")).refused
    assert (refusal.line, words in refusal.reason) == (line, True), str(refusal)


def test_ten_lines_are_a_template(tmp_path: Path) -> None:
    """A bot that needs one key and nothing else is ten lines."""
    assert len(MINIMAL.splitlines()) == 10
    catalog = load(folder_with(tmp_path / "t", ten=MINIMAL))
    assert catalog.refused == ()
    ten = catalog.get("ten")
    assert [spec.name for spec in ten.secrets_for("", "")] == ["api_key"]
    assert not ten.exposes_secrets


def test_every_mistake_of_a_file_is_named_with_its_own_line(tmp_path: Path) -> None:
    """Where several keys are wrong by themselves, each has its line."""
    text = MINIMAL.replace('title = "Ten lines"', "title = 7").replace('"1000:1000"', '"root"')
    folder = folder_with(tmp_path / "t", ten=text + "hint = 5\n")
    assert [one.line for one in mistakes(folder / "ten.toml")] == [3, 7, 11]
    (refusal,) = load(folder).refused
    assert refusal.reason.endswith("(And 2 more.)")


def test_a_file_beside_a_builtin_template_of_its_id_is_a_mistake(tmp_path: Path) -> None:
    """Also where it is checked alone; the built-in file itself is none."""
    text = MINIMAL.replace('"ten"', '"demo"')
    (found,) = mistakes(folder_with(tmp_path / "t", demo=text) / "demo.toml")
    assert "The id `demo` belongs to a built-in template" in found.reason
    assert mistakes(BUILTIN / "demo.toml") == ()
    (found,) = mistakes(tmp_path / "absent.toml")
    assert "can't be read" in found.reason
