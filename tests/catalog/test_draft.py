"""Templates drafted from what somebody else made: each passes the check, none holds a secret."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from controller.catalog import Template, mistakes
from controller.catalog.draft import draft
from controller.catalog.foreign import Foreign, of_compose, of_inspection
from controller.domain.errors import BadInput

COMPOSE = """
services:
  Chat_Bot:
    image: ${IMAGE:-ghcr.io/example/chat}:2.1
    command: python -m chat --verbose
    user: "1001"
    working_dir: /app
    environment:
      BOT_TOKEN: hunter2
      OPENAI_KEY: ${OPENAI_KEY}
      GREETING: Hello there
      LEVEL: ${LEVEL:-info}
      REGION: ${REGION}
      DATABASE_URL: postgres://bot:hunter3@db/bot
      ODD: 9f86d081884c7d659a2feaa0c55ad015
      DB_PASSWORD_FILE: /run/secrets/db_password
      OTHER_TOKEN_FILE: /etc/chat/token
    env_file: [chat.env, gone.env]
    secrets: [db_password]
    volumes:
      - ./config.yml:/etc/chat/config.yml:ro
      - ./more:/more
      - ${VOLUME:-data}:/data
      - /var/run/docker.sock:/var/run/docker.sock
    tmpfs: /cache
    mem_limit: 512m
    cpus: 1.5
    pids_limit: 64
    stop_grace_period: 1m30s
    restart: on-failure
    healthcheck:
      test: ["CMD", "chat", "$${PING}"]
      interval: 1m
      retries: 5
    ports: ["8080:8080"]
    privileged: true
    depends_on: [db]
    shm_size: 1g
  db: { image: "postgres:16", healthcheck: { test: pg_isready }, environment: [A=1, B] }
"""
SECRET = ("hunter2", "hunter3", "hunter4", "9f86d081")


def parsed(text: str) -> dict[str, Any]:
    return tomllib.loads(text)


def checked(folder: Path, text: str) -> dict[str, Any]:
    """The draft, which `templates check` finds right."""
    content = parsed(text)
    file = folder / f"{content['id']}.toml"
    file.write_text(text)
    assert mistakes(file) == ()
    return content


def test_a_service_becomes_a_template(tmp_path: Path) -> None:
    """What can be said is; what can't is told; what may be secret is asked for, never written."""
    (tmp_path / "compose.yaml").write_text(COMPOSE)
    (tmp_path / "chat.env").write_text("SIGNING_SALT=hunter4\nMOOD=calm\n")
    text = draft(of_compose(tmp_path / "compose.yaml", "Chat_Bot"), "Chat_Bot of compose.yaml")
    content = checked(tmp_path, text)
    assert content["id"] == "chat_bot"
    assert content["image"] == {"ref": "ghcr.io/example/chat:2.1"}
    run = content["run"]
    assert run["user"] == "1001"
    assert run["command"] == ["python", "-m", "chat", "--verbose"]
    assert (run["workdir"], run["stop_timeout"], run["restart"]) == ("/app", 90, "on-failure:5")
    assert run["resources"] == {"memory": "512m", "cpus": 1.5, "pids": 64}
    assert set(run["tmpfs"]) == {"/tmp", "/cache"}
    assert content["state"] == {"path": "/data"}
    assert content["health"] == {"test": ["CMD", "chat", "${PING}"], "interval": 60.0, "retries": 5}
    fields = {one["env"]: one.get("default") for one in content["fields"]}
    assert fields == {"MOOD": "calm", "GREETING": "Hello there", "LEVEL": "info", "REGION": None}
    secrets = {one.get("process_env") or one.get("env_file") for one in content["secrets"]}
    assert secrets == {
        *(
            "OTHER_TOKEN_FILE",
            "DB_PASSWORD_FILE",
            "SIGNING_SALT",
            "BOT_TOKEN",
            "OPENAI_KEY",
            "DATABASE_URL",
            "ODD",
        ),
    }
    assert not any(one in text for one in SECRET)
    head = text[: text.index("schema = ")]
    for lost in (
        "`ports`",
        "`privileged`",
        "`depends_on`",
        "`shm_size`",
        "/more",
        "config.yml",
        "gone.env",
    ):
        assert f"# - {lost}" in head or f"{lost}" in head, lost
    assert "the engine's socket: bots never get it." in head
    assert "/etc/chat/config.yml, mounted read-only: write what's in it under" in head
    assert "REGION: its value came from outside" in head


def test_the_short_forms_of_a_compose_file_count_as_well(tmp_path: Path) -> None:
    """A test as a line for the shell; an environment as a list."""
    (tmp_path / "compose.yaml").write_text(COMPOSE)
    content = checked(tmp_path, draft(of_compose(tmp_path / "compose.yaml", "db"), "db"))
    assert content["health"] == {"test": ["CMD-SHELL", "pg_isready"]}
    assert [(one["env"], one.get("default")) for one in content["fields"]] == [
        ("A", "1"),
        ("B", None),
    ]
    assert content["run"] == {"user": "1000:1000"}


