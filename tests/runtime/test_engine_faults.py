"""An engine that hangs, fails, resets, goes away and comes back: on a private socket."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest

from controller.domain.errors import (
    EngineUnavailable,
    ImageMissing,
    NotFound,
    OutcomeUnknown,
    RuntimeTrouble,
)
from controller.domain.names import new_bot_id
from controller.runtime.calls import Calls, choose_version
from controller.runtime.engine import EngineRuntime
from controller.runtime.options import EngineOptions
from tests.runtime.fakeengine import INSTANCE, Exchange, FakeEngine
from tests.runtime.rig import eventually


def container(bot_id: str, **state: Any) -> dict[str, Any]:
    labels = {
        "botmaker.managed": "true",
        "botmaker.instance": INSTANCE,
        "botmaker.bot-id": bot_id,
    }
    return {
        "Id": "c" * 64,
        "Name": f"/botmaker-{bot_id}",
        "State": {"Status": "exited", "ExitCode": 0, **state},
        "Config": {"Labels": labels},
    }


def has(fake: FakeEngine, bot_id: str, **state: Any) -> None:
    """Let the fake engine have this bot's container."""
    end = f"/containers/botmaker-{bot_id}/json"
    fake.rules[end] = lambda exchange: exchange.answer(200, container(bot_id, **state))


# Hanging


async def test_a_hung_engine_blocks_neither_the_caller_nor_the_loop(
    fake_engine: FakeEngine, calls: Calls
) -> None:
    """A read gives up at its limit while everything else goes on."""
    fake_engine.rules["/containers/json"] = fake_engine.hang
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            await asyncio.sleep(0.01)
            ticks += 1

    ticking = asyncio.ensure_future(tick())
    began = time.monotonic()
    with pytest.raises(EngineUnavailable):
        await calls(lambda client: client.containers(), write=False, limit=0.5)
    ticking.cancel()
    assert time.monotonic() - began < 1.5
    assert ticks > 20


async def test_a_write_that_hangs_has_an_unknown_outcome(
    fake_engine: FakeEngine, calls: Calls
) -> None:
    """It was sent, so it may happen."""
    fake_engine.rules["/start"] = fake_engine.hang
    with pytest.raises(OutcomeUnknown) as caught:
        await calls(lambda client: client.start("c" * 64), write=True, limit=0.3)
    assert caught.value.retryable


async def test_writes_that_hang_leave_reads_alone(fake_engine: FakeEngine, calls: Calls) -> None:
    """However many bots take long to stop, a look still answers at once."""
    fake_engine.rules["/stop"] = fake_engine.hang
    hanging = [
        asyncio.ensure_future(
            calls(lambda client: client.stop("c" * 64, timeout=1), write=True, limit=5)
        )
        for _ in range(40)
    ]
    await asyncio.sleep(0.2)
    began = time.monotonic()
    assert await calls(lambda client: client.containers(), write=False, limit=2) == []
    assert time.monotonic() - began < 1
    fake_engine.released.set()
    await asyncio.gather(*hanging, return_exceptions=True)


async def test_reads_that_hung_do_not_starve_later_ones(
    fake_engine: FakeEngine, calls: Calls
) -> None:
    """The client's own timeout frees the threads, and the engine is asked again."""
    fake_engine.rules["/containers/json"] = fake_engine.hang
    asked = [
        asyncio.ensure_future(calls(lambda c: c.containers(), write=False, limit=0.3))
        for _ in range(12)
    ]
    results = await asyncio.gather(*asked, return_exceptions=True)
    assert all(isinstance(result, EngineUnavailable) for result in results)
    del fake_engine.rules["/containers/json"]

    async def answers() -> bool:
        try:
            return bool(await calls(lambda c: c.containers(), write=False, limit=0.5) == [])
        except EngineUnavailable:
            return False

    await eventually(answers, seconds=5)


async def test_a_hung_negotiation_is_no_write(fake_engine: FakeEngine, calls: Calls) -> None:
    """Until it is known which API to speak, nothing was sent; nor is it sent afterwards."""
    fake_engine.rules["/version"] = fake_engine.hang
    with pytest.raises(EngineUnavailable):
        await calls(lambda client: client.start("c" * 64), write=True, limit=0.3)
    del fake_engine.rules["/version"]
    fake_engine.released.set()
    await asyncio.sleep(0.2)
    assert not [line for line in fake_engine.requests if "/start" in line]


# Failing


async def test_an_engine_that_fails_is_told_with_its_reason(
    fake_engine: FakeEngine, runtime: EngineRuntime
) -> None:
    """500 is trouble that may pass; its reason comes without the host's paths."""
    bot_id = new_bot_id()
    has(fake_engine, bot_id)
    message = "driver failed programming: open /var/lib/docker/x/y: no space left on device"
    fake_engine.rules["/start"] = lambda exchange: exchange.answer(500, {"message": message})
    with pytest.raises(RuntimeTrouble) as caught:
        await runtime.start(bot_id)
    assert type(caught.value) is RuntimeTrouble
    assert caught.value.retryable
    assert "no space left on device" in caught.value.message
    assert "/var/lib" not in caught.value.message


