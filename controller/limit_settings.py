"""The settings of what one bot may get: the most that a person can give it."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, NoDecode

from controller.domain.bot_limits import Ceiling, size_of

_USUAL = Ceiling()


class LimitSettings(BaseSettings):
    """The most that `/bot edit` gives a bot. A template may ask for more."""

    memory_most: Annotated[int, NoDecode] = Field(default=_USUAL.memory, ge=8 * 1024**2)  # bytes
    cpus_most: float = Field(default=_USUAL.cpus, ge=0.05, le=256)
    pids_most: int = Field(default=_USUAL.pids, ge=4, le=32768)

    @field_validator("memory_most", mode="before")
    @classmethod
    def _parse_memory(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        size = size_of(value)
        if size is None or not 8 * 1024**2 <= size <= 4096 * 1024**3:
            raise ValueError("must be a size between 8m and 4096g, like 4g")
        return size

    @property
    def ceiling(self) -> Ceiling:
        """All three together."""
        return Ceiling(memory=self.memory_most, cpus=self.cpus_most, pids=self.pids_most)
