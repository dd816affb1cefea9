"""Settings from the environment, then from `.env`. Only this module reads the environment.

All other modules take plain arguments, which `app` passes down.
"""

from __future__ import annotations

import difflib
import errno
import io
import ipaddress
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from dotenv import dotenv_values
from pydantic import (
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from controller.backup_settings import BackupSettings
from controller.domain.disk_words import read_begin, starting
from controller.domain.errors import BadSetting
from controller.edge_settings import EdgeSettings
from controller.limit_settings import LimitSettings
from controller.log_settings import LogSettings
from controller.service_manager import Expected
from controller.web_settings import Place, WebSettings, is_loopback

PREFIX = "BOTMAKER_"
ENV_FILE = ".env"
ENV_MAX = 1_048_576  # bytes of `.env`
TOKEN_MAX = 4_096  # bytes of the token's file
MASTER_CREDENTIAL = "botmaker-master-key"
ONLY_COMPOSE = frozenset({"BOTMAKER_HOME", "BOTMAKER_USER", "BOTMAKER_IMAGE"})
Ids = Annotated[tuple[int, ...], NoDecode]
Images = Annotated[Mapping[str, str], NoDecode]  # image reference by template id
_TEMPLATE_ID = re.compile(r"[a-z0-9][a-z0-9-]*")
_PRIVATE = tuple(
    ipaddress.IPv4Network(block)
    for block in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10")
)
_IMAGE = re.compile(r"[A-Za-z0-9][\w./:@-]*", re.ASCII)


def docker_environment() -> Mapping[str, str]:
    """Docker's own variables as they are now: all that begin with DOCKER_, such as DOCKER_HOST."""
    return {name: value for name, value in os.environ.items() if name.startswith("DOCKER_")}


class Settings(WebSettings, BackupSettings, LogSettings, EdgeSettings, LimitSettings):
    """Every setting. Names and defaults are a contract (docs/configuration.md)."""

    model_config = SettingsConfigDict(extra="ignore", frozen=True)

    discord_token: SecretStr = SecretStr("")
    discord_token_file: Place | None = None
    guild_id: int = Field(default=0, ge=0)
    admin_channel_id: int = Field(default=0, ge=0)
    admin_user_ids: Ids = ()
    admin_role_ids: Ids = ()
    operator_role_ids: Ids = ()
    viewer_role_ids: Ids = ()
    data_dir: Place = Path("./data")
    secrets_dir: Place = Path("./secrets")
    templates_dir: Place | None = None
    images: Images = Field(default_factory=dict)
    network_subnet: str = ""
    runtime: Literal["engine", "swarm"] = "engine"
    live_checks: str = "on"
    allow_remote_api: bool = False  # before the two URLs, which ask for it
    discord_api_url: str = ""
    discord_gateway_url: str = ""
    master_key_file: Place | None = None
    sealed_only: bool = False
    forms: Literal["both", "dm", "answer"] = "both"
    language: Literal["", "en", "de", "es"] = ""  # of cards and notices; empty: the server's
    secret_reminder: int = Field(default=0, ge=0, le=3650)  # days; 0: never
    docker: Annotated[Mapping[str, str], NoDecode] = Field(default_factory=docker_environment)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        *others: PydanticBaseSettingsSource,
        **more: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what is passed: `read_settings` reads the environment and the file itself."""
        return (init_settings,)

    @model_validator(mode="before")
    @classmethod
    def _drop_empty(cls, values: dict[str, Any]) -> dict[str, Any]:
        # An empty variable means "not set", except http_listen, where empty means "off".
        return {k: v for k, v in values.items() if v != "" or k == "http_listen"}

    @field_validator("runtime", "live_checks", "forms", "language", mode="before")
    @classmethod
    def _in_any_case(cls, value: Any) -> Any:
        return value.lower() if isinstance(value, str) and "/" not in value else value

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

    @field_validator("discord_api_url", "discord_gateway_url")
    @classmethod
    def _only_loopback(cls, value: str, info: ValidationInfo) -> str:
        if value and not info.data.get("allow_remote_api") and not is_loopback(value):
            raise ValueError(
                "must be a loopback URL, or the bot's token goes to another machine. To allow "
                "that, set BOTMAKER_ALLOW_REMOTE_API=1"
            )
        return value

    @property
    def live_checks_base(self) -> str:
        """The URL that stands in for every service; empty to ask the real services."""
        return "" if self.live_checks in ("on", "off") else self.live_checks

    def token(self) -> str:
        """The controller's own Discord token, read from its file if one is set."""
        if self.discord_token_file is None:
            return self.discord_token.get_secret_value().strip()
        with starting(
            "BOTMAKER_DISCORD_TOKEN_FILE can't be read",
            "Set it to a text file that holds the token and nothing else, and that this user "
            "can read.",
        ):
            return read_text(self.discord_token_file, TOKEN_MAX).strip()

    def master_key_place(self) -> Path | None:
        """Where the master key comes from; None: BotMaker makes and keeps one of its own.

        A service manager's credential of the name `botmaker-master-key` counts as well (systemd's
        LoadCredential).
        """
        credentials = os.environ.get("CREDENTIALS_DIRECTORY", "")
        credential = Path(credentials) / MASTER_CREDENTIAL
        if self.master_key_file is None and credentials and credential.exists():
            return credential
        return self.master_key_file

    def backups_for(self) -> tuple[str, ...]:
        """The recipients of scheduled backups, of both settings."""
        if self.backup_recipients_file is None:
            return self.backup_recipients
        with starting(
            "BOTMAKER_BACKUP_RECIPIENTS_FILE can't be read",
            "Set it to a text file with one age1… recipient a line.",
        ):
            text = read_text(self.backup_recipients_file, ENV_MAX)
        return (*self.backup_recipients, *text.splitlines())

    def jwt_key(self) -> str:
        """The public key of whoever signs service tokens; empty where none are taken."""
        if self.jwt_key_file is None:
            return ""
        missing = [
            f"BOTMAKER_{name.upper()}"
            for name in ("jwt_issuer", "jwt_audience", "jwt_roles")
            if not getattr(self, name)
        ]
        if missing:
            raise BadSetting(
                f"BOTMAKER_JWT_KEY_FILE is set, and these are missing: {', '.join(missing)}.",
                hint="They say whose service tokens count, and for what.",
            )
        with starting(
            "BOTMAKER_JWT_KEY_FILE can't be read",
            "Set it to the PEM file of the signer's public key.",
        ):
            return read_text(self.jwt_key_file, ENV_MAX)

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
                hint="`botmaker init` asks for them; or set them in the environment or in .env.",
            )
        if self.runtime == "swarm":
            raise BadSetting(
                "BOTMAKER_RUNTIME=swarm isn't available yet.", hint="Use engine, the default."
            )


