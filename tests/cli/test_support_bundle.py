"""`botmaker support-bundle`: what a helper needs is in it, and no secret of any kind."""

from __future__ import annotations

import base64
import zipfile
from pathlib import Path
from urllib.parse import quote

import pytest

from controller.cli.support_bundle import checked, collected, packed, write
from controller.domain.errors import BadInput
from controller.settings import KNOWN, Reading, Settings
from controller.vault import WebhookKeys, WebhookVault
from tests.cli.places import SECRETS, settings_for, start_once
from tests.cli.socketed import botmaker

TOKEN = "MTIzNDU2Nzg5MDEy.canary.of-the-controllers-own-token"
MASTER = "c0ffee" * 10 + "c0de"
URL = "https://hooks.example.org/T000/canary-of-a-webhook"
KEY = "whsec_Y2FuYXJ5LW9mLWEtc2lnbmluZy1rZXktMTIzNDU2Nzg="
EDGE_KEYS = ["whsec_Y2FuYXJ5LW9mLXRoZS13b3JrZXItb25lLTEyMzQ1", "whsec_" + "dHdv" * 12]
CALLERS_KEY, CLOUD_TOKEN = "canary-of-the-key-of-callers-tokens", "canary-of-the-cloudflare-token"
OWN = [TOKEN, MASTER, URL.rpartition("/")[2], KEY, *EDGE_KEYS, CALLERS_KEY, CLOUD_TOKEN]
CANARIES = [*SECRETS.values(), *OWN]


def disguises(value: str) -> list[str]:
    """Ways in which a log may hold a value."""
    raw = value.encode()
    coded = [base64.b64encode(b"x" * n + raw).decode() for n in range(3)]
    return [value, quote(value, safe=""), raw.hex(), *coded, f"{value[:9]}\n    {value[9:]}"]


async def an_installation(folder: Path) -> Settings:
    """One with every kind of secret, and a log that has them all, in disguises."""
    await start_once(folder, "bee")
    WebhookVault(folder / "secrets").write(
        "0" * 8 + "-0000-4000-8000-" + "0" * 12, WebhookKeys(URL, KEY)
    )
    (folder / "token").write_text(TOKEN)
    (folder / "master").write_text(MASTER)
    (folder / "edge.keys").write_text("\n".join(EDGE_KEYS))
    (folder / "callers.keys").write_text(f"k1 {CALLERS_KEY}\n")
    (folder / "cloud").write_text(CLOUD_TOKEN)
    lines = [
        form for canary in CANARIES for form in disguises(canary) if form != canary.encode().hex()
    ]
    (folder / "botmaker.log").write_text("first line\n" + "\n".join(lines) + "\nlast line\n")
    return settings_for(
        folder,
        discord_token_file=folder / "token",
        master_key_file=folder / "master",
        edge_keys_file=folder / "edge.keys",
        edge_jwt_keys_file=folder / "callers.keys",
        edge_cloudflare_token_file=folder / "cloud",
        log_file=folder / "botmaker.log",
        guild_id=4711,
    )


async def test_no_secret_is_in_it_in_any_disguise(tmp_path: Path) -> None:
    """Of bots, webhooks or BotMaker itself; what isn't secret is there."""
    settings = await an_installation(tmp_path)
    fault = {"BOTMAKER_LOG_LEVEL": "must be one of these"}
    parts = await collected(Reading(settings, fault, {"BOTMAKER_ADMINS": ""}))
    together = "\n".join(parts.values())
    for canary in CANARIES:
        for form in disguises(canary):
            assert form not in together, form
    assert parts["log.txt"].startswith("first line\n")
    assert parts["log.txt"].endswith("last line\n")
    assert "BotMaker: " in parts["versions.txt"]
    assert "engine" in parts["doctor.txt"]
    assert "BOTMAKER_LOG_LEVEL: wrong: must be one of these" in parts["settings.txt"]
    assert "BOTMAKER_GUILD_ID: set in .env" in parts["settings.txt"]
    assert "BOTMAKER_RUNTIME: default" in parts["settings.txt"]
    assert "BOTMAKER_ADMINS: there is no such setting" in parts["settings.txt"]
    assert "4711" not in parts["settings.txt"]
    assert all(variable in parts["settings.txt"] for variable in KNOWN)


def test_a_part_that_still_has_a_secret_is_left_out() -> None:
    """Should the redactor ever miss one; also over a line break and in base64."""
    for form in disguises("fake-canary-value-1")[:2]:
        assert checked(f"before {form} after\n", ["fake-canary-value-1"]).startswith("Left out")
    assert checked("before fake-canary-\n  value-1\n", ["fake-canary-value-1"]).startswith("Left")
    assert checked("nothing\n", ["fake-canary-value-1", "abc"]) == "nothing\n"


@pytest.mark.parametrize(
    ("file", "variable"),
    [("token", "BOTMAKER_DISCORD_TOKEN_FILE"), ("cloud", "BOTMAKER_EDGE_CLOUDFLARE_TOKEN_FILE")],
)
async def test_a_log_is_left_out_where_not_all_secrets_can_be_read(
    tmp_path: Path, file: str, variable: str
) -> None:
    """It could have the one that isn't known."""
    settings = await an_installation(tmp_path)
    (tmp_path / file).unlink()
    parts = await collected(Reading(settings, {}, {}))
    assert parts["log.txt"].startswith("Left out: it can't be searched for secrets")
    assert variable in parts["log.txt"]
    assert not [canary for canary in CANARIES if canary in "".join(parts.values())]


async def test_without_a_log_file_it_says_where_the_log_may_be(tmp_path: Path) -> None:
    """And works in a folder where nothing ever ran."""
    parts = await collected(Reading(settings_for(tmp_path), {}, {}))
    assert "journalctl -u botmaker" in parts["log.txt"]


async def test_the_command_writes_one_new_private_file(tmp_path: Path) -> None:
    """And says what is in it. An existing file is never written over."""
    file = tmp_path / "bundle.zip"
    done = await botmaker(tmp_path, "support-bundle", "--out", str(file))
    assert done.status == 0, done.err
    assert "look through it before you give it to anybody" in done.out
    assert file.stat().st_mode & 0o777 == 0o600
    with zipfile.ZipFile(file) as archive:
        assert archive.testzip() is None
        assert "botmaker-support/doctor.txt" in archive.namelist()
    again = await botmaker(tmp_path, "support-bundle", "--out", str(file))
    assert again.status == 1
    assert "can't be written: File exists" in again.err


def test_a_folder_that_cannot_be_written_to_is_said(tmp_path: Path) -> None:
    """With the option that chooses another one."""
    with pytest.raises(BadInput, match="can't be written: No such file") as caught:
        write(tmp_path / "absent" / "x.zip", packed({"a": "b"}))
    assert "--out" in caught.value.hint
