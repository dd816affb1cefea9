"""Facts and entries: what a change of a row is in the journal, and what never gets there."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from controller.domain import journal
from controller.domain.access import SYSTEM, Grant, discord_user
from controller.domain.bot import Bot, Crash, Problem, Wish
from controller.domain.errors import Conflict, EngineUnavailable, OutcomeUnknown
from controller.domain.journal import Author, Fact, Kind, Result, changes, entry_of, failure
from controller.domain.roles import Role
from controller.domain.run import PRESENT, Run

BOT = Bot(id="b", name="shop", template="t", provider="p", model="m", channel="c", image="i")
PROBLEM = Problem("crash-loop", "Stopped.", "Look.", 5.0)


@pytest.mark.parametrize(
    ("before", "after", "facts"),
    [
        ({}, {}, []),
        ({}, {"wish": Wish.STOP}, [Fact(Kind.WISH, {"before": "run", "after": "stop"})]),
        (
            {},
            {"wish": Wish.REMOVE, "run": Run(to_end="r")},
            [Fact(Kind.WISH, {"before": "run", "after": "remove"})],
        ),
        (
            {},
            {"run": Run(to_end=PRESENT)},
            [Fact(Kind.WISH, {"before": "run", "after": "run", "again": True})],
        ),
        (
            {"run": Run(to_end="r1")},
            {"run": Run(to_end="r2")},
            [Fact(Kind.WISH, {"before": "run", "after": "run", "again": True})],
        ),
        ({"run": Run(to_end="r1")}, {}, []),
        ({}, {"run": Run(to_reload="r", accounted_end=5.0, log_floor=6.0)}, []),
        (
            {"fields": {"a": "1", "b": "2", "c": "3"}},
            {"fields": {"a": "1", "b": "4", "d": "5"}},
            [
                Fact(
                    Kind.SETTINGS,
                    {"before": {"b": "2", "c": "3"}, "after": {"b": "4", "d": "5"}},
                )
            ],
        ),
        (
            {"image_ref": "demo:1"},
            {"image": "j", "image_ref": "demo:2"},
            [
                Fact(
                    Kind.NEW_IMAGE,
                    {"before": "i", "after": "j", "ref_before": "demo:1", "ref_after": "demo:2"},
                )
            ],
        ),
        (
            {},
            {"problem": PROBLEM},
            [
                Fact(
                    Kind.PROBLEM,
                    {"code": "crash-loop", "message": "Stopped.", "hint": "Look."},
                )
            ],
        ),
        ({"problem": PROBLEM}, {"problem": PROBLEM}, []),
        ({"problem": PROBLEM}, {}, []),
        (
            {},
            {"wish": Wish.STOP, "fields": {"a": "1"}, "image": "", "problem": PROBLEM},
            [
                Fact(Kind.WISH, {"before": "run", "after": "stop"}),
                Fact(Kind.SETTINGS, {"before": {}, "after": {"a": "1"}}),
                Fact(Kind.IMAGE, {"before": "i", "after": "", "ref_before": "", "ref_after": ""}),
                journal.problem(PROBLEM),
            ],
        ),
    ],
)
def test_a_change_of_a_row_is_told_by_facts(
    before: dict[str, object], after: dict[str, object], facts: list[Fact]
) -> None:
    """A wish, or the same wish again; fields that differ; the image; a new problem."""
    was, now = replace(BOT, **before), replace(BOT, **after)  # type: ignore[arg-type]
    assert changes(was, now) == facts
    assert changes(now, now) == []


def test_every_fact_is_plain_data() -> None:
    """It goes into JSON and comes back equal."""
    facts = [
        journal.crash(Crash(1.5, None, True)),
        journal.problem(PROBLEM),
        journal.grant(Grant("role", 2**62, Role.OPERATOR, "b")),
        journal.revoke("user", 2**62),
        *changes(BOT, replace(BOT, wish=Wish.STOP, fields={"a": "é😀"}, image="")),
    ]
    for fact in facts:
        assert json.loads(json.dumps(dict(fact.data))) == fact.data
    assert facts[0].data == {"ended": 1.5, "exit_code": None, "oom_killed": True}
    assert facts[2].data == {"whom": "role", "subject": str(2**62), "role": "operator"}


def test_an_entry_names_the_bot_and_who_did_it() -> None:
    """Without either it is about the fleet, and BotMaker's own doing."""
    by = Author(discord_user(1, "ann"), "chat:1", 7)
    entry = entry_of(Fact(Kind.WISH, {"a": 1}), 2.0, bot=BOT, by=by)
    assert (entry.seq, entry.at, entry.kind, entry.data) == (0, 2.0, Kind.WISH, {"a": 1})
    assert (entry.bot_id, entry.bot_name, entry.author) == ("b", "shop", by)
    alone = entry_of(Fact(Kind.NOTED), 2.0)
    assert (alone.bot_id, alone.author.principal, alone.author.cause) == ("", SYSTEM, 0)


@pytest.mark.parametrize(
    ("error", "data"),
    [
        (Conflict("no", code="name-taken"), {"result": "refused", "code": "name-taken"}),
        (EngineUnavailable("no"), {"result": "refused", "code": "engine-unavailable"}),
        (OutcomeUnknown("lost"), {"result": "unknown", "code": "outcome-unknown"}),
    ],
)
def test_a_lost_answer_is_never_called_a_refusal(
    error: Conflict | EngineUnavailable, data: dict[str, str]
) -> None:
    """By the error's code, without its words."""
    assert failure(error) == data


def test_the_kinds_are_those_that_the_files_hold() -> None:
    """A kind that was written once has to be read for ever."""
    kinds = "asked outcome refused created removed renamed wish settings secrets image new-image"
    later = "crash problem reload unchecked by-hand grant revoke webhook restored missed batch"
    later += " health worker edge-wish noted"
    of_releases = "release release-good release-failed"
    of_incidents = "incident incident-over snapshot alert orphans-removed"
    assert " ".join(Kind) == f"{kinds} {later} {of_releases} {of_incidents}"
    assert " ".join(Result) == "done refused unknown failed cut-short"
