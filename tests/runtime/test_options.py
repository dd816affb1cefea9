"""Which engine Docker's variables and contexts choose: the same as Docker's own client.
Next door: test_ssh.py has what happens over ssh."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from controller.domain.errors import BadSetting
from controller.runtime.calls import Calls
from controller.runtime.options import engine_options
from tests.runtime.fakeengine import FakeEngine


@pytest.fixture(autouse=True)
def _home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A home without any settings of Docker's."""
    monkeypatch.setenv("HOME", str(tmp_path))


def add_context(folder: Path, name: str, meta: Any) -> str:
    """A context as `docker context create` stores it; returns its folder's name."""
    key = hashlib.sha256(name.encode()).hexdigest()
    place = folder / "contexts" / "meta" / key
    place.mkdir(parents=True)
    place.joinpath("meta.json").write_text(meta if isinstance(meta, str) else json.dumps(meta))
    return key


def at(host: str) -> dict[str, Any]:
    return {"Name": "far", "Endpoints": {"docker": {"Host": host, "SkipTLSVerify": False}}}


def test_without_anything_it_is_the_local_socket() -> None:
    """Also when a variable is there and empty, or names the default context."""
    for given in ({}, {"DOCKER_HOST": ""}, {"DOCKER_CONTEXT": "default"}):
        assert engine_options(given).base_url is None


def test_the_context_in_use_is_used(tmp_path: Path) -> None:
    """The one that DOCKER_CONTEXT names comes first, and DOCKER_HOST before both."""
    home = tmp_path / ".docker"
    add_context(home, "near", at("unix:///near.sock"))
    add_context(home, "far", at("tcp://far:2375"))
    (home / "config.json").write_text('{"currentContext": "near"}')
    assert engine_options({}).base_url == "unix:///near.sock"
    assert engine_options({"DOCKER_CONTEXT": "far"}).base_url == "tcp://far:2375"
    assert engine_options({"DOCKER_CONTEXT": "default"}).base_url is None
    both = {"DOCKER_CONTEXT": "far", "DOCKER_HOST": "unix:///own.sock"}
    assert str(engine_options(both).base_url).endswith("unix:///own.sock")


@pytest.mark.parametrize("folder", ["~/other", "{home}/other"])
def test_the_config_folder_may_be_another(tmp_path: Path, folder: str) -> None:
    """Also at home, by `~`."""
    add_context(tmp_path / "other", "far", at("tcp://far:2375"))
    given = {"DOCKER_CONFIG": folder.format(home=tmp_path), "DOCKER_CONTEXT": "far"}
    made = engine_options(given)
    assert made.base_url == "tcp://far:2375"
    assert made.config == f"{tmp_path}/other/config.json"


@pytest.mark.parametrize(
    "meta", [None, "", "no json", "[]", "{}", {"Endpoints": {}}, {"Endpoints": {"docker": 7}}]
)
def test_a_context_that_cannot_be_used_is_named(tmp_path: Path, meta: Any) -> None:
    """With the way to see them all; never silently the local engine instead."""
    if meta is not None:
        add_context(tmp_path / ".docker", "far", meta)
    with pytest.raises(BadSetting, match="The Docker context `far` can't be used: ") as caught:
        engine_options({"DOCKER_CONTEXT": "far"})
    assert "docker context ls" in caught.value.hint


@pytest.mark.parametrize("content", [b"no json", b"\xff\xfe{\x00}\x00"])
def test_a_broken_config_file_is_named(tmp_path: Path, content: bytes) -> None:
    """It may name a context, so the engine isn't known."""
    (tmp_path / ".docker").mkdir()
    (tmp_path / ".docker" / "config.json").write_bytes(content)
    with pytest.raises(BadSetting, match=r"config\.json can't be read"):
        engine_options({})
    assert engine_options({"DOCKER_HOST": "tcp://h:2375"}).base_url == "tcp://h:2375"


def test_a_contexts_tls_files_are_used(tmp_path: Path) -> None:
    """Over https, with its own authority and certificate."""
    key = add_context(tmp_path / ".docker", "far", at("tcp://far:2376"))
    files = tmp_path / ".docker" / "contexts" / "tls" / key / "docker"
    files.mkdir(parents=True)
    for part in ("ca", "cert", "key"):
        (files / f"{part}.pem").write_text("fake")
    made = engine_options({"DOCKER_CONTEXT": "far"})
    assert made.base_url == "https://far:2376"
    assert made.tls is not None
    assert (made.tls.ca_cert, made.tls.cert) == (
        str(files / "ca.pem"),
        (str(files / "cert.pem"), str(files / "key.pem")),
    )


@pytest.mark.parametrize("name", ["DOCKER_CERT_PATH", "DOCKER_CONFIG"])
def test_a_home_of_nobody_is_refused(name: str) -> None:
    """In Docker's own paths too."""
    with pytest.raises(BadSetting, match=f"{name} begins with ~"):
        engine_options({name: "~nobody-by-this-name/x"})


def test_the_registries_logins_come_from_the_config_folder(tmp_path: Path) -> None:
    """From DOCKER_CONFIG, though it isn't in our own environment."""
    folder = tmp_path / "other"
    folder.mkdir()
    login = {"auths": {"registry.example": {"auth": "YW5uOmZha2U="}}}  # ann:fake
    (folder / "config.json").write_text(json.dumps(login))
    with FakeEngine(tmp_path / "engine.sock") as fake:
        given = {"DOCKER_HOST": fake.url, "DOCKER_CONFIG": str(folder)}
        calls = Calls(engine_options(given))
        client = calls.connect(1)
        found = client._auth_configs.resolve_authconfig("registry.example")
        calls.close()
    assert found["username"] == "ann"


@pytest.mark.skipif(shutil.which("docker") is None, reason="compares with Docker's own client")
def test_dockers_own_client_stores_contexts_like_this(tmp_path: Path) -> None:
    """Not only our tests' idea of it."""
    env = {"HOME": str(tmp_path), "PATH": "/usr/local/bin:/usr/bin:/bin"}
    words = ("context", "create", "far", "--docker", "host=tcp://far:2375")
    subprocess.run(["docker", *words], env=env, check=True, capture_output=True)
    assert engine_options({"DOCKER_CONTEXT": "far"}).base_url == "tcp://far:2375"
    subprocess.run(["docker", "context", "use", "far"], env=env, check=True, capture_output=True)
    assert engine_options({}).base_url == "tcp://far:2375"
