"""Releases over HTTP and in the console: what was, what would be, and going there and back."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from controller.domain.bot import Bot
from controller.domain.image_version import ImageVersion
from tests.api.client import Api
from tests.cli.socketed import botmaker, served
from tests.manager.rig import PLAIN, Rig, eventually

PROVING = PLAIN % "unless-stopped" + "[update]\nhealthy_for = 0\n"
SLOW = PROVING.replace("healthy_for = 0", "healthy_for = 60").replace('"plain"', '"slow"')
IMAGE = "example/plain:1"


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    """An installation whose plain bots prove themselves at once."""
    rig = Rig(tmp_path)
    rig.template(PROVING)
    rig.template(SLOW, "slow")
    await rig.open()
    rig.run()
    await eventually(lambda: rig.fleet.engine.reachable, "the first patrol is done")
    yield rig
    await rig.kill()


async def proven(rig: Rig) -> Bot:
    """A bot whose first release has proved itself."""
    bot = await rig.running()
    await eventually(lambda: rig.view(bot).bot.release == 1)
    return rig.view(bot).bot


async def is_release(rig: Rig, bot: Bot, number: int) -> None:
    await eventually(
        lambda: (rig.view(bot).bot.release, rig.view(bot).bot.candidate) == (number, 0)
    )


async def test_an_update_and_a_rollback_over_http(rig: Rig, api: Api) -> None:
    """The update does what was shown; the list has both, with who asked."""
    bot = await proven(rig)
    path = f"/bots/{bot.name}"
    assert (await api.get(f"{path}/update")).json["changes"] is False
    headers = {"Prefer": "wait=5"}
    refused = await api.post(f"{path}/update", {}, headers=headers)
    assert (refused.status, refused.code) == (409, "up-to-date")
    rig.runtime.rebuild(IMAGE)
    shown = (await api.get(f"{path}/update")).json
    assert shown["image"] == {
        "name": "image",
        "before": bot.image,
        "after": rig.runtime.image(IMAGE),
    }
    done = await api.post(f"{path}/update", {"mark": shown["mark"]}, headers=headers)
    assert done.status in {200, 202}
    await is_release(rig, bot, 2)
    back = await api.post(f"{path}/rollback", {}, headers=headers)
    assert back.status in {200, 202}
    await is_release(rig, bot, 3)
    found = (await api.get(f"{path}/releases")).json["items"]
    assert [(one["number"], one["why"], one["outcome"]) for one in found] == [
        (3, "rollback", "good"),
        (2, "update", "good"),
        (1, "create", "good"),
    ]
    assert [one["current"] for one in found] == [True, False, False]
    assert found[0]["by"]["name"].startswith("ann")
    shown = (await api.get(path)).json
    assert (shown["release"], shown["candidate"], shown["setback"]) == (3, 0, None)


async def test_a_release_that_is_being_tried_isnt_the_current_one(rig: Rig, api: Api) -> None:
    """Before the first has proved itself, none is."""
    bot = await rig.running("slow")
    (one,) = (await api.get(f"/bots/{bot.name}/releases")).json["items"]
    assert (one["number"], one["outcome"], one["current"]) == (1, "trying", False)


async def test_limits_are_changed_over_http_and_in_the_console(tmp_path: Path) -> None:
    """Both say what the bot's own are; a wrong one is refused in words, with nothing changed."""
    async with served(tmp_path, plain=PROVING) as rig:
        bot = await proven(rig)
        edit = ("edit", bot.name, "--memory", "512 MB", "--cpus", "1")
        done = await botmaker(rig.folder, *edit, "--json")
        shown = json.loads(done.out)
        assert (done.status, shown["limits"]) == (0, {"memory": "512m", "cpus": "1"})
        await is_release(rig, bot, 2)
        spec = rig.runtime.containers[bot.id].spec
        assert (spec.memory, spec.nano_cpus) == (512 * 1024**2, 1_000_000_000)
        wrong = await botmaker(rig.folder, "edit", bot.name, "--pids", "many")
        assert wrong.status != 0
        assert "Processes must be a number between 4 and 4096" in wrong.err
        shown = await botmaker(rig.folder, "show", bot.name)
        assert sorted(line.split() for line in shown.out.splitlines() if "limit" in line) == [
            ["limit", "cpus", "1"],
            ["limit", "memory", "512m"],
        ]


async def test_the_console_has_the_same(tmp_path: Path) -> None:
    """It prints what would change, changes it with `--yes`, and fails if that was taken back."""
    async with served(tmp_path, plain=PROVING) as rig:
        bot = await proven(rig)
        none = await botmaker(rig.folder, "update", bot.name, "--yes")
        assert (none.status, none.out) == (0, f"{bot.name} is up to date.\n")
        rig.runtime.rebuild(IMAGE)
        newer = rig.runtime.image(IMAGE) or ""
        rig.runtime.versions[newer] = ImageVersion(version="1.5")
        shown = await botmaker(rig.folder, "update", bot.name)
        said = f"image: {bot.image} -> {newer}\nimage version: none -> 1.5\n"
        assert shown.out == said
        assert rig.view(bot).bot.release == 1
        done = await botmaker(rig.folder, "update", bot.name, "--yes")
        assert (done.status, done.out.splitlines()[-1]) == (0, f"{bot.name}: running")
        await is_release(rig, bot, 2)
        back = await botmaker(rig.folder, "rollback", bot.name, "--release", "1")
        assert (back.status, back.out) == (0, f"{bot.name}: running\n")
        await is_release(rig, bot, 3)
        listed = (await botmaker(rig.folder, "releases", bot.name)).out.splitlines()
        assert [line.split()[0] for line in listed] == ["*", "2", "1"]
        assert "rollback" in listed[0]
