"""The installation's network: how many bots fit, when it's removed, what is said at its limits."""

from __future__ import annotations

import contextlib
import ipaddress
import uuid
from collections.abc import Iterator

import pytest
from docker.errors import APIError

from controller.domain.errors import RuntimeTrouble
from controller.domain.names import new_bot_id
from controller.domain.spec import INSTANCE_LABEL, MANAGED_LABEL
from controller.runtime.engine import EngineRuntime
from controller.runtime.networks import capacity
from tests.runtime.fakeengine import Exchange, FakeEngine
from tests.runtime.rig import EngineRig, Rig, real_engine
from tests.runtime.test_given_up import spec_of, works


def free_subnet(rig: EngineRig, prefix: int) -> str:
    """A subnet of that size which no network of the engine uses."""
    used = [
        ipaddress.ip_network(config["Subnet"])
        for row in rig.docker.networks()
        for config in (row.get("IPAM") or {}).get("Config") or ()
    ]
    blocks = list(ipaddress.ip_network("10.224.0.0/12").subnets(new_prefix=24))
    start = uuid.uuid4().int % len(blocks)
    for block in blocks[start:] + blocks[:start]:
        if not any(block.overlaps(one) for one in used if one.version == 4):
            return str(next(block.subnets(new_prefix=prefix)))
    raise AssertionError("no subnet is free")


@pytest.fixture
async def small(engine_rig: EngineRig) -> EngineRig:
    """A real engine's installation whose network takes five bots."""
    await engine_rig.runtime.close()
    subnet = free_subnet(engine_rig, 29)
    engine_rig.runtime = EngineRuntime(engine_rig.instance, real_engine(), subnet=subnet)
    return engine_rig


@pytest.mark.parametrize(
    ("subnet", "bots"),
    [
        ("10.0.0.0/29", 5),
        ("10.0.0.0/28", 13),
        ("192.168.1.0/24", 253),
        ("192.168.0.0/22", 1021),
        ("172.20.0.0/21", 1023),
        ("172.20.0.0/16", 1023),
        ("", 1023),
    ],
)
def test_the_smaller_of_subnet_and_bridge_limits_the_bots(subnet: str, bots: int) -> None:
    """The network's, the gateway's and the broadcast address are nobody's; a bridge has ports."""
    assert capacity(subnet) == bots


@pytest.mark.engine
async def test_a_full_network_takes_what_was_promised_and_then_says_so(small: EngineRig) -> None:
    """The doctor's figure is the engine's: the next start fails with a sentence."""
    first = await small.running()
    found = await small.runtime.network()
    assert found.fits == 5
    assert found.subnet == found.wanted
    for _ in range(found.fits - 1):
        await small.running()
    last = await small.created()
    with pytest.raises(RuntimeTrouble) as caught:
        await small.runtime.start(last.bot_id)
    assert caught.value.code == "network-full"
    assert not caught.value.retryable
    await small.runtime.stop(first.bot_id, 1)
    await small.runtime.start(last.bot_id)


@pytest.mark.engine
async def test_a_subnet_that_is_taken_is_said(small: EngineRig) -> None:
    """With the setting to change, and before anything else of the bot exists."""
    await small.created()
    taken = (await small.runtime.network()).subnet
    other = EngineRuntime(f"{small.instance}-b", real_engine(), subnet=taken)
    with pytest.raises(RuntimeTrouble) as caught:
        await other.create(small.spec())
    await other.close()
    assert caught.value.code == "subnet-taken"
    assert "BOTMAKER_NETWORK_SUBNET" in caught.value.hint


@pytest.mark.parametrize(
    "words",
    [
        "could not find an available, non-overlapping IPv4 address pool among the defaults to "
        "assign to the network",
        "all predefined address pools have been fully subnetted",
    ],
)
@pytest.mark.parametrize("status", [400, 403, 404, 500])
async def test_used_up_address_pools_come_with_the_remedy(
    fake_engine: FakeEngine, runtime: EngineRuntime, words: str, status: int
) -> None:
    """In the words of an old and of a new engine, whatever the status."""
    bot_id = new_bot_id()
    works(fake_engine, bot_id)
    fake_engine.rules["/networks/create"] = lambda ex: ex.answer(status, {"message": words})
    with pytest.raises(RuntimeTrouble) as caught:
        await runtime.create(spec_of(bot_id))
    assert caught.value.code == "no-address-pool"
    assert "docker network prune" in caught.value.hint
    assert "BOTMAKER_NETWORK_SUBNET" in caught.value.hint


