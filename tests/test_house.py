"""The house rules: sizes, names, docstrings, no patching.

Next door: docs/ holds the documents to the code.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tests.conftest import ROOT

OURS = ("controller", "demo", "tests", "images", "bench")
LINES_MAX = 400
DOCSTRING = re.compile(r'(#.*\n|\s)*r?"""\S')
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


def imported_from_us(path: Path) -> set[str]:
    """The names that a module takes from the controller."""
    return {
        alias.asname or alias.name.split(".")[0]
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
        if (getattr(node, "module", None) or alias.name).startswith("controller")
    }


def claims_in(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(path.read_text())):
        is_function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        if is_function and node.name.startswith("test_"):
            yield node


def test_no_module_is_longer_than_a_sitting() -> None:
    """400 lines at most, without an exception."""
    lines = {short(path): len(path.read_text().splitlines()) for path in modules("controller")}
    assert {name: count for name, count in lines.items() if count > LINES_MAX} == {}


def test_every_module_says_what_it_is() -> None:
    """A docstring (unless it is empty), and a name that is no grab-bag."""
    ours = modules(*OURS)
    assert [short(path) for path in ours if path.stem in GRAB_BAGS] == []
    texts = {short(path): path.read_text() for path in ours}
    assert [
        name for name, text in texts.items() if text.strip() and not DOCSTRING.match(text)
    ] == []


def test_every_test_says_its_claim() -> None:
    """Each has a docstring."""
    assert [
        f"{short(path)}::{node.name}"
        for path in modules("tests")
        for node in claims_in(path)
        if not ast.get_docstring(node)
    ] == []


def test_no_test_patches() -> None:
    """Nothing of our own is replaced behind its back."""
    assert [line for path in modules("tests") for line in patches_in(path)] == []


def patches_in(path: Path) -> Iterator[str]:
    if path == Path(__file__):
        return
    text = path.read_text()
    replaced = set(re.findall(r"monkeypatch\.setattr\(\s*(\w+)", text))
    ours = replaced & imported_from_us(path) if replaced else set()
    for found in (*PATCHING.findall(text), *ours):
        yield f"{short(path)}: {found}"


def test_no_test_knows_the_default_socket() -> None:
    """The engine under test is the one that DOCKER_HOST names."""
    for path in modules("tests"):
        text = path.read_text()
        if path == Path(__file__):
            continue
        inside = text.replace('Mount("/var/run/docker.sock", engine_socket()', "")
        inside = inside.replace(
            "- /var/run/docker.sock:/var/run/docker.sock\n", ""
        )  # somebody's compose file
        assert not re.search(r"/var/run/docker\.sock|/run/docker\.sock", inside), short(path)
        for call in re.findall(r"\bAPIClient\(([^)]*)\)", text):
            assert "base_url=" in call, short(path)


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
