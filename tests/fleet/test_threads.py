"""A secrets disk that hangs: its callers get a sentence in time, and nothing else waits for it.
Next door: test_uid_shift.py has engines whose user ids differ from ours."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from controller.api.server import health
from controller.domain.errors import NotFound, StorageTrouble
from controller.domain.names import new_bot_id
from controller.fleet.threads import AT_ONCE, BATCH, STUCK_MAX, Threads
from controller.vault import AtRest, Vault
from controller.vault.staging import Staged, Staging
from tests.manager.rig import Rig, eventually

LIMIT = 0.1


@pytest.fixture
async def threads() -> AsyncIterator[Threads]:
    made = Threads(limit=LIMIT)
    yield made
    made.close()


async def test_an_answer_and_an_error_pass(threads: Threads) -> None:
    """Also the function's own TimeoutError, which is not the limit's."""

    def fail(error: Exception) -> None:
        raise error

    assert await threads.secrets(lambda: 7) == 7
    for error in (ValueError("fake"), TimeoutError("its own")):
        with pytest.raises(type(error), match=str(error)):
            await threads.secrets(lambda error=error: fail(error))  # type: ignore[misc]
    assert threads.secrets_answer


async def test_a_call_that_hangs_ends_in_a_sentence(threads: Threads) -> None:
    """In time; the disk answers again when the call is over."""
    gate = threading.Event()
    began = time.monotonic()
    with pytest.raises(StorageTrouble, match="secrets disk doesn't answer") as caught:
        await threads.secrets(gate.wait)
    assert time.monotonic() - began < 1
    assert "BOTMAKER_SECRETS_DIR" in caught.value.hint
    assert not threads.secrets_answer
    gate.set()
    await eventually(lambda: threads.secrets_answer)
    assert await threads.secrets(lambda: 7) == 7


async def test_a_read_of_a_pipe_that_nobody_writes_hangs_nobody(
    threads: Threads, tmp_path: Path
) -> None:
    """A real call of the system, as on a network disk whose server is gone."""
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(StorageTrouble):
        await threads.secrets((tmp_path / "pipe").read_bytes)
    (tmp_path / "pipe").write_bytes(b"over")
    await eventually(lambda: threads.secrets_answer)


async def test_what_hung_writes_nothing_over_a_newer_value(
    threads: Threads, tmp_path: Path
) -> None:
    """Neither a secret nor what was typed into a form; and it leaves nothing behind."""
    vault, staging = Vault(tmp_path), Staging(tmp_path, AtRest((bytes(32),)))
    bot, form, owner = new_bot_id(), "0123abcd", (os.geteuid(), os.getegid())
    gate = threading.Event()

    def write(value: str) -> None:
        vault.write(bot, {"key": value}, owner)
        staging.keep(bot, form, Staged({"key": value}))

    def late(action: Callable[[], None]) -> None:
        gate.wait()
        action()

    for hung in (
        lambda: vault.write(bot, {"key": "fake-older-value"}, owner),
        lambda: staging.keep(bot, form, Staged({"key": "fake-older-value"})),
    ):
        with pytest.raises(StorageTrouble):
            await threads.secrets(lambda hung=hung: late(hung))  # type: ignore[misc]
    await threads.secrets(lambda: write("fake-newer-value"))
    gate.set()
    await eventually(lambda: threads.secrets_answer)
    assert vault.read(bot) == staging.read(bot, form).secrets == {"key": "fake-newer-value"}
    assert not list(tmp_path.rglob("*.tmp"))


async def test_a_thousand_calls_hold_only_a_few_threads(threads: Threads) -> None:
    """Then they fail at once, and none begins; other file work goes on meanwhile."""
    gate, begun = threading.Event(), []

    def hang() -> None:
        begun.append(1)
        gate.wait()

    before = threading.active_count()
    asked = [asyncio.create_task(threads.secrets(hang)) for _ in range(1000)]
    await asyncio.sleep(LIMIT / 2)
    assert await threads(lambda: 7) == 7
    began = time.monotonic()
    answers = await asyncio.gather(*asked, return_exceptions=True)
    assert time.monotonic() - began < 20 * LIMIT
    assert {type(answer) for answer in answers} == {StorageTrouble}
    assert len(begun) <= STUCK_MAX + AT_ONCE
    assert threading.active_count() - before <= STUCK_MAX + AT_ONCE + 4
    gate.set()
    await eventually(lambda: threads.secrets_answer)
    assert await threads.secrets(lambda: 7) == 7


async def test_many_quick_calls_wait_their_turn(threads: Threads) -> None:
    """Waiting for others isn't the disk's fault, though it takes longer than the limit."""
    answers = await asyncio.gather(
        *(threads.secrets(lambda: time.sleep(LIMIT / 10)) for _ in range(100))
    )
    assert len(answers) == 100
    assert threads.secrets_answer


async def test_each_of_many_things_has_its_own_answer(threads: Threads) -> None:
    """In order, from few threads; what one of them raises is that one's alone."""

    def work(number: int) -> int:
        if number == 30:
            raise NotFound("Number 30 is missing.")
        return number * 2

    found = await threads.secrets_of_each(work, range(3 * BATCH))
    assert isinstance(found[30], NotFound)
    assert [one for one in found if not isinstance(one, NotFound)] == [
        number * 2 for number in range(3 * BATCH) if number != 30
    ]
    assert await threads.secrets_of_each(work, []) == []
    with pytest.raises(ZeroDivisionError):
        await threads.secrets_of_each(lambda number: 1 // number, [1, 0])


async def test_a_disk_that_hangs_at_one_thing_costs_its_batch_alone(threads: Threads) -> None:
    """The others are answered, before and after it."""
    gate = threading.Event()
    found = await threads.secrets_of_each(
        lambda number: gate.wait() if number == BATCH else True, range(3 * BATCH)
    )
    assert found[:BATCH] == found[2 * BATCH :] == [True] * BATCH
    assert {type(one) for one in found[BATCH : 2 * BATCH]} == {StorageTrouble}
    gate.set()


async def test_a_call_about_many_things_has_longer(threads: Threads) -> None:
    """A disk that answers isn't taken for one that hangs because there are many bots."""

    def slow() -> int:
        time.sleep(2 * LIMIT)
        return 7

    with pytest.raises(StorageTrouble):
        await threads.secrets(slow)
    assert await threads.secrets(slow, things=8 * BATCH) == 7


async def test_closing_does_not_wait_for_what_hangs() -> None:
    """And waits for what doesn't."""
    gate, made, done = threading.Event(), Threads(limit=LIMIT), []
    with pytest.raises(StorageTrouble):
        await made.secrets(gate.wait)
    running = asyncio.create_task(made.secrets(lambda: (time.sleep(LIMIT / 2), done.append(1))))
    await asyncio.sleep(0)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    began = time.monotonic()
    made.close()
    assert time.monotonic() - began < 1
    gate.set()


async def test_bots_go_on_while_the_secrets_disk_hangs(tmp_path: Path) -> None:
    """One that runs is stopped; health says what is wrong, and that it is over."""
    rig = Rig(tmp_path)
    await rig.open()
    rig.run()
    bot = await rig.running()
    threads, gate = rig.house.tools.threads, threading.Event()
    hanging = [asyncio.create_task(threads.secrets(gate.wait)) for _ in range(AT_ONCE)]
    await asyncio.sleep(0.05)
    assert health(rig.manager, lambda: True)["secrets"] == {"answering": True}
    await asyncio.gather(*hanging, return_exceptions=True)
    found = health(rig.manager, lambda: True)
    assert (found["secrets"], found["status"]) == ({"answering": False}, "degraded")
    assert rig.active(bot)
    gate.set()
    await eventually(lambda: health(rig.manager, lambda: True)["status"] == "ok")
    await rig.kill()
