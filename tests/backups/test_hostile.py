"""What somebody puts into an archive who has only the public key: refused as a whole."""

from __future__ import annotations

import hashlib
import io
import json
import os
import sqlite3
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from controller.backups import Item
from controller.backups.contents import MANIFEST
from controller.backups.encryption import unseal
from controller.backups.tape import END
from controller.domain.errors import ControllerError
from controller.domain.names import new_bot_id
from controller.store.schema import migrations, newest_schema
from controller.store.store import Store
from controller.vault import journal_key
from tests.backups.safe import (
    archive,
    backed_up,
    empty,
    everything,
    items_of,
    plain,
    restored,
    sealed,
)
from tests.manager.rig import Rig

HOSTILE_NAMES = [
    *("../evil", "/etc/evil", "data/../../evil", "data/botmaker.db-wal", "data//install.key"),
    *("secrets/../evil", f"secrets/{new_bot_id()}/../../evil", "secrets/x/api_key", "evil", ""),
    *("templates/../evil.toml", "templates/.evil.toml", "data/journal/../evil", "data/"),
    *("state/x/000000", f"state/{new_bot_id()}/1", f"secrets/{new_bot_id()}/.evil.tmp"),
    *(f"forms/{new_bot_id()}.zz.json", "data/lock", "data/control.sock", "data/install.key\n"),
    *("DATA/install.key", "./data/install.key", "data\\install.key", "data/botmaker.db/x"),
]


