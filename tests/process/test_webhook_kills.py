"""A real controller is killed between sending an event and marking it as sent: nothing is lost, and
what comes twice has the same id. Over TLS, asked over its own socket."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from pathlib import Path

import pytest

from controller.cli.controller_client import Door, local
from controller.domain.errors import ControllerError
from tests.process.console import botmaker
from tests.process.process import Place, eventually
from tests.webhooks.receiver import PATH, Receiver, Reply, certificate

KILLS, KILLS_IN_FULL = 2, 12  # with --prove


def ask_for_tokens(door: Door, first: int, count: int) -> None:
    """Requests, each of which leaves two entries in the journal."""
    for number in range(first, first + count):
        door.ask("POST", "/tokens", {"name": f"t-{number}", "role": "viewer"})


@pytest.mark.timeout(300)
async def test_a_kill_between_sending_and_marking_loses_nothing(
    idle: Place, tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    """At once after the receiver took an event, and before it answered."""
    controller = idle.controller
    pem = tmp_path / "receiver.pem"
    async with Receiver(certificate(pem)) as receiver:
        controller.env["SSL_CERT_FILE"] = str(pem)
        await controller.start()
        await idle.welcomed()
        file = tmp_path / "url"
        file.write_text(receiver.url)
        words = ("webhook", "add", "ops", "--event", "request.*", "--url-file", str(file))
        status, key, _ = await botmaker(controller, *words)
        assert status == 0
        controller.entered += [key.strip(), PATH]  # searched for at the end, in every disguise

        async def kill() -> None:
            assert controller.process is not None
            os.kill(controller.process.pid, signal.SIGKILL)
            await controller.process.wait()

        door = local(controller.data)
        kills = KILLS_IN_FULL if pytestconfig.getoption("--prove") else KILLS
        for number in range(kills):
            taken = len(receiver.taken)
            receiver.script = [Reply(), Reply(), Reply(), Reply(before=kill)]
            with contextlib.suppress(ControllerError):  # it may be killed while it is asked
                await asyncio.to_thread(ask_for_tokens, door, 10 * number, 5)
            await eventually(lambda: not controller.running, 30)
            assert len(receiver.taken) > taken
            await controller.start()
        await asyncio.to_thread(ask_for_tokens, door, 900, 3)
        sql = "SELECT seq FROM journal WHERE kind IN ('asked', 'outcome', 'refused')"
        rows = "SELECT cursor FROM webhook"
        await eventually(
            lambda: controller.rows(rows) == controller.rows("SELECT max(seq) FROM journal")
        )
        wanted = [seq for (seq,) in controller.rows(sql)]
    order = [one.number for one in receiver.taken]
    first_times = list(dict.fromkeys(order))
    assert first_times == sorted(first_times)
    assert first_times == [seq for seq in wanted if seq >= first_times[0]]
    assert first_times[0] == wanted[1]  # the end of the request that added it
    assert len(order) - len(first_times) == kills
    assert len({one.id for one in receiver.taken}) == len(first_times)
