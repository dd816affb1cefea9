"""From every schema that was shipped to the newest: nothing is lost, and the journal is sound."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from controller.domain.access import SYSTEM, Grant, Principal
from controller.domain.bot import Bot, Crash, Problem, Wish
from controller.domain.errors import Conflict, StorageTrouble
from controller.domain.journal import Author, Entry, Kind
from controller.domain.release import Outcome
from controller.domain.roles import Role
from controller.domain.run import Run
from controller.store import Card, Form, Owed, Store, chain
from controller.store.database import Database, migrations

KEY = bytes(range(32))
EARLIER = (1, 2, 3, 4)
SHOP = "6f1c1b9e-7a60-4b8e-9a55-0d6f3f3c2f11"
BEE = "0b7a5f52-0c3d-4a0e-8f0e-5b8f2b3c4d5e"
GONE = "11111111-7a60-4b8e-9a55-0d6f3f3c2f11"
ANN, BOB = Principal("user", "81", "ann"), Principal("user", str(2**62), 'b"o\\b 😀')
CUT_SHORT = "the controller was restarted; see its public message"
ON_ITS_OWN = "the controller ended before it was known"
PROBLEM = Problem("crash-loop", "Stopped.", "Look.", 5.0)

# at, request, who, action, bot, name, detail, outcome, ended_at: as the audit held it
AUDIT: list[tuple[Any, ...]] = [
    (10.0, "r1", ANN, "create", SHOP, "shop", "template demo", "made, waiting for secrets", 10.5),
    (11.0, "r2", ANN, "enter secrets", SHOP, "shop", "", "wrote api_key", 12.0),
    (13.0, None, SYSTEM, "crash", SHOP, "shop", "", "exit 1", 13.0),
    (14.5, "r3", BOB, "bot stop", SHOP, "shop", "Stopping a bot needs …", "refused: denied", 14.5),
    (15.0, "r4", ANN, "restart", BEE, "bee", "", "refused: no-image", 16.0),
    (17.0, "r5", ANN, "action", BEE, "bee", "say", "not known: outcome-unknown", 18.0),
    (19.0, "r6", BOB, "edit", BEE, "bee", "", "failed", 19.25),
    (20.0, "r7", BOB, "stop", BEE, "bee", "", ON_ITS_OWN, 21.0),
    (22.0, "r8", ANN, "delete", GONE, "gone", "", CUT_SHORT, 30.0),
    (23.0, None, ANN, "grant", "", "", "viewer to 5 \0 \"'\\", "done", None),
    (24.0, "r9", ANN, "secrets", BEE, "bee", "", None, None),
    (25.0, "r10", ANN, "own word", BEE, "bee", "", "refused", 25.5),
    (9.0, "r11", ANN, "start", BEE, "bee", "", None, None),  # by a clock that was set back
    (26.0, None, SYSTEM, "reload", BEE, "bee", "", None, None),
]


def asked(who: Principal, at: float, bot: str, name: str, request: str, **data: object) -> Entry:
    by = Author(who, request)
    return Entry(at=at, kind=Kind.ASKED, bot_id=bot, bot_name=name, author=by, data=data)


def ended(by: Author, at: float, bot: str, name: str, **data: object) -> Entry:
    return Entry(at=at, kind=Kind.OUTCOME, bot_id=bot, bot_name=name, author=by, data=data)


def noted(at: float, bot: str, name: str, **data: object) -> Entry:
    by = Author(Principal("system", "", "BotMaker"))
    return Entry(at=at, kind=Kind.NOTED, bot_id=bot, bot_name=name, author=by, data=data)


def by(who: Principal, request: str, cause: int) -> Author:
    return Author(who, request, cause)


# What the journal holds of it, from entry 1 on.
JOURNAL = [
    asked(ANN, 10.0, SHOP, "shop", "discord:r1", act="bot.create", detail="template demo"),
    ended(
        *(by(ANN, "discord:r1", 1), 10.5, SHOP, "shop"),
        result="done",
        words="made, waiting for secrets",
    ),
    asked(ANN, 11.0, SHOP, "shop", "discord:r2", act="bot.secrets", detail=""),
    ended(by(ANN, "discord:r2", 3), 12.0, SHOP, "shop", result="done", words="wrote api_key"),
    noted(13.0, SHOP, "shop", act="crash", words="exit 1"),
    asked(BOB, 14.5, SHOP, "shop", "discord:r3", act="bot.stop", detail="Stopping a bot needs …"),
    ended(by(BOB, "discord:r3", 6), 14.5, SHOP, "shop", result="refused", code="denied"),
    asked(ANN, 15.0, BEE, "bee", "discord:r4", act="bot.restart", detail=""),
    ended(by(ANN, "discord:r4", 8), 16.0, BEE, "bee", result="refused", code="no-image"),
    asked(ANN, 17.0, BEE, "bee", "discord:r5", act="bot.do", detail="say"),
    ended(by(ANN, "discord:r5", 10), 18.0, BEE, "bee", result="unknown", code="outcome-unknown"),
    asked(BOB, 19.0, BEE, "bee", "discord:r6", act="bot.edit", detail=""),
    ended(by(BOB, "discord:r6", 12), 19.25, BEE, "bee", result="failed"),
    asked(BOB, 20.0, BEE, "bee", "discord:r7", act="bot.stop", detail=""),
    ended(by(BOB, "discord:r7", 14), 21.0, BEE, "bee", result="cut-short"),
    asked(ANN, 22.0, GONE, "gone", "discord:r8", act="bot.delete", detail=""),
    ended(by(ANN, "discord:r8", 16), 30.0, GONE, "gone", result="cut-short"),
    asked(ANN, 23.0, "", "", "", act="access.grant", detail="viewer to 5 \0 \"'\\"),
    ended(by(ANN, "", 18), 23.0, "", "", result="done", words="done"),
    asked(ANN, 24.0, BEE, "bee", "discord:r9", act="bot.secrets", detail=""),
    asked(ANN, 25.0, BEE, "bee", "discord:r10", act="own word", detail=""),
    ended(by(ANN, "discord:r10", 21), 25.5, BEE, "bee", result="done", words="refused"),
    asked(ANN, 9.0, BEE, "bee", "discord:r11", act="bot.start", detail=""),
    noted(26.0, BEE, "bee", act="reload", words=""),
]


def insert(shell: sqlite3.Connection, table: str, **row: object) -> None:
    marks = ", ".join("?" * len(row))
    shell.execute(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({marks})", list(row.values()))


def bot_row(shell: sqlite3.Connection, ident: str, name: str, **more: object) -> None:
    plain = {"template": "demo", "provider": "p", "model": "m", "channel": "c"}
    row = {"id": ident, "name": name, **plain, "fields": '{"mood": "é😀"}', "wish": "run"}
    insert(shell, "bot", **{**row, "created_at": 1.0, "created_by": 81, **more})


def audit_row(shell: sqlite3.Connection, row: tuple[Any, ...]) -> None:
    at, request, who, action, bot, name, detail, outcome, ended_at = row
    insert(
        shell,
        "audit",
        at=at,
        request=request,
        user_id=int(who.id or 0),
        user_name=who.name,
        action=action,
        bot_id=bot,
        bot_name=name,
        detail=detail,
        outcome=outcome,
        ended_at=ended_at,
    )


def make(path: Path, version: int, rows: list[tuple[Any, ...]] = AUDIT) -> sqlite3.Connection:
    """A file as the program of the first schema filled it and that of `version` took it over."""
    shell = sqlite3.connect(path, isolation_level=None)
    shell.executescript(migrations()[1])
    insert(shell, "installation", key="instance", value="abc")
    problem = json.dumps({"code": "crash-loop", "message": "Stopped.", "hint": "Look.", "at": 5.0})
    bot_row(shell, SHOP, "shop", problem=problem, ended_run="2026-01", accounted_end=4.5)
    bot_row(shell, BEE, "bee", wish="stop", image="sha256:1", created_at=2.0)
    insert(shell, "crash", bot_id=SHOP, at=3.0, exit_code=None, oom_killed=0)
    insert(shell, "crash", bot_id=SHOP, at=4.5, exit_code=137, oom_killed=1)
    for ident, bot, used_at in [("fresh", SHOP, None), ("used", SHOP, 11.5), ("cut", BEE, 24.5)]:
        insert(
            shell,
            "form",
            id=ident,
            bot_id=bot,
            user_id=81,
            rotate=int(bot == BEE),
            expires_at=50.0,
            used_at=used_at,
        )
    insert(shell, "form", id="expired", bot_id=BEE, user_id=81, rotate=0, expires_at=1.0)
    insert(shell, "card", bot_id=SHOP, title="shop", channel_id=7, message_id=8, digest="d")
    insert(shell, "access", kind="role", subject=5, bot_id=SHOP, role=2)
    for row in rows:
        audit_row(shell, row)
    for number in range(2, version + 1):
        shell.executescript(migrations()[number])
    return shell


@pytest.mark.parametrize("version", EARLIER)
async def test_what_was_wished_for_is_kept(tmp_path: Path, version: int) -> None:
    """Bots, crashes, forms, cards, grants and facts, from every earlier schema."""
    make(tmp_path / "botmaker.db", version).close()
    store = await Store.open(tmp_path, KEY)
    shop = Bot(
        id=SHOP,
        name="shop",
        template="demo",
        provider="p",
        model="m",
        channel="c",
        fields={"mood": "é😀"},
        run=Run(to_end="2026-01", accounted_end=4.5),
        candidate=1,
        problem=PROBLEM,
        created_at=1.0,
        created_by=81,
    )
    assert (await store.bots())[0] == shop
    assert [(bot.name, bot.wish, bot.image) for bot in await store.bots()][1] == (
        *("bee", Wish.STOP),
        "sha256:1",
    )
    (shops,), (bees,) = [await store.releases(bot_id) for bot_id in (SHOP, BEE)]
    assert (shops.number, shops.outcome, shops.content.fields) == (1, Outcome.TRYING, shop.fields)
    assert (bees.number, bees.outcome, bees.content.image) == (1, Outcome.GOOD, "sha256:1")
    assert (bees.why, bees.author.principal, bees.at) == (
        "create",
        Principal("user", "81", ""),
        2.0,
    )
    assert [(bot.release, bot.candidate) for bot in await store.bots()] == [(0, 1), (1, 0)]
    assert await store.crashes() == {SHOP: [Crash(3.0, None), Crash(4.5, 137, True)]}
    assert await store.form("used") == Form("used", SHOP, 81, False, 50.0, 11.5)
    assert await store.usable_forms(40.0) == {"fresh"}
    assert await store.usable_forms(0.5) == {"fresh", "expired"}
    assert await store.cards() == [Card(SHOP, "shop", 7, 8, "d")]
    assert await store.grants() == [Grant("role", 5, Role.OPERATOR, SHOP)]
    assert await store.recall("instance") == "abc"
    await store.close()


@pytest.mark.parametrize("version", EARLIER)
async def test_the_audit_becomes_the_journal(tmp_path: Path, version: int) -> None:
    """Each request and its end become an entry each, in their order, with the act's own name."""
    make(tmp_path / "botmaker.db", version).close()
    store = await Store.open(tmp_path, KEY)
    found = (await store.entries(limit=100))[::-1]
    assert [one.seq for one in found] == list(range(1, len(JOURNAL) + 1))
    for one, wanted in zip(found, JOURNAL, strict=True):
        assert one == Entry(**{**fields_of(wanted), "seq": one.seq})
    assert [one.author.request for one in await store.unended()] == ["discord:r9", "discord:r11"]
    await store.close()


