"""From where a request comes: the host it was sent to, the address it comes from, its page.

A browser sends what a strange page tells it to, with our cookie or to a name that leads here. So a
name must be ours, and whatever is asked by cookie must come from our own page.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from aiohttp import web

from controller.api.problems import HttpProblem

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
SAFE = {"GET", "HEAD"}


@dataclass(frozen=True, slots=True)
class Gate:
    """What the settings say about the way in. `public_url` has no path; empty: there is none.

    `names` are further ones that lead here.
    """

    public_url: str = ""
    proxies: Sequence[Network] = ()
    names: Collection[str] = ()

    def require_host(self, request: web.Request) -> None:
        """Raise 421 (`wrong-host`) for a name that isn't ours; addresses and localhost pass."""
        name = host_of(request.host)
        ours = {"localhost", urlsplit(self.public_url).hostname, *self.names}
        if name in ours or _is_address(name):
            return
        raise HttpProblem(
            421,
            "BotMaker isn't served under this name.",
            hint="Set BOTMAKER_PUBLIC_URL to the address that people use.",
            code="wrong-host",
        )

    def is_public(self, request: web.Request) -> bool:
        """Whether it was sent to the public address, which is https: its cookies are Secure."""
        parts = urlsplit(self.public_url)
        return parts.scheme == "https" and host_of(request.host) == parts.hostname

    def origin(self, request: web.Request) -> str:
        """The origin of our own page, as the browser that sent this knows it."""
        name = host_of(request.host)
        public = urlsplit(self.public_url)
        if name and name == public.hostname:
            return f"{public.scheme}://{public.netloc}".lower()
        return f"http://{request.host}".lower()

    def require_own_page(self, request: web.Request) -> None:
        """Raise 403 (`foreign-page`) unless our own page sent it, for what changes anything.

        A browser says so by Sec-Fetch-Site; an older one by Origin, which must be ours with its
        port. What only reads is refused when a browser says that a strange page asks.
        """
        site, origin = request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin")
        if site is not None:
            own = site == "same-origin" or (site == "none" and request.method in SAFE)
        elif origin is not None:
            own = origin.lower() == self.origin(request)
        else:
            own = request.method in SAFE
        if not own:
            raise HttpProblem(
                403,
                "This was not sent by BotMaker's own page.",
                hint="Programs send a token, not a cookie: /access token create makes one.",
                code="foreign-page",
            )

    def address(self, request: web.Request) -> str:
        """The address that it comes from: the nearest hop that is no proxy of ours."""
        hops = ",".join(request.headers.getall("X-Forwarded-For", ())).split(",")
        found = request.remote or ""
        for hop in (hop.strip() for hop in reversed(hops)):
            if not hop or not self._is_proxy(found):
                break
            found = hop
        return found

    def _is_proxy(self, address: str) -> bool:
        try:
            given = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(given in network for network in self.proxies)


def host_of(sent: str) -> str:
    """The name in a Host header, without its port and in lower case; empty for none."""
    try:
        return urlsplit(f"//{sent}").hostname or ""
    except ValueError:
        return ""


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
