"""Disorder in Discord: overtaken answers, repeated deliveries, connections cut midway.
Next door: ../loopback/faults.py makes the trouble."""

from __future__ import annotations

import asyncio

import pytest

from tests.loopback import Invocation
from tests.process.process import Place, eventually, said

pytestmark = [pytest.mark.engine, pytest.mark.asyncio(loop_scope="module")]
CALLBACK = r"/interactions/.*/callback$"
TROUBLES = pytest.mark.parametrize("when", ["drop", "drop_after"])


async def _twice(place: Place, inv: Invocation) -> None:
    """Deliver it again while it is being handled, and once more after its answer."""
    await place.world.deliver_again(inv)
    await inv.until(lambda i: i.message is not None and not i.message.loading)
    await place.world.deliver_again(inv)
    # Interactions are handled in order of arrival, so this one comes after both.
    await place.ann.slash("bot list")


async def _both_tries(inv: Invocation, when: str) -> None:
    """Wait for the second try: Discord accepts it, or says that it already has the first."""
    expected = [200] if when == "drop" else [200, 400]
    await inv.until(lambda i: i.callbacks == expected)


async def test_a_submit_that_overtakes_the_answer_to_its_button_is_not_lost(shared: Place) -> None:
    """The form is submitted while the controller still waits to hear that it was shown."""
    await shared.create("early")
    with shared.world.fault("POST", CALLBACK, delay=0.5, times=1):
        clicked = await shared.ann.click(shared.dm("early"), label="Enter secrets", wait=False)
        form = await clicked.modal_sent
        pending = next(r for r in shared.world.requests if str(clicked.id) in r.path)
        done = await shared.submit(form)
        await done.wait()
        assert pending.status == 0
    await said(done, "**early** — running")
    assert done.text.count("fingerprint `") == 2


async def test_a_create_delivered_twice_makes_one_bot(shared: Place) -> None:
    """One row, one request in the journal, one card, one direct message, one answer."""
    inv = await shared.ann.slash("bot create", name="twin", template="brisk", wait=False)
    await _twice(shared, inv)
    assert "is created" in inv.text
    assert shared.controller.ends("bot.create", "twin") == [{"result": "done"}]
    await shared.card_says("twin", "waiting for secrets")
    assert len([m for m in shared.cards if "**twin**" in m.content]) == 1
    assert len([m for m in shared.ann.dms if "**twin**" in m.content]) == 1
    assert inv.callbacks == [200]
    assert inv.followups == []


async def test_a_submit_delivered_twice_is_taken_once(shared: Place) -> None:
    """One request in the journal and one start; the person sees no error about a used form."""
    await shared.create("stamp")
    inv = await shared.submit(await shared.open_form("stamp"))
    await _twice(shared, inv)
    await said(inv, "**stamp** — running")
    bot_id = shared.controller.bot_id("stamp")
    wrote = {"result": "done", "names": ["api_key", "channel_token"]}
    assert shared.controller.ends("bot.secrets", "stamp") == [wrote]
    assert inv.callbacks == [200]
    found = shared.controller.inspect(bot_id)
    assert found is not None
    assert found["RestartCount"] == 0


async def test_a_restart_delivered_twice_restarts_once(shared: Place) -> None:
    """The bot starts only once more."""
    bot_id = await shared.bot("spin")
    card = await shared.card_says("spin", "running")
    since = shared.controller.started_at(bot_id)
    inv = await shared.ann.click(card, label="Restart", wait=False)
    await _twice(shared, inv)
    await said(inv, "running")
    after = shared.controller.started_at(bot_id)
    assert after > since
    assert shared.controller.ends("bot.restart", "spin") == [{"result": "done", "phase": "running"}]
    log = await said(await shared.ann.slash("bot logs", name="spin"), "start 2")
    assert "start 3" not in log.text


