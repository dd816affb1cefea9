"""`botmaker init` at a terminal and by a pipe, against a Discord of this machine.
Next door: seat.py is the terminal, test_env_file.py has `.env` itself."""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from dotenv import dotenv_values

from tests.cli.seat import COMMAND, CTRL_C, CTRL_D, seated
from tests.conftest import ROOT
from tests.loopback import LoopbackDiscord

pytestmark = pytest.mark.timeout(900)  # a dozen starts of the interpreter, on a busy machine
VIEW, SEND, FILES, HISTORY = 1 << 10, 1 << 11, 1 << 15, 1 << 16
TOKEN = "Bot token, from the developer portal"
WRONG = "wrong.token.of-nobody-at-all"


@pytest.fixture
async def world() -> AsyncIterator[LoopbackDiscord]:
    """A Discord whose admin channel is private, as it should be."""
    async with LoopbackDiscord() as world:
        make_private(world, world.admin_channel_id)
        yield world


def make_private(world: LoopbackDiscord, channel_id: int) -> None:
    """Only the bot's own role sees the channel."""
    everyone = {"id": str(world.guild_id), "type": 0, "allow": "0", "deny": str(VIEW)}
    bot = {"id": str(world.guild.bot_role.id), "type": 0, "allow": str(VIEW), "deny": "0"}
    world.guild.channels[channel_id].overwrites = [everyone, bot]


def environment(world: LoopbackDiscord, folder: Path, **more: str) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "PYTHONPATH": str(ROOT),
        "DOCKER_HOST": f"unix://{folder}/no.sock",
        "BOTMAKER_DISCORD_API_URL": world.api_url,
        "BOTMAKER_DISCORD_GATEWAY_URL": world.gateway_url,
        **more,
    }


