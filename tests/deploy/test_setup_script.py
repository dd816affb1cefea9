"""setup-server.sh, asked what it would do. Next door: real/ has it done, with a real systemd."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.conftest import ROOT

SCRIPT = ROOT / "deploy/setup-server.sh"


def asked(*words: str | Path) -> tuple[int, str]:
    """Its status and all that it says."""
    done = subprocess.run(
        [SCRIPT, *map(str, words)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        env={"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
    )
    return done.returncode, done.stdout + done.stderr


def test_a_dry_run_says_each_step_and_does_none() -> None:
    """User, folders, program, settings, key, units: on a machine that has none of them yet."""
    status, said = asked("--dry-run")
    assert status == 0, said
    for words in (
        "create the user botmaker",
        "create /etc/botmaker, mode 750, for root:botmaker",
        "install the program into /opt/botmaker-",
        "make the master key",
        "write /etc/systemd/system/botmaker.service",
        "write /etc/systemd/system/botmaker-backup.timer",
    ):
        assert f"Would {words}" in said
    assert "Now:" not in said
    assert "BotMaker needs no open port" in said
    assert not Path("/etc/botmaker").exists()


def test_a_dry_run_with_everything_says_that_too(tmp_path: Path) -> None:
    """Proxy, backups, a token and settings from files; the token itself is never said."""
    for name in ("fullchain.pem", "privkey.pem", "token", "env"):
        (tmp_path / name).write_text("fake-secret-content")
    status, said = asked(
        *("--dry-run", "--proxy", "nginx", "--host", "bots.example.org", "--tls", tmp_path),
        *("--token-file", tmp_path / "token", "--settings", tmp_path / "env"),
        *("--backup-recipient", "age1qqqq"),
    )
    assert status == 0, said
    for words in (
        "write /etc/nginx/conf.d/botmaker.conf",
        "write /etc/botmaker/.env with BOTMAKER_API=1 BOTMAKER_PUBLIC_URL=https://bots.example.org "
        "BOTMAKER_TRUSTED_PROXIES=127.0.0.1 BOTMAKER_BACKUP_DIR=/var/lib/botmaker/backups "
        "BOTMAKER_BACKUP_RECIPIENTS=age1qqqq",
        "write /etc/botmaker/discord-token",
        "back up every night",
    ):
        assert f"Would {words}" in said
    assert "80 and 443" in said or "80,443" in said
    assert "fake-secret-content" not in said


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--proxy", "apache"], "--proxy is caddy or nginx"),
        (["--proxy", "caddy"], "need --host"),
        (["--proxy", "nginx", "--host", "a.example"], "needs --tls"),
        (["--host", "https://a.example"], "a name alone"),
        (["--host", "a.example;rm -rf x"], "a name alone"),
        (["--proxy", "caddy", "--tunnel", "/dev/null", "--host", "a.example"], "not both"),
        (["--token-file", "/absent/token"], "/absent/token can't be read"),
        (["--backup-recipient", "me"], "begins with age1"),
        (["--wheels", "/absent"], "no wheel"),
        (["--token-file"], "needs a value"),
        (["--force"], "no option --force"),
    ],
)
def test_a_wrong_option_is_said_and_nothing_is_done(words: list[str], says: str) -> None:
    """In one sentence, with status 2."""
    status, said = asked("--dry-run", *words)
    assert (status, len(said.splitlines())) == (2, 1), said
    assert says in said


def test_taking_away_says_what_stays() -> None:
    """Settings, data and bots are nobody's to remove but the admin's."""
    status, said = asked("--uninstall", "--dry-run")
    assert status == 0, said
    for words in ("/etc/botmaker", "/var/lib/botmaker", "the bots, which run on"):
        assert words in said
    assert "Now:" not in said


def test_every_option_is_in_its_help() -> None:
    """And each that the help lists is understood."""
    status, said = asked("--help")
    assert status == 0
    text = SCRIPT.read_text()
    options = {word for word in said.split() if word.startswith("--")}
    for option in options:
        assert f"{option} " in text or f"{option})" in text, option
