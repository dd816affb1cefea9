"""The settings of what is done by itself: backups (where, for whom, how often), update checks."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, NoDecode

from controller.web_settings import Place

_EVERY = re.compile(r"(\d{1,4})\s*([hd])", re.ASCII)
_HOUR, _DAY = 3600.0, 86_400.0


class BackupSettings(BaseSettings):
    """Scheduled backups, of which none are made without a folder and recipients; and how often the
    registries are asked for newer images."""

    backup_dir: Place | None = None
    backup_recipients: Annotated[tuple[str, ...], NoDecode] = ()
    backup_recipients_file: Place | None = None
    backup_every: Annotated[float, NoDecode] = 0.0  # seconds; 0: never
    backup_keep: int = Field(default=7, ge=1, le=1000)
    backup_volumes: bool = False
    update_checks: Annotated[float, NoDecode] = 0.0  # seconds; 0: never

    @field_validator("backup_recipients", mode="before")
    @classmethod
    def _split_recipients(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        return tuple(part.strip() for part in value.split(",") if part.strip())

    @field_validator("backup_every", "update_checks", mode="before")
    @classmethod
    def _parse_every(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        found = _EVERY.fullmatch(value.strip().lower())
        if value.strip() == "0":
            return 0.0
        if found is None or not int(found[1]):
            raise ValueError("must be hours or days, like 12h or 1d, or 0 for never")
        return int(found[1]) * (_HOUR if found[2] == "h" else _DAY)
