"""`scripts/release` in a copy of this project: what it changes, and what it refuses."""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.project_copy import copy_project

pytestmark = pytest.mark.timeout(600)  # it builds two packages
ENTRY = (
    "## [Unreleased]\n\n### Added\n\n- Something new for `people`.\n# no heading: in the notes\n"
)


def git(folder: Path, *arguments: str) -> str:
    name = ["-c", "user.name=Test", "-c", "user.email=test@example.invalid"]
    done = subprocess.run(
        ["git", *name, *arguments], cwd=folder, capture_output=True, text=True, check=True
    )
    return done.stdout


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with this tree in it, at version 1.2.3, with one unreleased entry."""
    for kind in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{kind}_NAME", "Test")
        monkeypatch.setenv(f"GIT_{kind}_EMAIL", "test@example.invalid")
    folder = copy_project(tmp_path / "project")
    version = folder / "controller" / "__init__.py"
    version.write_text(re.sub(r'"\d+\.\d+\.\d+"', '"1.2.3"', version.read_text()))
    (folder / "CHANGELOG.md").write_text(
        f"# Changelog\n\n{ENTRY}\n## [1.2.3] - 2026-01-01\n\n- Old.\n"
    )
    git(folder, "init", "--quiet", "--initial-branch", "main")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "Begin")
    return folder


def release(folder: Path, *arguments: str) -> tuple[int, str]:
    """Run the script; its status, and everything it said."""
    done = subprocess.run(
        [sys.executable, "scripts/release", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout + done.stderr


def test_a_release_is_a_commit_a_tag_two_packages_and_notes(project: Path) -> None:
    """All of one version; the changelog has room for what comes; nothing is pushed."""
    status, said = release(project, "1.3.0")
    assert status == 0, said
    assert (project / "controller/__init__.py").read_text().endswith('__version__ = "1.3.0"\n')
    changelog = (project / "CHANGELOG.md").read_text()
    assert re.search(
        r"^## \[Unreleased\]\n\n## \[1\.3\.0\] - \d{4}-\d\d-\d\d\n\n### Added\n\n- Something new",
        changelog,
        re.MULTILINE,
    )
    assert changelog.endswith("## [1.2.3] - 2026-01-01\n\n- Old.\n")
    assert git(project, "status", "--porcelain") == ""
    assert git(project, "log", "-1", "--format=%s") == "Release 1.3.0\n"
    notes = "### Added\n\n- Something new for `people`.\n# no heading: in the notes"
    assert git(project, "tag", "--list", "--format=%(contents)", "v1.3.0").strip() == (
        f"BotMaker 1.3.0\n\n{notes}"
    )
    names = {path.name for path in (project / "dist").iterdir()}
    wheel, source = "botmaker-1.3.0-py3-none-any.whl", "botmaker-1.3.0.tar.gz"
    assert names == {wheel, source, "release-notes-1.3.0.md"}
    assert (project / "dist" / "release-notes-1.3.0.md").read_text() == f"{notes}\n"
    with zipfile.ZipFile(project / "dist" / wheel) as packed:
        inside = set(packed.namelist())
    with tarfile.open(project / "dist" / source) as packed_source:
        sources = {name.partition("/")[2] for name in packed_source.getnames()}
    assert {"images/demo/demo-bot", "controller/catalog/builtin/demo.toml"} <= sources
    assert "controller/images/demo/demo-bot" in inside
    assert "nowhere else yet" in said
    assert "git push --follow-tags" in said
    status, said = release(project, "1.3.0")
    assert (status, "no entry under" in said) == (1, True)


@pytest.mark.parametrize(
    ("version", "words"),
    [
        ("1.2.3", "1.2.3 isn't higher than the present version, 1.2.3."),
        ("1.2.2", "isn't higher"),
        ("0.9.9", "isn't higher"),
        ("1.3", "1.3 is no version: three numbers with dots"),
        ("v1.3.0", "is no version"),
        ("1.03.0", "is no version"),
        ("1.3.0rc1", "is no version"),
        ("", "is no version"),
    ],
)
def test_a_wrong_version_is_refused(project: Path, version: str, words: str) -> None:
    """With a sentence, status 1, and nothing changed."""
    assert_refused(project, version, words)


def test_a_version_that_has_a_tag_is_refused(project: Path) -> None:
    """Even if the file says a lower one."""
    git(project, "tag", "v1.4.0")
    assert_refused(project, "1.4.0", "the tag v1.4.0 exists already")


@pytest.mark.parametrize("name", ["README.md", "new-file"])
def test_a_dirty_tree_is_refused(project: Path, name: str) -> None:
    """A changed file and one that git doesn't know are the same."""
    with (project / name).open("a") as file:
        file.write("x")
    status, said = release(project, "1.3.0")
    assert (status, "the tree isn't clean" in said, name in said) == (1, True, True)
    assert git(project, "tag", "--list") == ""


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("- Something new for `people`.", "", "no entry under ## [Unreleased]"),
        ("## [Unreleased]", "## Soon", "no heading ## [Unreleased]"),
        ("### Added", "### News", "has a heading 'News'; use one of Added, Changed"),
    ],
)
def test_a_changelog_that_says_nothing_is_refused(
    project: Path, before: str, after: str, words: str
) -> None:
    """Whoever updates wants to know what for."""
    changelog = project / "CHANGELOG.md"
    changelog.write_text(changelog.read_text().replace(before, after))
    git(project, "commit", "--quiet", "--all", "--message", "Changelog")
    assert_refused(project, "1.3.0", words)


def test_if_building_fails_everything_is_as_it_was(project: Path) -> None:
    """No half release."""
    text = (project / "pyproject.toml").read_text()
    (project / "pyproject.toml").write_text(text.replace('name = "botmaker"', "name = 7"))
    git(project, "commit", "--quiet", "--all", "--message", "Broken")
    assert_refused(project, "1.3.0", "building failed")


def test_check_says_whether_one_could_be_made(project: Path) -> None:
    """And changes nothing."""
    status, said = release(project, "--check")
    assert status == 0
    assert "A release after 1.2.3 can be made. Its notes:\n\n### Added" in said
    assert git(project, "status", "--porcelain") == ""


def test_this_projects_own_changelog_can_be_released() -> None:
    """What is unreleased has its entries, under the usual headings, and versions have dates."""
    text = (ROOT / "CHANGELOG.md").read_text()
    heads = re.findall(r"^## (.*)$", text, re.MULTILINE)
    assert heads[0] == "[Unreleased]"
    assert all(re.fullmatch(r"\[\d+\.\d+\.\d+\] - \d{4}-\d\d-\d\d", head) for head in heads[1:])


def assert_refused(project: Path, version: str, words: str) -> None:
    """It says why, and neither files nor history nor tags have changed."""
    before = git(project, "rev-parse", "HEAD"), git(project, "tag", "--list")
    status, said = release(project, version)
    assert status == 1
    assert words in said
    assert said.count("\n") == 1
    assert git(project, "status", "--porcelain") == ""
    assert (git(project, "rev-parse", "HEAD"), git(project, "tag", "--list")) == before
