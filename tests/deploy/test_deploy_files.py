"""The files of deploy/ and compose.yaml say what they must. Next door: real/ has them run."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from controller.api.raw_bodies import BODY_MOST
from controller.api.reading import WAIT_MOST
from controller.api.request_rates import Pace
from controller.cli.outcome import CANNOT_START
from controller.settings import KNOWN, Settings
from tests.conftest import ROOT

DEPLOY = ROOT / "deploy"
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
CADDY = (DEPLOY / "proxy/Caddyfile").read_text()
NGINX = (DEPLOY / "proxy/nginx.conf.template").read_text()


def unit(name: str) -> Mapping[str, list[str]]:
    """A unit's settings, each with all its values."""
    found: dict[str, list[str]] = defaultdict(list)
    for line in (DEPLOY / "systemd" / name).read_text().splitlines():
        if "=" in line and not line.startswith("#"):
            key, _, value = line.partition("=")
            found[key].append(value)
    return found


def compose() -> dict[str, Any]:
    """compose.yaml, read."""
    return dict(yaml.safe_load((ROOT / "compose.yaml").read_text()))


def test_the_service_is_told_of_readiness_and_of_a_hang_and_isnt_restarted_in_vain() -> None:
    """And it waits for Docker instead of failing."""
    service = unit("botmaker.service")
    assert service["Type"] == ["notify"]
    assert int(service["WatchdogSec"][0]) >= 30
    assert service["Restart"] == ["always"]
    assert service["RestartPreventExitStatus"] == [str(CANNOT_START)]
    assert service["ExecStart"] == ["/opt/botmaker/bin/botmaker run --wait"]
    assert service["User"] == ["botmaker"]
    assert service["SupplementaryGroups"] == ["docker"]


def test_token_and_master_key_come_as_credentials() -> None:
    """By the settings that read them, and never as a value."""
    service = unit("botmaker.service")
    given = {one.partition(":")[0] for one in service["LoadCredential"]}
    environment = dict(one.split("=", 1) for one in service["Environment"])
    for variable in ("BOTMAKER_DISCORD_TOKEN_FILE", "BOTMAKER_MASTER_KEY_FILE"):
        assert environment[variable].removeprefix("%d/") in given
    assert {name for name in environment if name.startswith("BOTMAKER_")} <= set(KNOWN)
    assert "BOTMAKER_DISCORD_TOKEN" not in environment


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_every_service_is_fenced_in(path: Path) -> None:
    """No privileges, a system that it can't write to, and none of others' processes in sight."""
    service = unit(path.name)
    for key, value in {
        "ProtectSystem": "strict",
        "ProtectHome": "yes",
        "CapabilityBoundingSet": "",
        "ProtectProc": "invisible",
        "RestrictNamespaces": "yes",
        "MemoryDenyWriteExecute": "yes",
        "UMask": "0077",
        "LimitCORE": "0",
    }.items():
        assert service[key] == [value], key
    assert "~@privileged" in service["SystemCallFilter"]


def test_the_proxies_limits_fit_the_programs_own() -> None:
    """A body that BotMaker takes passes, an answer may be held back, no dead connection is used."""
    pace = Pace()
    (kilobytes,) = re.findall(r"client_max_body_size (\d+)k;", NGINX)
    assert BODY_MOST <= int(kilobytes) * 1024 <= 2 * BODY_MOST
    (kilobytes,) = re.findall(r"max_size (\d+)KB", CADDY)
    assert BODY_MOST <= int(kilobytes) * 1000 <= 2 * BODY_MOST
    for waits in re.findall(
        r"(?:proxy_read_timeout|response_header_timeout) (\d+)s", NGINX + CADDY
    ):
        assert int(waits) > max(WAIT_MOST, 2 * pace.ping)
    kept = re.findall(r"keepalive_timeout (\d+)s|\n\s*keepalive (\d+)s", NGINX + CADDY)
    assert [int(a or b) < pace.head for a, b in kept] == [True, True]


@pytest.mark.parametrize("text", [CADDY, NGINX], ids=["caddy", "nginx"])
def test_health_and_metrics_stay_inside(text: str) -> None:
    """They need no key, so no proxy passes them on."""
    assert "/health" in text
    assert "/metrics" in text
    assert "404" in text


def test_compose_starts_the_controller_alone_unless_a_profile_is_chosen() -> None:
    """Then one thing in front of it, and nothing else publishes a port."""
    services = compose()["services"]
    profiles = {name: service.get("profiles", []) for name, service in services.items()}
    assert profiles == {
        "botmaker": [],
        "caddy": ["caddy"],
        "nginx": ["nginx"],
        "cloudflared": ["cloudflared"],
    }
    published = {name for name, service in services.items() if "ports" in service}
    assert published == {"caddy", "nginx"}


def test_every_service_of_compose_is_hardened() -> None:
    """Also those in front: no privileges, nothing to write to, limits."""
    for name, service in compose()["services"].items():
        assert service["cap_drop"] == ["ALL"], name
        assert service["read_only"] is True, name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["mem_limit"] == service["memswap_limit"], name
        assert service["pids_limit"], name
        assert service["logging"]["options"]["max-size"], name


def test_the_settings_that_compose_asks_for_are_accepted() -> None:
    """As they stand in its head, which is where people copy them from."""
    head = (ROOT / "compose.yaml").read_text().partition("\nservices:")[0]
    told = dict(re.findall(r"^#   (BOTMAKER_\w+)=(\S+)$", head, re.MULTILINE))
    assert len(told) == 4
    settings = Settings(**{KNOWN[name]: value for name, value in told.items()}, docker={})
    settings.require_private_way()
    (network,) = compose()["networks"]["default"]["ipam"]["config"]
    assert [str(one) for one in settings.trusted_proxies] == [network["subnet"]]


def test_the_tunnel_has_its_token_in_a_file_and_its_metrics_inside() -> None:
    """In compose as in its unit: never in a command line, never on another address."""
    for words in (
        " ".join(compose()["services"]["cloudflared"]["command"]),
        unit("botmaker-tunnel.service")["ExecStart"][0],
    ):
        assert "--token-file" in words
        assert "--no-autoupdate" in words
        assert "--metrics 127.0.0.1:" in words
        assert "--token " not in words