async def piped(
    world: LoopbackDiscord, folder: Path, said: str, *words: str, **env: str
) -> tuple[int, str, str]:
    """Run it without a terminal: its status, what it printed, what it complained of."""
    made = await asyncio.create_subprocess_exec(
        *(*COMMAND, "init", *words),
        cwd=folder,
        env=environment(world, folder, **env),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(made.communicate(said.encode()), 120)
    assert made.returncode is not None
    assert "Traceback" not in err.decode()
    assert world.token not in out.decode() + err.decode()
    return made.returncode, out.decode(), err.decode()


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


async def test_from_a_token_to_settings_that_work(world: LoopbackDiscord, tmp_path: Path) -> None:
    """The whole talk: token, server, channel, what was written, and the doctor's findings."""
    async with seated(["init"], tmp_path, environment(world, tmp_path)) as person:
        await person.sees(TOKEN)
        await person.types(world.token)
        told = await person.sees("Server:")
        assert "✅ The token belongs to botmaker" in told
        assert f"client_id={world.application_id}&scope=bot+applications.commands" in told
        assert f"permissions={VIEW | SEND | FILES | HISTORY}" in told
        assert "(view channel, send messages, attach files, read message history)" in told
        assert "BotMaker needs none of Presence, Server Members, Message Content" in told
        await person.sees("1. Loopback")
        await person.types("")
        await person.sees("Admin channel:")
        told = await person.sees("look again [1]: ")
        assert "1. #admin (private)" in told
        assert "2. #general (everybody in the server can read it)" in told
        await person.types("")
        await person.sees("Checking everything (botmaker doctor):")
        assert await person.ends() == 1  # there is no engine here
    assert "✅ settings: complete" in person.screen
    assert "✅ channel: #admin" in person.screen
    assert "❌ engine" in person.screen
    assert world.token not in person.screen
    assert files(tmp_path) == {".env", "discord-token"}
    assert (tmp_path / "discord-token").read_text() == f"{world.token}\n"
    assert dotenv_values(tmp_path / ".env") == {
        "BOTMAKER_DISCORD_TOKEN_FILE": "discord-token",
        "BOTMAKER_GUILD_ID": str(world.guild_id),
        "BOTMAKER_ADMIN_CHANNEL_ID": str(world.admin_channel_id),
    }
    assert mode(tmp_path / ".env") == mode(tmp_path / "discord-token") == 0o600
    assert world.gateway.sessions == 0  # a controller on this token would notice nothing


async def test_a_wrong_token_is_said_and_asked_for_again(
    world: LoopbackDiscord, tmp_path: Path
) -> None:
    """As often as it takes; what the options said is kept."""
    options = ["--server", str(world.guild_id), "--channel", str(world.other_channel_id)]
    async with seated(["init", *options], tmp_path, environment(world, tmp_path)) as person:
        await person.sees(TOKEN)
        await person.types("my bot")
        await person.sees("That doesn't look like a bot token")
        await person.sees(TOKEN)
        await person.types(WRONG)
        await person.sees("❌ Discord doesn't accept this token. Copy it again")
        await person.sees(TOKEN)
        assert files(tmp_path) == set()
        await person.types(world.token)
        await person.sees("Checking everything")
        await person.ends()
    assert WRONG not in person.screen
    written = dotenv_values(tmp_path / ".env")
    assert written["BOTMAKER_ADMIN_CHANNEL_ID"] == str(world.other_channel_id)


@pytest.mark.parametrize("key", [CTRL_C, CTRL_D])
@pytest.mark.parametrize("at", [TOKEN, "Server:", "Admin channel:"])
async def test_stopped_in_between_it_leaves_nothing(
    world: LoopbackDiscord, tmp_path: Path, at: str, key: str
) -> None:
    """Status 130, one line, no file, whichever question was open."""
    async with seated(["init"], tmp_path, environment(world, tmp_path)) as person:
        for question, answer in ((TOKEN, world.token), ("Server:", ""), ("Admin channel:", "")):
            await person.sees(question)
            await asyncio.sleep(0.2)  # the prompt comes right after it
            if question == at:
                await person.presses(key)
                break
            await person.types(answer)
        await person.sees("Stopped. Nothing was written.")
        assert await person.ends() == 130
    assert "Traceback" not in person.screen
    assert files(tmp_path) == set()


async def test_without_a_server_it_shows_the_invite_and_waits(
    world: LoopbackDiscord, tmp_path: Path
) -> None:
    """The person opens the link, adds the bot, and presses Enter."""
    world.invited = False
    async with seated(["init"], tmp_path, environment(world, tmp_path)) as person:
        await person.sees(TOKEN)
        await person.types(world.token)
        told = await person.sees("Press Enter to look again")
        assert "The bot isn't in any server yet. Open the invite link" in told
        await person.types("")
        await person.sees("The bot isn't in any server yet.")
        await person.sees("Press Enter to look again")
        world.invited = True
        await person.types("")
        await person.sees("1. Loopback")


async def test_of_several_servers_one_is_chosen_by_number_or_id(
    world: LoopbackDiscord, tmp_path: Path
) -> None:
    """Sorted by name; a number that isn't there is asked again."""
    world.other_servers = {7: "Another"}
    async with seated(["init"], tmp_path, environment(world, tmp_path)) as person:
        await person.sees(TOKEN)
        await person.types(world.token)
        await person.sees("1. Another")
        await person.sees("2. Loopback")
        await person.types("3")
        await person.sees("There is no 3 in this list.")
        await person.types(str(world.guild_id))
        await person.sees("#admin")


async def test_a_channel_tells_what_the_bot_lacks_there(
    world: LoopbackDiscord, tmp_path: Path
) -> None:
    """Rights are given in Discord meanwhile, and looked up again."""
    everyone, own = world.guild.roles.values()
    everyone.permissions = own.permissions = VIEW | HISTORY
    hidden = world.guild.add_channel("hidden")
    hidden.overwrites = [{"id": str(world.guild_id), "type": 0, "allow": "0", "deny": str(VIEW)}]
    async with seated(["init"], tmp_path, environment(world, tmp_path)) as person:
        await person.sees(TOKEN)
        await person.types(world.token)
        await person.sees("Server:")
        await person.types("1")
        told = await person.sees("2. #general")
        assert "1 more can't be seen: the bot's role needs View Channel there." in told
        assert "1. #admin (private; the bot lacks: send messages, attach files)" in told
        await person.sees("look again: ")
        own.permissions |= SEND | FILES
        hidden.overwrites = []
        await person.types("r")
        told = await person.sees("3. #hidden")
        assert "1. #admin (private)\n" in told


async def test_discord_away_is_asked_again_without_typing_the_token_again(
    world: LoopbackDiscord, tmp_path: Path
) -> None:
    """An outage says nothing about the token."""
    with world.fault("GET", r"/users/@me$", status=503, times=1):
        async with seated(["init"], tmp_path, environment(world, tmp_path)) as person:
            await person.sees(TOKEN)
            await person.types(world.token)
            await person.sees("❌ Discord could not be reached")
            await person.sees("Press Enter to look again")
            await person.types("")
            await person.sees("✅ The token belongs to botmaker")


async def test_an_env_that_exists_is_merged_after_a_question(
    world: LoopbackDiscord, tmp_path: Path
) -> None:
    """It says what would change; a no leaves every file as it was; a yes keeps all the rest."""
    before = (
        "# mine\nBOTMAKER_GUILD_ID=5\n\nBOTMAKER_LOG_LEVEL=DEBUG # loud\n"
        "BOTMAKER_DISCORD_TOKEN=old.token.in-the-file-itself\n"
    )
    (tmp_path / ".env").write_text(before)
    for answer in ("no", "yes"):
        async with seated(["init"], tmp_path, environment(world, tmp_path)) as person:
            await person.sees("(Enter keeps the one you have)")
            await person.types(world.token)
            await person.sees("look again [1]: ")
            await person.types("")
            await person.sees("look again [1]: ")
            await person.types("")
            told = await person.sees("Change that?")
            assert f".env: BOTMAKER_GUILD_ID: 5 → {world.guild_id}\n" in told
            assert ".env: BOTMAKER_DISCORD_TOKEN: moves into the file discord-token\n" in told
            assert "LOG_LEVEL" not in told
            await person.types(answer)
            await person.ends()
        assert "old.token" not in person.screen
        if answer == "no":
            assert "Stopped. Nothing was written." in person.screen
            assert (tmp_path / ".env").read_text() == before
            assert files(tmp_path) == {".env"}
    after = (tmp_path / ".env").read_text()
    assert after.startswith(f"# mine\nBOTMAKER_GUILD_ID={world.guild_id}\n\n")
    assert "\nBOTMAKER_LOG_LEVEL=DEBUG # loud\n" in after
    assert "old.token" not in after
    assert f"BOTMAKER_ADMIN_CHANNEL_ID={world.admin_channel_id}\n" in after


async def test_a_second_time_enter_keeps_everything(world: LoopbackDiscord, tmp_path: Path) -> None:
    """The token that is set, the server, the channel; no file is touched."""
    await piped(world, tmp_path, f"{world.token}\n1\n2\n")
    seen = {name: (tmp_path / name).stat().st_mtime_ns for name in files(tmp_path)}
    async with seated(["init"], tmp_path, environment(world, tmp_path)) as person:
        await person.sees("(Enter keeps the one you have)")
        await person.types("")
        await person.sees("look again [1]: ")
        await person.types("")
        await person.sees("look again [2]: ")
        await person.types("")
        await person.sees(".env: nothing to change")
        await person.ends()
    assert {name: (tmp_path / name).stat().st_mtime_ns for name in files(tmp_path)} == seen


async def test_by_a_pipe_the_answers_are_lines(world: LoopbackDiscord, tmp_path: Path) -> None:
    """Token, server, channel; or only the token, and options for the rest."""
    status, out, _ = await piped(world, tmp_path, f"{world.token}\n\n1\n")
    assert status == 1  # the doctor finds no engine
    assert ".env: BOTMAKER_GUILD_ID: " in out
    status, _, err = await piped(
        world, tmp_path, f"{world.token}\n", "--server", str(world.guild_id), "--channel", "9"
    )
    assert status == 78
    assert "The bot sees no text channel 9 in Loopback." in err


async def test_a_pipe_that_says_too_little_is_told_the_option(
    world: LoopbackDiscord, tmp_path: Path
) -> None:
    """One sentence, status 78, and nothing is written."""
    for said, words in (
        ("", "Give the token on standard input, or use --token-file."),
        (f"{WRONG}\n", "Discord doesn't accept this token."),
        (f"{world.token}\n", "or use --server."),
        (f"{world.token}\n1\n", "or use --channel."),
    ):
        status, _, err = await piped(world, tmp_path, said)
        assert status == 78, said
        assert words in err
        assert err.count("botmaker: ") == 1
    assert files(tmp_path) == set()
    (tmp_path / ".env").write_text("BOTMAKER_GUILD_ID=5\n")
    status, _, err = await piped(world, tmp_path, f"{world.token}\n1\n1\n")
    assert (status, "Use --replace to change it." in err) == (78, True)
    assert (tmp_path / ".env").read_text() == "BOTMAKER_GUILD_ID=5\n"
    await piped(world, tmp_path, f"{world.token}\n1\n1\n", "--replace")
    assert f"BOTMAKER_GUILD_ID={world.guild_id}\n" in (tmp_path / ".env").read_text()


async def test_a_token_file_stays_where_it_is(world: LoopbackDiscord, tmp_path: Path) -> None:
    """`.env` names it, nothing is copied, and a mode that others can read is said."""
    kept = tmp_path / "my secrets" / "token"
    kept.parent.mkdir()
    kept.write_text(f"{world.token}\n")
    kept.chmod(0o644)
    status, out, _ = await piped(world, tmp_path, "1\n1\n", "--token-file", str(kept))
    assert status == 1
    assert f"Others can read the token: chmod 600 {kept}" in out
    assert dotenv_values(tmp_path / ".env")["BOTMAKER_DISCORD_TOKEN_FILE"] == str(kept)
    assert files(tmp_path) == {".env", "my secrets"}


async def test_what_the_environment_sets_otherwise_is_said(
    world: LoopbackDiscord, tmp_path: Path
) -> None:
    """It comes before `.env`, so the answers wouldn't count."""
    said = f"{world.token}\n1\n1\n"
    _, out, _ = await piped(world, tmp_path, said, BOTMAKER_GUILD_ID="5")
    assert "The environment sets BOTMAKER_GUILD_ID otherwise and comes first: unset it." in out


async def test_a_folder_that_cannot_be_used_is_said_before_any_question(
    world: LoopbackDiscord, tmp_path: Path
) -> None:
    """A settings file that isn't text, for one."""
    (tmp_path / ".env").write_text("A=1", "utf-16")
    status, out, err = await piped(world, tmp_path, f"{world.token}\n1\n1\n")
    assert (status, out) == (78, "")
    assert ".env can't be read" in err
