"""The engine's JSON turned into observations. Pure: no engine is asked here."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import wraps
from typing import Any, TypeVar

from controller.domain.errors import RuntimeTrouble
from controller.domain.names import is_bot_id
from controller.domain.observation import ContainerState, Health, ListedContainer, Observation
from controller.domain.spec import BOT_LABEL, INSTANCE_LABEL, MANAGED_LABEL, SPEC_LABEL
from controller.runtime.faults import clean_reason

# More than the engine keeps of a check: who shows it cuts it after redaction, since half a secret
# is one that nobody recognises.
PROBE_OUTPUT_MAX = 8192
_HEALTH = re.compile(r"\((health: starting|healthy|unhealthy)\)$")
_HEALTHS = {
    "health: starting": Health.STARTING,
    "starting": Health.STARTING,
    "healthy": Health.HEALTHY,
    "unhealthy": Health.UNHEALTHY,
}


T = TypeVar("T")


def _understood(read: Callable[[Mapping[str, Any]], T]) -> Callable[[Mapping[str, Any]], T]:
    """An answer of a shape that no engine should give is trouble in words, never "no container"."""

    @wraps(read)
    def guarded(answer: Mapping[str, Any]) -> T:
        try:
            return read(answer)
        except (LookupError, TypeError, ValueError, AttributeError, OverflowError) as error:
            trouble = RuntimeTrouble(
                "The Docker engine answered in a way that cannot be understood.",
                hint="Check its version and what stands between it and the controller.",
                code="strange-answer",
            )
            trouble.retryable = True
            raise trouble from error

    return guarded


def parse_time(text: str | None) -> float:
    """Seconds since the epoch of the engine's timestamp; 0.0 for none and for its zero time."""
    if not text or text.startswith("0001-"):
        return 0.0
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        return 0.0


def is_ours(labels: Mapping[str, str] | None, instance: str, bot_id: str) -> bool:
    """Whether these labels say: made by this installation, for this bot."""
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


@_understood
def observation(inspected: Mapping[str, Any]) -> Observation:
    """One complete look, from an inspect's answer."""
    seen = inspected.get("State") or {}
    state = state_of(inspected)
    started = seen.get("StartedAt") or ""
    health = seen.get("Health") or {}
    return Observation(
        container_id=inspected["Id"],
        state=state,
        # An ended container keeps its last verdict; it says nothing about now.
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
        image=(inspected.get("Config") or {}).get("Image") or "",
        probe_output=_failed_check(health),
    )


@_understood
def listed(row: Mapping[str, Any]) -> ListedContainer | None:
    """One row of the engine's list; None where its labels and its name do not agree.

    An image can carry labels too, and hands them to containers that somebody else makes of it.
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
    )


def health_in(status: str) -> Health:
    """The verdict inside a list's sentence such as `Up 3 minutes (healthy)`."""
    found = _HEALTH.search(status)
    return _HEALTHS[found[1]] if found else Health.NONE


def _state(word: str | None) -> ContainerState:
    try:
        return ContainerState(word or "")
    except ValueError:  # a word of another engine; what does not run is closest to exited
        return ContainerState.EXITED


def _exit_code(state: ContainerState, seen: Mapping[str, Any]) -> int | None:
    code = seen.get("ExitCode")
    if state in {ContainerState.RUNNING, ContainerState.PAUSED} or code is None:
        return None
    # A container that was never started says 0; after a start that failed it says why.
    return None if state is ContainerState.CREATED and code == 0 else int(code)


def _failed_check(health: Mapping[str, Any]) -> str:
    for entry in reversed(health.get("Log") or ()):
        if entry.get("ExitCode"):
            return str(entry.get("Output") or "").strip()[:PROBE_OUTPUT_MAX]
    return ""
