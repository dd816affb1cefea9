"""The fleet as files, through the console script: create, export, plan, apply."""

from __future__ import annotations

import asyncio
import json
import os
import tomllib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from controller.cli import fleet_file
from controller.cli.controller_client import local
from controller.cli.fleet_apply import Applying
from controller.cli.fleet_state import look
from controller.domain.fleet_plan import plan
from controller.domain.journal import Kind
from controller.domain.observation import Health
from controller.domain.phase import Phase
from controller.domain.roles import Role
from tests.api.client import serving, token_of
from tests.cli.seat import seated
from tests.cli.socketed import Ended, botmaker, served
from tests.conftest import ROOT
from tests.manager.rich import RICH
from tests.manager.rig import ANN, ANN_ASKS, SECRETS, Rig, eventually

FLEET = """
fleet = "shop"

[bots.helper]
template = "rich"
wish = "running"
settings = { greeting = "hi" }
[bots.helper.secrets]
api_key = { file = "keys/api_key" }
channel_token = { file = "keys/channel_token" }

[bots.idle]
template = "plain"
model = "huge"
wish = "stopped"

[[grants]]
user = "7"
role = "operator"
bot = "helper"
"""


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    async with served(tmp_path, rich=RICH) as rig:
        (tmp_path / "keys").mkdir()
        for name, value in SECRETS.items():
            (tmp_path / "keys" / name).write_text(value + "\n")
        yield rig


async def asked(rig: Rig, *words: str, text: str = FLEET, **named: str) -> Ended:
    """Run a command on a fleet's file."""
    file = rig.folder / "shop.toml"
    file.write_text(text)
    return await botmaker(rig.folder, *words, str(file), **named)


async def test_a_fleet_becomes_as_its_file_says_and_stays_so(rig: Rig) -> None:
    """Planned in words, applied, and applied again: then nothing is left to change."""
    planned = await asked(rig, "plan")
    assert planned.status == 4
    assert planned.out.splitlines() == [
        "+ helper: create, template rich, settings.greeting hi",
        "~ helper: set api_key, channel_token from their files",
        "+ idle: create, template plain, model huge, wish stopped",
        "+ helper: grant operator to user 7",
        "4 changes.",
    ]
    assert await rig.store.bots() == []
    applied = await asked(rig, "apply")
    assert (applied.status, applied.err) == (0, "")
    assert applied.out.splitlines() == [f"{line}: done" for line in planned.out.splitlines()[:-1]]
    helper, idle = await rig.store.bots()
    await rig.becomes(helper, Phase.RUNNING)
    await rig.becomes(idle, Phase.STOPPED)
    assert helper.fields == {"greeting": "hi"}
    assert (idle.model, idle.source) == ("huge", "file:shop")
    (grant,) = await rig.store.grants()
    assert (grant.subject, grant.role, grant.bot_id) == (7, Role.OPERATOR, helper.id)
    entries = len(await rig.entries())
    run = rig.run_of(helper)
    for words in (("plan",), ("apply",), ("plan", "--prune"), ("apply", "--prune")):
        again = await asked(rig, *words)
        assert (again.status, again.out, again.err) == (0, "Nothing to change.\n", ""), words
    assert len(await rig.entries()) == entries
    assert rig.run_of(helper) == run


async def test_drift_is_told_and_undone(rig: Rig) -> None:
    """Settings, model, power, a secret and a grant that somebody changed by hand."""
    await asked(rig, "apply")
    helper, idle = await rig.store.bots()
    await rig.edit(helper, greeting="hey", tone="loud")
    await rig.submit(helper, rotate=True, api_key="another-key-1")
    await rig.manager.lifecycle.stop(ANN_ASKS, helper)
    await rig.manager.edits.choose(ANN_ASKS, idle, model="tiny")
    await rig.manager.access.revoke(ANN_ASKS, "user", 7, helper)
    planned = await asked(rig, "plan", "--json")
    assert planned.status == 4
    changes = planned.json["changes"]
    assert [(one["what"], one["bot"]) for one in changes] == [
        ("settings", "helper"),
        ("secrets", "helper"),
        ("start", "helper"),
        ("model", "idle"),
        ("grant", "helper"),
    ]
    assert changes[0]["before"] == {"greeting": "hey", "tone": "loud"}
    assert changes[0]["after"] == {"greeting": "hi", "tone": ""}
    assert changes[1]["secrets"] == ["api_key"]
    assert (await asked(rig, "apply")).status == 0
    assert (await asked(rig, "plan")).status == 0
    assert (await rig.store.bots())[0].fields == {"greeting": "hi"}
    assert (rig.secrets / helper.id / "api_key").read_text() == SECRETS["api_key"]


