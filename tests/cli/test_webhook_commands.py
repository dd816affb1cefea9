"""`botmaker webhook …`: asked over the socket or an address; `list` also while nobody answers."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from controller.domain.journal import Kind
from controller.domain.roles import Role
from tests.api.client import serving, token_of
from tests.cli.seat import seated
from tests.cli.socketed import botmaker, served, settings_of
from tests.conftest import ROOT
from tests.manager.rig import Rig, eventually
from tests.webhooks.receiver import PATH, Receiver, Reply


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    """A controller that serves its socket and delivers."""
    async with served(tmp_path) as rig:
        work = asyncio.create_task(rig.house.courier.run())
        yield rig
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """A receiver that takes everything unless it is told otherwise."""
    async with Receiver() as found:
        yield found


async def test_a_webhook_is_added_tested_listed_replayed_and_removed(
    rig: Rig, receiver: Receiver
) -> None:
    """The key alone on standard output; the URL comes from a file or a line, and is never shown."""
    file = rig.folder / "url"
    file.write_text(receiver.url + "\n")
    made = await botmaker(rig.folder, "webhook", "add", "ops", "--url-file", str(file))
    assert (made.status, made.out.startswith("whsec_"), made.out.count("\n")) == (0, True, 1)
    assert "botmaker webhook test ops" in made.err
    words = ("webhook", "add", "chat", "--format", "slack", "--event", "bot.crash", "--json")
    other = await botmaker(rig.folder, *words, typed=receiver.url + "\n")
    assert (other.status, other.json["key"], other.json["events"]) == (0, "", ["bot.crash"])

    receiver.script = [Reply(202, text="welcome"), Reply(403, text="no")]
    tested = await botmaker(rig.folder, "webhook", "test", "ops")
    assert (tested.status, tested.out) == (0, "Delivered: it answered 202.\nwelcome\n")
    refused = await botmaker(rig.folder, "webhook", "test", "ops")
    assert (refused.status, refused.out, refused.err) == (
        *(1, "no\n", "Not delivered: it answered 403.\n"),
    )

    bot = await rig.create()
    await eventually(lambda: len(receiver.taken) == 2, "the event arrives")
    listed = await botmaker(rig.folder, "webhook", "list")
    host = f"127.0.0.1:{receiver.port}"
    assert [line.split()[:4] for line in listed.out.splitlines()] == [
        ["chat", "ok", "slack", host],
        ["ops", "ok", "standard", host],
    ]
    (created,) = await rig.entries(Kind.CREATED, bot=bot)
    again = await botmaker(rig.folder, "webhook", "replay", "ops", "--from", str(created.seq))
    assert again.out == f"ops goes on behind entry {created.seq - 1}: 1 events wait.\n"
    await eventually(lambda: len(receiver.taken) == 3, "it arrives again")
    assert receiver.taken[1].id == receiver.taken[2].id
    dead = await botmaker(rig.folder, "webhook", "dead", "ops", "--json")
    assert dead.json == []

    assert (await botmaker(rig.folder, "webhook", "remove", "ops")).status == 0
    gone = await botmaker(rig.folder, "webhook", "test", "ops")
    assert gone.status == 1
    assert "`botmaker webhook list` shows all webhooks." in gone.err
    told = await botmaker(rig.folder, "history")
    said = "".join(one.out + one.err for one in (made, other, tested, listed, again, told))
    assert PATH not in said
    assert "console: webhook.remove: done" in told.out


async def test_a_person_types_the_url_without_seeing_it(rig: Rig, receiver: Receiver) -> None:
    """On a terminal it is asked for, and not echoed."""
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **settings_of(rig.folder)}
    async with seated(["webhook", "add", "ops"], rig.folder, env) as seat:
        await seat.sees("which isn't shown: ")
        await seat.types(receiver.url)
        assert await seat.ends() == 0
        assert "whsec_" in seat.screen
        assert PATH not in seat.screen


async def test_the_list_is_read_while_no_controller_answers(tmp_path: Path) -> None:
    """As it was left, also as JSON; everything else says that nobody answers."""
    async with served(tmp_path) as rig, Receiver() as receiver:
        words = ("webhook", "add", "ops", "--event", "*")
        assert (await botmaker(tmp_path, *words, typed=receiver.url + "\n")).status == 0
        await rig.create()
    listed = await botmaker(tmp_path, "webhook", "list")
    assert listed.status == 0
    assert "waiting" in listed.out
    (one,) = (await botmaker(tmp_path, "webhook", "list", "--json")).json
    assert (one["name"], one["state"], one["events"]) == ("ops", "ok", ["*"])
    for words in (("test", "ops"), ("replay", "ops"), ("remove", "ops"), ("dead", "ops")):
        assert (await botmaker(tmp_path, "webhook", *words)).status == 3
    found = (await botmaker(tmp_path, "doctor", "--json")).json
    assert [one["ok"] for one in found if one["subject"] == "webhook ops"] == [True]


async def test_by_address_it_needs_an_admins_token(rig: Rig, receiver: Receiver) -> None:
    """The same commands from another machine; an operator is refused."""
    file = rig.folder / "token"
    async with serving(rig) as api:
        there = ("--url", api.url, "--token-file", str(file))
        file.touch(0o600)
        file.write_text(await token_of(rig, "operator", Role.OPERATOR))
        refused = await botmaker(rig.folder, *there, "webhook", "list")
        assert refused.status == 1
        assert "Listing webhooks needs the role admin; you are operator." in refused.err
        file.write_text(await token_of(rig, "admin", Role.ADMIN))
        words = ("webhook", "add", "ops", "--json")
        made = await botmaker(rig.folder, *there, *words, typed=receiver.url + "\n")
        assert made.json["host"] == f"127.0.0.1:{receiver.port}"
        assert (await botmaker(rig.folder, *there, "webhook", "test", "ops")).status == 0


async def test_what_cant_be_added_is_said_without_the_url(rig: Rig) -> None:
    """One sentence with what to do, and nothing of the URL."""
    for typed, words in (
        (f"http://hooks.example.org{PATH}", "--plain-http"),
        (f"https://user:word@hooks.example.org{PATH}", "has a user or a password in it"),
        ("", "isn't one that can be asked"),
    ):
        ended = await botmaker(rig.folder, "webhook", "add", "ops", typed=typed + "\n")
        assert (ended.status, ended.out) == (1, "")
        assert words in ended.err
        assert PATH not in ended.err
    missing = await botmaker(rig.folder, "webhook", "add", "ops", "--url-file", "/absent")
    assert missing.status == 78
    both = await botmaker(
        *(rig.folder, "webhook", "replay", "ops", "--from", "1", "--since", "2026-11-28T00:00:00Z"),
    )
    assert both.status == 2
