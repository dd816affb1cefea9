"""From `/bot create` to a message in and the model's answer out, with a real OpenClaw.
Next door: shop.py puts the parts together; test_faults.py is about what goes wrong."""

from __future__ import annotations

import time
from pathlib import Path

import docker
import pytest

from tests.openclaw.shop import ANN, PERSONA, START, a_token, open_shop
from tests.process.process import said

GIB = 1024**3


@pytest.mark.timeout(600)
async def test_a_bot_made_in_discord_answers_in_telegram_and_takes_a_new_token_in_its_stride(
    docker_client: docker.APIClient,
    openclaw_image: str,
    tmp_path: Path,
    measured: list[tuple[str, str]],
) -> None:
    """Made, paired, asked, searched for secrets, its token replaced: one container, one run."""
    async with open_shop(tmp_path, docker_client) as shop:
        place = shop.place
        first, key = shop.admit()
        await shop.prepare("claw", persona=PERSONA)
        assert place.controller.containers() == []

        began = time.monotonic()
        await shop.hand_over("claw", first, key)
        await place.card_says("claw", "running", START)
        measured.append(
            ("secrets entered -> shown as running", f"{time.monotonic() - began:.1f} s")
        )
        bot_id = place.controller.bot_id("claw")
        made = shop.container(bot_id)
        _is_hardened(made)
        measured.append(("memory when idle", _mib(shop.memory(bot_id))))

        # A stranger gets a code and no answer; an operator approves it from the chat.
        shop.telegram.write(ANN, "hello")
        code = await shop.telegram.until(shop.pairing_code, 60, "the pairing code")
        assert shop.model.asked == []
        approved = await shop.act("claw", "pairing-approve", code=code)
        assert f"Approved telegram sender {ANN}" in approved.text
        took = await shop.answered("what is the answer?", "Forty-two, says the stand-in.")
        measured.append(("message in -> answer out, first", f"{took:.1f} s"))
        took = await shop.answered("and again?", "Still forty-two.")
        measured.append(("message in -> answer out, second", f"{took:.1f} s"))
        assert "what is the answer?" in shop.model.prompts
        assert "You never mention the weather." in shop.model.prompts
        assert set(shop.model.keys_seen) == {key}

        # The new token reaches the service from the same run.
        second = a_token()
        shop.admit(second)
        await said(await place.ann.slash("bot secrets", name="claw"), "direct message")
        began = time.monotonic()
        done = await place.submit(await place.open_form("claw"), api_key="", channel_token=second)
        await shop.telegram.until(lambda: second in shop.telegram.tokens_used(), 60, "new token")
        measured.append(("token replaced -> in use", f"{time.monotonic() - began:.1f} s"))
        await said(done, "running", 60)
        await place.card_says("claw", "running", 60)
        after = shop.container(bot_id)
        assert after["Id"] == made["Id"]
        assert after["State"]["StartedAt"] == made["State"]["StartedAt"]
        shop.telegram.tokens.discard(first)
        await shop.answered("with the new one?", "With the new one.")

        status = await shop.act("claw", "channel-status")
        assert "running, connected" in status.text
        assert "No pending" in (await shop.act("claw", "pairing-list")).text
        assert '"checksRun"' in (await shop.act("claw", "doctor")).text
        measured.append(("memory after all that", _mib(shop.memory(bot_id))))
        measured.append(("memory, peak (limit 2048 MiB)", _mib(shop.peak_memory(bot_id))))
        assert shop.leaks(bot_id) == []

        began = time.monotonic()
        asked = await place.ann.slash("bot delete", name="claw")
        await place.ann.click(asked, label="Delete claw")
        await place.card_says("claw", "removed", 60)
        await shop.telegram.until(place.controller.nothing_left, 30, "nothing left")
        measured.append(("asked to delete -> nothing left", f"{time.monotonic() - began:.1f} s"))


def _is_hardened(made: dict[str, object]) -> None:
    host, config = made["HostConfig"], made["Config"]
    assert isinstance(host, dict)
    assert isinstance(config, dict)
    assert host["CapDrop"] == ["ALL"]
    assert not host["CapAdd"]
    assert any("no-new-privileges" in option for option in host["SecurityOpt"])
    assert host["ReadonlyRootfs"]
    assert not host["Privileged"]
    assert (host["Memory"], host["MemorySwap"]) == (2 * GIB, 2 * GIB)
    assert host["PidsLimit"] == 512
    assert not host["PortBindings"]
    assert config["User"] == "1000:1000"


def _mib(size: int) -> str:
    return f"{size / 1024**2:.0f} MiB"
