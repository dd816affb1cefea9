"""`botmaker init`: from a bot token to settings that work. It asks, writes, and calls the doctor.

Nothing is written before everything is known, so whoever stops it in between changes nothing.
"""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import Callable, Coroutine, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import click

from controller.chat import footprint, redirect_discord
from controller.chat.survey import (
    Account,
    Channel,
    Channels,
    Server,
    look_up_account,
    look_up_channels,
)
from controller.cli import first_settings, offline
from controller.cli.first_settings import CHANNEL, GUILD, TOKEN_FILE, Token
from controller.cli.outcome import INTERRUPTED, status_of
from controller.cli.terminal import Terminal
from controller.domain.errors import BadSetting, DiscordTrouble
from controller.settings import ENV_FILE, TOKEN_MAX, Reading, Settings, read_settings, read_text

T = TypeVar("T")
_TOKEN = re.compile(r"[!-~]{20,200}")
_PRESS = "Press Enter to look again"
_AGAIN = "r"


@click.command("init")
@click.option(
    "--token-file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Use the token in this file, which stays where it is.",
)
@click.option("--server", type=int, default=0, metavar="ID", help="The server's id.")
@click.option("--channel", type=int, default=0, metavar="ID", help="The admin channel's id.")
@click.option("--replace", is_flag=True, help="Replace what is set otherwise, without asking.")
def init_command(token_file: Path | None, server: int, channel: int, *, replace: bool) -> None:
    """Set BotMaker up in this folder: asks for the bot token, the server and the channel.

    Writes .env and the token's file, and ends with the doctor. Without a terminal, the answers are
    read from standard input, a line each, the token first.
    """
    set_up = SetUp(Terminal(), token_file, server, channel, replace=replace)
    sys.exit(status_of(set_up.run))


