"""Snapshots in the console, which asks over the API: the list, and restoring one."""

from __future__ import annotations

import json
from pathlib import Path

from tests.api.test_releases_over_http import IMAGE, PROVING, is_release, proven
from tests.cli.socketed import botmaker, served
from tests.manager.rig import ANN_ASKS

COPIED = PROVING.replace('path = "/data" }', 'path = "/data", snapshot = true }')


async def test_snapshots_are_listed_and_restored(tmp_path: Path) -> None:
    """One that isn't there is refused with the reason."""
    assert COPIED != PROVING
    async with served(tmp_path, plain=COPIED) as rig:
        bot = await proven(rig)
        rig.runtime.seeded[bot.id] = {"memory.txt": "one"}
        rig.runtime.rebuild(IMAGE)
        await rig.manager.releases.update(ANN_ASKS, rig.view(bot).bot)
        await is_release(rig, bot, 2)
        rig.runtime.seeded[bot.id]["memory.txt"] = "two"
        listed = await botmaker(rig.folder, "snapshots", bot.name, "--json")
        (one,) = json.loads(listed.out)
        assert (one["number"], one["why"], one["release"]) == (1, "update", 2)
        wrong = await botmaker(rig.folder, "snapshots", bot.name, "--restore", "7")
        assert (wrong.status, wrong.err) == (1, f"botmaker: {bot.name}: no-such-snapshot\n")
        done = await botmaker(rig.folder, "snapshots", bot.name, "--restore", "1")
        assert (done.status, done.out) == (0, f"{bot.name}: running\n")
        assert rig.runtime.seeded[bot.id]["memory.txt"] == "one"