@pytest.mark.parametrize(
    "words",
    [
        "failed to create endpoint a on network b: no available IPv4 addresses on this network's "
        "address pools: b (0f)",
        "failed to create endpoint a on network b: adding interface veth1 to bridge br-2 failed: "
        "exchange full",
    ],
)
async def test_a_full_bridge_is_told_like_a_full_subnet(
    fake_engine: FakeEngine, runtime: EngineRuntime, words: str
) -> None:
    """Both limits mean the same to a person."""
    bot_id = new_bot_id()
    works(fake_engine, bot_id)

    def inspect(exchange: Exchange) -> None:
        labels = {MANAGED_LABEL: "true", INSTANCE_LABEL: "faults", "botmaker.bot-id": bot_id}
        state = {"Status": "created"}
        name = f"/botmaker-{bot_id}"
        found = {"Id": "c" * 64, "Name": name, "State": state, "Config": {"Labels": labels}}
        exchange.answer(200, found)

    fake_engine.rules[f"/botmaker-{bot_id}/json"] = inspect
    fake_engine.rules[f"/containers/{'c' * 64}/start"] = lambda ex: ex.answer(
        500, {"message": words}
    )
    with pytest.raises(RuntimeTrouble) as caught:
        await runtime.start(bot_id)
    assert caught.value.code == "network-full"


def has_network(rig: Rig) -> bool:
    """Whether the rig's installation has a network."""
    if isinstance(rig, EngineRig):
        return bool(rig.docker.networks(names=[f"botmaker-{rig.instance}"]))
    return bool(rig.world.has_network)  # type: ignore[attr-defined]


async def test_the_network_goes_with_the_last_container(rig: Rig) -> None:
    """It stays for a stopped bot, and comes back with the next container."""
    assert not has_network(rig)
    one, two = await rig.created(), await rig.running()
    await rig.runtime.remove(two.bot_id, 1)
    await rig.runtime.let_go(two.bot_id)
    assert has_network(rig)
    await rig.runtime.remove(one.bot_id, 1)
    await rig.runtime.let_go(one.bot_id)
    assert not has_network(rig)
    await rig.runtime.let_go(one.bot_id)
    await rig.running()
    assert has_network(rig)


@pytest.mark.engine
async def test_somebody_elses_network_of_our_name_stays(engine_rig: EngineRig) -> None:
    """Only what carries our label is removed."""
    made = engine_rig.docker.create_network(f"botmaker-{engine_rig.instance}")
    with contextlib.suppress(RuntimeTrouble, Exception):
        await engine_rig.runtime.let_go(new_bot_id())
    assert engine_rig.docker.inspect_network(made["Id"])
    engine_rig.docker.remove_network(made["Id"])


@pytest.mark.engine
async def test_a_network_that_something_else_uses_stays(engine_rig: EngineRig) -> None:
    """Somebody's container may have joined it: the engine refuses, and nothing fails."""
    spec = await engine_rig.running()
    name = f"botmaker-foreign-{uuid.uuid4().hex[:8]}"
    engine_rig.make_foreign(name)
    engine_rig.docker.connect_container_to_network(name, f"botmaker-{engine_rig.instance}")
    await engine_rig.runtime.remove(spec.bot_id, 1)
    await engine_rig.runtime.let_go(spec.bot_id)
    assert has_network(engine_rig)


@pytest.mark.engine
async def test_a_start_survives_the_removal_of_its_network(engine_rig: EngineRig) -> None:
    """A container that was created while the last other one went."""
    spec = await engine_rig.created()
    engine_rig.docker.remove_network(f"botmaker-{engine_rig.instance}")
    await engine_rig.runtime.start(spec.bot_id)


@pytest.fixture
def leftover(engine_rig: EngineRig) -> Iterator[str]:
    """A network of an installation that has no container."""
    name = f"botmaker-gone-{uuid.uuid4().hex[:8]}"
    labels = {MANAGED_LABEL: "true", INSTANCE_LABEL: name.removeprefix("botmaker-")}
    engine_rig.docker.create_network(name, labels=labels)
    yield name
    with contextlib.suppress(APIError):
        engine_rig.docker.remove_network(name)


@pytest.mark.engine
async def test_networks_of_gone_installations_are_found_and_left_alone(
    engine_rig: EngineRig, leftover: str
) -> None:
    """Reported by name; another installation's network with a container isn't."""
    await engine_rig.created()
    found = await engine_rig.runtime.network()
    assert leftover in found.leftovers
    assert f"botmaker-{engine_rig.instance}" not in found.leftovers
    assert engine_rig.docker.inspect_network(leftover)
    body = {"Image": engine_rig.image, "Labels": {INSTANCE_LABEL: leftover[len("botmaker-") :]}}
    made = engine_rig.make(body, f"{leftover}-bot")
    try:
        assert leftover not in (await engine_rig.runtime.network()).leftovers
    finally:
        engine_rig.docker.remove_container(made)
