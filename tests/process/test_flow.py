"""A bot's whole life through Discord: created, given its secrets, watched, restarted, removed.
Next door: test_restart.py does it across a restart of the controller."""

from __future__ import annotations

import stat
from datetime import datetime
from pathlib import Path

import pytest

from tests.process.process import Controller, Place, a_secret, eventually, said

pytestmark = pytest.mark.engine
RED = 4


def _made_at(found: dict[str, str]) -> float:
    text = found["Created"]
    return datetime.fromisoformat(text[:26].rstrip("Z") + "+00:00").timestamp()


def _check_files(controller: Controller, bot_id: str, values: dict[str, str]) -> None:
    home = controller.secrets_dir / bot_id
    assert _owned(home) == ((1000, 1000), 0o700)
    assert {file.name for file in home.iterdir()} == set(values)
    for name, value in values.items():
        file = home / name
        assert _owned(file) == ((1000, 1000), 0o600)
        assert file.stat().st_nlink == 1
        assert file.read_text() == value
    found = controller.inspect(bot_id)
    assert found is not None
    changes = [path.stat().st_ctime for path in (home, *home.iterdir())]
    assert max(changes) <= _made_at(found)


def _owned(path: Path) -> tuple[tuple[int, int], int]:
    seen = path.lstat()
    return (seen.st_uid, seen.st_gid), stat.S_IMODE(seen.st_mode)


async def test_a_bot_lives_its_whole_life_through_discord(place: Place) -> None:
    """From /bot create to nothing left, each step as the person and the engine see it."""
    ann, controller = place.ann, place.controller
    made = await place.create("shop", "demo", model="demo-large")
    assert made.ephemeral
    assert "direct message" in made.text
    card = await place.card_says("shop", "waiting for secrets")
    assert (controller.containers(), controller.folders()) == ([], [])

    dm = place.dm("shop")
    assert "**shop**" in dm.content
    assert dm.labels() == ["Enter secrets"]
    clicked = await ann.click(dm, label="Enter secrets")
    form = await clicked.modal_sent
    assert "shop" in form.title
    fields = {field["custom_id"]: field for field in form.fields}
    assert fields["api_key"]["label"] == "Demo API key"
    assert fields["channel_token"]["label"] == "Demo channel token"
    assert {field["type"] for name, field in fields.items() if name != "behaviour"} == {4}
    assert fields["behaviour"]["type"] == 3  # a select

    values = {"api_key": a_secret(), "channel_token": a_secret()}
    done = await place.submit(form, **values)
    await said(done, "**shop** — running", 15)
    assert done.ephemeral
    assert done.text.count("fingerprint `") == 2
    for value in values.values():
        assert not any(value[at : at + 4] in done.text for at in range(len(value) - 3))
    bot_id = controller.bot_id("shop")
    _check_files(controller, bot_id, values)
    assert await place.card_says("shop", "running") is card
    assert "waiting for secrets" in card.history[0]
    assert place.cards == [card]

    logs = await ann.slash("bot logs", name="shop")
    await said(logs, "secrets read: api_key channel_token")
    assert "model=demo-large" in logs.text
    assert logs.ephemeral
    before, first = controller.inspect(bot_id), controller.started_at(bot_id)
    again = await ann.slash("bot restart", name="shop")
    await said(again, "running", 15)
    after = controller.inspect(bot_id)
    assert before is not None
    assert after is not None
    assert after["Id"] == before["Id"]
    assert controller.started_at(bot_id) > first

    asked = await ann.slash("bot delete", name="shop")
    assert asked.ephemeral
    (button,) = [part for part in asked.message.walk() if part["type"] == 2]  # type: ignore[union-attr]
    assert (button["label"], button["style"]) == ("Delete shop", RED)
    assert controller.started_at(bot_id)
    gone = await ann.click(asked, label="Delete shop")
    await said(gone, "**shop** — removed. Nothing is left", 15)
    assert await place.card_says("shop", "removed") is card
    assert card.labels() == []
    assert place.cards == [card]
    await eventually(controller.nothing_left)
    assert controller.ends("bot.delete") == [{"result": "done", "phase": "gone"}]


async def test_where_dms_are_closed_the_button_comes_in_the_private_answer(place: Place) -> None:
    """The private answer opens the same form, and the bot runs."""
    place.ann.dm_closed = True
    made = await place.create("shy")
    assert made.ephemeral
    assert "Enter its secrets to start it." in made.text
    assert place.ann.dms == []
    form = await (await place.ann.click(made, label="Enter secrets")).modal_sent
    await said(await place.submit(form), "**shy** — running")
    assert (await place.card_says("shy", "running")).labels() == [
        "Logs",
        "Restart",
        "Settings",
        "Stop",
    ]


async def test_the_buttons_of_the_public_message_act_and_follow_the_phase(place: Place) -> None:
    """Logs, Stop and Start on the card do what they say, and the buttons change."""
    bot_id = await place.bot("panel")
    card = await place.card_says("panel", "running")
    await said(await place.ann.click(card, label="Logs"), "demo bot starting")
    await said(await place.ann.click(card, label="Stop"), "stopped")
    found = place.controller.inspect(bot_id)
    assert found is not None
    assert not found["State"]["Running"]
    await place.card_says("panel", "stopped")
    assert card.labels() == ["Logs", "Start", "Settings"]
    await said(await place.ann.click(card, label="Start"), "running")
    await place.card_says("panel", "running")
    assert card.labels() == ["Logs", "Restart", "Settings", "Stop"]
    assert place.controller.started_at(bot_id)


async def test_replaced_secrets_reach_the_bot_without_a_new_container(place: Place) -> None:
    """/bot secrets writes the new value in place, keeps the other, and restarts the same one."""
    bot_id = await place.bot("turn", api_key=a_secret(), channel_token=(kept := a_secret()))
    home = place.controller.secrets_dir / bot_id
    before, first = place.controller.inspect(bot_id), place.controller.started_at(bot_id)
    inv = await place.ann.slash("bot secrets", name="turn")
    await said(inv, "direct message")
    form = await place.open_form("turn")
    assert not any(field["required"] for field in form.fields)
    assert all(not field["value"] for field in form.fields)
    done = await place.submit(form, api_key=(fresh := a_secret()), channel_token="")
    await said(done, "running")
    assert "channel_token" not in done.text
    assert (home / "api_key").read_text() == fresh
    assert (home / "channel_token").read_text() == kept
    after = place.controller.inspect(bot_id)
    assert before is not None
    assert after is not None
    assert after["Id"] == before["Id"]
    assert place.controller.started_at(bot_id) > first