def _is_for_networks(subnet: ipaddress.IPv4Network) -> bool:
    """Whether machines behind a router may have these addresses: none of the internet's own."""
    return any(subnet.subnet_of(block) for block in _PRIVATE)


def _is_plain_loopback(url: str) -> bool:
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 - raises ValueError for a bad port
    except ValueError:
        return False
    plain = not (parts.query or parts.fragment or parts.username or parts.password)
    return parts.scheme in ("http", "https") and plain and is_loopback(url)


def read_text(file: Path, limit: int) -> str:
    """A text file in UTF-8, with or without a byte order mark; OSError or ValueError otherwise.

    Refuses one of more than `limit` bytes.
    """
    data = read_begin(file, limit + 1)
    if len(data) > limit:
        raise OSError(errno.EFBIG, f"it is larger than {limit // 1024} KiB")
    text = data.decode("utf-8-sig")
    if "\0" in text:
        raise UnicodeError("NUL")  # UTF-16 without its mark reads like this
    return text


# The field by the variable's name. Docker's variables have names of their own.
KNOWN = {f"{PREFIX}{name}".upper(): name for name in Settings.model_fields if name != "docker"}
_REASONS = {"int_parsing": "must be a number", "bool_parsing": "must be 1 or 0"}


@dataclass(frozen=True, slots=True)
class Reading:
    """The settings, with the default where one is wrong, and what is wrong with them."""

    settings: Settings
    faults: Mapping[str, str]  # the reason by the variable's name, or by the file's
    unknown: Mapping[str, str]  # the nearest known name, or nothing, by the unknown one

    def require(self) -> Settings:
        """The settings; BadSetting when one is wrong: it names each and never shows a value."""
        if not self.faults:
            return self.settings
        found = "; ".join(f"{name}: {why}" for name, why in self.faults.items())
        raise BadSetting(
            f"A setting is wrong. {found}.",
            hint="docs/configuration.md shows what each setting takes.",
        )