async def test_settings_that_changed_since_the_plan_are_not_overwritten(rig: Rig) -> None:
    """Somebody edits the bot between the look and the change: it's refused, and theirs stays."""
    await asked(rig, "apply")
    helper = (await rig.store.bots())[0]
    file = rig.folder / "shop.toml"
    file.write_text(FLEET.replace('"hi"', '"ho"'))
    door, fleet = local(rig.data), fleet_file.read([file])
    seen = await asyncio.to_thread(look, door, fleet)
    changes = plan(fleet.wanted, seen.found).changes
    await rig.edit(helper, greeting="theirs")
    applying = Applying(door, fleet, seen, lambda *_: "")
    (done,) = await asyncio.to_thread(lambda: list(applying.each(changes)))
    assert "others than those that you saw" in done.why
    assert rig.view(helper).bot.fields == {"greeting": "theirs"}


async def test_only_what_a_file_created_is_pruned_and_only_when_meant(rig: Rig) -> None:
    """It asks; no answer is no; others' bots stay whatever is said."""
    await asked(rig, "apply")
    other = await rig.create(name="by-hand")
    helper, idle, _ = await rig.store.bots()
    less = 'fleet = "shop"\n'
    told = await asked(rig, "apply", text=less)
    assert told.status == 0
    assert (
        "helper is no longer in the files; `--prune` removes it."
        in (await asked(rig, "plan", text=less)).out
    )
    refused = await asked(rig, "apply", "--prune", text=less, typed="no\n")
    assert (refused.status, refused.out) == (1, "")
    assert "Nothing was changed." in refused.err
    assert (await asked(rig, "apply", "--prune", text=less, typed="")).status == 78
    assert len(await rig.store.bots()) == 3
    done = await asked(rig, "apply", "--prune", "--yes", text=less)
    assert (done.status, done.out.splitlines()) == (
        0,
        ["- helper: remove: done", "- idle: remove: done"],
    )
    await rig.gone(helper)
    await rig.gone(idle)
    assert [bot.name for bot in await rig.store.bots()] == [other.name]
    assert await rig.store.grants() == []


async def test_nothing_is_pruned_for_files_that_do_not_say_whose_they_are(rig: Rig) -> None:
    """Two such files, applied one after the other, would remove each other's bots."""
    nameless = FLEET.replace('fleet = "shop"', "")
    assert (await asked(rig, "apply", text=nameless)).status == 0
    assert {bot.source for bot in await rig.store.bots()} == {""}
    assert [grant.source for grant in await rig.store.grants()] == ["granted"]
    for words in (("plan", "--prune"), ("apply", "--prune", "--yes")):
        refused = await asked(rig, *words, text="[bots]\n")
        assert (refused.status, refused.out) == (1, "")
        assert "doesn't name its fleet" in refused.err
    assert len(await rig.store.bots()) == 2
    assert (await asked(rig, "plan", text="[bots]\n")).out == "Nothing to change.\n"


async def test_what_fails_is_said_and_a_second_run_finishes_it(rig: Rig) -> None:
    """One bot's mistake keeps back the rest of that bot, and no other's."""
    (rig.folder / "keys" / "api_key").write_text("with spaces in it\n")
    first = await asked(rig, "apply")
    assert first.status == 1
    assert [line.rpartition(": ")[2] for line in first.out.splitlines()] == [
        "done",
        "failed",
        "done",
        "not done",
    ]
    assert "API key" in first.err
    assert "2 of 4 changes were made. Apply again for the rest." in first.err
    assert "with spaces" not in first.err + first.out
    (rig.folder / "keys" / "api_key").write_text(SECRETS["api_key"])
    second = await asked(rig, "apply")
    assert (second.status, len(second.out.splitlines())) == (0, 2)
    helper, _ = await rig.store.bots()
    await rig.becomes(helper, Phase.RUNNING)
    assert (await asked(rig, "plan")).status == 0


