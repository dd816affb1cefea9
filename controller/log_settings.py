"""The settings of BotMaker's own log."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings

from controller.domain.disk_words import starting
from controller.log_file import LogFile
from controller.web_settings import Place


class LogSettings(BaseSettings):
    """How the log looks, and the file that it goes to besides stderr."""

    log_format: Literal["text", "json"] = "text"
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_file: Place | None = None
    log_file_megabytes: int = Field(default=50, ge=1, le=10_000)  # with all its older parts
    log_file_days: int = Field(default=30, ge=1, le=3650)

    @field_validator("log_level", mode="before")
    @classmethod
    def _level_in_any_case(cls, value: Any) -> Any:
        return value.upper() if isinstance(value, str) else value

    @field_validator("log_format", mode="before")
    @classmethod
    def _format_in_any_case(cls, value: Any) -> Any:
        return value.lower() if isinstance(value, str) else value

    def opened_log_file(self) -> LogFile | None:
        """The file that the log goes to besides stderr. Raises BadSetting if it can't be used."""
        if self.log_file is None:
            return None
        with starting(
            f"BOTMAKER_LOG_FILE={self.log_file} can't be written",
            "Set it to a file in a folder that this user can write to.",
        ):
            return LogFile(self.log_file, self.log_file_megabytes * 1_000_000, self.log_file_days)
