"""Delivery: at least once, in order, whatever receivers, clocks, disks and kills do."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import logging
import shutil
import time
from datetime import UTC, datetime
from typing import Any

import pytest

from controller.domain.journal import Entry, Kind
from controller.domain.webhooks import Format
from tests.manager.rig import ANN_ASKS, eventually
from tests.webhooks.conftest import DAY, Post, taken
from tests.webhooks.receiver import PATH, Receiver, Reply


async def test_events_arrive_signed_in_order_and_once(post: Post, receiver: Receiver) -> None:
    """Those that were chosen, from the moment on when the webhook was added."""
    await post.happen(3)
    added = await post.add(receiver, "ops", "bot.crash")
    first = await post.happen(30)
    await post.happen(1, kind=Kind.REMOVED)
    last = await post.happen(1)
    assert await taken(receiver, 31) == first + last
    await post.until(last[0])
    assert len(receiver.seen) == 31
    assert receiver.most_at_once == 1
    raw = base64.b64decode(added.key.removeprefix("whsec_"))
    for one in receiver.seen:
        sent_at = one.headers["webhook-timestamp"]
        assert int(sent_at) == int(post.clock.now)
        signed = f"{one.id}.{sent_at}.".encode() + one.content
        wanted = base64.b64encode(hmac.new(raw, signed, hashlib.sha256).digest()).decode()
        assert one.headers["webhook-signature"] == f"v1,{wanted}"
        assert one.id == f"{post.rig.house.instance}-{one.number}"


@pytest.mark.parametrize(
    ("form", "path"), [(Format.DISCORD, "content"), (Format.SLACK, "text"), (Format.NTFY, "")]
)
async def test_people_are_told_in_their_own_service(
    post: Post, receiver: Receiver, form: Format, path: str
) -> None:
    """One line each, without a signature that nobody checks, and no key is made."""
    added = await post.add(receiver, "ops", form=form)
    assert added.key == ""
    await post.happen()
    await eventually(lambda: receiver.taken, "the line arrives")
    (one,) = receiver.taken
    text = one.json[path] if path else one.content.decode()
    assert "shop crashed" in text
    assert not [name for name in one.headers if name.lower().startswith("webhook-")]


async def test_what_cant_be_worded_holds_nothing_up(post: Post, receiver: Receiver) -> None:
    """An entry with data that no version of ours writes is told by its number alone."""
    await post.add(receiver, "ops", "fleet.batch", "bot.crash")
    numbers = await post.happen(kind=Kind.BATCH, data={"failed": 5})
    numbers += await post.happen()
    assert await taken(receiver, 2) == numbers
    odd, crash = receiver.taken
    assert odd.json["data"] == {"number": numbers[0], "cut": True}
    assert crash.json["data"]["details"]["exit_code"] == 1


TROUBLE: dict[str, list[Reply]] = {
    "500": [Reply(500)] * 3,
    "redirect": [Reply(302, {"Location": "http://127.0.0.1:1/"})] * 2,
    "429": [Reply(429, {"Retry-After": "0.2"})],
    "401": [Reply(401)] * 7,  # somebody has to fix it there: it isn't about the event
    "slow": [Reply(delay=1.3)],
}


@pytest.mark.parametrize("trouble", TROUBLE)
async def test_trouble_loses_nothing_and_keeps_the_order(
    post: Post, receiver: Receiver, trouble: str
) -> None:
    """The same event again, with the same id and a fresh time, until it is taken."""
    await post.add(receiver)
    first = await post.happen(2)
    await taken(receiver, 2)
    receiver.script = [Reply(), *TROUBLE[trouble]]
    began = time.monotonic()
    more = await post.happen(3)
    await post.until(more[-1])
    order = [one.number for one in receiver.seen]
    assert sorted(set(order)) == first + more
    assert order == sorted(order)  # the same again, never a later one before it
    again = [one.id for one in receiver.seen if one.number == more[1]]
    assert len(again) == len(TROUBLE[trouble]) + 1
    assert len(set(again)) == 1
    if trouble == "429":
        assert time.monotonic() - began >= 0.2
    row = await post.row()
    assert (row.failures, row.failing_since, row.reason, row.dead) == (0, None, "", 0)


async def test_a_repeat_is_signed_anew(post: Post, receiver: Receiver) -> None:
    """Receivers refuse what is older than some minutes."""

    async def later() -> None:
        post.clock.now += 3600

    receiver.script = [Reply(500, before=later)]
    await post.add(receiver)
    await post.happen()
    await eventually(lambda: receiver.taken, "it arrives")
    first, second = receiver.seen
    assert first.id == second.id
    times = [int(one.headers["webhook-timestamp"]) for one in (first, second)]
    assert times[1] - times[0] == 3600
    assert first.headers["webhook-signature"] != second.headers["webhook-signature"]


async def test_one_webhooks_trouble_is_no_others(post: Post, receiver: Receiver) -> None:
    """While one hangs, one refuses and one is away, a fourth gets everything at once, and so does
    whoever asks the manager."""
    async with Receiver() as hanging, Receiver() as refusing, Receiver() as away:
        hanging.always, refusing.always = Reply(delay=60), Reply(503)
        await away.close()
        for name, one in (("hangs", hanging), ("refuses", refusing), ("away", away)):
            await post.add(one, name)
        await post.add(receiver, "well")
        numbers = await post.happen(50)
        # A second for each try of the one that hangs: one after the other this would take a minute.
        assert await taken(receiver, 50) == numbers
        await post.until(numbers[-1], "well")
        listed = {
            seen.webhook.name: (seen.webhook.reason, seen.waiting)
            for seen in await post.rig.manager.webhooks.listed(ANN_ASKS)
        }
        assert listed["refuses"] == ("it answered 503", 50)
        assert listed["away"] == ("it can't be reached", 50)
        assert listed["well"] == ("", 0)
        assert refusing.most_at_once == 1
        await away.open()


async def test_a_day_away_loses_nothing(post: Post, receiver: Receiver) -> None:
    """Everything that happened meanwhile comes in order, across a restart of the controller too."""
    await post.add(receiver)
    before = await post.happen(2)
    await taken(receiver, 2)
    await receiver.close()
    during = []
    for _ in range(24):
        during += await post.happen(2)
        post.clock.now += DAY / 24
        await asyncio.sleep(0.002)
    await post.restart()
    row = await post.row()
    assert row.failing_since is not None
    assert (row.dead, row.stopped) == (0, False)
    await receiver.open()
    assert await taken(receiver, 50) == before + during


async def test_after_seven_days_events_become_dead_letters_that_can_be_replayed(
    post: Post, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    """Those that are older; the rest waits. It is told once, in log, journal and doctor."""
    await post.add(receiver)
    await receiver.close()
    old = await post.happen(60)
    await eventually(lambda: "its events wait" in caplog.text, "the trouble is noted")
    post.clock.now += 5 * DAY
    new = await post.happen(3)
    post.clock.now += 2.1 * DAY
    row = await post.until(old[-1])
    assert [one.seq for one in await post.dead()] == old
    assert {one.reason for one in await post.dead()} == {"it can't be reached"}
    assert (row.cursor, row.dead) == (old[-1], 60)
    (told,) = await post.rig.entries(Kind.WEBHOOK)
    assert (told.data["name"], told.data["what"]) == ("ops", "gave-up")
    await receiver.open()
    assert await taken(receiver, 3) == new
    await post.rig.manager.webhooks.replay(ANN_ASKS, "ops", number=old[10])
    assert (await taken(receiver, 56))[3:] == old[10:] + new
    assert [one.seq for one in await post.dead()] == old[:10]


async def test_who_is_gone_is_sent_nothing_more_until_somebody_says_so(
    post: Post, receiver: Receiver
) -> None:
    """410: no further request, also after a restart; what waits is kept, and a replay goes on."""
    await post.add(receiver)
    receiver.script = [Reply(410)]
    numbers = await post.happen(3)
    await eventually(lambda: receiver.seen, "the receiver says it")
    told = await stopped(post)
    assert told.data["what"] == "stopped"
    await post.restart()
    numbers += await post.happen(2)
    await asyncio.sleep(0.1)
    assert len(receiver.seen) == 1
    (seen,) = await post.rig.manager.webhooks.listed(ANN_ASKS)
    assert (seen.webhook.stopped, seen.waiting) == (True, 5)
    await post.rig.manager.webhooks.replay(ANN_ASKS, "ops")
    assert await taken(receiver, 5) == numbers


async def stopped(post: Post) -> Entry:
    """The entry that tells of it, once it is there."""
    async with asyncio.timeout(5):
        while not (found := await post.rig.entries(Kind.WEBHOOK)):
            await asyncio.sleep(0.005)
    return found[0]


async def test_an_event_that_is_refused_holds_up_no_others_for_ever(
    post: Post, receiver: Receiver
) -> None:
    """After five tries it is a dead letter, and the next one has its own five."""
    await post.add(receiver)
    receiver.script = [Reply(400)] * 9
    numbers = await post.happen(3)
    assert await taken(receiver, 2) == numbers[1:]
    order = [one.number for one in receiver.seen]
    assert [order.count(number) for number in numbers] == [5, 5, 1]
    assert [one.seq for one in await post.dead()] == numbers[:1]


async def test_what_was_taken_and_not_marked_comes_again_after_a_kill(
    post: Post, receiver: Receiver
) -> None:
    """The receiver has it, the controller died before it heard so: the same id, nothing lost."""
    reached = asyncio.Event()

    async def reach() -> None:
        reached.set()

    receiver.script = [Reply(), Reply(delay=0.3, before=reach)]
    await post.add(receiver)
    numbers = await post.happen(4)
    await reached.wait()
    await post.restart()
    await post.until(numbers[-1])
    order = [one.number for one in receiver.seen]
    assert order == [numbers[0], numbers[1], *numbers[1:]]
    assert len({one.id for one in receiver.seen}) == 4


async def test_a_replay_counts_also_while_an_event_is_under_way(
    post: Post, receiver: Receiver
) -> None:
    """The mark of the event that was on its way doesn't undo it."""
    reached = asyncio.Event()

    async def reach() -> None:
        reached.set()

    await post.add(receiver)
    numbers = await post.happen(4)
    await post.until(numbers[-1])
    receiver.script = [Reply(delay=0.2, before=reach)]
    more = await post.happen(1)
    await reached.wait()
    await post.rig.manager.webhooks.replay(ANN_ASKS, "ops", number=numbers[1])
    await post.until(more[0])
    order = [one.number for one in receiver.seen]
    assert order == numbers + more + numbers[1:] + more