def fields_of(entry: Entry) -> dict[str, Any]:
    return {name: getattr(entry, name) for name in Entry.__dataclass_fields__}


@pytest.mark.parametrize("version", EARLIER)
async def test_the_carried_journal_is_chained(tmp_path: Path, version: int) -> None:
    """Sound from the first entry on, also behind what is appended later; an edit is found."""
    make(tmp_path / "botmaker.db", version).close()
    store = await Store.open(tmp_path, KEY)
    async with store.transaction() as write:
        await write.append(Entry(at=99.0, kind=Kind.NOTED))
    checked = chain.check(KEY, await store.chained())
    assert (checked.entries, checked.fault) == (len(JOURNAL) + 1, "")
    await store.close()
    shell = sqlite3.connect(tmp_path / "botmaker.db", isolation_level=None)
    shell.execute("DROP TRIGGER journal_is_never_rewritten")
    shell.execute("UPDATE journal SET data = replace(data, 'api_key', 'nothing') WHERE seq = 4")
    shell.close()
    store = await Store.open_read_only(tmp_path)
    assert chain.check(KEY, await store.chained()).fault == "entry 4 was changed"
    await store.close()


async def test_a_long_audit_keeps_its_order(tmp_path: Path) -> None:
    """Three thousand rows with gaps in their numbers are chained in order, and fast."""
    rows = [
        (float(n % 7), f"r{n}", ANN, "stop", SHOP, "shop", "", "done", None) for n in range(3000)
    ]
    shell = make(tmp_path / "botmaker.db", 4, rows)
    shell.execute("DROP TRIGGER audit_is_never_deleted")
    shell.execute("DELETE FROM audit WHERE id % 3 = 0")
    shell.close()
    store = await Store.open(tmp_path, KEY)
    checked = chain.check(KEY, await store.chained(limit=10_000))
    assert (checked.entries, checked.fault) == (4000, "")
    newest = await store.entries(limit=4)
    assert [one.author.request for one in newest[::-2]] == ["discord:r2997", "discord:r2998"]
    await store.close()


