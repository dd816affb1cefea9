"""Loading: a broken file is refused by name, line and reason; the others load."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.catalog import load
from controller.catalog.loading import BUILTIN
from controller.catalog.positions import line_of
from controller.domain.errors import BadSetting, NotFound
from tests.catalog.samples import ECHO, folder_with

OURS = sorted(file.stem for file in BUILTIN.glob("*.toml"))
FAKE = "sk-" + "ant-" + "FAKE" * 8


def test_the_builtin_templates_load() -> None:
    """Each file that comes with the program is a template, and none is refused."""
    catalog = load()
    assert list(catalog.templates) == OURS
    assert {"demo", "openclaw"} <= set(OURS)
    assert catalog.refused == ()


def test_another_folder_adds_to_the_builtin_ones(tmp_path: Path) -> None:
    """Files of the admin stand beside ours; other files in the folder are ignored."""
    folder = folder_with(tmp_path / "t", echo=ECHO)
    (folder / "notes.txt").write_text("not a template")
    (folder / ".hidden.toml").write_text("not a template")
    catalog = load(folder)
    assert list(catalog.templates) == [*OURS, "echo"]
    assert catalog.refused == ()
    assert catalog.get("echo").run.user == "1000:1000"


def test_an_unknown_template_is_told_what_there_is() -> None:
    """The refusal lists the ids that work."""
    with pytest.raises(NotFound) as caught:
        load().get("echo")
    assert caught.value.code == "unknown-template"
    assert caught.value.hint == f"Available: {', '.join(OURS)}."


def test_a_folder_that_does_not_exist_is_a_bad_setting(tmp_path: Path) -> None:
    """A typing error in the setting is not an empty folder."""
    with pytest.raises(BadSetting, match="doesn't exist or can't be read") as caught:
        load(tmp_path / "nope")
    assert "BOTMAKER_TEMPLATES_DIR" in caught.value.hint


def test_a_builtin_id_cannot_be_taken(tmp_path: Path) -> None:
    """Nobody replaces a built-in template by accident."""
    text = ECHO.replace('id = "echo"', 'id = "demo"')
    catalog = load(folder_with(tmp_path / "t", demo=text))
    assert [str(one) for one in catalog.refused] == [
        f"{tmp_path}/t/demo.toml:1: "
        "The id `demo` belongs to a built-in template: choose another one."
    ]
    assert catalog.get("demo").title == "Demo bot"


# What is exchanged in the echo template, for what, the line of the error, and its words.
BROKEN: dict[str, tuple[str, str, int, str]] = {
    "no TOML": (
        'title = "Echo bot"', "title = Echo bot", 3, "This isn't valid TOML: Invalid value.",
    ),
    "cut off": ('limit = 3 }\n', "limit = 3", 69, "isn't valid TOML: "),
    "twice": ("[state]", "[run]", 16, "isn't valid TOML: "),
    "newer schema": ("schema = 1", "schema = 2", 1, "`schema` must be 1."),
    "no id": ('id = "echo"\n', "", 1, "`id` is missing."),
    "other id": ('id = "echo"', 'id = "other"', 2, "`id` must be the file's name: use `echo`"),
    "impossible id": ('id = "echo"', 'id = "Echo!"', 2, "`id` may have at most 32 lower-case"),
    "misspelt key": ("command =", "comand =", 11, "did you mean `command`?"),
    "misspelt table": ("[image]", "[imagge]", 6, "did you mean `image`?"),
    "number for text": ('user = "1000"', "user = 1000", 10, "`run.user` must be text in quotes"),
    "text for number": ("cpus = 0.5", 'cpus = "0.5"', 14, "`run.resources.cpus` must be a number."),
    "text for list": ('["/bin/echo-bot"]', '"/bin/echo-bot"', 11, "must be a list"),
    "root": ('user = "1000"', 'user = "0:0"', 10, "must be numeric and never 0"),
    "user by name": ('user = "1000"', 'user = "node"', 10, "must be numeric and never 0"),
    "group 0": ('user = "1000"', 'user = "1000:0"', 10, "must be numeric and never 0"),
    "no size": ('"256m"', '"256 MB"', 14, "`run.resources.memory` must be a size"),
    "small memory": ('"256m"', '"1m"', 14, "must be between 8m and 4096g"),
    "restart always": ("on-failure:5", "always", 13, '`run.restart` must be "unless-stopped"'),
    "secret name": ("LANG =", "API_TOKEN =", 12, "`run.env.API_TOKEN` sounds like a secret"),
    "secret value": ("C.UTF-8", FAKE, 12, "`run.env.LANG` looks like a secret"),
    "secret in the command": ("/bin/echo-bot", f"--key={FAKE}", 11, "looks like a secret"),
    "secret in a file": ("limit = 3", f'key = "{FAKE}"', 69, "looks like a secret"),
    "path of no secret": ("/run/secrets/api_key", "/run/secrets/nope", 12, "a declared secret"),
    "file elsewhere": ("/run/secrets/api_key", "/data/key", 12, "a declared secret"),
    "pasted placeholder": ('"{{name}}"', '"bot {{name}}"', 12, "must be one placeholder"),
    "unknown placeholder": ("{{name}}", "{{nmae}}", 12, "uses `{{nmae}}`, which doesn't exist"),
    "field of an option": ("{{field.mood}}", "{{field.region}}", 68, "which doesn't exist here"),
    "half a path": ('path = "/data"', 'path = "data"', 17, '`state.path` must be a full path'),
    "path upwards": ('path = "/data"', 'path = "/data/../x"', 17, "must be a full path"),
    "over the secrets": ('path = "/data"', 'path = "/run"', 17, "would cover /run/secrets"),
    "under the secrets": ('path = "/data"', 'path = "/run/secrets/x"', 17, "must not be in"),
    "system folder": ('path = "/data"', 'path = "/proc/x"', 17, "belongs to the system"),
    "mounted twice": ('path = "/data"', 'path = "/etc/echo"', 63, "is mounted twice"),
    "covering file": ('path = "/data"', 'path = "/etc/echo/x"', 63, "would cover /etc/echo/x"),
    "health words": ('["CMD", "/bin/check"]', '["/bin/check"]', 20, "`health.test` must be like"),
    "negative interval": ("interval = 30", "interval = -3", 21, "must be at least 1"),
    "bad model": ('"acme-2"', '"-acme"', 25, "`providers.acme.models 2` must be a model's name"),
    "bad secret's name": ('name = "api_key"', 'name = "API-Key"', 29, "must begin with a lower"),
    "no label": ('label = "Acme key"\n', "", 28, "`providers.acme.secrets 1` needs a `label`"),
    "long label": ('"Acme key"', f'"{"A" * 46}"', 30, "may have at most 45 characters"),
    "bad pattern": (r"ak-\w{8,}$", "ak-(", 32, "isn't a valid regular expression"),
    "default not among choices": (
        'choices = ["eu", "us"]', 'choices = ["eu"]\ndefault = "us"', 38, "would be refused",
    ),
    "two of a name": ('"channel_token"', '"api_key"', 43, "two secrets `api_key`"),
    "two of a variable": ('"ALLOW_FROM"', '"LANG"', 51, "would be set twice: `LANG` is taken"),
    "secret as a field": ('name = "mood"', 'name = "password"', 58, "sounds like a secret"),
    "ini": ('format = "json"', 'format = "ini"', 64, "must be 'json', 'yaml' or 'toml'"),
    "file without a folder": ("/etc/echo/echo.json", "/echo.json", 63, "needs a folder"),
    "a date in a file": ("limit = 3", "limit = 2026-01-01", 69, "JSON doesn't have"),
}  # fmt: skip


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_template_is_refused_with_line_and_reason(tmp_path: Path, case: str) -> None:
    """One file, one refusal: the line where to look, and why in plain words, without a secret."""
    old, new, line, words = BROKEN[case]
    assert ECHO.count(old) >= 1
    catalog = load(folder_with(tmp_path / "t", echo=ECHO.replace(old, new, 1)))
    assert list(catalog.templates) == OURS
    (refusal,) = catalog.refused
    assert refusal.file.name == "echo.toml"
    assert (refusal.line, words in refusal.reason) == (line, True), str(refusal)
    assert FAKE not in refusal.reason
    for jargon in ("Input should", "pydantic", "tuple", "dict", "NoneType", "extra_forbidden"):
        assert jargon not in refusal.reason


@pytest.mark.parametrize(
    ("data", "line", "words"),
    [
        (b'schema = 1\nid = "\xff"\n', 2, "not UTF-8"),
        (b"", 1, "is missing"),
        (b"#" * 300_000, 0, "larger than 256 KiB"),
        (b"a = " + b"[" * 5000, 0, ""),
    ],
)
def test_a_file_that_is_no_template_at_all_is_refused(
    tmp_path: Path, data: bytes, line: int, words: str
) -> None:
    """Rubbish in the folder stops nothing."""
    folder = folder_with(tmp_path / "t", echo=ECHO)
    (folder / "bad.toml").write_bytes(data)
    (folder / "folder.toml").mkdir()
    catalog = load(folder)
    assert "echo" in catalog.templates
    refused = {one.file.name: one for one in catalog.refused}
    assert words in refused["bad.toml"].reason
    assert refused["bad.toml"].line >= line
    assert "can't be read" in refused["folder.toml"].reason


def test_all_errors_are_counted_and_a_misspelt_key_comes_first(tmp_path: Path) -> None:
    """The key that is missing is often the one that is misspelt two lines on."""
    text = ECHO.replace("ref =", "reff =").replace('title = "Post"', "")
    (refusal,) = load(folder_with(tmp_path / "t", echo=text)).refused
    assert refusal.line == 7
    assert refusal.reason.endswith("did you mean `ref`? (And 2 more.)")


LAYOUT = '''\
# a comment with [brackets] and key = value
top = "a # no comment"          # a comment
"quoted key" = 1
dotted.inner.key = 1
long = """
[not.a.table]
not_a_key = 1 """
list = [
  "a", # ]
  [ "b" ],
  { c = "]" },
]
inline = { a = { b = 1 } }

[table]
key = 'literal with "quotes" and \\'

[table.sub]
key = 1
  [[many]]
  name = 1
  [many.inner]
  name = 2
  [[many.deep]]
  x = 1
  [[many]]
  name = 3
  [[many.deep]]
  x = 2
  [[many.deep]]
  x = 3
["odd name".x]
y = \'\'\'a\'\'\'\'
last = 2026-01-01T00:00:00Z
'''

WAYS: list[tuple[tuple[str | int, ...], int]] = [
    (("top",), 2),
    (("quoted key",), 3),
    (("dotted", "inner", "key"), 4),
    (("dotted", "inner"), 4),
    (("long",), 5),
    (("not_a_key",), 1),
    (("not", "a", "table"), 1),
    (("list", 1, 0), 8),
    (("inline", "a", "b"), 13),
    (("table",), 15),
    (("table", "key"), 16),
    (("table", "missing"), 15),
    (("table", "sub", "key"), 19),
    (("many",), 20),
    (("many", 0, "name"), 21),
    (("many", 0, "inner", "name"), 23),
    (("many", 0, "deep", 0, "x"), 25),
    (("many", 1), 26),
    (("many", 1, "name"), 27),
    (("many", 1, "deep", 0, "x"), 29),
    (("many", 1, "deep", 1, "x"), 31),
    (("many", 1, "deep", 1, "missing"), 30),
    (("odd name", "x", "y"), 33),
    (("odd name", "x", "last"), 34),
]


@pytest.mark.parametrize(("way", "line"), WAYS)
def test_a_key_is_found_on_its_line(way: tuple[str | int, ...], line: int) -> None:
    """Through tables, arrays of tables, dotted keys and texts that look like TOML."""
    tomllib.loads(LAYOUT)
    assert line_of(LAYOUT, way) == line


VALUES = st.recursive(
    st.sampled_from(["1", "true", '"t"', "'l'", '"""\nk = 1\n[t]\n"""', "'''\n[x]'''", '"\\"]"']),
    lambda inner: st.lists(inner, max_size=3).map(
        lambda items: "[\n" + ", # c ]\n".join(items) + "\n]"
    ),
    max_leaves=6,
)


@given(st.lists(VALUES, min_size=1, max_size=8))
def test_whatever_the_values_are_the_next_key_is_found(values: list[str]) -> None:
    """No value makes the search lose its place."""
    text = "".join(f"[t{n}]\nkey{n} = {value}\n" for n, value in enumerate(values))
    table: dict[str, Any] = tomllib.loads(text)
    lines = text.split("\n")
    for number, name in enumerate(table):
        assert lines[line_of(text, (name, f"key{number}")) - 1].startswith(f"key{number} = ")


# --- other images ---------------------------------------------------------------------------------


def test_a_template_can_be_given_another_image() -> None:
    """Everything else of it stays, and so do the other templates and the first catalog."""
    before = load()
    after = before.with_images({"demo": "example/other:2"})
    assert after.get("demo").image.ref == "example/other:2"
    assert after.get("demo").image.pull == "never"
    assert after.get("demo").run == before.get("demo").run
    assert after.get("openclaw") is before.get("openclaw")
    assert before.get("demo").image.ref == "botmaker-demo:2"
    assert before.with_images({}).templates == before.templates


@pytest.mark.parametrize(
    ("images", "code", "words"),
    [
        (
            {"dmeo": "example/other:2"},
            "unknown-template",
            "`dmeo`, which doesn't exist. Available: demo",
        ),
        ({"demo": "No Image"}, "bad-image", "an invalid name. Use a name like"),
        ({"demo": ""}, "bad-image", "an invalid name. Use a name like"),
    ],
)
def test_another_image_that_cannot_be_is_a_bad_setting(
    images: dict[str, str], code: str, words: str
) -> None:
    """A typing error ends the start in words, rather than being passed over."""
    with pytest.raises(BadSetting) as caught:
        load().with_images(images)
    assert caught.value.code == code
    assert words in str(caught.value)
