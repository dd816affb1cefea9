"""Which seeds are written, and the archive that carries them: pure, without an engine."""

from __future__ import annotations

import io
import tarfile

import pytest

from controller.domain.errors import BadSpec
from controller.domain.spec import SeedFile
from controller.runtime.seeding import Kind, Plan, build_archive, plan

N, F, U, O = Kind.NOTHING, Kind.FOLDER, Kind.UNFINISHED, Kind.OTHER  # noqa: E741


@pytest.mark.parametrize(
    ("path", "there", "keep", "written"),
    [
        ("a", {}, True, Plan((), (("a", "x"),))),
        ("a", {"a": O}, True, Plan()),
        ("a", {"a": F}, True, Plan()),
        ("a", {"a": U}, True, Plan((), (("a", "x"),))),
        ("a", {"a": O}, False, Plan((), (("a", "x"),))),
        ("a", {"a": F}, False, None),
        ("d/e/a", {}, True, Plan(("d", "d/e"), (("d/e/a", "x"),))),
        ("d/e/a", {"d": F}, True, Plan(("d/e",), (("d/e/a", "x"),))),
        ("d/e/a", {"d": F, "d/e": F}, False, Plan((), (("d/e/a", "x"),))),
        ("d/e/a", {"d": F, "d/e": F, "d/e/a": O}, True, Plan()),
        ("d/e/a", {"d": O}, True, Plan()),
        ("d/e/a", {"d": O}, False, None),
        ("d/e/a", {"d": F, "d/e": O}, False, None),
    ],
)
def test_what_is_there_decides_what_is_written(
    path: str, there: dict[str, Kind], keep: bool, written: Plan | None
) -> None:
    """Only where nothing is, unless it shall be new; folders of the bot's own stay as they are."""
    seeds = [SeedFile(path, "x", keep)]
    if written is None:
        with pytest.raises(BadSpec):
            plan(seeds, lambda way, _: there.get(way, N))
        return
    assert plan(seeds, lambda way, _: there.get(way, N)) == written


def test_below_nothing_nothing_is_asked() -> None:
    """Each question is a request to the engine: one for a fresh volume's folder, however full."""
    asked: list[tuple[str, str]] = []

    def look(path: str, text: str) -> Kind:
        asked.append((path, text))
        return N

    seeds = [SeedFile("d/e/a", "x"), SeedFile("d/b", "y"), SeedFile("c", "z")]
    assert plan(seeds, look) == Plan(("d", "d/e"), (("d/e/a", "x"), ("d/b", "y"), ("c", "z")))
    assert asked == [("d", ""), ("c", "z")]


def test_the_archive_gives_everything_to_the_user_alone() -> None:
    """The top and new folders 0700, files 0600, each folder before what is in it."""
    wanted = Plan(("d", "d/ä"), (("d/ä/a", "äöü"), ("b", "")))
    with tarfile.open(fileobj=io.BytesIO(build_archive("12:34", wanted))) as made:
        members = made.getmembers()
        texts = [made.extractfile(m).read().decode() for m in members if m.isfile()]  # type: ignore[union-attr]
    assert [(m.name, m.mode) for m in members] == [
        ("top", 0o700),
        ("top/d", 0o700),
        ("top/d/ä", 0o700),
        ("top/d/ä/a", 0o600),
        ("top/b", 0o600),
    ]
    assert {(m.uid, m.gid) for m in members} == {(12, 34)}
    assert texts == ["äöü", ""]
