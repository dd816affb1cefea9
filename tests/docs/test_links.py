"""Nothing in the documents leads nowhere: links, anchors, and the files that they name."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote

import pytest

from tests.conftest import ROOT
from tests.docs.pages import DOCS, PAGES, README, anchors, code_in, links

FILE = re.compile(r"[\w/-]+[\w./-]*\.(?:py|toml|yaml|md|sql)")
CONTRIBUTING = ROOT / "CONTRIBUTING.md"
SECURITY = DOCS / "security.md"


def short(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=short)
def test_every_link_of_a_page_leads_to_a_file_and_an_anchor_that_exist(page: Path) -> None:
    """Also the pictures. What is outside of the repository isn't asked for."""
    for link in links(page):
        if link.startswith("https://"):
            continue
        place, _, anchor = unquote(link).partition("#")
        target = (page.parent / place).resolve() if place else page
        assert target.exists(), link
        assert target.is_relative_to(ROOT), link
        assert not anchor or anchor in anchors(target), link


def test_the_index_leads_to_every_document_and_the_readme_to_the_index() -> None:
    """A page that nobody finds is no document."""
    led = {(DOCS / link).resolve() for link in links(DOCS / "README.md")}
    assert {page.resolve() for page in PAGES} - {DOCS / "README.md"} <= led
    assert "docs/README.md" in links(README)


def test_every_file_in_docs_is_used_by_a_page() -> None:
    """Pictures that no page shows are removed."""
    shown = {(page.parent / link).resolve() for page in PAGES for link in links(page)}
    kept = {path for path in DOCS.rglob("*") if path.is_file() and path.suffix != ".md"}
    assert kept <= shown


def test_the_tests_that_the_security_model_names_exist() -> None:
    """Each promise names what tries to break it."""
    named = [name for name in code_in(SECURITY) if name.endswith(".py")]
    assert len(named) > 20
    assert [name for name in named if not (ROOT / "tests" / name).exists()] == []


def test_the_files_that_contributing_names_exist() -> None:
    """By their path, or by their name below the folder that is named before them."""
    named = [name for code in code_in(CONTRIBUTING) for name in FILE.findall(code)]
    assert len(named) > 30
    inner = (path for path in (ROOT / "controller").rglob("*") if path.is_dir())
    folders = [ROOT, ROOT / "controller", *inner]
    missing = [name for name in named if not any((folder / name).exists() for folder in folders)]
    assert missing == []
