"""The commands that ask a controller: over its socket, by its address and a token, or not at all.
Next door: test_output.py has the socket itself."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from click.shell_completion import ShellComplete

from controller.cli.console import COMMANDS, cli
from controller.cli.lazy import LazyGroup
from controller.cli.log_following import Following
from controller.domain.journal import Kind
from controller.domain.phase import Phase
from controller.domain.roles import Role
from tests.api.client import serving, token_of
from tests.cli.seat import seated
from tests.cli.socketed import begun, botmaker, served
from tests.conftest import ROOT
from tests.manager.rig import ANN_ASKS, PLAIN, SECRETS, Rig


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    lacking = PLAIN.replace('"plain"', '"lacking"').replace("example/plain:1", "example/absent:1")
    async with served(tmp_path, lacking=lacking % "no") as rig:
        yield rig


async def test_list_and_show_say_what_the_controller_knows(rig: Rig) -> None:
    """As a table and as JSON; only bots of a phase where one is named."""
    running, waiting = await rig.running(), await rig.create()
    listed = await botmaker(rig.folder, "list")
    assert listed.status == 0
    assert [line.split() for line in listed.out.splitlines()] == [
        [running.name, "running", "plain", "small", "demo"],
        [waiting.name, "created", "plain", "small", "demo"],
    ]
    rows = (await botmaker(rig.folder, "list", "--json", "--phase", "running")).json
    assert [(row["name"], row["id"]) for row in rows] == [(running.name, running.id)]
    shown = await botmaker(rig.folder, "show", running.name)
    assert shown.status == 0
    facts = {line.split("  ")[0]: line for line in shown.out.splitlines()}
    assert "running since 20" in facts["phase"]
    assert ", written 20" in facts["secret api_key"]
    assert not any(value in shown.out for value in SECRETS.values())
    bot = (await botmaker(rig.folder, "show", "--json", waiting.name)).json
    assert bot["missing_secrets"] == ["api_key", "channel_token"]
    assert [secret["fingerprint"] for secret in bot["secrets"]] == ["", ""]


async def test_power_changes_and_says_how_it_ended(rig: Rig) -> None:
    """With `--wait` at its end, without it at once; several bots at a time."""
    one, two = await rig.running(), await rig.running()
    stopped = await botmaker(rig.folder, "stop", one.name, two.name, "--wait")
    assert (stopped.status, stopped.out) == (0, f"{one.name}: stopped\n{two.name}: stopped\n")
    assert not rig.active(one)
    assert not rig.active(two)
    started = await botmaker(rig.folder, "start", one.name, "--wait", "--json")
    assert (started.status, started.json[0]["outcome"]["phase"]) == (0, "running")
    run = rig.run_of(one)
    again = await botmaker(rig.folder, "restart", one.name, "--wait")
    assert (again.status, again.out) == (0, f"{one.name}: running\n")
    assert rig.run_of(one) != run
    asked = await botmaker(rig.folder, "start", two.name)
    assert (asked.status, asked.out) == (0, f"{two.name}: starting\n")
    await rig.becomes(two, Phase.RUNNING)
    entries = await rig.entries(Kind.ASKED, bot=one)
    assert [entry.data["act"] for entry in entries[:3]] == ["bot.restart", "bot.start", "bot.stop"]
    assert {entry.author.principal.kind for entry in entries[:3]} == {"console"}


async def test_one_bots_trouble_is_no_other_bots(rig: Rig) -> None:
    """What can be done is done; what can't is said with what to do, and the status is 1."""
    bot, waiting = await rig.running(), await rig.create()
    ended = await botmaker(rig.folder, "restart", "nobody", waiting.name, bot.name, "--wait")
    assert (ended.status, ended.out) == (1, f"{bot.name}: running\n")
    nobody, secrets = ended.err.splitlines()
    assert nobody.startswith("botmaker: nobody: ")
    assert nobody.endswith("`botmaker list` shows all bots.")
    assert "has no secrets yet: api_key, channel_token" in secrets


async def test_a_start_that_ends_badly_is_no_success(rig: Rig) -> None:
    """The bot's problem is said, and the status is 1."""
    bot = await rig.create("lacking")
    await rig.submit(bot)
    ended = await botmaker(rig.folder, "start", bot.name, "--wait")
    assert ended.status == 1
    assert ended.out.startswith(f"{bot.name}: error: ")


