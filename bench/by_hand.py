"""What `real` compares with: plain docker-py that creates, starts, inspects and stops as many."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from threading import local

import docker
from docker.types import IPAMConfig, IPAMPool

from bench.engine import IMAGE, connect, installation
from bench.templates import write_templates
from controller.catalog import container_spec, load
from controller.domain.bot import Bot
from controller.domain.names import new_bot_id
from controller.domain.spec import ContainerSpec
from controller.runtime.hostconfig import container_body, network_labels

AT_ONCE = 8  # threads, as many as the controller has for these calls


@dataclass(frozen=True, slots=True)
class Pace:
    """The seconds that each step took, for all containers."""

    started: float
    inspected: float
    stopped: float


class _Clients:
    """A client for each thread, as docker-py wants it."""

    def __init__(self) -> None:
        self._local = local()

    def __call__(self) -> docker.APIClient:
        if not hasattr(self._local, "client"):
            self._local.client = connect()
        found: docker.APIClient = self._local.client
        return found


def do_by_hand(count: int, subnet: str, folder: Path) -> Pace:
    """Create and start, list and inspect, stop; everything is removed at the end."""
    client, clients = connect(), _Clients()
    pattern = _pattern(client, folder)
    with installation(client) as instance, ThreadPoolExecutor(AT_ONCE) as pool:
        network = f"botmaker-{instance}"
        client.create_network(
            network,
            driver="bridge",
            options={"com.docker.network.bridge.enable_icc": "false"},
            labels=network_labels(instance),
            ipam=IPAMConfig(pool_configs=[IPAMPool(subnet=subnet)]),
        )

        def start(bot_id: str) -> str:
            spec = replace(pattern, bot_id=bot_id)
            body = container_body(spec, instance=instance, network=network)
            made = clients().create_container_from_config(body, name=spec.name)  # type: ignore[no-untyped-call]
            clients().start(made)
            return str(made["Id"])

        def all_of(do: Callable[[str], object], things: Iterable[str]) -> tuple[float, list[str]]:
            began = time.monotonic()
            made = [str(one) for one in pool.map(do, things)]
            return time.monotonic() - began, made

        started, made = all_of(start, [new_bot_id() for _ in range(count)])
        inspected, _ = all_of(lambda ident: clients().inspect_container(ident)["Id"], made)
        stopped, _ = all_of(lambda ident: clients().stop(ident, timeout=5), made)
    client.close()
    return Pace(started, inspected, stopped)


def _pattern(client: docker.APIClient, folder: Path) -> ContainerSpec:
    """The container that the controller would make, but for the bot's id."""
    secrets = folder / "by-hand"
    secrets.mkdir()
    template = load(write_templates(secrets)).get("tiny")
    bot = Bot(id=new_bot_id(), name="n", template="tiny", provider="", model="", channel="")
    image = str(client.inspect_image(IMAGE)["Id"])  # type: ignore[no-untyped-call]
    return container_spec(template, bot, image=image, user="1000:1000", secrets_source=str(secrets))
