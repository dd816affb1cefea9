"""Addresses that lead to the bot's own container, however they are spelt."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.domain.addresses import at_host, is_inside, names_host

OWN = [
    *("localhost", "LOCALHOST", "Localhost.", "localhost.localdomain", "api.localhost"),
    *("127.0.0.1", "127.0.1.1", "127.255.255.254", "127.1", "0x7f.0.0.1", "2130706433"),
    *("0.0.0.0", "0", "[::1]", "[0:0:0:0:0:0:0:1]", "[::]", "[::ffff:127.0.0.1]"),
    *("ip6-localhost", "[::1%25lo]", "127.0.0.1."),
]
OTHERS = [
    *("192.168.1.10", "10.0.0.1", "172.17.0.1", "128.0.0.1", "1.127.0.0", "[fd00::1]"),
    *("localhost.example.org", "mylocalhost", "host.docker.internal", "127.example.org"),
    *("ollama", "api.example.com", "bücher.example", "[::ffff:10.0.0.1]", "8.8"),
]


@pytest.mark.parametrize("host", OWN)
@pytest.mark.parametrize(
    "shape", ["http://{}", "https://{}/v1", "HTTP://{}:11434/a?b=c", "ws://{}"]
)
def test_localhost_is_the_container_itself(host: str, shape: str) -> None:
    """Names, the whole loopback block, IPv6, the unset address, old ways to write them."""
    assert is_inside(shape.format(host))


@pytest.mark.parametrize("host", OTHERS)
def test_other_hosts_are_others(host: str) -> None:
    """Also those that only look like it."""
    assert not is_inside(f"http://{host}:11434/v1")


@given(st.ip_addresses(v=4, network="127.0.0.0/8"))
def test_the_whole_loopback_block_is_inside(address: ipaddress.IPv4Address) -> None:
    """All sixteen million."""
    assert is_inside(f"http://{address}:1")
    assert is_inside(f"http://[::ffff:{address}]/")


@given(st.text())
def test_any_text_has_an_answer(text: str) -> None:
    """A field holds what people type; nothing of it raises."""
    for address in (text, f"http://{text}", f"http://[{text}]:1/"):
        assert is_inside(address) in {True, False}
        assert names_host(address) in {True, False}


def test_the_same_address_at_the_host() -> None:
    """Scheme, port, path and query stay."""
    assert at_host("http://localhost:11434") == "http://host.docker.internal:11434"
    assert at_host("https://[::1]:8/v1?a=b") == "https://host.docker.internal:8/v1?a=b"
    assert at_host("http://127.0.0.1/x") == "http://host.docker.internal/x"
    assert names_host(at_host("http://0:1"))