async def test_a_secret_that_nobody_gives_keeps_back_nothing_else_of_its_bot(rig: Rig) -> None:
    """It has one already; the rest of what the file says is made all the same."""
    bot = await rig.running()
    await rig.manager.lifecycle.stop(ANN_ASKS, bot)
    await rig.becomes(bot, Phase.STOPPED)
    text = (
        f'[bots.{bot.name}]\ntemplate = "plain"\nwish = "running"\n'
        'secrets = { api_key = { fingerprint = "of another installation" } }\n'
    )
    ended = await asked(rig, "apply", text=text)
    assert ended.status == 1
    assert [line.rpartition(": ")[2] for line in ended.out.splitlines()] == ["failed", "done"]
    assert "No value was given for api_key." in ended.err
    await rig.becomes(bot, Phase.RUNNING)


async def test_the_rights_and_the_journal_are_those_of_everybody(rig: Rig) -> None:
    """By a token that may not create: refused, and written down; by one that may: its owner did."""
    file = rig.folder / "token"
    async with serving(rig) as api:
        there = ("--url", api.url, "--token-file", str(file))
        file.touch(0o600)
        file.write_text(await token_of(rig, "op", Role.OPERATOR))
        refused = await asked(rig, *there, "apply")
        assert refused.status == 1
        assert "needs the role admin" in refused.err
        assert await rig.store.bots() == []
        file.write_text(await token_of(rig, "all"))
        assert (await asked(rig, *there, "apply")).status == 0
    acts = [entry.data["act"] for entry in reversed(await rig.entries(Kind.ASKED))]
    assert acts[-4:] == ["bot.create", "bot.secrets", "bot.create", "access.grant"]
    (newest, *_) = await rig.entries(Kind.ASKED)
    assert newest.author.principal.id == ANN.id


async def test_an_export_gives_the_fleet_back(rig: Rig, tmp_path: Path) -> None:
    """In one file or a file each, always the same; a plan with it is empty, and no value in it."""
    await asked(rig, "apply")
    printed = await botmaker(tmp_path, "export")
    assert printed.status == 0
    content = tomllib.loads(printed.out)
    assert content["bots"]["helper"]["settings"] == {"greeting": "hi"}
    assert set(content["bots"]["helper"]["secrets"]["api_key"]) == {"fingerprint"}
    assert content["bots"]["idle"]["wish"] == "stopped"
    assert content["grants"] == [{"user": "7", "role": "operator", "bot": "helper"}]
    assert not any(value in printed.out for value in SECRETS.values())
    assert json.loads((await botmaker(tmp_path, "export", "--json")).out) == content
    whole, folder = tmp_path / "whole.toml", tmp_path / "fleet"
    assert (await botmaker(tmp_path, "export", "-o", str(whole))).status == 0
    assert (await botmaker(tmp_path, "export", "-o", f"{folder}/")).status == 0
    assert whole.read_text() == printed.out
    names = sorted(path.name for path in folder.iterdir())
    assert names == ["_grants.toml", "helper.toml", "idle.toml"]
    for place in (whole, folder):
        planned = await botmaker(tmp_path, "plan", str(place))
        assert (planned.status, planned.out) == (0, "Nothing to change.\n")


async def test_create_makes_the_bots_of_a_file_until_they_run(rig: Rig) -> None:
    """And refuses a name that is taken, without touching that bot."""
    one = FLEET[: FLEET.index("[bots.idle]")]
    made = await asked(rig, "create", "--wait", text=one)
    assert (made.status, made.err) == (0, "")
    (helper,) = await rig.store.bots()
    assert rig.active(helper)
    again = await asked(rig, "create", text=one)
    assert again.status == 1
    assert "There is already a bot called helper." in again.err
    assert "helper: set api_key, channel_token from their files: not done" in again.out


