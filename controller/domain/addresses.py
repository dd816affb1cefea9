"""Addresses that lead nowhere from inside a container: there, localhost is the container itself."""

from __future__ import annotations

import ipaddress
import socket
from urllib.parse import SplitResult, urlsplit

# Docker's own name for the host, which an engine resolves for a container that asks for it.
HOST_NAME = "host.docker.internal"
_NAMES = {"localhost", "localhost.localdomain", "ip6-localhost", "ip6-loopback", "loopback"}


def is_inside(address: str) -> bool:
    """Whether a URL leads to whoever opens it: localhost, loopback and unset, however spelt."""
    split = _split(address)
    return split is not None and _is_own(split.hostname or "")


def names_host(address: str) -> bool:
    """Whether a URL leads to the host by Docker's name for it."""
    split = _split(address)
    return split is not None and (split.hostname or "").rstrip(".") == HOST_NAME


def at_host(address: str) -> str:
    """The same URL with Docker's name for the host."""
    split = _split(address)
    assert split is not None
    _, colon, port = split.netloc.rpartition("@")[2].rpartition(":")
    tail = f":{port}" if colon and port.isdecimal() else ""
    return split._replace(netloc=HOST_NAME + tail).geturl()


def _split(address: str) -> SplitResult | None:
    if "://" not in address:
        return None
    try:
        return urlsplit(address)
    except ValueError:  # brackets without an IPv6 address in them
        return None


def _is_own(host: str) -> bool:
    host = host.rstrip(".").partition("%")[0].lower()
    if host in _NAMES or host.endswith(".localhost"):
        return True
    try:
        found = ipaddress.ip_address(host)
    except ValueError:
        return _is_own_in_old_style(host)
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    one = mapped or found
    return one.is_loopback or one.is_unspecified


def _is_own_in_old_style(host: str) -> bool:
    """Whether `127.1`, `0x7f.1` or `2130706433` is meant, which programs read as 127.0.0.1."""
    if not host.isascii() or not host[:1].isdigit():
        return False
    try:
        found = ipaddress.IPv4Address(socket.inet_aton(host))
    except (OSError, ValueError):
        return False
    return found.is_loopback or found.is_unspecified
