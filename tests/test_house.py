"""The house rules: sizes, names, docstrings, no patching, and a README that names everything."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from controller.chat.requests.ways import command_of
from controller.cli.console import cli
from controller.domain.acts import ACTS
from controller.settings import KNOWN, PREFIX
from tests.conftest import ROOT

README = ROOT / "README.md"
OURS = ("controller", "demo", "tests", "images", "bench")
LINES_MAX = 400
GRAB_BAGS = {"utils", "util", "helpers", "helper", "common", "core", "misc"}
PATCHING = re.compile(
    r"\bunittest\.mock\b|\bMagicMock\b|\bAsyncMock\b|\bmock\.|\bpatch\(|\bpatch\.object\b"
    r"|\bmocker\b|monkeypatch\.setattr\(\s*[\"']controller"
)


def modules(*folders: str) -> list[Path]:
    return sorted(
        path
        for folder in folders
        for path in (ROOT / folder).rglob("*.py")
        if "__pycache__" not in path.parts
    )


def short(path: Path) -> str:
    return str(path.relative_to(ROOT))


def imported_from_us(text: str) -> set[str]:
    """The names that a module takes from the controller."""
    return {
        alias.asname or alias.name.split(".")[0]
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
        if (getattr(node, "module", None) or alias.name).startswith("controller")
    }


def claims_in(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(path.read_text())):
        is_function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        if is_function and node.name.startswith("test_"):
            yield node


@pytest.mark.parametrize("path", modules("controller"), ids=short)
def test_no_module_is_longer_than_a_sitting(path: Path) -> None:
    """400 lines at most, without an exception."""
    assert len(path.read_text().splitlines()) <= LINES_MAX


@pytest.mark.parametrize("path", modules(*OURS), ids=short)
def test_every_module_says_what_it_is(path: Path) -> None:
    """A docstring (unless it is empty), and a name that is no grab-bag."""
    text = path.read_text()
    assert not text.strip() or ast.get_docstring(ast.parse(text))
    assert path.stem not in GRAB_BAGS


@pytest.mark.parametrize("path", modules("tests"), ids=short)
def test_every_test_says_its_claim_and_patches_nothing(path: Path) -> None:
    """A docstring a test; nothing of our own is replaced behind its back."""
    bare = [node.name for node in claims_in(path) if not ast.get_docstring(node)]
    assert bare == []
    text = path.read_text()
    if path != Path(__file__):
        assert PATCHING.findall(text) == []
    replaced = set(re.findall(r"monkeypatch\.setattr\(\s*(\w+)", text))
    assert replaced & imported_from_us(text) == set()


@pytest.mark.parametrize("path", modules("tests"), ids=short)
def test_no_test_knows_the_default_socket(path: Path) -> None:
    """The engine under test is the one that DOCKER_HOST names."""
    text = path.read_text()
    if path == Path(__file__):
        return
    inside = text.replace('Mount("/var/run/docker.sock", engine_socket()', "")
    assert not re.search(r"/var/run/docker\.sock|/run/docker\.sock", inside)
    for call in re.findall(r"\bAPIClient\(([^)]*)\)", text):
        assert "base_url=" in call


def test_the_secrets_folder_is_no_package() -> None:
    """With an __init__.py it would hide the standard library's `secrets`."""
    assert not list((ROOT / "secrets").rglob("*.py"))


def test_every_package_is_shipped() -> None:
    """A new folder under controller stands in pyproject's list of packages too."""
    text = (ROOT / "pyproject.toml").read_text()
    for path in modules("controller"):
        if path.name == "__init__.py":
            name = ".".join(path.parent.relative_to(ROOT).parts)
            assert f'"{name}"' in text, name


def error_codes() -> set[str]:
    """Every code that an error of ours can carry, from the classes and from the raises."""
    found = set()
    for path in modules("controller"):
        for node in ast.walk(ast.parse(path.read_text())):
            values: list[ast.expr | None] = []
            if isinstance(node, ast.keyword) and node.arg == "code":
                values.append(node.value)
            elif isinstance(node, ast.ClassDef) and path.name == "errors.py":
                values += [part.value for part in node.body if isinstance(part, ast.Assign)]
            found |= {
                value.value
                for value in values
                if isinstance(value, ast.Constant) and isinstance(value.value, str)
            }
    return found


def test_every_code_is_kebab_case() -> None:
    """Found in the sources, wherever it is raised."""
    codes = error_codes()
    assert {"bad-input", "name-taken", "database-newer"} <= codes
    assert [code for code in codes if not re.fullmatch(r"[a-z]+(-[a-z]+)*", code)] == []


def documented() -> list[str]:
    """Every command and setting."""
    chat = [f"/{command_of(act)}" for act in ACTS.values()]
    console = [f"botmaker {name}" for name in cli.commands]
    return [*chat, *console, *KNOWN]


def in_readme(name: str) -> bool:
    """Whether the README names it, also in a short form as `…_FILE` or `start · stop`."""
    text = README.read_text()
    first, _, last = name.partition(" ")
    if re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", text):
        return True
    if name.startswith(PREFIX):
        return any(
            re.search(rf"…_?{re.escape(name[len(PREFIX) + cut :])}\b", text)
            for cut in range(len(name) - len(PREFIX) - 3)
        )
    lines = [line for line in text.splitlines() if first in line]
    return bool(last) and any(re.search(rf"\b{re.escape(last)}\b", line) for line in lines)


@pytest.mark.parametrize("name", documented())
def test_the_readme_names_it(name: str) -> None:
    """Every command and every setting that exists is explained."""
    assert in_readme(name)


def test_the_readme_names_every_error_code() -> None:
    """Whoever reads a code in an answer, the audit or a log finds it there."""
    assert [code for code in sorted(error_codes()) if not in_readme(code)] == []