def listed(items: list[Item]) -> list[Item]:
    """The items with a list that names them as they are."""
    manifest = json.loads(items[-1][1])
    manifest["files"] = [
        {"name": name, "size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        for name, data in items[1:-1]
    ]
    return [*items[:-1], (MANIFEST, json.dumps(manifest).encode())]


def told(items: list[Item], which: int, **changes: Any) -> list[Item]:
    """The items with the first file or the last one saying something else."""
    name, data = items[which]
    found = [*items]
    found[which] = (name, json.dumps(json.loads(data) | changes).encode())
    return found


async def refusal(rig: Rig, data: bytes, folder: Path) -> ControllerError:
    """How an archive is refused, with nothing written."""
    file = sealed(data, folder / "hostile.age")
    before = everything(folder)
    with pytest.raises(ControllerError) as caught:
        await restored(file, empty(folder / "new"))
    assert everything(folder) == before
    return caught.value


async def test_no_name_leads_anywhere_else(rig: Rig, tmp_path: Path) -> None:
    """Parent folders, absolute paths, files of ours that no backup has, and names like them."""
    await rig.running()
    items = items_of(plain(await backed_up(rig)))
    for name in HOSTILE_NAMES:
        hostile = listed([*items[:-1], (name, b"x"), items[-1]])
        error = await refusal(rig, archive(hostile), tmp_path)
        assert error.code == "backup-damaged", name


@pytest.mark.parametrize(
    "kind",
    [
        *(tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE),
        *(tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_SPARSE, tarfile.CONTTYPE),
    ],
)
async def test_nothing_but_plain_files_is_taken(rig: Rig, tmp_path: Path, kind: bytes) -> None:
    """No link, folder, pipe, device or extended header, whatever its name."""
    items = items_of(plain(await backed_up(rig)))
    name = "data/journal/2026-01.jsonl.gz"  # which nothing else would refuse
    listing = listed([*items[:-1], (name, b""), items[-1]])
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname = kind, "../../evil"
    before, last = archive(items[:-1])[: -len(END)], archive(listing[-1:])
    hostile = before + entry.tobuf(tarfile.USTAR_FORMAT) + last
    assert (await refusal(rig, hostile, tmp_path)).code == "backup-damaged"


def without(items: list[Item], name: str) -> list[Item]:
    """The items without one of them."""
    return listed([one for one in items if one[0] != name])


CHANGES: dict[str, tuple[Callable[[list[Item]], list[Item]], str]] = {
    "a secret twice": (lambda i: listed([*i[:-1], i[-2], i[-1]]), "backup-damaged"),
    "another value for a secret": (
        lambda i: [(n, b"x" * 20 if n.startswith("secrets/") else d) for n, d in i],
        "backup-damaged",
    ),
    "a template that isn't listed": (
        lambda i: [*i[:-1], ("templates/more.toml", b"x"), i[-1]],
        "backup-damaged",
    ),
    "fewer than are listed": (lambda i: [*i[:-2], i[-1]], "backup-damaged"),
    "no list": (lambda i: i[:-1], "backup-damaged"),
    "no first file": (lambda i: i[1:], "backup-damaged"),
    "the list in the middle": (lambda i: [i[0], i[-1], *i[1:-1]], "backup-damaged"),
    "no database": (lambda i: without(i, "data/botmaker.db"), "backup-damaged"),
    "no key": (lambda i: without(i, "data/install.key"), "backup-damaged"),
    "another key": (
        lambda i: listed([(n, b"k" * 31 + b"j" if n.endswith(".key") else d) for n, d in i]),
        "backup-damaged",
    ),
    "no bots in the list": (lambda i: told(i, -1, bots=[]), "backup-damaged"),
    "another head": (lambda i: told(i, -1, journal_head="00"), "backup-damaged"),
    "more in the list": (lambda i: told(i, -1, more=1), "backup-damaged"),
    "another installation": (lambda i: told(i, 0, instance="0" * 12), "backup-damaged"),
    "another product": (lambda i: told(i, 0, product="other"), "backup-foreign"),
    "a newer format": (lambda i: told(i, 0, format=2, surprise=1), "backup-newer"),
    "a part of a state": (
        lambda i: listed([*i[:-1], (f"state/{new_bot_id()}/000000", b"x"), i[-1]]),
        "backup-damaged",
    ),
    "an empty secret": (
        lambda i: listed([(n, b"" if n.startswith("secrets/") else d) for n, d in i]),
        "backup-damaged",
    ),
    "half a character": (
        lambda i: listed([(n, b"\xff" if n.startswith("secrets/") else d) for n, d in i]),
        "backup-damaged",
    ),
    "a database that is none": (
        lambda i: listed([(n, b"no" if n.endswith(".db") else d) for n, d in i]),
        "backup-damaged",
    ),
}


@pytest.mark.parametrize("change", CHANGES)
async def test_what_does_not_fit_together_is_refused(rig: Rig, tmp_path: Path, change: str) -> None:
    """Missing, doubled, swapped, foreign, newer: each with a code that says which."""
    await rig.running()
    items = items_of(plain(await backed_up(rig)))
    assert items[-2][0].startswith("secrets/")
    make, code = CHANGES[change]
    assert (await refusal(rig, archive(make(items)), tmp_path)).code == code


def database(schema: int, instance: str) -> bytes:
    """An empty database of that schema."""
    connection = sqlite3.connect(":memory:")
    connection.create_function("journal_mac", -1, lambda *_: b"x")
    for number in range(1, min(schema, newest_schema()) + 1):
        connection.executescript(migrations()[number])
    connection.execute("INSERT INTO installation VALUES ('instance', ?)", [instance])
    connection.commit()
    connection.execute(f"PRAGMA user_version={schema}")
    return connection.serialize()


def with_database(items: list[Item], schema: int) -> list[Item]:
    """The items with an empty database of another schema."""
    instance = json.loads(items[0][1])["instance"]
    found = [
        (n, database(schema, instance) if n.endswith(".db") else d)
        for n, d in items
        if not n.startswith("secrets/")
    ]
    found = told(found, -1, bots=[], journal_entries=0, journal_head="")
    return listed(told(found, 0, schema_number=schema))


@pytest.mark.parametrize("schema", range(1, newest_schema()))
async def test_an_older_backup_is_brought_up_to_date(rig: Rig, tmp_path: Path, schema: int) -> None:
    """As a start does, and without the copies that a start keeps."""
    items = items_of(plain(await backed_up(rig)))
    file = sealed(archive(with_database(items, schema)), tmp_path / "older.age")
    await restored(file, empty(tmp_path / "new"))
    key = (tmp_path / "new" / "data" / "install.key").read_bytes()
    store = await Store.open(tmp_path / "new" / "data", journal_key(key))
    assert await store.newest() == 1
    await store.close()
    assert not list((tmp_path / "new" / "data").glob("*.before-*"))


async def test_a_newer_backup_is_refused(rig: Rig, tmp_path: Path) -> None:
    """By its schema, before anything is written."""
    items = items_of(plain(await backed_up(rig)))
    data = archive(with_database(items, newest_schema() + 1))
    error = await refusal(rig, data, tmp_path)
    assert error.code == "backup-newer"
    assert "newer program" in error.hint


# The age tool


def test_a_file_that_debians_age_made_opens_here() -> None:
    """Made once by age 1.1.1 with `age -r`, for the identity beside it."""
    folder = Path(__file__).parent / "found"
    from controller.backups import keys_from

    keys = keys_from((folder / "age-1.1.1.key.txt").read_text())
    out = io.BytesIO()
    with (folder / "age-1.1.1.age").open("rb") as file:
        unseal(file, out.write, keys)
    assert out.getvalue() == b"made by Debian's age\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts need root")
async def test_a_full_disk_leaves_nothing_behind(rig: Rig, tmp_path: Path) -> None:
    """In the middle of a restore; the same file can be restored after making room."""
    bot = await rig.running()
    rig.runtime.seeded[bot.id] = {"big": "x" * 3_000_000}
    file = await backed_up(rig, volumes=True)
    small = tmp_path / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "none", str(small)], check=True)
    try:
        with pytest.raises(ControllerError) as caught:
            await restored(file, empty(small))
        assert caught.value.code == "disk-full"
        left = {name for name in everything(small) if name.rpartition("/")[2] != "lock"}
        assert left <= {"data", "secrets", "templates"}
        subprocess.run(["mount", "-o", "remount,size=20m", str(small)], check=True)
        await restored(file, empty(small))
    finally:
        subprocess.run(["umount", str(small)], check=True)
