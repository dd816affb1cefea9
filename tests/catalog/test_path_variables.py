"""A variable of a template whose name ends in `…_FILE` and promises a secret holds a path.
Next door: test_template_rules.py has the other rules."""

from __future__ import annotations

from pathlib import Path

import pytest

from controller.catalog import load
from tests.catalog.samples import ECHO
from tests.catalog.test_template_rules import folder_with

RIGHT = 'KEY_SECRET_FILE = "/run/secrets/api_key"'


@pytest.mark.parametrize(
    "value",
    [
        *("api_key", "/api_key", "run/secrets/api_key", "/run/secrets/", "/run/secrets"),
        *("/run/secrets/no_such_key", "/run/secrets/api_key/", "/run/secrets//api_key"),
        *("/run/secrets/../secrets/api_key", "/etc/api_key", "/run/secrets/api_key "),
        *("fake-value-of-a-key", "", "{{name}}", "file:///run/secrets/api_key"),
    ],
)
def test_only_the_path_of_a_declared_secret_is_taken(tmp_path: Path, value: str) -> None:
    """Anything else may be the secret itself, which everybody could read in `docker inspect`."""
    assert load(folder_with(tmp_path / "right", echo=ECHO)).refused == ()
    broken = ECHO.replace(RIGHT, f'KEY_SECRET_FILE = "{value}"')
    assert broken != ECHO
    (refusal,) = load(folder_with(tmp_path / "broken", echo=broken)).refused
    assert "must be the path of a declared secret" in refusal.reason
    assert "fake-value" not in str(refusal)


@pytest.mark.parametrize("name", ["KEY_SECRET_FILE", "key_secret_file", "API_TOKEN_FILE"])
def test_the_path_itself_is_taken_in_any_case(tmp_path: Path, name: str) -> None:
    """The variable's name may be in small letters."""
    changed = ECHO.replace(RIGHT, f'{name} = "/run/secrets/api_key"')
    assert load(folder_with(tmp_path / "changed", echo=changed)).refused == ()
