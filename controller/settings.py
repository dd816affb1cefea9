"""Settings from the environment, then from `.env`. Only this module reads the environment.

All other modules take plain arguments, which `app` passes down.
"""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from controller.domain.errors import BadSetting

PREFIX = "BOTMAKER_"
Ids = Annotated[tuple[int, ...], NoDecode]
Images = Annotated[Mapping[str, str], NoDecode]  # image reference by template id
_TEMPLATE_ID = re.compile(r"[a-z0-9][a-z0-9-]*")
_PRIVATE = tuple(
    ipaddress.IPv4Network(block)
    for block in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10")
)
_IMAGE = re.compile(r"[A-Za-z0-9][\w./:@-]*", re.ASCII)


class Settings(BaseSettings):
    """Every setting. Names and defaults are a contract (README, "Configuration")."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_file=".env", extra="ignore", frozen=True
    )

    discord_token: SecretStr = SecretStr("")
    discord_token_file: Path | None = None
    guild_id: int = Field(default=0, ge=0)
    admin_channel_id: int = Field(default=0, ge=0)
    admin_user_ids: Ids = ()
    admin_role_ids: Ids = ()
    operator_role_ids: Ids = ()
    viewer_role_ids: Ids = ()
    data_dir: Path = Path("./data")
    secrets_dir: Path = Path("./secrets")
    templates_dir: Path | None = None
    images: Images = {}
    network_subnet: str = ""
    runtime: Literal["engine", "swarm"] = "engine"
    live_checks: str = "on"
    http_listen: str = "127.0.0.1:7100"
    discord_api_url: str = ""
    discord_gateway_url: str = ""
    allow_remote_api: bool = False
    log_format: Literal["text", "json"] = "text"
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    @model_validator(mode="before")
    @classmethod
    def _drop_empty(cls, values: dict[str, Any]) -> dict[str, Any]:
        # An empty variable means "not set", except http_listen, where empty means "off".
        return {k: v for k, v in values.items() if v != "" or k == "http_listen"}

    @field_validator(
        "admin_user_ids", "admin_role_ids", "operator_role_ids", "viewer_role_ids", mode="before"
    )
    @classmethod
    def _split_ids(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        parts = [part.strip() for part in value.split(",") if part.strip()]
        if not all(part.isascii() and part.isdigit() for part in parts):
            raise ValueError("must be ids (numbers), separated by commas")
        return tuple(int(part) for part in parts)

    @field_validator("images", mode="before")
    @classmethod
    def _split_images(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        images: dict[str, str] = {}
        for part in filter(None, (part.strip() for part in value.split(","))):
            template, _, image = part.partition("=")
            if not (_TEMPLATE_ID.fullmatch(template) and _IMAGE.fullmatch(image)):
                raise ValueError("must look like openclaw=openclaw:latest,other=example/image:1")
            if template in images:
                raise ValueError("must name each template only once")
            images[template] = image
        return images

    @field_validator("network_subnet")
    @classmethod
    def _check_subnet(cls, value: str) -> str:
        try:
            subnet = ipaddress.IPv4Network(value) if value else None
        except ValueError:
            raise ValueError("must be an IPv4 subnet, like 10.201.0.0/20") from None
        if subnet is not None and not 8 <= subnet.prefixlen <= 28:
            raise ValueError("must be an IPv4 subnet between /8 and /28, like 10.201.0.0/20")
        if subnet is not None and not _is_for_networks(subnet):
            raise ValueError("must be a private IPv4 subnet, like 10.201.0.0/20")
        return str(subnet) if subnet else ""

    @field_validator("live_checks")
    @classmethod
    def _check_live_checks(cls, value: str) -> str:
        # A stand-in for the services gets every bot's secrets, so it must run on this machine.
        if value not in ("on", "off") and not _is_plain_loopback(value):
            raise ValueError(
                "must be on, off, or the http URL of a stand-in for the services on this machine, "
                "like http://127.0.0.1:8090"
            )
        return value

    @field_validator("http_listen")
    @classmethod
    def _check_listen(cls, value: str) -> str:
        host, colon, port = value.rpartition(":")
        if value and not (colon and host and port.isdigit() and int(port) < 65536):
            raise ValueError("must look like 127.0.0.1:7100, or be empty to turn it off")
        return value

    @model_validator(mode="after")
    def _only_loopback(self) -> Settings:
        for url in (self.discord_api_url, self.discord_gateway_url):
            if url and not self.allow_remote_api and not _is_loopback(url):
                raise ValueError(
                    "BOTMAKER_DISCORD_API_URL and BOTMAKER_DISCORD_GATEWAY_URL must be loopback "
                    "URLs, or the bot's token goes to another machine. To allow that, set "
                    "BOTMAKER_ALLOW_REMOTE_API=1"
                )
        return self

    @property
    def live_checks_base(self) -> str:
        """The URL that stands in for every service; empty to ask the real services."""
        return "" if self.live_checks in ("on", "off") else self.live_checks

    def token(self) -> str:
        """The controller's own Discord token, read from its file if one is set."""
        if self.discord_token_file is not None:
            try:
                return self.discord_token_file.read_text().strip()
            except OSError as error:
                raise BadSetting(
                    f"BOTMAKER_DISCORD_TOKEN_FILE can't be read: {error.strerror}.",
                    hint="Set it to a file that this user can read.",
                ) from error
            except UnicodeDecodeError:
                raise BadSetting(
                    "BOTMAKER_DISCORD_TOKEN_FILE isn't a text file.",
                    hint="Set it to the file that holds the token and nothing else.",
                ) from None
        return self.discord_token.get_secret_value().strip()

    def require_discord(self) -> None:
        """Raise BadSetting that names every setting `botmaker run` still needs."""
        needed = {
            "BOTMAKER_DISCORD_TOKEN (or …_FILE)": bool(self.token()),
            "BOTMAKER_GUILD_ID": bool(self.guild_id),
            "BOTMAKER_ADMIN_CHANNEL_ID": bool(self.admin_channel_id),
        }
        missing = [name for name, given in needed.items() if not given]
        if missing:
            raise BadSetting(
                f"Missing: {', '.join(missing)}.",
                hint="Set them in the environment or in .env; .env.example shows how.",
            )
        if self.runtime == "swarm":
            raise BadSetting(
                "BOTMAKER_RUNTIME=swarm isn't available yet.", hint="Use engine, the default."
            )


