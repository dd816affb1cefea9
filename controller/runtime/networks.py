"""The installation's one network: created when it's needed, removed with the last container.

Blocking. What limits the number of bots is here too: addresses in the subnet, ports of the bridge.
"""

from __future__ import annotations

import contextlib
import ipaddress
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from docker import APIClient
from docker.errors import APIError
from docker.types import IPAMConfig, IPAMPool

from controller.domain.errors import RuntimeTrouble
from controller.domain.spec import INSTANCE_LABEL, MANAGED_LABEL
from controller.runtime import hostconfig
from controller.runtime.faults import foreign
from controller.runtime.protocol import NetworkInfo

NAME_START = "botmaker-"
BRIDGE_PORTS = 1023  # of a Linux bridge, without its own
NO_BOTS = 3  # addresses that no bot gets: the network's own, the gateway's, the broadcast's
# Only one thread at a time may look for the network and create or remove it. Measured on 20.10:
# asked twice at once the engine creates two networks of one name, check_duplicate or not, and then
# refuses every start that uses that name as ambiguous.
_LOCK = threading.Lock()
# The engine's words, in 20.10 and in 26.1.
_POOLS_USED_UP = ("non-overlapping IPv4 address pool", "have been fully subnetted")
_OVERLAPS = "overlaps"

_Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Network:
    """Our network: its name, whose it is, its wanted subnet (empty: the engine's choice)."""

    name: str
    instance: str
    subnet: str = ""

    @property
    def labels(self) -> dict[str, list[str]]:
        """A filter for what is ours."""
        return {"label": [f"{MANAGED_LABEL}=true", f"{INSTANCE_LABEL}={self.instance}"]}


def ensure_network(
    client: APIClient, network: Network, check_wanted: Callable[[], None] = lambda: None
) -> str:
    """Create the installation's network if it doesn't exist.

    Returns its name, or its id where the name would be ambiguous. `check_wanted` raises if nobody
    waits for this any more.
    """
    with _LOCK:
        for _ in range(2):
            check_wanted()
            ours = _find(client, network)
            if len(ours) == 1:
                return network.name
            if ours:  # two were created at once: take the older one, by its unambiguous id
                return str(min(ours, key=lambda row: (row["Created"], row["Id"]))["Id"])
            check_wanted()
            _create(client, network)
    return network.name


def rejoin_network(client: APIClient, container_id: str, network: Network) -> None:
    """Create our network again and connect the container, which knows the lost one by its id."""
    reference = ensure_network(client, network)
    with contextlib.suppress(APIError):
        client.disconnect_container_from_network(container_id, network.name, force=True)
    client.connect_container_to_network(container_id, reference)


def remove_unused(client: APIClient, network: Network) -> None:
    """Remove our network if no container of ours exists any more.

    If it comes too late and something joins the network meanwhile, the engine refuses. A container
    that was created meanwhile gets the network back when it starts.
    """
    with _LOCK:
        if client.containers(all=True, limit=1, filters=network.labels):
            return
        for row in _find(client, network):
            with contextlib.suppress(APIError):
                client.remove_network(row["Id"])


def describe(client: APIClient, network: Network) -> NetworkInfo:
    """How many bots fit, and which networks of other installations have no container left."""
    rows = [row for row in client.networks() if str(row["Name"]).startswith(NAME_START)]
    ours = [row for row in rows if _owner(row) == network.instance]
    subnet = _subnet(ours[0]) if ours else network.subnet
    return NetworkInfo(
        name=network.name,
        subnet=subnet,
        wanted=network.subnet,
        fits=capacity(subnet),
        leftovers=tuple(sorted(row["Name"] for row in rows if _is_leftover(client, row, network))),
    )


def capacity(subnet: str) -> int:
    """How many bots a network with this subnet takes; an unknown subnet counts as large."""
    with contextlib.suppress(ValueError):
        addresses = ipaddress.ip_network(subnet).num_addresses
        return max(0, min(BRIDGE_PORTS, addresses - NO_BOTS))
    return BRIDGE_PORTS


def _find(client: APIClient, network: Network) -> list[_Json]:
    """Our network, as a list. Raises Conflict if a foreign one has its name."""
    # The engine's filter also matches parts of names.
    same = [row for row in client.networks(names=[network.name]) if row["Name"] == network.name]
    ours = [row for row in same if _owner(row) == network.instance]
    if len(ours) != len(same):
        raise foreign("network", network.name, code="foreign-network")
    return ours


def _create(client: APIClient, network: Network) -> None:
    ipam = IPAMConfig(pool_configs=[IPAMPool(subnet=network.subnet)])
    try:
        client.create_network(
            network.name,
            driver="bridge",
            check_duplicate=True,
            options={"com.docker.network.bridge.enable_icc": "false"},
            labels=hostconfig.network_labels(network.instance),
            ipam=ipam if network.subnet else None,
        )
    except APIError as error:
        if error.status_code == 409:
            return
        trouble = _refusal(str(error.explanation or ""), network.subnet)
        if trouble is None:
            raise
        raise trouble from error


def _refusal(reason: str, subnet: str) -> RuntimeTrouble | None:
    if any(words in reason for words in _POOLS_USED_UP):
        return RuntimeTrouble(
            "Docker has no address pool left for BotMaker's network.",
            hint="Remove unused networks (docker network prune), or set BOTMAKER_NETWORK_SUBNET "
            "to a free subnet, such as 10.201.0.0/20, and restart BotMaker. Then press Start.",
            code="no-address-pool",
        )
    if _OVERLAPS in reason and subnet:
        return RuntimeTrouble(
            f"The subnet {subnet} is used by another network.",
            hint="Set BOTMAKER_NETWORK_SUBNET to a free one and restart BotMaker. Then press "
            "Start.",
            code="subnet-taken",
        )
    return None


def _owner(row: _Json) -> str:
    return str((row.get("Labels") or {}).get(INSTANCE_LABEL, ""))


def _subnet(row: _Json) -> str:
    configs = (row.get("IPAM") or {}).get("Config") or ()
    return next((str(one["Subnet"]) for one in configs if one.get("Subnet")), "")


def _is_leftover(client: APIClient, row: _Json, network: Network) -> bool:
    owner = _owner(row)
    managed = (row.get("Labels") or {}).get(MANAGED_LABEL) == "true"
    if not managed or not owner or owner == network.instance:
        return False
    theirs = {"label": [f"{INSTANCE_LABEL}={owner}"]}
    return not client.containers(all=True, limit=1, filters=theirs)