@TROUBLES
async def test_an_interrupted_first_answer_is_given_once_more(shared: Place, when: str) -> None:
    """Whether the connection breaks before or after Discord took the answer, it arrives."""
    with shared.world.fault("POST", CALLBACK, times=1, **{when: True}) as fault:
        inv = await shared.ann.slash("bot list")
        await inv.until(lambda i: i.text)
    assert fault.hits == 1
    await _both_tries(inv, when)
    assert inv.followups == []
    assert "❌" not in inv.text
    assert inv.ephemeral


@TROUBLES
async def test_an_interrupted_acknowledgement_is_given_once_more(shared: Place, when: str) -> None:
    """The same for an answer in two parts: one bot is created and the answer arrives."""
    name = f"cut-{when.replace('_', '-')}"
    with shared.world.fault("POST", CALLBACK, times=1, **{when: True}):
        inv = await shared.create(name)
        await _both_tries(inv, when)
    assert "direct message" in inv.text
    assert len(shared.controller.ends("bot.create", name)) == 1


@TROUBLES
async def test_an_interrupted_form_is_shown_once_more(shared: Place, when: str) -> None:
    """The modal arrives, and its submit is accepted."""
    name = f"form-{when.replace('_', '-')}"
    await shared.create(name)
    with shared.world.fault("POST", CALLBACK, times=1, **{when: True}):
        clicked = await shared.ann.click(shared.dm(name), label="Enter secrets", wait=False)
        form = await clicked.modal_sent
        await _both_tries(clicked, when)
    with shared.world.fault("POST", CALLBACK, times=1, **{when: True}):
        done = await shared.submit(form)
        await _both_tries(done, when)
        await said(done, f"**{name}** — running")


@TROUBLES
async def test_an_interrupted_edit_is_made_once_more(shared: Place, when: str) -> None:
    """The second part of an answer survives a broken connection too."""
    with shared.world.fault("PATCH", r"/messages/@original$", times=1, **{when: True}) as fault:
        inv = await shared.create(f"edit-{when.replace('_', '-')}")
        await said(inv, "direct message")
    assert fault.hits == 1


async def test_an_answer_that_arrived_unconfirmed_is_not_given_again(shared: Place) -> None:
    """Both tries break after Discord took them: it's asked what stands there, and that's it."""
    later = shared.controller.log.count("it will be said later")
    with shared.world.fault("PATCH", r"/messages/@original$", times=2, drop_after=True) as fault:
        inv = await shared.create("arrived")
        await said(inv, "direct message")
        await eventually(lambda: fault.hits == 2)
        await asyncio.sleep(0.5)  # for the question what stands there, and for what comes of it
    assert shared.controller.log.count("it will be said later") == later


async def test_a_public_message_that_could_not_be_sent_is_sent_later(shared: Place) -> None:
    """Discord refuses it for a while; then it comes, once."""
    with shared.world.fault("POST", rf"/channels/{shared.world.admin_channel_id}/messages$",
                            status=503, times=2) as fault:  # fmt: skip
        await shared.create("quiet")
        await shared.card_says("quiet", "waiting for secrets")
    assert fault.hits == 2
    assert len([m for m in shared.cards if "**quiet**" in m.content]) == 1


async def test_a_public_message_whose_sending_was_cut_stands_once(shared: Place) -> None:
    """The connection breaks after Discord took it; there is no second message about the bot."""
    with shared.world.fault("POST", rf"/channels/{shared.world.admin_channel_id}/messages$",
                            drop_after=True, times=1) as fault:  # fmt: skip
        await shared.bot("solo")
        await eventually(lambda: fault.hits)
    await shared.card_says("solo", "running")
    assert fault.hits == 1
    assert len([m for m in shared.cards if "**solo**" in m.content]) == 1


async def test_a_deleted_public_message_is_replaced_at_the_next_change(shared: Place) -> None:
    """After somebody deletes it, the next change appears in a new message."""
    await shared.bot("again")
    shared.world.delete_message(await shared.card_says("again", "running"))
    await said(await shared.ann.slash("bot stop", name="again"), "stopped")
    card = await shared.card_says("again", "stopped")
    assert card.labels() == ["Logs", "Start", "Settings"]
