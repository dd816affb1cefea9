"""The engine's JSON turned into observations, as tables."""

from __future__ import annotations

from typing import Any

import pytest

from controller.domain.observation import ContainerState, Health, ListedContainer, Observation
from controller.runtime.calls import choose_version
from controller.runtime.event_feed import parse_event
from controller.runtime.observations import health_in, is_ours, listed, observation, parse_time

BOT = "0b7a2f5e-6b0e-4d7e-9f57-3a1d2b4c5d6e"
ID = "a" * 64
ZERO = "0001-01-01T00:00:00Z"
LABELS = {"botmaker.managed": "true", "botmaker.instance": "here", "botmaker.bot-id": BOT}


def inspected(**state: Any) -> dict[str, Any]:
    base = {"Status": "running", "ExitCode": 0, "StartedAt": ZERO, "FinishedAt": ZERO, "Error": ""}
    return {
        "Id": ID,
        "RestartCount": 2,
        "State": {**base, **state},
        "Config": {"Image": "sha256:abc", "Labels": {**LABELS, "botmaker.spec": "f00"}},
    }


def test_a_whole_look() -> None:
    """Every field of an inspect that matters has its place."""
    log = [
        {"ExitCode": 1, "Output": "old"},
        {"ExitCode": 1, "Output": " sick \n"},
        {"ExitCode": 0, "Output": "fine"},
    ]
    found = observation(
        inspected(
            StartedAt="2026-11-21T03:24:55.5Z",
            FinishedAt="2026-11-21T03:24:50.25Z",
            OOMKilled=True,
            Health={"Status": "unhealthy", "Log": log},
        )
    )
    assert found == Observation(
        container_id=ID,
        state=ContainerState.RUNNING,
        health=Health.UNHEALTHY,
        exit_code=None,
        oom_killed=True,
        started_at="2026-11-21T03:24:55.5Z",
        started=1795231495.5,
        finished_at=1795231490.25,
        restart_count=2,
        spec="f00",
        armed=False,
        image="sha256:abc",
        probe_output="sick",
    )


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        ("running", 0, None),
        ("paused", 0, None),
        ("restarting", 3, 3),
        ("exited", 0, 0),
        ("exited", 137, 137),
        ("dead", 1, 1),
        ("created", 0, None),
        ("created", 127, 127),
    ],
)
def test_an_exit_code_is_told_only_after_an_end(status: str, code: int, expected: Any) -> None:
    """None while it runs and before it ever ran; a start that failed tells why."""
    assert observation(inspected(Status=status, ExitCode=code)).exit_code == expected


@pytest.mark.parametrize(
    ("error", "code"),
    [
        ('error mounting "/srv/x" to rootfs at "/etc/passwd": not a directory', 128),
        ('exec: "/bin/nope": stat /bin/nope: no such file or directory', 127),
        ("", 127),
    ],
)
def test_a_mount_that_fails_is_no_missing_program(error: str, code: int) -> None:
    """The engine gives both the same code; its words tell them apart."""
    seen = observation(inspected(Status="exited", ExitCode=127, Error=error))
    assert seen.exit_code == code


@pytest.mark.parametrize("status", ["exited", "restarting", "paused", "created"])
def test_a_verdict_counts_only_while_it_runs(status: str) -> None:
    """An ended container keeps its last verdict in the inspect; the list shows none."""
    found = observation(inspected(Status=status, Health={"Status": "unhealthy", "Log": None}))
    assert found.health is Health.NONE


def test_a_bare_inspect_is_enough() -> None:
    """What an engine leaves out is none, zero or empty."""
    bare = Observation(container_id=ID, state=ContainerState.EXITED, armed=False)
    assert observation({"Id": ID}) == bare


@pytest.mark.parametrize(
    ("policy", "armed"),
    [(None, False), ("", False), ("no", False), ("unless-stopped", True), ("on-failure", True)],
)
def test_a_restart_policy_is_armed_or_not(policy: str | None, armed: bool) -> None:
    """Only one that may have the engine start it is."""
    host = {"RestartPolicy": None if policy is None else {"Name": policy}}
    assert observation({"Id": ID, "HostConfig": host}).armed is armed


@pytest.mark.parametrize(
    ("label", "release"), [("7", 7), ("", 0), ("x", 0), ("-1", 0), ("9" * 30, 0)]
)
def test_a_release_is_read_from_its_label(label: str, release: int) -> None:
    """What isn't a number of ours counts as none: a container from before there were releases."""
    labels = {"botmaker.release": label}
    assert observation({"Id": ID, "Config": {"Labels": labels}}).release == release


def test_a_failed_start_is_told_without_paths_of_the_host() -> None:
    """The engine's own words may hold them."""
    error = 'error while creating mount source path "/srv/secrets/x": no space left'
    found = observation(inspected(Status="created", ExitCode=128, Error=error))
    assert "/srv" not in found.error
    assert "no space left" in found.error