@pytest.mark.parametrize("write", [False, True])
async def test_a_connection_reset_in_the_middle(
    fake_engine: FakeEngine, calls: Calls, write: bool
) -> None:
    """A read did not happen; of a write nobody knows."""
    fake_engine.rules["/start"] = Exchange.reset
    with pytest.raises(OutcomeUnknown if write else EngineUnavailable):
        await calls(lambda client: client.start("c" * 64), write=write, limit=2)


async def test_an_answer_that_is_no_json_is_a_lost_answer(
    fake_engine: FakeEngine, runtime: EngineRuntime
) -> None:
    """Something between us and the engine garbled it."""

    def garble(exchange: Exchange) -> None:
        exchange.send_response(200)
        exchange.send_header("Content-Length", "6")
        exchange.end_headers()
        exchange.wfile.write(b"<html>")

    fake_engine.rules["/containers/json"] = garble
    with pytest.raises(EngineUnavailable):
        await runtime.list_containers()


async def test_an_engine_that_is_too_old_is_refused_by_name(
    fake_engine: FakeEngine, runtime: EngineRuntime
) -> None:
    """The sentence tells its API and the one that is needed."""
    old = {"ApiVersion": "1.40", "MinAPIVersion": "1.12"}
    fake_engine.rules["/version"] = lambda exchange: exchange.answer(200, old)
    with pytest.raises(EngineUnavailable, match=r"1\.40.*1\.41"):
        await runtime.info()


@pytest.mark.parametrize("answer", [{}, [], {"ApiVersion": "x"}, {"ApiVersion": None}])
def test_what_is_no_engine_is_refused(answer: object) -> None:
    """Another server may listen there."""
    with pytest.raises(EngineUnavailable):
        choose_version(answer)


async def test_the_version_is_asked_once_and_again_after_a_loss(
    fake_engine: FakeEngine, runtime: EngineRuntime
) -> None:
    """An engine that was away may come back as another version."""
    for _ in range(3):
        await runtime.list_containers()
    assert fake_engine.requests.count("GET /version") == 1
    fake_engine.down()
    with pytest.raises(EngineUnavailable):
        await runtime.list_containers()
    fake_engine.rules["/version"] = lambda exchange: exchange.answer(
        200, {"ApiVersion": "1.52", "MinAPIVersion": "1.44"}
    )
    fake_engine.up()
    await runtime.list_containers()
    assert fake_engine.requests[-1] == "GET /v1.45/containers/json"


async def test_a_list_is_one_request(fake_engine: FakeEngine, runtime: EngineRuntime) -> None:
    """However many containers there are, none is inspected."""
    rows = [
        {
            "Id": "a" * 64,
            "Names": [f"/botmaker-{bot_id}"],
            "State": "running",
            "Labels": {"botmaker.bot-id": bot_id},
        }
        for bot_id in (new_bot_id() for _ in range(50))
    ]
    fake_engine.rules["/containers/json"] = lambda exchange: exchange.answer(200, rows)
    assert len(await runtime.list_containers()) == 50
    asked = [line for line in fake_engine.requests if "/containers" in line]
    assert asked == ["GET /v1.41/containers/json"]


async def test_a_container_that_vanishes_meanwhile_is_gone(
    fake_engine: FakeEngine, runtime: EngineRuntime
) -> None:
    """Between the look and the act somebody may remove it."""
    bot_id = new_bot_id()
    has(fake_engine, bot_id, Status="running")
    await runtime.stop(bot_id, 1)
    await runtime.remove(bot_id, 1)
    has(fake_engine, bot_id)
    with pytest.raises(NotFound):
        await runtime.start(bot_id)


async def test_a_removal_that_goes_on_is_no_failure(
    fake_engine: FakeEngine, runtime: EngineRuntime
) -> None:
    """The engine says 409 while it removes; the next look tells."""
    bot_id = new_bot_id()
    has(fake_engine, bot_id)
    fake_engine.rules["/" + "c" * 64] = lambda exchange: exchange.answer(
        409, {"message": "removal of container is already in progress"}
    )
    with pytest.raises(OutcomeUnknown):
        await runtime.remove(bot_id, 1)


async def test_a_socket_that_may_not_be_used_says_what_to_do(tmp_path: Path) -> None:
    """Permission denied is the most common start of all: the hint is the cure."""
    from controller.runtime.faults import translate

    error = ConnectionError("aborted", PermissionError(13, "Permission denied"))
    found = translate(error, write=True)
    assert isinstance(found, EngineUnavailable)
    assert "group docker" in found.hint
    nowhere = EngineRuntime(INSTANCE, EngineOptions(base_url=f"unix://{tmp_path}/no.sock"))
    with pytest.raises(EngineUnavailable, match="Can't reach Docker"):
        await nowhere.info()
    await nowhere.close()


