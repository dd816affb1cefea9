"""Turns the engine's JSON into observations. Pure: nothing here asks an engine."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import wraps
from typing import Any, TypeVar

from controller.domain.errors import RuntimeTrouble
from controller.domain.names import is_bot_id
from controller.domain.observation import ContainerState, Health, ListedContainer, Observation
from controller.domain.spec import (
    BOT_LABEL,
    INSTANCE_LABEL,
    MANAGED_LABEL,
    RELEASE_LABEL,
    SPEC_LABEL,
)
from controller.runtime.faults import clean_reason
from controller.runtime.validation import previous_name

# Characters: more than the engine keeps of a check. Whoever shows the output shortens it, but only
# after redaction, which can't recognise half a secret.
PROBE_OUTPUT_MAX = 8192
HEALTH_KEPT = 4096  # bytes of a check's output that the engine keeps; it says "..." after them
_HEALTH = re.compile(r"\((health: starting|healthy|unhealthy)\)$")
_HEALTHS = {
    "health: starting": Health.STARTING,
    "starting": Health.STARTING,
    "healthy": Health.HEALTHY,
    "unhealthy": Health.UNHEALTHY,
}


T = TypeVar("T")


def _refuse_strange_answers(
    read: Callable[[Mapping[str, Any]], T],
) -> Callable[[Mapping[str, Any]], T]:
    """Make `read` raise RuntimeTrouble for an answer of an unknown shape, which isn't "nothing"."""

    @wraps(read)
    def read_or_refuse(answer: Mapping[str, Any]) -> T:
        try:
            return read(answer)
        except (LookupError, TypeError, ValueError, AttributeError, OverflowError) as error:
            trouble = RuntimeTrouble(
                "Docker sent an answer that BotMaker can't read.",
                hint="Check Docker's version, and any proxy between it and BotMaker.",
                code="strange-answer",
            )
            trouble.retryable = True
            raise trouble from error

    return read_or_refuse


def parse_time(text: str | None) -> float:
    """Convert an engine's timestamp to seconds since the epoch; none or its zero time is 0.0."""
    if not text or text.startswith("0001-"):
        return 0.0
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        return 0.0


def is_ours(labels: Mapping[str, str] | None, instance: str, bot_id: str) -> bool:
    """Whether these labels say that this installation created it for this bot."""
    labels = labels or {}
    return (
        labels.get(MANAGED_LABEL) == "true"
        and labels.get(INSTANCE_LABEL) == instance
        and labels.get(BOT_LABEL) == bot_id
    )


def labels_of(inspected: Mapping[str, Any]) -> dict[str, str]:
    """The labels of an inspected container."""
    return dict((inspected.get("Config") or {}).get("Labels") or {})


def state_of(inspected: Mapping[str, Any]) -> ContainerState:
    """The state of an inspected container."""
    return _state((inspected.get("State") or {}).get("Status"))


@_refuse_strange_answers
def observation(inspected: Mapping[str, Any]) -> Observation:
    """Read one complete look at a container from the answer to an inspect."""
    seen = inspected.get("State") or {}
    state = state_of(inspected)
    started = seen.get("StartedAt") or ""
    health = seen.get("Health") or {}
    said = _last_failed_check(health)
    return Observation(
        container_id=inspected["Id"],
        state=state,
        # A container that has ended keeps its last verdict, which says nothing about now.
        health=_HEALTHS.get(health.get("Status", ""), Health.NONE)
        if state is ContainerState.RUNNING
        else Health.NONE,
        exit_code=_exit_code(state, seen),
        oom_killed=bool(seen.get("OOMKilled")),
        error=clean_reason(seen.get("Error")),
        started_at="" if started.startswith("0001-") else started,
        started=parse_time(started),
        finished_at=parse_time(seen.get("FinishedAt")),
        restart_count=int(inspected.get("RestartCount") or 0),
        spec=labels_of(inspected).get(SPEC_LABEL, ""),
        release=_number(labels_of(inspected).get(RELEASE_LABEL, "")),
        armed=_policy(inspected) not in {"", "no"},
        image=(inspected.get("Config") or {}).get("Image") or "",
        misnamed=_wrong_name(inspected),
        probe_output=said[:PROBE_OUTPUT_MAX].strip(),
        probe_cut=len(said.encode("utf-8", "replace")) >= HEALTH_KEPT,
    )


@_refuse_strange_answers
def listed(row: Mapping[str, Any]) -> ListedContainer | None:
    """Read one row of the engine's list. Returns None if its labels and its name don't agree.

    An image may carry our labels, and passes them on to every container that anybody creates from
    it.
    """
    bot_id = (row.get("Labels") or {}).get(BOT_LABEL, "")
    name = f"botmaker-{bot_id}"
    if not is_bot_id(bot_id) or f"/{name}" not in (row.get("Names") or ()):
        return None
    status = row.get("Status") or ""
    return ListedContainer(
        bot_id=bot_id,
        container_id=row["Id"],
        state=_state(row.get("State")),
        health=health_in(status),
        name=name,
        status=status,
        created=float(row.get("Created") or 0.0),
    )


def parked_for(row: Mapping[str, Any]) -> str:
    """The id of the bot whose parked container this row of the engine's list is; empty if none."""
    bot_id = (row.get("Labels") or {}).get(BOT_LABEL, "")
    is_parked = is_bot_id(bot_id) and f"/{previous_name(bot_id)}" in (row.get("Names") or ())
    return bot_id if is_parked else ""


def health_in(status: str) -> Health:
    """The health in a list's status text, such as `Up 3 minutes (healthy)`."""
    found = _HEALTH.search(status)
    return _HEALTHS[found[1]] if found else Health.NONE


def _state(word: str | None) -> ContainerState:
    try:
        return ContainerState(word or "")
    except ValueError:  # a word this program doesn't know; "exited" is the closest to not running
        return ContainerState.EXITED


_NO_PROGRAM = 127
_NOT_STARTED = 128  # what the engine gives for other starts that failed


def _exit_code(state: ContainerState, seen: Mapping[str, Any]) -> int | None:
    code = seen.get("ExitCode")
    if state in {ContainerState.RUNNING, ContainerState.PAUSED} or code is None:
        return None
    # A mount that fails has the code of a missing program, because a file was missing either way.
    if code == _NO_PROGRAM and "error mounting" in (seen.get("Error") or ""):
        return _NOT_STARTED
    # A container that never started has 0, unless a start failed: then the code says why.
    return None if state is ContainerState.CREATED and code == 0 else int(code)


def _number(text: str) -> int:
    return int(text) if text.isdecimal() and len(text) < 10 else 0


def _policy(inspected: Mapping[str, Any]) -> str:
    host = inspected.get("HostConfig") or {}
    return str((host.get("RestartPolicy") or {}).get("Name") or "")


def _wrong_name(inspected: Mapping[str, Any]) -> str:
    name = str(inspected.get("Name") or "").removeprefix("/")
    own = f"botmaker-{labels_of(inspected).get(BOT_LABEL, '')}"
    return "" if name in {own, f"{own}-previous"} else name


def _last_failed_check(health: Mapping[str, Any]) -> str:
    for entry in reversed(health.get("Log") or ()):
        if entry.get("ExitCode"):
            return str(entry.get("Output") or "")
    return ""
