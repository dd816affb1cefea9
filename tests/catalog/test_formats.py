"""The formats of config files: what is written is read again as it was, by any reader."""

from __future__ import annotations

import json
import tomllib
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from controller.catalog.formats import Format, write
from controller.domain.bot import Bot
from controller.domain.errors import BadInput
from tests.catalog.samples import MINIMAL, render_all, template

READERS = {"json": json.loads, "yaml": yaml.safe_load, "toml": tomllib.loads}

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
TABLES = st.recursive(
    st.one_of(
        TEXT,
        st.booleans(),
        st.integers(-(2**63), 2**63 - 1),
        st.floats(allow_nan=False, allow_infinity=False),
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXT, inner, max_size=3)),
    max_leaves=12,
)


@pytest.mark.parametrize("form", READERS)
@given(table=st.dictionaries(TEXT, TABLES, max_size=4))
def test_what_is_written_is_read_again_as_it_was(form: Format, table: dict[str, Any]) -> None:
    """No text, no nesting and no key comes out different, in any format."""
    text = write(table, form)
    assert READERS[form](text) == table
    assert not text or text.endswith("\n")


@pytest.mark.parametrize("form", READERS)
def test_keys_stay_in_the_order_of_the_template(form: Format) -> None:
    """People compare the file with the template."""
    assert list(READERS[form](write({"z": 1, "a": 2, "m": 3}, form))) == ["z", "a", "m"]


# Texts that readers of YAML 1.1 or 1.2 would take for another type, were they written bare.
MISTAKABLE = [
    *("1e3", "0o17", "0x1f", "1_000", "12:30:45", "1.5", "+1", "-1", ".5"),
    *(".inf", ".NaN", "2026-11-21", "{a}", "[a]", "*a", "&a", "!a", "%a", "@a", "`a`", "=", "<<"),
    *("yes", "no", "on", "off", "true", "False", "null", "~", "", "NULL", "- a", "a: b", "a #b"),
    *("'a'", '"a"', "a\nb", " a", "a "),
]  # fmt: skip


@pytest.mark.parametrize("value", MISTAKABLE)
def test_yaml_leaves_no_doubt_that_a_text_is_a_text(value: str) -> None:
    """It stands in quotes, since the bot's own reader may be of another version than ours."""
    line = write({"k": value}, "yaml").removeprefix("k: ")
    assert line[0] in "'\""
    assert yaml.safe_load(line) == value


def test_yaml_repeats_a_table_rather_than_pointing_at_it() -> None:
    """A list as a key gives one table many times, and not every reader knows aliases."""
    rooms = {"{{field.rooms}}": {"on": True}}
    one = template(
        MINIMAL,
        fields=[{"name": "rooms", "label": "Rooms", "list": True}],
        files=[{"path": "/etc/x/x.yaml", "format": "yaml", "content": {"rooms": rooms}}],
    )
    text = render_all(one, _plain(rooms="a, b"))["/etc/x/x.yaml"]
    assert "&" not in text
    assert yaml.safe_load(text) == {"rooms": {"a": {"on": True}, "b": {"on": True}}}


def _plain(**fields: str) -> Bot:
    return Bot(id="i", name="n", template="t", provider="", model="", channel="", fields=fields)


@pytest.mark.parametrize("form", READERS)
@given(value=st.text(max_size=40))
def test_no_value_breaks_out_of_its_place(form: Format, value: str) -> None:
    """Whatever is typed into a field of several lines is that one value in the file."""
    one = template(
        MINIMAL,
        fields=[{"name": "words", "label": "Words", "multiline": True, "default": "x"}],
        files=[
            {
                "path": "/etc/x/x",
                "format": form,
                "content": {"words": "{{field.words}}", "inner": {"last": 1}},
            }
        ],
    )
    try:
        text = render_all(one, _plain(words=value))["/etc/x/x"]
    except BadInput:
        return
    assert READERS[form](text) == {"words": value or "x", "inner": {"last": 1}}


def test_dates_stay_dates_where_the_format_has_them() -> None:
    """What TOML can say and the format too is written as such."""
    content = tomllib.loads("day = 2026-11-21\nat = 2026-11-21T07:30:00Z\nhuge = inf\n")
    for form in ("yaml", "toml"):
        assert READERS[form](write(content, form)) == content  # type: ignore[arg-type]