async def test_an_empty_audit_is_an_empty_journal(tmp_path: Path) -> None:
    """The chain begins with the first entry that is appended."""
    make(tmp_path / "botmaker.db", 4, []).close()
    store = await Store.open(tmp_path, KEY)
    assert await store.chained() == []
    async with store.transaction() as write:
        assert (await write.append(Entry(at=1.0, kind=Kind.NOTED))).seq == 1
    assert chain.check(KEY, await store.chained()).fault == ""
    await store.close()


async def test_a_request_of_the_audit_acts_only_once(tmp_path: Path) -> None:
    """Delivered again after the upgrade, it is a duplicate as before."""
    make(tmp_path / "botmaker.db", 4).close()
    store = await Store.open(tmp_path, KEY)
    with pytest.raises(Conflict, match="already asked"):
        async with store.transaction() as write:
            await write.append(asked(ANN, 99.0, SHOP, "shop", "discord:r1", act="bot.create"))
    await store.close()


@pytest.mark.parametrize("version", EARLIER)
async def test_answers_are_still_owed(tmp_path: Path, version: int) -> None:
    """With their words, to the same person, for requests without an end; by Discord as before."""
    shell = make(tmp_path / "botmaker.db", version)
    if version >= 2:
        row = {"user_id": 2**62, "bot_id": "", "bot_name": "bee", "asked_at": 1.0, "words": "é 😀"}
        insert(shell, "outbox", request="late", action="button stop", **row)
    shell.close()
    store = await Store.open(tmp_path, KEY)
    bee = {"reply_via": "discord", "recipient": "81", "bot_id": BEE, "bot_name": "bee"}
    late = Owed(
        request="discord:late",
        reply_via="discord",
        recipient=str(2**62),
        act="bot.stop",
        bot_name="bee",
        asked_at=1.0,
        words="é 😀",
    )
    assert await store.owed() == [
        *([late] if version >= 2 else []),
        Owed(request="discord:r11", act="bot.start", asked_at=9.0, **bee),  # type: ignore[arg-type]
        Owed(request="discord:r9", act="bot.secrets", asked_at=24.0, **bee),  # type: ignore[arg-type]
    ]
    await store.close()