async def test_delete_asks_by_name(rig: Rig) -> None:
    """Another answer deletes nothing; `--yes` doesn't ask; without an answer it says how."""
    bot = await rig.running()
    refused = await botmaker(rig.folder, "delete", bot.name, typed="yes\n")
    assert (refused.status, refused.out) == (1, "")
    assert "Nothing was deleted." in refused.err
    silent = await botmaker(rig.folder, "delete", bot.name, typed="")
    assert silent.status == 78
    assert "--yes" in silent.err
    assert rig.active(bot)
    done = await botmaker(rig.folder, "delete", bot.name, typed=f"{bot.name}\n")
    assert (done.status, done.out) == (0, f"{bot.name}: deleted\n")
    await rig.gone(bot)
    other = await rig.create()
    assert (await botmaker(rig.folder, "delete", other.name, "--yes")).status == 0
    await rig.gone(other)


async def test_logs_and_history_come_from_the_controller(rig: Rig) -> None:
    """Redacted, without what could steer a terminal; as JSON too; page by page where it's long."""
    bot = await rig.running()
    secret = SECRETS["api_key"]
    rig.runtime.write_log(bot.id, f"\x1b[2Jit is {secret} \u202egnihton")
    rig.runtime.write_log(bot.id, "the last line")
    shown = await botmaker(rig.folder, "logs", bot.name, "--lines", "2")
    assert shown.status == 0
    first, last = shown.out.splitlines()
    assert last.endswith("Z stdout the last line")
    assert "it is [redacted]" in first
    assert secret not in shown.out
    assert not set(shown.out) & {"\x1b", "\u202e"}
    (line,) = (
        await botmaker(rig.folder, "logs", bot.name, "--grep", "LAST", "--json")
    ).out.splitlines()
    assert json.loads(line)["text"] == "the last line"
    rig.runtime.write_log(bot.id, "\n".join(f"many {number}" for number in range(1200)))
    pages = await botmaker(rig.folder, "logs", bot.name, "--lines", "1100")
    expected = [f"many {number}" for number in range(100, 1200)]
    assert [line.partition("stdout ")[2] for line in pages.out.splitlines()] == expected
    told = await botmaker(rig.folder, "history", bot.name)
    assert told.status == 0
    assert f"{bot.name} ann: bot.create" in told.out
    events = (await botmaker(rig.folder, "history", "--json", "--lines", "1")).json
    assert [event["act"] for event in events] == ["bot.secrets"]


def test_a_followed_log_goes_on_behind_what_was_read(capsys: pytest.CaptureFixture[str]) -> None:
    """After each end that isn't the bot's: a restart of the controller, a reader who was slow."""
    asked: list[str] = []

    class Stammering:
        """A way to a controller whose streams end after a line each."""

        def follow(self, _: str, last: str = "", **__: object) -> Iterator[dict[str, Any]]:
            reason = ("stalled", "shutting-down", "gone")[len(asked)]
            asked.append(last)
            line = {"at": "2026-11-28T05:00:00Z", "stream": "stdout", "text": f"line {len(asked)}"}
            yield {"event": "lines", "id": f"place {len(asked)}", "data": {"lines": [line]}}
            yield {"event": "end", "id": None, "data": {"reason": reason}}

    Following(Stammering(), "shop", "", as_json=False).run(10)  # type: ignore[arg-type]
    assert asked == ["", "place 1", "place 2"]
    out = capsys.readouterr().out
    assert [line[-6:] for line in out.splitlines()] == ["line 1", "line 2", "line 3"]


async def test_a_log_is_followed_until_the_bot_is_gone(rig: Rig) -> None:
    """Each line once, as it comes, redacted; then it ends by itself. `--grep` chooses."""
    bot = await rig.running()
    rig.runtime.write_log(bot.id, "other before")
    plain = await begun(rig.folder, "logs", bot.name, "--follow")
    chosen = await begun(rig.folder, "logs", bot.name, "--follow", "--grep", "OTHER", "--json")
    first = [await asyncio.wait_for(one.stdout.readline(), 30) for one in (plain, chosen)]
    for number in range(5):
        rig.runtime.write_log(bot.id, f"line {number} {SECRETS['api_key']} \x1b[2J")
        rig.runtime.write_log(bot.id, f"other {number}")
        await asyncio.sleep(0.1)  # so that they come in several parts
    await rig.manager.lifecycle.delete(ANN_ASKS, bot)
    (out, err), (told, _) = [
        await asyncio.wait_for(one.communicate(), 30) for one in (plain, chosen)
    ]
    assert (plain.returncode, chosen.returncode) == (0, 0)
    lines = [line.partition(" stdout ")[2] for line in (first[0] + out).decode().splitlines()]
    assert lines[0] == "other before"
    assert lines[1::2] == [f"line {number} [redacted] " for number in range(5)]
    assert lines[2::2] == [f"other {number}" for number in range(5)]
    assert err.decode().splitlines()[-1] == f"— {bot.name} is gone —"
    rows = [json.loads(line) for line in (first[1] + told).splitlines()]
    texts = [row["text"] for row in rows if "text" in row]
    assert texts == ["other before", *(f"other {number}" for number in range(5))]
    assert rows[-1] == {"gone": bot.name}


