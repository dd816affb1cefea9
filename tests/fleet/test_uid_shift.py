"""Engines that shift user ids: found, said, and the bot isn't shown as running on secrets that it
can't read. Next door: test_threads.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from controller.catalog import load
from controller.fleet.blueprint import Blueprints
from controller.fleet.hostpaths import HostPaths
from controller.fleet.uid_shift import UidShift, uid_shift
from controller.runtime import EngineInfo
from controller.vault import AtRest, Vault
from tests.cli.places import a_bot

WHOLE = "         0          0 4294967295\n"
PART = "         0     100000      65536\n"


def info(*security: str) -> EngineInfo:
    return EngineInfo(version="26.1", api_version="1.45", security=security)


@pytest.mark.parametrize(
    ("security", "uid_map", "kind"),
    [
        (("name=seccomp,profile=default",), WHOLE, None),
        (("name=seccomp,profile=default", "name=userns"), WHOLE, "userns-remap"),
        (("name=rootless", "name=cgroupns"), WHOLE, "rootless mode"),
        (("name=userns",), PART, None),  # in a container of that engine
        (("name=rootless",), PART, None),
    ],
)
def test_a_shift_is_known_by_the_engines_own_words(
    tmp_path: Path, security: tuple[str, ...], uid_map: str, kind: str | None
) -> None:
    """Unless our own ids are shifted with the bots'."""
    (tmp_path / "uid_map").write_text(uid_map)
    found = uid_shift(info(*security), tmp_path / "uid_map")
    assert (found.kind if found else None) == kind
    if found:
        assert found.remedy.endswith(".")


def test_a_bot_that_cannot_read_its_secrets_is_not_started(tmp_path: Path) -> None:
    """Its secrets count as missing, with the reason; without a shift they don't."""
    vault = Vault(tmp_path)
    vault.open()
    bot = a_bot("bee")
    values = {"api_key": "fake-provider-key-1", "channel_token": "fake-channel-token-1"}
    vault.write(bot.id, values, vault.owner_for("1000:1000"))
    made = Blueprints(load(None), vault, tmp_path / "files", HostPaths(), AtRest(()))
    assert made.secret_trouble(bot) == ((), ())
    shift = UidShift("userns-remap")
    shifted = Blueprints(load(None), vault, tmp_path / "files", HostPaths(), AtRest(()), shift)
    missing, faults = shifted.secret_trouble(bot)
    assert set(missing) == set(values)
    assert "shifts user ids (userns-remap)" in faults[0]
    assert "daemon.json" in faults[0]