class SetUp:
    """The questions, in their order, and what follows from the answers."""

    def __init__(
        self,
        terminal: Terminal,
        token_file: Path | None,
        server: int,
        channel: int,
        *,
        replace: bool,
    ) -> None:
        self._terminal = terminal
        self._token_file = token_file
        self._server_id = server
        self._channel_id = channel
        self._replace = replace
        self._written = False

    def run(self) -> int:
        """Ask, write, check; the exit status."""
        try:
            self._ask_and_write(_usable(read_settings()))
            self._terminal.say("\nChecking everything (botmaker doctor):\n")
            status = asyncio.run(offline.doctor(read_settings(), self._terminal.say))
        except KeyboardInterrupt:
            what = (
                "Everything is written; botmaker doctor checks it."
                if self._written
                else ("Nothing was written.")
            )
            self._terminal.say(f"\nStopped. {what}")
            return INTERRUPTED
        ready = "\nNext: botmaker run, then look into the admin channel."
        self._terminal.say("\nFix what is marked ❌, then: botmaker doctor" if status else ready)
        return status

    def _ask_and_write(self, settings: Settings) -> None:
        token, account = self._token(settings)
        self._tell_about(account)
        server = self._server(token, account, settings.guild_id)
        channel = self._channel(token, server, settings.admin_channel_id)
        changed = first_settings.changes(token, server.id, channel.id)
        self._confirm(token, changed)
        self._terminal.say()
        for line in first_settings.write(token, changed):
            self._terminal.say(f"  {line}")
        self._written = True
        self._warn(token, server.id, channel.id)

    # The token

    def _token(self, settings: Settings) -> tuple[Token, Account]:
        """A token that Discord accepts, and whose it is."""
        token = self._from_file()
        while True:
            token = token or self._typed(settings)
            try:
                return token, self._look(partial(look_up_account, token.value))
            except BadSetting as error:
                self._complain(error)
            token = None

    def _from_file(self) -> Token | None:
        """The token in the file that the option names."""
        if self._token_file is None:
            return None
        value = read_text(self._token_file, TOKEN_MAX).strip()
        if not _TOKEN.fullmatch(value):
            raise BadSetting(
                f"{self._token_file} doesn't hold a bot token.",
                hint="It must hold the token and nothing else.",
            )
        return Token(value, self._token_file.absolute())

    def _typed(self, settings: Settings) -> Token:
        """What the person enters; the token that is set already if they enter nothing."""
        known = _known_token(settings)
        keep = " (Enter keeps the one you have)" if known else ""
        question = f"Bot token, from the developer portal under Bot{keep}"
        while True:
            typed = self._terminal.ask_hidden(
                question, without="Give the token on standard input, or use --token-file."
            )
            typed = typed.removeprefix("Bot ").strip()
            if not typed and known is not None:
                return known
            if _TOKEN.fullmatch(typed):
                return Token(typed)
            what = "That doesn't look like a bot token: it has 50 or more letters, digits and dots."
            self._complain(BadSetting(what, hint="Reset Token in the developer portal shows one."))

    def _look(self, ask: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """What Discord answers. If it can't be asked now, it is asked again when the person says.

        BadSetting if it doesn't accept the token.
        """
        while True:
            try:
                return asyncio.run(ask())
            except DiscordTrouble as error:
                self._complain(error)
                self._terminal.ask(_PRESS)

    def _complain(self, error: BadSetting | DiscordTrouble) -> None:
        """Say it and go on, if somebody is there to answer again; else raise it."""
        if not self._terminal.interactive:
            raise error
        self._terminal.say(f"❌ {error}")

    def _tell_about(self, account: Account) -> None:
        say = self._terminal.say
        say(f"✅ The token belongs to {account.name}.")
        say("\nInvite link, with exactly the permissions that BotMaker needs")
        say(f"({', '.join(footprint.needed_permissions())}):\n  {account.invite}")
        on, off = footprint.privileged_intents(), footprint.unused_intents()
        if on:
            say(f"Intents: turn on {_listed(on)} in the developer portal under Bot.")
        else:
            say(f"Intents: BotMaker needs none of {_listed(off)}; leave them off.")
        if account.code_grant:
            say("⚠️ Turn “Requires OAuth2 Code Grant” off under Bot, or no invite link works.")

    # Where

    def _server(self, token: Token, account: Account, now: int) -> Server:
        """The server, from those that the token sees."""
        while True:
            servers = account.servers
            if not servers:
                self._wait_for(
                    "The bot isn't in any server yet.",
                    f"Open the invite link and choose your server: {account.invite}",
                )
            else:
                at = self._named([one.id for one in servers], self._server_id)
                if at is None and self._server_id:
                    self._complain(
                        BadSetting(
                            f"The bot isn't in a server with the id {self._server_id}.",
                            hint=f"Add it with the invite link: {account.invite}",
                        )
                    )
                    self._server_id = 0
                if at is None:
                    lines = {one.id: one.name for one in servers}
                    at = self._pick("Server", lines, now, "--server")
                if at is not None:
                    return servers[at]
            account = self._look(partial(look_up_account, token.value))

    def _channel(self, token: Token, server: Server, now: int) -> Channel:
        """The admin channel, from those that the bot sees there."""
        while True:
            found = self._look(partial(look_up_channels, token.value, server.id))
            if not found.seen:
                self._wait_for(
                    f"The bot sees no text channel in {server.name}.",
                    "Create a private one and give the bot's role View Channel there.",
                )
                continue
            at = self._named([one.id for one in found.seen], self._channel_id)
            if at is None and self._channel_id:
                self._complain(
                    BadSetting(
                        f"The bot sees no text channel {self._channel_id} in {server.name}.",
                        hint="Give its role View Channel there.",
                    )
                )
                self._channel_id = 0
            if at is None:
                at = self._pick_channel(found, now)
            if at is not None:
                return found.seen[at]

    def _pick_channel(self, found: Channels, now: int) -> int | None:
        if found.hidden:
            self._terminal.say(
                f"\n{found.hidden} more can't be seen: the bot's role needs View Channel there."
            )
        fine = [one.id for one in found.seen if not one.everybody and not one.missing]
        lines = {one.id: _described(one) for one in found.seen}
        return self._pick("Admin channel", lines, now or (*fine, 0)[0], "--channel")

    @staticmethod
    def _named(ids: Sequence[int], wanted: int) -> int | None:
        """Where the id that an option names stands in the list."""
        return ids.index(wanted) if wanted in ids else None

    def _wait_for(self, what: str, hint: str) -> None:
        """Say what is missing, and wait for the person to have done it."""
        self._complain(BadSetting(what, hint=hint))
        self._terminal.ask(_PRESS)

    def _pick(self, what: str, lines: Mapping[int, str], default: int, option: str) -> int | None:
        """Which line the person chooses, by its number or its id; None to look again."""
        self._terminal.say(f"\n{what}:")
        for number, line in enumerate(lines.values(), 1):
            self._terminal.say(f"  {number}. {line}")
        ids = list(lines)
        shown = str(ids.index(default) + 1) if default in ids else "1" if len(ids) == 1 else ""
        while True:
            answer = self._terminal.ask(
                f"Its number, or {_AGAIN} to look again",
                shown,
                without=f"Give its number on standard input, or use {option}.",
            )
            if answer.lower() == _AGAIN:
                return None
            found = int(answer) if answer.isascii() and answer.isdigit() else 0
            if found in ids:
                return ids.index(found)
            if 1 <= found <= len(ids):
                return found - 1
            self._complain(BadSetting(f"There is no {answer or 'empty'} in this list."))

    # Writing

    def _confirm(self, token: Token, changed: Sequence[first_settings.Change]) -> None:
        """Ask before anything that somebody chose is replaced. KeyboardInterrupt for a no."""
        replaced = [f".env: {change}" for change in changed if change.overwrites]
        if first_settings.other_token_there(token):
            replaced.append(f"{first_settings.OWN_TOKEN_FILE}: another token → this one")
        if not replaced or self._replace:
            return
        self._terminal.say("\nThis would change:")
        for line in replaced:
            self._terminal.say(f"  {line}")
        if not self._terminal.confirm("Change that?", without="Use --replace to change it."):
            raise KeyboardInterrupt

    def _warn(self, token: Token, server_id: int, channel_id: int) -> None:
        """Say what would spoil it although it is written."""
        written: dict[str, str | None] = {GUILD: str(server_id), CHANNEL: str(channel_id)}
        written[TOKEN_FILE] = str(token.kept_in or first_settings.OWN_TOKEN_FILE)
        for name in first_settings.overruled(written):
            self._terminal.say(
                f"⚠️ The environment sets {name} otherwise and comes first: unset it."
            )
        if token.kept_in is not None and first_settings.read_by_others(token.kept_in):
            self._terminal.say(f"⚠️ Others can read the token: chmod 600 {token.kept_in}")


def _usable(reading: Reading) -> Settings:
    """The settings so far. BadSetting where init can't work with them or in this folder."""
    for name in (ENV_FILE, *sorted(offline.DISCORD_URLS)):
        if name in reading.faults:
            raise BadSetting(f"{name}: {reading.faults[name]}.", hint="Fix that first.")
    if not first_settings.writable(Path.cwd()):
        raise BadSetting(
            f"This user can't write in {Path.cwd()}.",
            hint="Run botmaker init in the folder that BotMaker shall live in.",
        )
    redirect_discord(reading.settings.discord_api_url, reading.settings.discord_gateway_url)
    return reading.settings


def _known_token(settings: Settings) -> Token | None:
    """The token that is set already, if it can be read."""
    try:
        value = settings.token()
    except BadSetting:
        return None
    return Token(value, settings.discord_token_file) if _TOKEN.fullmatch(value) else None


def _described(channel: Channel) -> str:
    notes = ["everybody in the server can read it"] if channel.everybody else ["private"]
    if channel.missing:
        notes.append(f"the bot lacks: {', '.join(channel.missing)}")
    return f"#{channel.name} ({'; '.join(notes)})"


def _listed(words: Sequence[str]) -> str:
    return ", ".join(words)
