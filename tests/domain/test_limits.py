"""A bot's own limits, as people type them: what is kept, and what is refused in which words."""

from __future__ import annotations

import pytest

from controller.domain.bot_limits import Ceiling, checked_limits, size_of, with_limits
from controller.domain.errors import BadInput

GIB = 1024**3


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ({"memory": "512m"}, {"memory": "512m"}),
        ({"memory": " 1 GB "}, {"memory": "1g"}),
        ({"memory": "1.5GiB"}, {"memory": "1536m"}),
        ({"memory": "1048576k"}, {"memory": "1g"}),
        ({"cpus": "1,50"}, {"cpus": "1.5"}),
        ({"cpus": "4"}, {"cpus": "4"}),
        ({"pids": "0128"}, {"pids": "128"}),
        (
            {"memory": "template", "cpus": "", "pids": "Default"},
            dict.fromkeys(("memory", "cpus", "pids"), ""),
        ),
        ({}, {}),
    ],
)
def test_what_is_typed_is_kept_in_one_form(typed: dict[str, str], kept: dict[str, str]) -> None:
    """Whatever unit and case; a word or nothing leaves it to the template."""
    assert checked_limits(typed, Ceiling()) == kept


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("memory", one) for one in ("7m", "5g", "512", "-1m", "1t", "1e3m", "m", "٣m")),
        *(("cpus", one) for one in ("0", "0.01", "5", "-1", "nan", "1e1", "two")),
        *(("pids", one) for one in ("3", "4097", "-5", "1.5", "9" * 40)),
    ],
)
def test_what_cant_be_a_limit_is_refused_with_the_right_form(name: str, value: str) -> None:
    """Below what works, beyond the host's settings, or no number at all."""
    with pytest.raises(BadInput) as caught:
        checked_limits({name: value}, Ceiling())
    assert caught.value.code == "bad-limit"
    assert "between" in caught.value.message
    assert "like" in caught.value.message


def test_all_that_is_wrong_is_said_at_once() -> None:
    """One line each, and where the most is set."""
    with pytest.raises(BadInput) as caught:
        checked_limits({"memory": "9g", "cpus": "9", "pids": "9999"}, Ceiling())
    assert caught.value.message.splitlines() == [
        "Memory must be a size between 8m and 4g, like 512m or 1g.",
        "CPUs must be a number between 0.05 and 4, like 0.5 or 2.",
        "Processes must be a number between 4 and 4096, like 128.",
    ]
    assert "BOTMAKER_MEMORY_MOST" in caught.value.hint


def test_given_limits_replace_and_empty_ones_go() -> None:
    """The others stay."""
    before = {"memory": "1g", "pids": "64"}
    assert with_limits(before, {"memory": "", "cpus": "2"}) == {"cpus": "2", "pids": "64"}
    assert size_of("2g") == 2 * GIB
