"""The house rules: sizes, names, docstrings, no patching.

Next door: docs/ holds the documents to the code.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT

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
    inside = inside.replace(
        "- /var/run/docker.sock:/var/run/docker.sock\n", ""
    )  # somebody's compose file
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
