"""The first message in the admin channel, whatever ends the controller around it: one, never two.
Next door: tests/chat/test_first_message.py has its words, its button and the form."""

from __future__ import annotations

import signal

import pytest

from tests.process.process import Place, eventually, said

pytestmark = [pytest.mark.engine, pytest.mark.timeout(300)]


def messages_path(place: Place) -> str:
    return rf"/channels/{place.world.admin_channel_id}/messages$"


async def test_the_first_start_says_what_to_do_and_no_later_one_does(idle: Place) -> None:
    """It is the channel's first message; its button works in the next run as well."""
    await idle.controller.start()
    await idle.welcomed()
    (first,) = idle.world.messages(idle.world.admin_channel_id)
    assert first.content.startswith("👋 **BotMaker is ready.**")
    await idle.controller.restart(signal.SIGKILL)
    pressed = await idle.ann.click(first, label="Create a bot", within=30)
    form = await pressed.modal_sent
    created = await idle.ann.submit(form, {"name": "shop", "template": ["demo"]}, within=30)
    await said(created, "**shop** is created", 30)
    assert idle.welcomes == [first]


@pytest.mark.parametrize("arrived", [True, False], ids=["it arrived", "it was lost"])
async def test_a_kill_while_it_is_being_sent_leaves_one(idle: Place, *, arrived: bool) -> None:
    """Discord has it and the answer never came; or Discord never had it."""
    how = {"delay": 30.0} if arrived else {"status": 503, "delay": 30.0}
    with idle.world.fault("POST", messages_path(idle), **how) as slow:
        await idle.controller.launch()
        await eventually(lambda: slow.hits, 60)
        if arrived:
            await eventually(lambda: idle.welcomes, 10)
        await idle.controller.kill()
    assert len(idle.welcomes) == int(arrived)
    await idle.controller.start()
    await idle.welcomed()
    assert len(idle.welcomes) == 1


async def test_while_discord_refuses_it_is_tried_again(idle: Place) -> None:
    """A bot can be created meanwhile; the message comes when it can."""
    with idle.world.fault("POST", messages_path(idle), status=503) as away:
        await idle.controller.start()
        await eventually(lambda: away.hits, 60)
        assert idle.welcomes == []
    await idle.welcomed()
    assert len(idle.welcomes) == 1
