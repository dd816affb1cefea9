"""How the engine's words reach people, and how Docker's variables become options."""

from __future__ import annotations

from pathlib import Path

import pytest

from controller.domain.errors import (
    BadSetting,
    BadSpec,
    ControllerError,
    RuntimeTrouble,
)
from controller.runtime.calls import Calls
from controller.runtime.faults import clean_reason
from controller.runtime.options import EngineOptions, engine_options
from tests.runtime.fakeengine import FakeEngine


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, ""),
        ("plain", "plain"),
        ("bind source path does not exist: /srv/x/y", "bind source path does not exist: (path)"),
        (
            'failed to create shim task: OCI runtime create failed: exec: "/bin/nope": '
            "stat /bin/nope: no such file or directory: unknown",
            'exec: "/bin/nope": stat (path): no such file or directory',
        ),
        (
            "failed to create shim task: OCI runtime create failed: runc create failed: unable to "
            'start container process: error during container init: error mounting "/srv/host/x" to '
            'rootfs at "/etc/passwd/x": open o_path procfd: open /var/lib/docker/overlay2/19/merged'
            "/etc/passwd/x: not a directory: unknown: Are you trying to mount a directory onto a "
            "file (or vice-versa)? Check if the specified host path exists",
            'nothing can be mounted at "/etc/passwd/x": open o_path procfd: open (path): '
            "not a directory",
        ),
        ("Get https://reg.example/v2/: denied", "Get https://reg.example/v2/: denied"),
        ("pull access denied for org/bot", "pull access denied for org/bot"),
        ("two\n lines", "two lines"),
    ],
)
def test_reasons_are_short_and_without_paths(text: str | None, expected: str) -> None:
    """Registries and images keep their slashes; paths of the host go."""
    assert clean_reason(text) == expected


def test_a_reason_has_an_end() -> None:
    """Engines can be talkative."""
    assert len(clean_reason("x" * 5000)) == 240


def test_options_come_from_the_mapping_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The process's own environment is settings' business."""
    monkeypatch.setenv("DOCKER_HOST", "tcp://elsewhere:1")
    assert engine_options({}) == EngineOptions()
    assert engine_options({"DOCKER_HOST": "tcp://h:2"}).base_url == "tcp://h:2"
    with pytest.raises(BadSetting):
        engine_options({"DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": str(tmp_path)})


async def test_a_refused_body_is_a_bad_spec(fake_engine: FakeEngine, calls: Calls) -> None:
    """400 means: as described, never."""
    fake_engine.rules["/start"] = lambda e: e.answer(400, {"message": "no"})
    with pytest.raises(BadSpec) as caught:
        await calls(lambda client: client.start("c" * 64), write=True, limit=2)
    assert isinstance(caught.value, ControllerError)
    assert not caught.value.retryable


async def test_a_host_that_cannot_start_anything_is_no_bad_spec(
    fake_engine: FakeEngine, calls: Calls
) -> None:
    """The engine says 400 of its own trouble too; found by random kills on a host whose /dev/null
    was gone for a second: every bot that started then had a problem for good."""
    reason = "failed to start shim: start failed: io.containerd.runc.v2: open /x: no such file"
    fake_engine.rules["/start"] = lambda e: e.answer(400, {"message": reason})
    with pytest.raises(RuntimeTrouble) as caught:
        await calls(lambda client: client.start("c" * 64), write=True, limit=2)
    assert not isinstance(caught.value, BadSpec)
    assert caught.value.retryable
    assert "failed to start shim" in caught.value.message
