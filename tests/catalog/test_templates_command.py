"""`botmaker templates`: list, check and explain, as people type them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from controller.cli.console import cli
from tests.catalog.samples import ECHO, FULL, MINIMAL, folder_with


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A templates folder that the settings name, and a working folder without a .env."""
    monkeypatch.chdir(tmp_path)
    made = folder_with(tmp_path / "t", echo=ECHO)
    monkeypatch.setenv("BOTMAKER_TEMPLATES_DIR", str(made))
    return made


def botmaker(*words: str) -> Result:
    return CliRunner().invoke(cli, ["templates", *words])


@pytest.mark.parametrize("words", [(), ("list",)])
def test_they_are_listed(folder: Path, words: tuple[str, ...]) -> None:
    """With and without the word; a broken one makes the status 1 and hides no other."""
    result = botmaker(*words)
    assert result.exit_code == 0
    assert [line.split()[0] for line in result.stdout.splitlines()][-1] == "echo"
    folder_with(folder, bad=MINIMAL.replace('"ten"', '"bad"').replace("1000:1000", "0"))
    result = botmaker(*words)
    assert result.exit_code == 1
    assert f"refused: {folder}/bad.toml, line 7: `run.user` must be" in result.stderr
    assert "echo" in result.stdout


def test_check_names_every_mistake_in_the_named_files(tmp_path: Path, folder: Path) -> None:
    """As file:line: reason, which editors understand; files need not lie in the folder."""
    other = folder_with(
        tmp_path / "other",
        ten=MINIMAL.replace('title = "Ten lines"', "title = 7").replace('"1000:1000"', '"root"'),
        full=FULL.replace('"telegram"]', '"telegrem"]'),
    )
    result = botmaker("check", str(other / "ten.toml"), str(other / "full.toml"))
    assert result.exit_code == 1
    assert [line.partition(" ")[0] for line in result.stdout.splitlines()] == [
        f"{other}/ten.toml:3:",
        f"{other}/ten.toml:7:",
        f"{other}/full.toml:117:",
    ]
    assert "isn't a channel of this template" in result.stdout
    result = botmaker("check", str(other / "ten.toml"), "--json")
    rows = json.loads(result.stdout)
    assert (result.exit_code, [row["line"] for row in rows]) == (1, [3, 7])
    assert {row["file"] for row in rows} == {f"{other}/ten.toml"}


def test_check_of_what_is_right_says_so(folder: Path) -> None:
    """One file, or all that there are."""
    result = botmaker("check", str(folder / "echo.toml"))
    assert (result.exit_code, result.stdout) == (0, "1 template checked: no mistakes.\n")
    result = botmaker("check", str(folder / "echo.toml"), "--json")
    assert (result.exit_code, json.loads(result.stdout)) == (0, [])
    result = botmaker("check")
    assert result.exit_code == 0
    assert result.stdout.endswith(" templates checked: no mistakes.\n")


def test_check_without_files_looks_at_all(folder: Path) -> None:
    """The built-in ones and those of the folder."""
    folder_with(folder, demo=MINIMAL.replace('"ten"', '"demo"'), bad="x = ")
    result = botmaker("check")
    assert result.exit_code == 1
    assert f"{folder}/bad.toml:1: This isn't valid TOML" in result.stdout
    assert f"{folder}/demo.toml:1: The id `demo` belongs to a built-in template" in result.stdout
    result = botmaker("check", str(folder / "absent.toml"))
    assert result.exit_code == 1
    assert "absent.toml: The file can't be read" in result.stdout


def test_check_of_files_needs_no_settings(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever writes a template need not have a controller that could start."""
    monkeypatch.setenv("BOTMAKER_GUILD_ID", "no number")
    assert botmaker("check", str(folder / "echo.toml")).exit_code == 0
    result = botmaker()
    assert result.exit_code == 78
    assert "BOTMAKER_GUILD_ID" in result.stderr


def test_explain_says_it_in_words(folder: Path) -> None:
    """Of any template that there is; one that is not there is told what is."""
    result = botmaker("explain", "echo")
    assert result.exit_code == 0
    assert result.stdout.startswith("Echo bot (echo): Repeats what it hears.\n")
    assert "Sample /etc/echo/echo.json with acme and post" in result.stdout
    told = json.loads(botmaker("explain", "echo", "--json").stdout)
    assert (told["id"], told["title"]) == ("echo", "Echo bot")
    for heading, lines in told["sections"].items():
        assert "\n".join([heading, *(f"  {line}" for line in lines)]) in result.stdout
    result = botmaker("explain", "ehco")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "There is no template `ehco`" in result.stderr