async def test_tokens_are_made_listed_and_ended(rig: Rig) -> None:
    """The text alone, or in JSON; the list has no secret; an ended one isn't there twice."""
    await rig.create(name="shop")
    made = await botmaker(rig.folder, "token", "create", "one", "--role", "viewer")
    assert (made.status, made.out.count("\n")) == (0, 1)
    words = ("token", "create", "two", "--role", "operator", "--bot", "shop", "--days", "7")
    other = (await botmaker(rig.folder, *words, "--json")).json
    assert rig.manager.tokens.holder(other["text"]).name == "two"
    listed = await botmaker(rig.folder, "token", "list")
    assert [line.split("  ")[0] for line in listed.out.splitlines()] == ["one", "two"]
    assert listed.out.splitlines()[1].endswith("shop")
    assert not any(text in listed.out for text in (made.out.strip(), other["text"]))
    await botmaker(rig.folder, "token", "create", "helper", "--role", "viewer", "--allow-acting")
    (helper,) = (await botmaker(rig.folder, "token", "list", "--json")).json[2:]
    assert (helper["name"], helper["acting"]) == ("helper", True)
    assert "viewer, acting" in (await botmaker(rig.folder, "token", "list")).out
    ended = await botmaker(rig.folder, "token", "revoke", "helper", "--json")
    assert (ended.status, ended.json) == (0, {"revoked": "helper"})
    assert (await botmaker(rig.folder, "token", "revoke", "one")).out == ""
    again = await botmaker(rig.folder, "token", "revoke", "one")
    assert again.status == 1
    assert "`botmaker token list` shows all tokens." in again.err


async def test_a_story_is_told_in_json_too(rig: Rig) -> None:
    """The same lines, each with its time, what it is of, its words, and how often it came."""
    bot = await rig.running()
    lines = (await botmaker(rig.folder, "story", bot.name, "--json")).json
    text = (await botmaker(rig.folder, "story", bot.name)).out
    assert [line["text"] in told for line, told in zip(lines, text.splitlines(), strict=True)]
    assert {"look", "step"} <= {line["what"] for line in lines}
    assert all(line["at"].endswith("Z") and line["times"] >= 1 for line in lines)


async def test_the_doctor_and_the_templates_speak_json(tmp_path: Path) -> None:
    """The same findings and templates, for programs; the status stays."""
    found = await botmaker(tmp_path, "doctor", "--json")
    assert found.status == 1
    assert {"subject", "ok", "message", "remedy"} == set(found.json[0])
    assert False in {one["ok"] for one in found.json}
    (tmp_path / "templates").mkdir()
    listed = await botmaker(tmp_path, "templates", "list", "--json")
    assert listed.status == 0
    assert {"demo", "openclaw"} <= {one["id"] for one in listed.json}


async def test_on_a_terminal_the_list_fits(rig: Rig) -> None:
    """With a header; on a phone's 30 columns the last columns are left out."""
    await rig.create(name="a-bot-with-quite-a-long-name")
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "BOTMAKER_DATA_DIR": str(rig.data)}
    async with seated(["list"], rig.folder, env | {"COLUMNS": "30"}) as seat:
        assert await seat.ends() == 0
        header, row = seat.screen.splitlines()
    assert header.split() == ["NAME", "PHASE", "TEMPLATE"]
    assert row.split() == ["a-bot-with…", "created", "plain"]
    assert len(row) <= 30


async def test_what_no_controller_can_be_asked_is_status_3(tmp_path: Path) -> None:
    """One sentence with what to do. `list` reads what there is instead: nothing yet."""
    (tmp_path / "data").mkdir()
    for words in (("show", "bee"), ("start", "bee"), ("delete", "bee"), ("token", "list")):
        ended = await botmaker(tmp_path, *words)
        assert (ended.status, ended.out) == (3, ""), words
        assert "No controller answers" in ended.err
        assert "botmaker run" in ended.err
    assert (await botmaker(tmp_path, "list")).status == 78


