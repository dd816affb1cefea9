"""The settings of the edge: a Worker of one's own in front of BotMaker, if there is one."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings

from controller.web_settings import Place, Roles, is_loopback, roles_of

_WORKER_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_ACCOUNT = re.compile(r"[0-9a-f]{32}")


class EdgeSettings(BaseSettings):
    """Where the Worker is, the key that both sides share, and who may do what through it."""

    edge_url: str = ""
    edge_keys_file: Place | None = None
    edge_roles: Roles = Field(default_factory=dict)
    edge_origin: str = ""
    edge_service: str = ""
    edge_jwt_keys_file: Place | None = None
    edge_jwt_issuer: str = "botmaker"
    edge_account: str = ""
    edge_name: str = "botmaker"
    edge_cloudflare_token_file: Place | None = None
    edge_api_url: str = ""

    @field_validator("edge_roles", mode="before")
    @classmethod
    def _split_edge_roles(cls, value: Any) -> Any:
        return roles_of(value) if isinstance(value, str) else value

    @field_validator("edge_url", "edge_origin")
    @classmethod
    def _check_edge_address(cls, value: str) -> str:
        try:
            parts = urlsplit(value)
            parts.port  # noqa: B018 - raises ValueError for a bad port
        except ValueError:
            raise ValueError("must be an address like https://bots.example.org") from None
        more = parts.path.strip("/") or parts.query or parts.fragment or parts.username
        secure = parts.scheme == "https" or (parts.scheme == "http" and is_loopback(value))
        if value and (not secure or not parts.hostname or more):
            raise ValueError("must be an https address without a path")
        return value.rstrip("/")

    @field_validator("edge_api_url")
    @classmethod
    def _only_a_stand_in(cls, value: str) -> str:
        if value and not is_loopback(value):
            raise ValueError("must be a loopback URL: a stand-in for Cloudflare's API")
        return value.rstrip("/")

    @field_validator("edge_name")
    @classmethod
    def _check_edge_name(cls, value: str) -> str:
        if not _WORKER_NAME.fullmatch(value):
            raise ValueError("must be letters a-z, digits and dashes, 63 at most")
        return value

    @field_validator("edge_service")
    @classmethod
    def _check_service(cls, value: str) -> str:
        if value and not _WORKER_NAME.fullmatch(value):
            raise ValueError("must be the id of a VPC service, or the name of a Worker")
        return value

    @field_validator("edge_account")
    @classmethod
    def _check_account(cls, value: str) -> str:
        if value and not _ACCOUNT.fullmatch(value):
            raise ValueError("must be an account id: 32 hex digits")
        return value