async def test_a_bot_that_gets_ill_at_its_start_is_told_at_once(rig: Rig) -> None:
    """`create --wait` fails with the phase, and doesn't wait for what won't come by itself."""
    text = (
        '[bots.ill]\ntemplate = "demo"\n[bots.ill.secrets]\n'
        'api_key = { file = "keys/api_key" }\nchannel_token = { file = "keys/channel_token" }\n'
    )
    making = asyncio.create_task(asked(rig, "create", "--wait", text=text))
    await eventually(lambda: any(rig.active(view.bot) for view in rig.fleet), "it runs")
    (view,) = rig.fleet
    rig.runtime.set_health(view.bot.id, Health.UNHEALTHY, "no heartbeat")
    made = await asyncio.wait_for(making, 10)
    assert made.status == 1
    assert f"{view.bot.name}: unhealthy." in made.err


async def test_a_bot_that_waits_for_its_secrets_does_not_run(rig: Rig) -> None:
    """Without a terminal nobody is asked: it is created, and `--wait` says what it waits for."""
    text = '[bots.one]\ntemplate = "plain"\n'
    made = await asked(rig, "create", "--wait", text=text)
    assert (made.status, made.out) == (1, "+ one: create, template plain: done\n")
    assert "one: created. It waits for its secrets: api_key, channel_token." in made.err
    other = await asked(rig, "create", text=text.replace("one", "two"))
    assert other.status == 0


async def test_what_the_files_lack_is_asked_for_unseen(rig: Rig) -> None:
    """At a terminal; the value is on no screen, and another answer is asked for by name."""
    file = rig.folder / "one.toml"
    file.write_text(
        '[bots.one]\ntemplate = "plain"\nsecrets = { api_key = { ask = true } }\n'
        '[bots.two]\ntemplate = "plain"\n[bots.two.secrets]\n'
        'api_key = { ask = true }\nchannel_token = { file = "keys/channel_token" }\n'
    )
    env = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "BOTMAKER_DATA_DIR": str(rig.data),
    }
    async with seated(["create", str(file), "--wait"], rig.folder, env) as seat:
        await seat.sees("channel_token of one (Enter leaves it): ")
        await seat.types(SECRETS["channel_token"])
        for name in ("one", "two"):  # along with what is in a file, as a new bot takes all at once
            await seat.sees(f"api_key of {name} (Enter leaves it): ")
            await seat.types(SECRETS["api_key"])
        assert await seat.ends() == 0, seat.screen
        assert not any(value in seat.screen for value in SECRETS.values())
    assert [rig.active(bot) for bot in await rig.store.bots()] == [True, True]


WRONG = {
    "isn't TOML": "bots = [",
    "`bots.x.settings.interval` must be text in quotes": (
        '[bots.x]\ntemplate = "plain"\nsettings = { interval = 2 }'
    ),
    "`bots.x.template` is missing": "[bots.x]",
    "`bots.x.colour` isn't known": '[bots.x]\ntemplate = "plain"\ncolour = "red"',
    "`bots.x.wish` must be": '[bots.x]\ntemplate = "plain"\nwish = "up"',
    "must not be a value": '[bots.x]\ntemplate = "plain"\nsecrets = { api_key = "hunter2hunter2" }',
    "`bots.Not a name`": '[bots."Not a name"]\ntemplate = "plain"',
    "needs either `user` or `discord_role`": '[[grants]]\nrole = "viewer"',
    "admin is for all bots": '[[grants]]\nuser = "1"\nrole = "admin"\nbot = "x"',
    "is there twice": '[[grants]]\nuser = "1"\nrole = "viewer"\n' * 2,
    "absent can't be read": (
        '[bots.x]\ntemplate = "plain"\nsecrets = { api_key = { file = "absent" } }'
    ),
    "has a secret in it": (
        '[bots.x]\ntemplate = "plain"\nsettings = { a = "it is fake-provider-key-1" }\n'
        'secrets = { api_key = { file = "keys/api_key" } }'
    ),
}


@pytest.mark.parametrize("words", WRONG)
async def test_a_wrong_file_is_said_and_nothing_is_done(rig: Rig, words: str) -> None:
    """Status 1, the place and the reason, and never what may be a secret."""
    ended = await asked(rig, "apply", text=WRONG[words])
    assert (ended.status, ended.out) == (1, "")
    assert words in ended.err
    assert "shop.toml" in ended.err or "absent" in ended.err
    assert "hunter2" not in ended.err
    assert "fake-provider" not in ended.err
    assert await rig.store.bots() == []
