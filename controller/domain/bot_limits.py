"""A bot's own limits: memory, CPUs and processes, as people type them and as they are kept. Pure.

What a bot has no limit of its own for is as its template says. Sizes are kept in the form of
templates, such as "512m".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from controller.domain.errors import BadInput

MEMORY, CPUS, PIDS = "memory", "cpus", "pids"
LIMITS = (MEMORY, CPUS, PIDS)
AS_TEMPLATE = frozenset({"", "template", "default"})  # typed to have no limit of one's own
_SIZE = re.compile(r"(\d{1,10}(?:[.,]\d{1,3})?)\s*([kmg])(?:i?b)?", re.ASCII)
_NUMBER = re.compile(r"\d{1,5}(?:[.,]\d{1,3})?", re.ASCII)
_UNITS = {"k": 1024, "m": 1024**2, "g": 1024**3}
_LEAST_MEMORY = 8 * 1024**2
_LEAST_CPUS = 0.05
_LEAST_PIDS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Ceiling:
    """The most that a person may give one bot. `memory` is in bytes."""

    memory: int = 4 * 1024**3
    cpus: float = 4.0
    pids: int = 4096


def size_of(text: str) -> int | None:
    """The bytes that "512m", "1.5 GB" or "1g" stands for; None for anything else."""
    match = _SIZE.fullmatch(text.strip().lower())
    if match is None:
        return None
    return int(float(match[1].replace(",", ".")) * _UNITS[match[2]])


def size_words(size: int) -> str:
    """A number of bytes in the form of templates, rounded down to whole KiB."""
    for unit in ("g", "m"):
        if size and size % _UNITS[unit] == 0:
            return f"{size // _UNITS[unit]}{unit}"
    return f"{size // 1024}k"


def checked_limits(given: Mapping[str, str], ceiling: Ceiling) -> dict[str, str]:
    """The limits as they are kept; empty where the template's is wanted.

    Raises BadInput (`bad-limit`) that names each one that can't be so.
    """
    readers = {MEMORY: _memory, CPUS: _cpus, PIDS: _pids}
    kept: dict[str, str] = {}
    wrong: list[str] = []
    for name in LIMITS:
        if name not in given:
            continue
        typed = given[name].strip().lower()
        try:
            kept[name] = "" if typed in AS_TEMPLATE else readers[name](typed, ceiling)
        except BadInput as error:
            wrong.append(error.message)
    if wrong:
        raise BadInput(
            "\n".join(wrong),
            hint="`template` takes a limit back to what the template says. BOTMAKER_MEMORY_MOST, "
            "BOTMAKER_CPUS_MOST and BOTMAKER_PIDS_MOST on the host are the most a bot may get.",
            code="bad-limit",
        )
    return kept


def with_limits(before: Mapping[str, str], given: Mapping[str, str]) -> dict[str, str]:
    """Those limits with the given ones in place; an empty one goes."""
    return {name: value for name, value in {**before, **given}.items() if value}


def _memory(typed: str, ceiling: Ceiling) -> str:
    size = size_of(typed)
    if size is None or not _LEAST_MEMORY <= size <= ceiling.memory:
        most = size_words(ceiling.memory)
        raise BadInput(f"Memory must be a size between 8m and {most}, like 512m or 1g.")
    return size_words(size)


def _cpus(typed: str, ceiling: Ceiling) -> str:
    number = float(typed.replace(",", ".")) if _NUMBER.fullmatch(typed) else 0.0
    if not _LEAST_CPUS <= number <= ceiling.cpus:
        raise BadInput(f"CPUs must be a number between 0.05 and {ceiling.cpus:g}, like 0.5 or 2.")
    return f"{number:g}"


def _pids(typed: str, ceiling: Ceiling) -> str:
    number = int(typed) if typed.isascii() and typed.isdecimal() and len(typed) < 7 else 0
    if not _LEAST_PIDS <= number <= ceiling.pids:
        raise BadInput(f"Processes must be a number between 4 and {ceiling.pids}, like 128.")
    return str(number)