@pytest.mark.parametrize(
    "url", ["rubbish://x", "tcp://", "tcp://127.0.0.1:1", "tcp://no.invalid:1"]
)
async def test_an_address_that_cannot_work_is_unavailable(url: str) -> None:
    """Whatever DOCKER_HOST says, only a ControllerError comes out, for writes too."""
    runtime = EngineRuntime(INSTANCE, EngineOptions(base_url=url))
    for call in (runtime.info, lambda: runtime.start(new_bot_id())):
        with pytest.raises(EngineUnavailable):
            await call()
    await runtime.close()


async def test_after_close_nothing_is_asked(
    fake_engine: FakeEngine, runtime: EngineRuntime
) -> None:
    """A late caller gets an error like any other."""
    await runtime.close()
    with pytest.raises(EngineUnavailable):
        await runtime.info()
    assert fake_engine.requests == []


# Pulls


async def test_a_pull_follows_its_progress_and_pins_the_digest(
    fake_engine: FakeEngine, runtime: EngineRuntime
) -> None:
    """A pulled image is named by its registry's digest, which anybody can pull again."""
    digest = f"example.org/bot@sha256:{'d' * 64}"
    image = {"Id": f"sha256:{'e' * 64}", "RepoDigests": [f"other@sha256:{'f' * 64}", digest]}

    def pull(exchange: Exchange) -> None:
        exchange.begin_stream()
        for status in ("Pulling fs layer", "Download complete", "Pull complete"):
            exchange.chunk({"id": "1a2b", "status": status, "progressDetail": {}})
        exchange.wfile.write(b"0\r\n\r\n")
        for name in ("example.org/bot:1", digest):
            fake_engine.rules[f"/images/{name}/json"] = lambda e: e.answer(200, image)

    fake_engine.rules["/images/create"] = pull
    told: list[int] = []
    ref = "example.org/bot:1"
    assert await runtime.pin_image(ref, "missing", tell=told.append) == digest
    assert told == [0, 80, 100]
    asked = [line for line in fake_engine.requests if line.endswith("/images/create")]
    assert len(asked) == 1
    assert await runtime.pin_image("example.org/bot:1", "missing") == digest
    asked = [line for line in fake_engine.requests if line.endswith("/images/create")]
    assert len(asked) == 1


async def test_a_pull_that_fails_half_way_tells_the_registrys_reason(
    fake_engine: FakeEngine, runtime: EngineRuntime
) -> None:
    """The status was 200 already; the reason comes in the stream."""

    def pull(exchange: Exchange) -> None:
        exchange.begin_stream()
        exchange.chunk({"status": "Pulling"})
        exchange.chunk({"error": "toomanyrequests: try later"})
        exchange.wfile.write(b"0\r\n\r\n")

    fake_engine.rules["/images/create"] = pull
    with pytest.raises(ImageMissing, match="toomanyrequests"):
        await runtime.pin_image("example.org/bot:1", "missing")


@pytest.mark.parametrize(
    ("status", "words", "told"),
    [
        (
            500,
            'Get "https://example.org/v2/": dial tcp: lookup example.org: no such host',
            "its registry can't be reached (no such host)",
        ),
        (
            500,
            'Get "https://example.org/v2/": dial tcp 203.0.113.7:443: connect: connection refused',
            "its registry can't be reached (connection refused)",
        ),
        (404, "pull access denied for example.org/bot", "pull access denied for example.org/bot"),
    ],
)
async def test_a_pull_that_is_refused_says_why_and_what_to_do(
    fake_engine: FakeEngine, runtime: EngineRuntime, status: int, words: str, told: str
) -> None:
    """The engine's words for a registry that is out of reach are a programmer's; ours are plain."""
    fake_engine.rules["/images/create"] = lambda e: e.answer(status, {"message": words})
    with pytest.raises(ImageMissing) as caught:
        await runtime.pin_image("example.org/bot:1", "missing")
    assert caught.value.message == (
        f"The image example.org/bot:1 isn't on this machine and couldn't be pulled: {told}."
    )
    assert caught.value.hint.endswith("or run docker pull example.org/bot:1 on the host.")


async def test_an_image_named_by_its_id_alone_cannot_be_pulled(
    fake_engine: FakeEngine, runtime: EngineRuntime
) -> None:
    """No registry is asked, and the hint is not to pull it."""
    with pytest.raises(ImageMissing, match="doesn't say which registry") as caught:
        await runtime.pin_image(f"sha256:{'e' * 64}", "missing")
    assert "docker pull" not in caught.value.hint
    assert not [line for line in fake_engine.requests if line.endswith("/images/create")]