def submit(at: float, outcome: str | None, action: str = "secrets", who: Principal = ANN) -> Any:
    return (at, f"s{at}", who, action, BEE, "bee", "", outcome, None)


@pytest.mark.parametrize(
    ("rows", "log_floor", "settled"),
    [
        ([submit(24.0, "wrote api_key")], 0.0, True),
        ([submit(24.0, None)], 0.0, False),
        ([submit(24.5, None)], 0.0, False),
        ([submit(24.0, CUT_SHORT, "enter secrets")], 0.0, False),
        ([submit(24.0, ON_ITS_OWN)], 0.0, False),
        ([submit(24.0, CUT_SHORT)], 24.5, True),  # the bot was told: it's in its log's floor
        ([submit(24.0, CUT_SHORT)], 24.4, False),
        ([submit(20.0, CUT_SHORT), submit(24.0, "wrote api_key")], 0.0, True),
        ([submit(20.0, CUT_SHORT, "create")], 0.0, True),
        ([submit(24.0, CUT_SHORT, "stop"), submit(20.0, "wrote api_key")], 0.0, True),
        ([submit(24.6, CUT_SHORT)], 0.0, True),  # begun after the form was used
        ([submit(24.0, CUT_SHORT, who=BOB)], 0.0, True),  # somebody else's form
        ([], 0.0, True),
    ],
)
async def test_only_a_form_whose_submit_has_no_end_is_unsettled(
    tmp_path: Path, rows: list[Any], log_floor: float, settled: bool
) -> None:
    """Its values may be unused; an upgrade restarts no bot for anything else."""
    shell = make(tmp_path / "botmaker.db", 4, rows)
    shell.execute("UPDATE bot SET log_floor = ? WHERE id = ?", [log_floor, BEE])
    shell.close()
    store = await Store.open(tmp_path, KEY)
    unsettled = {form.bot_id for form in await store.unsettled()}
    assert unsettled == (set() if settled else {BEE})
    async with store.transaction() as write:
        await write.settle_forms(BEE)
    assert await store.unsettled() == []
    await store.close()