CONTAINER = {
    "Name": "/old-bot",
    "Image": "sha256:1",
    "Config": {
        "Image": "example/old:3",
        "User": "",
        "Env": ["PATH=/bin", "TOKEN=hunter2", "MODE=fast"],
        "Entrypoint": ["/entry"],
        "Cmd": ["serve"],
        "WorkingDir": "/srv",
        "Healthcheck": {"Test": ["CMD-SHELL", "check"], "Interval": 30_000_000_000},
    },
    "HostConfig": {
        "Memory": 268435456,
        "NanoCpus": 500000000,
        "RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 3},
        "PortBindings": {"80/tcp": [{"HostPort": "80"}]},
    },
    "Mounts": [{"Type": "volume", "Source": "/var/x", "Destination": "/data", "RW": True}],
}
IMAGE = {"Config": {"Env": ["PATH=/bin"], "WorkingDir": "/srv"}}


def test_a_container_becomes_a_template_without_what_its_image_brings(tmp_path: Path) -> None:
    """Its whole command is known, so a shell can hand a secret over."""
    content = checked(tmp_path, draft(of_inspection(CONTAINER, IMAGE), "the container old-bot"))
    assert content["id"] == "old-bot"
    assert content["run"] == {
        "user": "1000:1000",
        "secret_exposure": "process-env",
        "command": ["/entry", "serve"],
        "restart": "on-failure:3",
        "resources": {"memory": "256m", "cpus": 0.5},
    }
    assert [one["env"] for one in content["fields"]] == ["MODE"]
    assert content["secrets"] == [{"name": "token", "label": "TOKEN", "process_env": "TOKEN"}]
    assert content["state"] == {"path": "/data"}


@pytest.mark.parametrize(
    "command",
    [
        ["serve", "--token", "hunter2"],
        ["serve", "--api-key=hunter2"],
        ["sh", "-c", "PASSWORD=hunter2 serve"],
        ["serve", "sk-ant-" + "a_" * 12],
        ["serve", "9f86d081884c7d659a2feaa0c55ad015"],
    ],
)
def test_a_command_with_a_secret_is_left_out(tmp_path: Path, command: list[str]) -> None:
    """With a remark, and the bot's secrets are files then."""
    foreign = Foreign(name="x", image="x:1", command=tuple(command), env={"BOT_TOKEN": "hunter2"})
    text = draft(foreign, "x")
    content = checked(tmp_path, text)
    assert "command" not in content["run"]
    assert content["secrets"] == [{"name": "bot_token", "label": "BOT_TOKEN"}]
    assert "hunter2" not in text
    assert "`command`: something in it looks like a secret" in text


WORDS = st.text(max_size=40)
NAMES = st.one_of(st.sampled_from(["A", "a", "TOKEN", "X_FILE", "LANG", "A-B", "", "É"]), WORDS)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    foreign=st.builds(
        Foreign,
        name=WORDS,
        image=st.just("example/x:1"),
        user=st.sampled_from(["", "root", "5", "5:6", "node", "0:5"]),
        entrypoint=st.lists(WORDS, max_size=3).map(tuple),
        command=st.lists(WORDS, max_size=3).map(tuple),
        workdir=st.sampled_from(["", "/app", "app", "/a/../b"]),
        env=st.dictionaries(NAMES, st.none() | WORDS, max_size=6),
        secrets=st.lists(NAMES, max_size=3).map(tuple),
        volumes=st.lists(st.sampled_from(["/data", "/", "/run/secrets", "/a:b", "x"])).map(tuple),
        tmpfs=st.lists(st.sampled_from(["/tmp", "/cache", "/proc", "x"])).map(tuple),
        memory=st.integers(0, 2**50),
        cpus=st.floats(0, 1000),
        pids=st.integers(0, 2**20),
        stop_timeout=st.integers(0, 10_000),
        restart=st.sampled_from(["", "no", "always", "on-failure", "on-failure:500", "what"]),
        health=st.sampled_from([{}, {"test": ["CMD"]}, {"test": ["CMD", "x"], "interval": 0.1}]),
    )
)
def test_every_draft_passes_the_check(foreign: Foreign) -> None:
    """Whatever the container was; values of secrets are nowhere in it."""
    foreign = replace(foreign, env={**foreign.env, "MY_AUTH": "canary!7"})
    text = draft(foreign, "a test")
    assert "canary" not in text
    Template.model_validate(tomllib.loads(text))


def test_what_is_no_service_is_said(tmp_path: Path) -> None:
    """Without a word of the file."""
    file = tmp_path / "compose.yaml"
    for text, words in (
        (None, "can't be read"),
        ("a: [hunter2", "isn't YAML"),
        ("hunter2", "has no services"),
        ("services: {}", "has no service web"),
        ("services: {web: {image: 'Not an image hunter2'}}", "No template can be made"),
    ):
        if text is not None:
            file.write_text(text)
        with pytest.raises(BadInput) as caught:
            draft(of_compose(file, "web"), "web")
        assert words in str(caught.value)
        assert "hunter2" not in str(caught.value)