def _is_for_networks(subnet: ipaddress.IPv4Network) -> bool:
    """Whether machines behind a router may have these addresses: none of the internet's own."""
    return any(subnet.subnet_of(block) for block in _PRIVATE)


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _is_plain_loopback(url: str) -> bool:
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 - raises ValueError for a bad port
    except ValueError:
        return False
    plain = not (parts.query or parts.fragment or parts.username or parts.password)
    return parts.scheme in ("http", "https") and plain and _is_loopback(url)


_REASONS = {"int_parsing": "must be a number", "bool_parsing": "must be 1 or 0"}


def load_settings(env_file: str | None = ".env") -> Settings:
    """Read the settings; BadSetting names the variable and the reason, never a value."""
    try:
        return Settings(_env_file=env_file)  # type: ignore[call-arg]  # pydantic-settings' own
    except ValidationError as error:
        found = []
        for item in error.errors(include_input=False, include_url=False):
            where = "_".join(str(part) for part in item["loc"]).upper()
            reason = _REASONS.get(item["type"], item["msg"])
            reason = reason.removeprefix("Value error, ").replace("Input should be", "must be")
            found.append(f"{PREFIX}{where}: {reason}" if where else reason)
        raise BadSetting(
            "A setting is wrong. " + "; ".join(found) + ".",
            hint="The README's Configuration table shows what each setting takes.",
        ) from None


def docker_environment() -> Mapping[str, str]:
    """Docker's own variables as they are now: all that begin with DOCKER_, such as DOCKER_HOST."""
    return {name: value for name, value in os.environ.items() if name.startswith("DOCKER_")}
