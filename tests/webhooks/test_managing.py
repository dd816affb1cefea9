"""What admins do with webhooks: add, list, test, send again, remove."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from controller.domain.errors import BadInput, Conflict, ControllerError, NotFound
from controller.domain.journal import Kind
from controller.domain.names import new_bot_id
from controller.domain.webhooks import WEBHOOKS_MOST, Format
from controller.manager.doctor import Finding
from controller.manager.webhooks import WebhookOrder
from tests.manager.rig import ANN_ASKS, eventually
from tests.webhooks.conftest import DAY, Post, taken
from tests.webhooks.receiver import PATH, Receiver, Reply


async def found_by_doctor(post: Post) -> list[Finding]:
    findings = await post.rig.manager.doctor.examine(ANN_ASKS)
    return [one for one in findings if one.subject.startswith("webhook ")]


async def test_adding_is_in_the_history_without_its_url(post: Post, receiver: Receiver) -> None:
    """Who added what for which host; the fingerprint tells whether it is the same URL."""
    added = await post.add(receiver, "Ops", "bot.crash")
    asked = (await post.rig.entries(Kind.ASKED))[0]
    assert asked.data == {
        "act": "webhook.add",
        "webhook": added.webhook.id,
        "name": "ops",
        "host": f"127.0.0.1:{receiver.port}",
        "fingerprint": added.webhook.fingerprint,
        "format": "standard",
        "events": ["bot.crash"],
    }
    assert added.key.startswith("whsec_")
    assert added.key not in repr(added)
    other = await post.add(receiver, "other")
    assert other.webhook.fingerprint == added.webhook.fingerprint
    assert other.key != added.key


async def test_what_cant_be_added_leaves_nothing(post: Post, receiver: Receiver) -> None:
    """A wrong name, event or address, a taken name, one too many: no row and no file."""
    await post.add(receiver)
    add = post.rig.manager.webhooks.add
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"name": "../x"}, "bad-name"),
        ({"events": ("bot.dance",)}, "bad-event"),
        ({"url": "https://user:word@hooks.example.org/"}, "bad-webhook-url"),
        ({"url": "http://hooks.example.org/"}, "plain-webhook"),
        ({"name": "OPS"}, "webhook-name-taken"),
    ]
    for change, code in wrong:
        order = {"name": "new", "url": receiver.url, **change}
        with pytest.raises((BadInput, Conflict)) as caught:
            await add(ANN_ASKS, WebhookOrder(**order))
        assert caught.value.code == code
    assert [one.name for one in await post.rig.store.webhooks()] == ["ops"]
    assert len(list((post.rig.secrets / ".webhooks").iterdir())) == 1
    row = await post.row()
    async with post.rig.store.transaction() as write:
        for number in range(WEBHOOKS_MOST - 1):
            await write.add_webhook(replace(row, id=new_bot_id(), name=f"more-{number}"))
    with pytest.raises(Conflict) as full:
        await post.add(receiver, "last")
    assert full.value.code == "too-many-webhooks"


async def test_a_test_says_what_the_receiver_answers(post: Post, receiver: Receiver) -> None:
    """One signed event that tells of nothing; the cursor stays, and a failure is no trouble yet."""
    await post.add(receiver)
    webhooks, before = post.rig.manager.webhooks, await post.row()
    receiver.script = [Reply(202, text="thank\nyou \x1b[31m"), Reply(403, text="no"), Reply(302)]
    tested = await webhooks.test(ANN_ASKS, "ops")
    assert (tested.delivered, tested.status, tested.answer) == (True, 202, "thank you")
    assert receiver.seen[0].type == "webhook.test"
    assert receiver.seen[0].id == tested.event_id
    assert "webhook-signature" in receiver.seen[0].headers
    refused = await webhooks.test(ANN_ASKS, "ops")
    assert (refused.delivered, refused.reason, refused.answer) == (
        *(False, "it answered 403", "no"),
    )
    assert not (await webhooks.test(ANN_ASKS, "ops")).delivered
    await receiver.close()
    away = await webhooks.test(ANN_ASKS, "ops")
    assert (away.delivered, away.status, away.reason) == (False, 0, "it can't be reached")
    await receiver.open()
    assert await post.row() == before
    ended = (await post.rig.entries(Kind.OUTCOME))[0].data
    assert (ended["delivered"], ended["reason"]) == (False, "it can't be reached")


async def test_what_doesnt_exist_is_said(post: Post, receiver: Receiver) -> None:
    """For each use-case that names one; and a replay needs an entry that exists."""
    webhooks = post.rig.manager.webhooks
    for ask in (webhooks.test, webhooks.replay, webhooks.remove, webhooks.dead_letters):
        with pytest.raises(NotFound) as caught:
            await ask(ANN_ASKS, "nobody")
        assert caught.value.code == "no-such-webhook"
    await post.add(receiver)
    for chosen in ({"number": 9999}, {"number": 1, "since": 5.0}):
        with pytest.raises(BadInput) as wrong:
            await webhooks.replay(ANN_ASKS, "ops", **chosen)  # type: ignore[arg-type]
        assert wrong.value.code == "bad-replay"


async def test_a_replay_by_time_begins_with_the_first_entry_since(
    post: Post, receiver: Receiver
) -> None:
    """Where nothing happened since, nothing is sent again."""
    await post.add(receiver)
    await post.happen(2)
    post.clock.now += DAY
    late = await post.happen(2)
    await post.until(late[-1])
    since = post.clock.now - 1
    await post.rig.manager.webhooks.replay(ANN_ASKS, "ops", since=since)
    assert (await taken(receiver, 6))[4:] == late
    seen = await post.rig.manager.webhooks.replay(ANN_ASKS, "ops", since=4e9)
    assert seen.waiting == 0
    await asyncio.sleep(0.05)
    assert len(receiver.seen) == 6


async def test_the_doctor_knows_every_webhook(post: Post, receiver: Receiver) -> None:
    """Well; in trouble for a moment; for hours; gone: each with what to do."""
    await post.add(receiver)
    (well,) = await found_by_doctor(post)
    assert (well.subject, well.ok) == ("webhook ops", True)
    assert well.message == f"sends standard to 127.0.0.1:{receiver.port}"
    receiver.always = Reply(500)
    post.clock.now = 1_000_000_000.0  # by the doctor's clock long ago
    await post.happen()
    async with asyncio.timeout(5):
        while not (await post.row()).failures:
            await asyncio.sleep(0.005)
    (ill,) = await found_by_doctor(post)
    assert ill.ok is False
    assert "it answered 500" in ill.message
    assert "botmaker webhook test ops" in ill.remedy
    receiver.always = Reply(410)
    await eventually(lambda: receiver.at_once == 0)
    async with asyncio.timeout(5):
        while not (await post.row()).stopped:
            await asyncio.sleep(0.005)
    (gone,) = await found_by_doctor(post)
    assert gone.ok is False
    assert "botmaker webhook replay ops" in gone.remedy
    assert PATH not in repr([well, ill, gone])


async def test_a_kill_while_one_is_added_leaves_nothing_for_the_next_start(
    post: Post, receiver: Receiver
) -> None:
    """The files of a webhook that has no row go."""
    added = await post.add(receiver)
    async with post.rig.store.transaction() as write:
        await write.drop_webhook(added.webhook.id)
    await post.restart()
    assert list((post.rig.secrets / ".webhooks").iterdir()) == []


async def test_a_disk_that_refuses_adds_no_webhook(post: Post, receiver: Receiver) -> None:
    """The error is told, and the name stays free."""
    place = post.rig.secrets / ".webhooks"
    place.write_text("in the way")
    with pytest.raises(ControllerError):
        await post.add(receiver)
    assert await post.rig.store.webhooks() == []
    place.unlink()
    added = await post.add(receiver, form=Format.SLACK)
    assert (added.webhook.format, added.key) == (Format.SLACK, "")