def read_settings(env_file: str | None = ENV_FILE) -> Reading:
    """Read the settings, and find all that is wrong with them. Raises nothing."""
    faults: dict[str, str] = {}
    try:
        given = values_in(env_file) | dict(os.environ)
    except BadSetting as error:
        faults[str(env_file)] = error.message.rstrip(".")
        given = dict(os.environ)
    docker = {name: value for name, value in given.items() if name.startswith("DOCKER_")}
    ours = {
        name.upper(): value.strip()
        for name, value in given.items()
        if name.upper().startswith(PREFIX)
    }
    strangers = sorted(ours.keys() - KNOWN.keys() - ONLY_COMPOSE)
    unknown = {name: _nearest(name) for name in strangers}
    values: dict[str, Any] = {KNOWN[name]: value for name, value in ours.items() if name in KNOWN}
    settings, wrong = _valid(values | {"docker": docker})
    return Reading(settings, faults | wrong, unknown)


def load_settings(env_file: str | None = ENV_FILE) -> Settings:
    """Read the settings; BadSetting names the variable and the reason, never a value."""
    return read_settings(env_file).require()


def values_in(env_file: str | None) -> dict[str, str]:
    """What the file sets; nothing where there is no such file."""
    found = dotenv_values(stream=io.StringIO(text_of(env_file)))
    return {name: value for name, value in found.items() if value is not None}


def text_of(env_file: str | None) -> str:
    """The settings file's text, empty where there is none. BadSetting if it can't be read."""
    if env_file is None:
        return ""
    hint = "Save it as UTF-8 text that this user can read."
    with starting(f"The settings file {env_file} can't be read", hint):
        try:
            return read_text(Path(env_file), ENV_MAX)
        except FileNotFoundError:
            return ""


def service_manager() -> Expected:
    """What systemd, if it started this process, wants to be told."""
    micro = os.environ.get("WATCHDOG_USEC", "")
    meant = os.environ.get("WATCHDOG_PID", "") in ("", str(os.getpid()))
    within = int(micro) / 1e6 if meant and micro.isascii() and micro.isdigit() else 0.0
    return Expected(os.environ.get("NOTIFY_SOCKET", ""), within)


def inherited(settings: Settings) -> dict[str, str]:
    """The environment for a program that BotMaker starts: with Docker's variables from `.env`."""
    return {**os.environ, **settings.docker}


def set_outside() -> dict[str, str]:
    """Our settings in the environment, which come before those in the file."""
    return {
        name.upper(): value for name, value in os.environ.items() if name.upper().startswith(PREFIX)
    }


def _nearest(name: str) -> str:
    words = set(name.split("_")) - {"BOTMAKER"}
    longer = [known for known in KNOWN if words <= set(known.split("_"))]
    if words and longer:  # a part was left out
        return min(longer, key=len)
    # Without the beginning that all have: it makes short names look alike.
    own = {known.removeprefix(PREFIX): known for known in KNOWN}
    found = difflib.get_close_matches(name.removeprefix(PREFIX), own, n=1, cutoff=0.75)
    return own[found[0]] if found else ""


def _valid(values: Mapping[str, Any]) -> tuple[Settings, dict[str, str]]:
    """The settings without the values that are wrong, and why those are."""
    try:
        return Settings(**values), {}
    except ValidationError as error:
        faults = {str(item["loc"][0]): _worded(item) for item in error.errors(include_input=False)}
    settings, others = _valid({name: value for name, value in values.items() if name not in faults})
    return settings, {f"{PREFIX}{name.upper()}": why for name, why in faults.items()} | others


def _worded(item: Mapping[str, Any]) -> str:
    reason = str(_REASONS.get(item["type"], item["msg"]))
    return reason.removeprefix("Value error, ").replace("Input should be", "must be")