async def test_a_removed_webhook_is_sent_nothing_more(post: Post, receiver: Receiver) -> None:
    """Also while it is in trouble; its files are gone."""
    receiver.always = Reply(500)
    await post.add(receiver)
    await post.happen()
    await eventually(lambda: receiver.seen, "it is tried")
    await post.rig.manager.webhooks.remove(ANN_ASKS, "ops")
    await asyncio.sleep(0.05)
    count = len(receiver.seen)
    await post.happen(3)
    await asyncio.sleep(0.1)
    assert len(receiver.seen) == count
    assert list((post.rig.secrets / ".webhooks").iterdir()) == []
    assert post.work is not None
    assert not post.work.done()


async def test_a_url_that_cant_be_read_is_the_webhooks_own_trouble(
    post: Post, receiver: Receiver
) -> None:
    """Said as its reason; delivered once the file is back."""
    added = await post.add(receiver)
    home = post.rig.secrets / ".webhooks" / added.webhook.id
    shutil.move(home / "url", post.rig.folder / "away")
    numbers = await post.happen(2)
    async with asyncio.timeout(5):
        while not (row := await post.row()).reason:
            await asyncio.sleep(0.005)
    assert row.reason == "its URL can't be read (webhook-keys-gone)"
    shutil.move(post.rig.folder / "away", home / "url")
    assert await taken(receiver, 2) == numbers


