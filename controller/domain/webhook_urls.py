"""Where a webhook may lead. Whoever adds one makes BotMaker send requests from its own machine, so
the address is judged before it is kept, and what it resolves to before each request.

A URL may be a secret itself, as Discord's and Slack's are: no error repeats any of it.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from urllib.parse import SplitResult, urlsplit

from controller.domain.errors import BadInput
from controller.domain.webhooks import Format

URL_MAX = 2000  # characters
_LOCAL_NAMES = {"localhost", "ip6-localhost"}
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True, slots=True)
class Destination:
    """An address that may be used, and what may be shown of it."""

    url: str = field(repr=False)
    host: str
    format: Format  # the one that its receiver understands, as far as the address tells


def check_url(typed: str, *, plain: bool = False) -> Destination:
    """The destination. BadInput (`bad-webhook-url`, `plain-webhook`) for one that can't be used.

    `plain` allows http to another machine; to this one it is always allowed.
    """
    url = typed.strip()
    parts = _parts(url)
    host = (parts.hostname or "").rstrip(".").lower()
    address = _address(host)
    if address is not None and is_forbidden(address):
        raise _bad("leads to an address that no receiver has", "Use the receiver's own address.")
    if parts.scheme == "http" and not plain and not _is_this_machine(host, address):
        raise BadInput(
            "That webhook is plain http, so anybody on the way could read the events.",
            hint="Use https, or allow it with --plain-http (`plain_http` over the API).",
            code="plain-webhook",
        )
    shown = f"[{host}]" if ":" in host else host
    port = f":{parts.port}" if parts.port else ""
    return Destination(url, f"{shown}{port}", _format(host, parts.path))


def _parts(url: str) -> SplitResult:
    odd = not url.isascii() or not url.isprintable() or " " in url or "\\" in url
    try:
        parts = urlsplit("" if odd or len(url) > URL_MAX else url)
        whole = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        parts, whole = urlsplit(""), False
    if not whole:
        raise _bad("isn't one that can be asked", "Like https://hooks.example.org/botmaker.")
    if parts.username is not None or parts.password is not None:
        raise _bad("has a user or a password in it", "Use an address that needs neither.")
    if parts.fragment:
        raise _bad("has a part behind a #, which no receiver gets", "Leave that part out.")
    return parts


def _bad(what: str, hint: str) -> BadInput:
    return BadInput(f"The webhook's address {what}.", hint=hint, code="bad-webhook-url")


def _address(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None


def _is_this_machine(host: str, address: Address | None) -> bool:
    return host in _LOCAL_NAMES or (address is not None and address.is_loopback)


def is_forbidden(address: Address) -> bool:
    """Whether no receiver can be there: link-local, where clouds answer with a machine's own keys,
    multicast and unset addresses. Private networks are allowed: receivers run there."""
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    one = mapped or address
    broadcast = one == ipaddress.IPv4Address("255.255.255.255")
    return one.is_link_local or one.is_multicast or one.is_unspecified or broadcast


def _format(host: str, path: str) -> Format:
    discord = host in {"discord.com", "discordapp.com"} or host.endswith(".discord.com")
    if discord and "/webhooks/" in path:
        return Format.DISCORD
    if host == "hooks.slack.com":
        return Format.SLACK
    return Format.NTFY if host == "ntfy.sh" else Format.STANDARD
