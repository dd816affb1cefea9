"""Old, foreign, forged and twice-pressed buttons and forms are refused in words.
Next door: test_access.py has people without the role."""

from __future__ import annotations

import time

import pytest

from tests.process.process import Place, eventually, said

pytestmark = [pytest.mark.engine, pytest.mark.asyncio(loop_scope="module")]
NOBODY = "0e0ae0e0-0000-4000-8000-000000000000"


async def test_buttons_of_a_deleted_bot_say_that_it_is_gone(shared: Place) -> None:
    """So do the card's buttons, all of More, the direct message's button and an open form."""
    ann = shared.ann
    await shared.bot("gone")
    card = await shared.card_says("gone", "running")
    ids = [part["custom_id"] for part in card.walk() if part["type"] == 2]
    (more,) = [part for part in card.walk() if part["type"] == 3]
    ids += [option["value"] for option in more["options"]]
    await said(await ann.slash("bot secrets", name="gone"), "direct message")
    dm = shared.dm("gone")
    form = await shared.open_form("gone")
    asked = await ann.slash("bot delete", name="gone")
    await said(await ann.click(asked, label="Delete gone"), "Nothing is left")
    assert len(ids) == 4 + 9
    for custom_id in ids:
        inv = await ann.click(card, custom_id=custom_id, forged=True)
        await said(inv, "That bot is gone")
        assert inv.ephemeral
    await said(await ann.click(dm, label="Enter secrets"), "gone")
    await said(await shared.submit(form), "gone")
    await eventually(lambda: not shared.controller.folders())


@pytest.mark.parametrize(
    "custom_id",
    [
        "garbage",
        "logs",
        "logs:",
        f"logs:{NOBODY}",
        "logs:../../etc/passwd",
        "restart:%00:::::",
        f"delete:{NOBODY}:9999999999",
        "older:x:y:z",
        "form:abc",
        "form:abc:1",
        "form:abc:-1",
        "form:abc:99999999999999999999",
        "form:abc:²",
        "🤖",
        ":::::",
        "x" * 100,
    ],
)
async def test_a_forged_custom_id_is_refused_in_words(shared: Place, custom_id: str) -> None:
    """Any id gets a private sentence, and causes no incident in the controller's log."""
    card = await shared.ann.say("a message to press on")
    inv = await shared.ann.click(card, custom_id=custom_id, forged=True)
    assert inv.ephemeral
    await said(inv, "❌")
    assert "incident" not in inv.text


async def test_damaged_arguments_of_a_real_button_are_refused_in_words(shared: Place) -> None:
    """The bot id is real; the other arguments aren't."""
    bot_id = await shared.bot("real")
    card = await shared.card_says("real", "running")
    run = shared.controller.started_at(bot_id)
    for custom_id in (
        f"delete:{bot_id}",
        f"delete:{bot_id}:soon",
        f"delete:{bot_id}:nan",
        f"delete:{bot_id}:inf",
        f"older:{bot_id}",
        f"older:{bot_id}:x:50:both:",
        f"refresh:{bot_id}:0:50:everything:",
    ):
        inv = await shared.ann.click(card, custom_id=custom_id, forged=True)
        await inv.until(lambda i: "❌" in i.text or any("❌" in m.content for m in i.followups))
        assert "incident" not in inv.text + "".join(m.content for m in inv.followups), custom_id
    assert shared.controller.started_at(bot_id) == run
    assert "running" in card.content


async def test_an_expired_delete_button_does_not_delete(shared: Place) -> None:
    """It says that it expired, and what to do instead."""
    bot_id = await shared.bot("kept")
    asked = await shared.ann.slash("bot delete", name="kept")
    old = f"delete:{bot_id}:{int(time.time()) - 1}"
    inv = await shared.ann.click(asked, custom_id=old, forged=True)
    await said(inv, "expired")
    assert "/bot delete kept" in inv.text
    assert shared.controller.started_at(bot_id)


async def test_a_double_click_on_delete_removes_once_and_both_are_answered(shared: Place) -> None:
    """Two presses, two answers, one removal, no error."""
    await shared.bot("double")
    await shared.card_says("double", "running")
    asked = await shared.ann.slash("bot delete", name="double")
    clicks = [await shared.ann.click(asked, label="Delete double", wait=False) for _ in range(2)]
    for inv in clicks:
        await inv.wait()
    await said(clicks[0], "Nothing is left")
    card = await shared.card_says("double", "removed")
    assert card.labels() == []
    assert shared.controller.rows("SELECT 1 FROM bot WHERE name = 'double'") == []
    gone = {"result": "done", "phase": "gone"}
    late = {"result": "refused", "code": "no-such-bot"}
    await eventually(lambda: None not in shared.controller.ends("bot.delete", "double"))
    ends = shared.controller.ends("bot.delete", "double")
    assert gone in ends
    assert all(end in (gone, late) for end in ends), ends


async def test_a_used_form_is_refused_with_the_way_to_a_new_one(shared: Place) -> None:
    """The second submit of one form changes nothing."""
    await shared.create("used")
    form = await shared.open_form("used")
    await said(await shared.submit(form), "**used** — running")
    home = shared.controller.secrets_dir / shared.controller.bot_id("used")
    before = {file.name: file.read_text() for file in home.iterdir()}
    inv = await shared.submit(form)
    await said(inv, "already used")
    assert "/bot secrets" in inv.text
    await said(await shared.ann.click(shared.dm("used"), label="Enter secrets"), "already used")
    assert {file.name: file.read_text() for file in home.iterdir()} == before


async def test_an_expired_form_is_refused_with_the_way_to_a_new_one(shared: Place) -> None:
    """A form lasts a day; the test moves its expiry in the database."""
    import sqlite3

    await shared.create("late")
    form = await shared.open_form("late")
    base = sqlite3.connect(shared.controller.database)
    base.execute("UPDATE form SET expires_at = ?", [time.time() - 1])
    base.commit()
    base.close()
    inv = await shared.submit(form)
    await said(inv, "expired")
    assert "Get a new one: /bot secrets." in inv.text