async def test_what_isnt_for_a_webhook_moves_its_cursor_all_the_same(
    post: Post, receiver: Receiver
) -> None:
    """So a webhook that hears of little doesn't read a year's journal at each start."""
    await post.add(receiver, "ops", "access.grant")
    await post.happen(501)
    await post.until(500)
    assert receiver.seen == []


def old(month: int, day: int = 1) -> float:
    return datetime(2020, month, day, tzinfo=UTC).timestamp()


async def archived(post: Post) -> tuple[list[int], list[int]]:
    """Crashes of two months in monthly files, and newer ones in the table; the numbers of both."""
    post.clock.now = old(1)
    filed = await post.happen(5)
    post.clock.now = old(2)
    filed += await post.happen(40)
    post.clock.now = time.time()
    kept = await post.happen(2)
    assert await post.rig.house.tools.journal.archive() == len(filed)
    return filed, kept


async def test_a_replay_reaches_into_the_monthly_files(post: Post, receiver: Receiver) -> None:
    """By number and by time, in order, and then on in the table."""
    filed, kept = await archived(post)
    await post.add(receiver)
    webhooks = post.rig.manager.webhooks
    await webhooks.replay(ANN_ASKS, "ops", number=filed[2])
    assert await taken(receiver, 45) == filed[2:] + kept
    await webhooks.replay(ANN_ASKS, "ops", since=old(2))
    assert (await taken(receiver, 87))[45:] == filed[5:] + kept
    assert (await post.row()).lost == 0