def everything(path: Path) -> list[str]:
    shell = sqlite3.connect(path)
    lines = list(shell.iterdump())
    shell.close()
    return lines


@pytest.mark.parametrize("version", EARLIER)
@pytest.mark.parametrize("last", [0, 5, len(JOURNAL) - 1])
async def test_a_migration_that_fails_leaves_the_file_as_it_was(
    tmp_path: Path, version: int, last: int
) -> None:
    """Whole or not at all: the next start takes it over from where it stood."""
    path = tmp_path / "botmaker.db"
    make(path, version).close()
    before = everything(path)
    chaining, count = chain.chaining(KEY), 0

    def failing(*row: Any) -> bytes:
        nonlocal count
        count += 1
        if count > last:
            raise RuntimeError("the power went")
        return chaining(*row)

    with pytest.raises(StorageTrouble):
        await Database.open(path, failing)
    # The steps before it stay: each is whole for itself.
    if version == 4:
        assert everything(path) == before
    shell = sqlite3.connect(path)
    assert shell.execute("PRAGMA user_version").fetchone() == (4,)
    assert shell.execute("SELECT count(*) FROM audit").fetchone() == (len(AUDIT),)
    shell.close()
    store = await Store.open(tmp_path, KEY)
    checked = chain.check(KEY, await store.chained())
    assert (checked.entries, checked.fault) == (len(JOURNAL), "")
    await store.close()


async def test_a_copy_from_before_is_kept(tmp_path: Path) -> None:
    """The file as it was before each step, readable by the program of that schema."""
    shell = make(tmp_path / "botmaker.db", 4)
    rows = shell.execute("SELECT * FROM audit").fetchall()
    shell.close()
    await (await Store.open(tmp_path, KEY)).close()
    copy = sqlite3.connect(tmp_path / "botmaker.db.before-5")
    assert copy.execute("SELECT * FROM audit").fetchall() == rows
    assert copy.execute("PRAGMA user_version").fetchone() == (4,)
    copy.close()
