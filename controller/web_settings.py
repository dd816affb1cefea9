"""The settings of what is served over HTTP: where, under which address, and to whom."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, field_validator
from pydantic_settings import BaseSettings, NoDecode

from controller.domain.errors import BadSetting
from controller.domain.roles import Role

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Networks = Annotated[tuple[Network, ...], NoDecode]
Roles = Annotated[Mapping[str, Role], NoDecode]  # by the subject of a service's token
_HOST_NAME = re.compile(
    r"(?![\d.]+$)([A-Za-z0-9][A-Za-z0-9-]{0,62}\.)*[A-Za-z0-9][A-Za-z0-9-]{0,62}"
)
_NOT_IN_URLS = re.compile(r"[\s\\@\x00-\x1f]")


def _at_home(path: Path) -> Path:
    """Expand a leading `~`, which no shell has expanded for us."""
    if "\0" in str(path):
        raise ValueError("must not have a NUL character")
    try:
        return path.expanduser()
    except RuntimeError:
        raise ValueError("begins with ~ and a user that doesn't exist here") from None


Place = Annotated[Path, AfterValidator(_at_home)]


class WebSettings(BaseSettings):
    """Health, metrics, API and dashboard."""

    http_listen: str = "127.0.0.1:7100"
    api: bool = False
    public_url: str = ""
    trusted_proxies: Networks = ()
    allow_plain_http: bool = False
    jwt_key_file: Place | None = None
    jwt_algorithm: Literal["RS256", "PS256", "ES256", "EdDSA"] = "RS256"
    jwt_issuer: str = ""
    jwt_audience: str = ""
    jwt_roles: Roles = {}
    jwt_seconds: int = Field(default=3600, ge=1, le=86_400)

    @field_validator("trusted_proxies", mode="before")
    @classmethod
    def _split_networks(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        try:
            return tuple(ipaddress.ip_network(part.strip()) for part in value.split(",") if part)
        except ValueError:
            raise ValueError("must be addresses or networks, separated by commas") from None

    @field_validator("jwt_roles", mode="before")
    @classmethod
    def _split_roles(cls, value: Any) -> Any:
        return roles_of(value) if isinstance(value, str) else value

    @field_validator("public_url")
    @classmethod
    def _check_public_url(cls, value: str) -> str:
        try:
            parts = urlsplit(value)
            parts.port  # noqa: B018 - raises ValueError for a bad port
        except ValueError:
            raise ValueError("must be an address like https://bots.example.org") from None
        more = parts.path.strip("/") or parts.query or parts.fragment or parts.username
        if value and (parts.scheme not in ("http", "https") or not parts.hostname or more):
            raise ValueError("must be an address without a path, like https://bots.example.org")
        return value.rstrip("/")

    @field_validator("http_listen")
    @classmethod
    def _check_listen(cls, value: str) -> str:
        host, colon, port = value.rpartition(":")
        number = int(port) if port.isascii() and port.isdigit() and len(port) < 6 else 0
        if value and not (colon and _is_host(host) and 0 < number < 65536):
            raise ValueError("must look like 127.0.0.1:7100, or be empty to turn it off")
        return value

    @property
    def web_url(self) -> str:
        """The address under which people reach the dashboard; empty while it is off."""
        if not (self.api and self.http_listen):
            return ""
        return self.public_url or (
            f"http://{self.http_listen}" if is_loopback(f"//{self.http_listen}") else ""
        )

    def require_private_way(self) -> None:
        """Raise BadSetting where tokens and sessions would go over a network in the clear."""
        if not (self.api and self.http_listen) or self.allow_plain_http:
            return
        beyond = not is_loopback(f"//{self.http_listen}")
        if beyond and not (self.public_url.startswith("https://") and self.trusted_proxies):
            raise BadSetting(
                f"BOTMAKER_HTTP_LISTEN={self.http_listen} can be reached from other machines, and "
                "tokens would go there unencrypted.",
                hint="Listen on 127.0.0.1; or put an https proxy in front of it and set "
                "BOTMAKER_PUBLIC_URL and BOTMAKER_TRUSTED_PROXIES; or insist with "
                "BOTMAKER_ALLOW_PLAIN_HTTP=1.",
                code="plain-http",
            )


def roles_of(text: str) -> dict[str, Role]:
    """Roles by subject, of a text like `deploy=operator,metrics=viewer`; ValueError otherwise."""
    roles: dict[str, Role] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        subject, _, word = part.rpartition("=")
        role = Role.parse(word)
        if not subject or role is None or subject in roles:
            raise ValueError("must look like deploy=operator,metrics=viewer")
        roles[subject] = role
    return roles


def _is_host(text: str) -> bool:
    """Whether it is an address, an IPv6 one in brackets, or a plain host name."""
    inner = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    try:
        version = ipaddress.ip_address(inner).version
    except ValueError:
        return inner == text and len(text) < 254 and bool(_HOST_NAME.fullmatch(text))
    return (version == 6) == (inner != text)


def is_loopback(url: str) -> bool:
    """Whether a URL's host is exactly this machine, however another program may parse it."""
    if _NOT_IN_URLS.search(url):
        return False
    try:
        host = urlsplit(url).hostname or ""
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