@pytest.mark.parametrize(
    ("said", "cut"),
    [("x" * 4095, False), ("x" * 4096, True), ("é" * 2048, True), ("é" * 2047, False)],
)
def test_what_a_check_said_may_be_cut_where_it_is_as_long_as_the_engine_keeps(
    said: str, cut: bool
) -> None:
    """4,096 bytes: then half a secret may be at its end."""
    health = {"Status": "unhealthy", "Log": [{"ExitCode": 1, "Output": said}]}
    found = observation(inspected(Status="running", Health=health))
    assert (found.probe_cut, found.probe_output) == (cut, said)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (ZERO, 0.0),
        ("", 0.0),
        (None, 0.0),
        ("rubbish", 0.0),
        ("1970-01-01T00:00:01Z", 1.0),
        ("1970-01-01T00:00:01.5Z", 1.5),
        ("1970-01-01T00:00:01.123456789Z", 1.123456),
        ("1970-01-01T01:00:01.12+01:00", 1.12),
    ],
)
def test_timestamps(text: str | None, expected: float) -> None:
    """Nanoseconds and offsets are read; zero time and nonsense are never."""
    assert parse_time(text) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("Up 3 minutes (healthy)", Health.HEALTHY),
        ("Up 3 minutes (unhealthy)", Health.UNHEALTHY),
        ("Up Less than a second (health: starting)", Health.STARTING),
        ("Up 3 minutes", Health.NONE),
        ("Up 3 minutes (Paused)", Health.NONE),
        ("Exited (1) 3 seconds ago", Health.NONE),
        ("", Health.NONE),
    ],
)
def test_health_in_a_status_sentence(status: str, expected: Health) -> None:
    """The list tells the verdict only in words."""
    assert health_in(status) is expected


def test_a_row_of_the_list() -> None:
    """A row becomes a listed container."""
    row = {
        "Id": ID,
        "Names": [f"/botmaker-{BOT}"],
        "State": "running",
        "Status": "Up 2 hours (healthy)",
        "Labels": LABELS,
    }
    assert listed(row) == ListedContainer(
        bot_id=BOT,
        container_id=ID,
        state=ContainerState.RUNNING,
        health=Health.HEALTHY,
        name=f"botmaker-{BOT}",
        status="Up 2 hours (healthy)",
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"Names": ["/somebody"]},
        {"Names": None},
        {"Labels": {"botmaker.bot-id": "x"}},
        {"Labels": None},
    ],
)
def test_labels_that_came_from_an_image_do_not_make_a_bot(changes: dict[str, Any]) -> None:
    """Name and label must tell of the same bot."""
    row = {"Id": ID, "Names": [f"/botmaker-{BOT}"], "State": "running", "Labels": LABELS}
    assert listed({**row, **changes}) is None


@pytest.mark.parametrize("missing", sorted(LABELS))
def test_all_three_labels_make_it_ours(missing: str) -> None:
    """Managed, of this installation, for this bot."""
    assert is_ours(LABELS, "here", BOT)
    assert not is_ours({k: v for k, v in LABELS.items() if k != missing}, "here", BOT)
    assert not is_ours({**LABELS, missing: "other"}, "here", BOT)
    assert not is_ours(None, "here", BOT)


def event(action: str, **attributes: str) -> dict[str, Any]:
    named = {"name": f"botmaker-{BOT}", "botmaker.bot-id": BOT, **attributes}
    return {"Action": action, "Actor": {"ID": ID, "Attributes": named}, "timeNano": 1_500_000_000}


def test_events_are_read() -> None:
    """A die tells its exit code; other facts have none."""
    die = parse_event(event("die", exitCode="137"))
    assert die is not None
    assert (die.action, die.bot_id, die.at, die.exit_code) == ("die", BOT, 1.5, 137)
    start = parse_event(event("start", exitCode="0"))
    assert start is not None
    assert start.exit_code is None


@pytest.mark.parametrize(
    "data",
    [
        event("exec_create: /bin/sh"),
        event("exec_die"),
        event("start", name="other"),
        event("start", **{"botmaker.bot-id": "x"}),
        {},
        {"Action": "start", "Actor": None},
    ],
)
def test_what_is_no_event_of_a_bot_is_left_out(data: dict[str, Any]) -> None:
    """Exec actions and things of others are no facts about our bots."""
    assert parse_event(data) is None


@pytest.mark.parametrize(
    ("highest", "lowest", "chosen"),
    [
        ("1.41", "1.12", "1.41"),
        ("1.45", "1.24", "1.45"),
        ("1.52", "1.44", "1.45"),
        ("1.60", "1.50", "1.50"),
    ],
)
def test_the_api_version_is_one_that_both_know(highest: str, lowest: str, chosen: str) -> None:
    """The newest that docker-py was made for, or the oldest that the engine still speaks."""
    assert choose_version({"ApiVersion": highest, "MinAPIVersion": lowest}) == chosen
