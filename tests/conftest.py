"""Shared by all tests: the real engine, what is left out without it, and cleaning up."""

from __future__ import annotations

import gc
import ipaddress
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest
from docker.utils import parse_host
from hypothesis import settings

from controller.domain.spec import INSTANCE_LABEL
from controller.runtime import kept_images
from tests.loopback.openapi import description

# How long one example takes says more about the machine's load than about us: what has to be quick
# has a test of its own.
settings.register_profile("ours", deadline=None)
settings.load_profile("ours")

ROOT = Path(__file__).parents[1]
OPENCLAW = Path(__file__).parent / "openclaw"
OUTSIDE = Path(__file__).parent / "outside"
EDGE_WORKER = Path(__file__).parent / "edge_worker"
SERVER = Path(__file__).parent / "deploy" / "real"
DEMO_IMAGE = "botmaker-demo:2"


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--no-engine` leaves tests out; the others add those that take long or need more."""
    parser.addoption("--no-engine", action="store_true", help="leave out what needs Docker")
    parser.addoption("--prove", action="store_true", help="the proofs in full (make prove)")
    parser.addoption(
        "--openclaw", action="store_true", help="a real OpenClaw too (make test-openclaw)"
    )
    parser.addoption(
        "--edge", action="store_true", help="a real Worker in Miniflare too (make test-edge)"
    )
    parser.addoption(
        "--outside", action="store_true", help="other people's programs too (make test-api)"
    )
    parser.addoption(
        "--server", action="store_true", help="real proxies and a real systemd (make test-server)"
    )


def pytest_report_header(config: pytest.Config) -> list[str]:
    """Say what is left out here too: with several processes (-n) nothing else does."""
    found = {"--openclaw": "tests/openclaw is left out (make test-openclaw)"}
    found["--outside"] = "tests/outside is left out (make test-api)"
    found["--edge"] = "tests/edge_worker is left out (make test-edge)"
    found["--server"] = "tests/deploy/real is left out (make test-server)"
    return [f"without {name}: {what}" for name, what in found.items() if not config.getoption(name)]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect (never silently skip) what was not asked for."""
    if config.getoption("--no-engine"):
        without = [item for item in items if item.get_closest_marker("engine")]
        _leave_out(config, items, without, "--no-engine: {} tests that need Docker are left out")
    if description() is None:
        without = [item for item in items if item.get_closest_marker("openapi")]
        words = "without Discord's API description: {} tests are left out, no request is checked"
        _leave_out(config, items, without, words)
    if not config.getoption("--openclaw"):
        without = [item for item in items if OPENCLAW in item.path.parents]
        _leave_out(config, items, without, "without --openclaw: its {} tests are left out")
    if not config.getoption("--edge"):
        without = [item for item in items if EDGE_WORKER in item.path.parents]
        _leave_out(config, items, without, "without --edge: its {} tests are left out")
    if not config.getoption("--outside"):
        without = [item for item in items if OUTSIDE in item.path.parents]
        _leave_out(config, items, without, "without --outside: its {} tests are left out")
    if not config.getoption("--server"):
        without = [item for item in items if SERVER in item.path.parents]
        _leave_out(config, items, without, "without --server: its {} tests are left out")
    _longest_first(items)


@pytest.hookimpl(trylast=True)
def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Print a failure when it happens: a run that is cut off has told it all the same.

    With several processes this runs in the one that prints.
    """
    if report.failed and "PYTEST_XDIST_WORKER" not in os.environ:
        print(f"\nFAILED {report.nodeid} ({report.when})\n{report.longreprtext}", flush=True)


def pytest_collection_finish() -> None:
    """Leave what was imported out of every later collection of garbage: 7 % of a run's time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)


def _longest_first(items: list[pytest.Item]) -> None:
    """Files that wait for containers come first: no lane ends long after the others."""
    waiting = {item.path for item in items if item.get_closest_marker("engine")}
    items.sort(key=lambda item: item.path not in waiting)


def _leave_out(
    config: pytest.Config, items: list[pytest.Item], without: list[pytest.Item], words: str
) -> None:
    if not without:
        return
    items[:] = [item for item in items if item not in without]
    config.hook.pytest_deselected(items=without)
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None:
        reporter.write_line(words.format(len(without)))


@pytest.fixture(scope="session")
def docker_client() -> Iterator[docker.APIClient]:
    """The real engine; a test that needs it fails if none answers."""
    client = engine_client()
    client.ping()
    yield client
    client.close()


@pytest.fixture(scope="session")
def demo_image(docker_client: docker.APIClient) -> str:
    """The demo bot's image, built if it is missing."""
    subprocess.run(
        [sys.executable, "images/build.py", "demo", "--if-missing"], cwd=ROOT, check=True
    )
    docker_client.inspect_image(DEMO_IMAGE)
    return DEMO_IMAGE


def engine_client() -> docker.APIClient:
    """A client of the engine under test, which DOCKER_HOST names."""
    return docker.from_env(version="1.41").api


def engine_socket() -> str:
    """The Unix socket of the engine under test."""
    address = parse_host(os.environ.get("DOCKER_HOST"))
    assert address.startswith("http+unix://"), "these tests need an engine with a Unix socket"
    return str(address.removeprefix("http+unix://"))


def bridge_address(client: docker.APIClient) -> str:
    """This machine's address on the engine's default bridge, which every container can reach."""
    made = client.inspect_network("bridge")["IPAM"]["Config"][0]
    # In its very first run an engine doesn't report its address: it is the subnet's first.
    return str(made.get("Gateway") or next(ipaddress.ip_network(made["Subnet"]).hosts()))


def remove_everything_of(client: docker.APIClient, instance: str) -> None:
    """Remove what a test's installation left on the engine: containers, volumes, network."""
    mine = {"label": f"{INSTANCE_LABEL}={instance}"}
    for row in client.containers(all=True, filters=mine):
        try:
            client.remove_container(row["Id"], force=True, v=True)
        except docker.errors.NotFound:
            continue
        except docker.errors.APIError as error:
            if error.status_code != 409:  # it is already being removed
                raise
    deadline = time.monotonic() + 10
    while client.containers(all=True, filters=mine) and time.monotonic() < deadline:
        time.sleep(0.05)
    for row in client.volumes(filters=mine)["Volumes"] or []:
        client.remove_volume(row["Name"], force=True)
    for row in client.networks(filters=mine):
        _remove_network(client, row["Id"], time.monotonic() + 10)
    for bot_id in kept_images.bots(client, instance):
        kept_images.let_go(client, instance, bot_id)


def _remove_network(client: docker.APIClient, network: str, deadline: float) -> None:
    """Remove an installation's network, which its last container may still be leaving."""
    while time.monotonic() < deadline:
        try:
            client.remove_network(network)
        except docker.errors.APIError as error:
            if "active endpoints" not in str(error):
                raise
        else:
            return
        time.sleep(0.2)
    # Seen once, on 20.10 at a load of 12: an endpoint without a container that never goes away.
    assert not client.inspect_network(network)["Containers"]
    print(f"The engine keeps an empty network: {network[:12]}.")