@pytest.mark.parametrize("damage", ["gone", "damaged"])
async def test_a_month_that_cant_be_read_is_counted_as_lost_and_said(
    post: Post, receiver: Receiver, damage: str
) -> None:
    """The others come; log, journal, list and doctor say which are missing."""
    filed, kept = await archived(post)
    month = post.rig.data / "journal" / "2020-01.jsonl.gz"
    if damage == "gone":
        month.unlink()
    else:
        month.write_bytes(b"nonsense")
    await post.add(receiver)
    await post.rig.manager.webhooks.replay(ANN_ASKS, "ops", number=1)
    rest = kept if damage == "damaged" else filed[5:] + kept
    assert await taken(receiver, len(rest)) == rest
    (told,) = await post.rig.entries(Kind.WEBHOOK)
    first = 5 if damage == "gone" else len(filed)
    assert told.data == {
        "name": "ops",
        "what": "lost",
        "count": first,
        "reason": f"entries 1 to {first} are neither in the journal nor in its monthly files",
    }
    assert (await post.row()).lost == first


async def test_no_url_and_no_key_is_anywhere_but_in_its_file(
    post: Post, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    """Not in the database, its log, the journal, a bot's folder, a warning or an answer."""
    caplog.set_level(logging.DEBUG)
    added = await post.add(receiver)
    for reply in (Reply(500, text=receiver.url), Reply(400), Reply(200, text=receiver.url)):
        receiver.script = [reply]
        tested = await post.rig.manager.webhooks.test(ANN_ASKS, "ops")
        assert PATH not in repr(tested)
    receiver.script = [Reply(500), Reply(410)]
    await post.happen()
    await stopped(post)
    findings: list[Any] = await post.rig.manager.doctor.examine(ANN_ASKS)
    secret = PATH.rpartition("/")[2]
    said = repr(findings) + caplog.text + repr(added) + repr(await post.rig.entries())
    assert secret not in said
    assert added.key not in said
    await post.end()
    for path in post.rig.folder.rglob("*"):
        if path.is_file() and ".webhooks" not in path.parts:
            data = path.read_bytes()
            assert secret.encode() not in data, path
            assert added.key.removeprefix("whsec_").encode() not in data, path
    await post.begin()
    hidden = post.rig.house.tools.redactor(f"it is {receiver.url} and {added.key}")
    assert secret not in hidden
    assert added.key not in hidden