async def test_by_address_it_needs_a_token_and_no_settings(rig: Rig, tmp_path: Path) -> None:
    """The token's rights count, and a wrong setting on the laptop doesn't matter."""
    bot = await rig.running()
    file = tmp_path / "token"
    async with serving(rig) as api:
        file.write_text(await token_of(rig, "viewer", Role.VIEWER) + "\n")
        file.chmod(0o600)
        there = ("--url", api.url, "--token-file", str(file))
        wrong = {"BOTMAKER_GUILD_ID": "words", "BOTMAKER_DATA_DIR": "/absent"}
        listed = await botmaker(tmp_path / "laptop", *there, "list", env=wrong)
        assert (listed.status, listed.out.split()[:2]) == (0, [bot.name, "running"])
        refused = await botmaker(tmp_path / "laptop", *there, "stop", bot.name, env=wrong)
        assert refused.status == 1
        assert "Stopping a bot needs the role operator" in refused.err
        assert rig.active(bot)
        file.write_text("bm_" + "0" * 12 + "_" + "f" * 64)
        unknown = await botmaker(tmp_path / "laptop", *there, "list", env=wrong)
        assert unknown.status == 1
        assert "ffff" not in unknown.err
    gone = await botmaker(tmp_path / "laptop", *there, "list", env=wrong)
    assert gone.status == 3
    assert "can't be reached: connection refused" in gone.err.lower()


@pytest.mark.parametrize(
    ("url", "mode", "text", "words"),
    [
        ("http://bots.example.org", 0o600, "bm_x", "so anybody on the way could read the token"),
        ("ftp://127.0.0.1", 0o600, "bm_x", "isn't an address"),
        ("https://", 0o600, "bm_x", "isn't an address"),
        ("https://a:b@bots.example.org", 0o600, "bm_x", "isn't an address"),
        ("https://bots.example.org:99999", 0o600, "bm_x", "isn't an address"),
        ("http://127.0.0.1:1", 0o640, "bm_x", "its mode is 0640"),
        ("http://127.0.0.1:1", 0o604, "bm_x", "its mode is 0604"),
        ("http://127.0.0.1:1", 0o600, "", "doesn't hold a token"),
        ("http://127.0.0.1:1", 0o600, "two\nlines", "doesn't hold a token"),
        ("http://127.0.0.1:1", None, "", "can't be read"),
    ],
)
async def test_a_way_that_is_not_safe_is_not_taken(
    tmp_path: Path, url: str, mode: int | None, text: str, words: str
) -> None:
    """Status 78 with what to do, and nothing was sent."""
    file = tmp_path / "token"
    if mode is not None:
        file.write_text(text)
        file.chmod(mode)
    ended = await botmaker(tmp_path, "--url", url, "--token-file", str(file), "list")
    assert (ended.status, ended.out) == (78, "")
    assert words in ended.err
    assert "bm_x" not in ended.err


async def test_names_are_completed(rig: Rig) -> None:
    """Of commands and of bots, over the socket; nothing where nobody answers."""
    bot = await rig.create(name="shop-helper")
    await rig.create(name="other")

    def completed(*words: str, data: Path = rig.data) -> list[str]:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("BOTMAKER_DATA_DIR", str(data))
            found = ShellComplete(cli, {}, "botmaker", "_BOTMAKER_COMPLETE")
            return [one.value for one in found.get_completions([*words[:-1]], words[-1])]

    assert await asyncio.to_thread(completed, "sto") == ["story", "stop"]
    assert await asyncio.to_thread(completed, "stop", "sh") == [bot.name]
    nowhere = rig.folder / "absent"
    assert await asyncio.to_thread(lambda: completed("stop", "sh", data=nowhere)) == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
async def test_completion_prints_what_a_shell_can_source(tmp_path: Path, shell: str) -> None:
    """Click's own, for the name `botmaker`."""
    printed = await botmaker(tmp_path, "completion", shell)
    assert printed.status == 0
    assert "_BOTMAKER_COMPLETE" in printed.out


def test_the_help_has_a_line_for_every_command() -> None:
    """None is imported for it, so each line is held to the command here."""
    assert isinstance(cli, LazyGroup)
    context = click.Context(cli)
    for name in COMMANDS:
        command = cli.get_command(context, name)
        assert command is not None
        assert command.name == name
        assert command.help
