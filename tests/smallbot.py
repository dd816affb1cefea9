"""A small real discord.py bot, for testing the loopback Discord.
Next door: test_loopback_discord.py uses it; it contains nothing of BotMaker."""

from __future__ import annotations

import asyncio
import contextlib
import io
from collections.abc import AsyncIterator
from typing import Any

import discord
import pytest
import yarl
from discord import app_commands
from discord.gateway import DiscordWebSocket
from discord.http import Route

from tests.loopback import LoopbackDiscord

Interaction = discord.Interaction[discord.Client]


def point_discord_at(world: LoopbackDiscord, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Route, "BASE", world.api_url)
    monkeypatch.setattr(DiscordWebSocket, "DEFAULT_GATEWAY", yarl.URL(world.gateway_url))


class Secrets(discord.ui.Modal):
    """A form with one required secret, routed by its custom_id."""

    def __init__(self) -> None:
        super().__init__(title="Secrets for shop", custom_id="m:secrets:7")
        self.add_item(discord.ui.TextDisplay("Kept in a file, never shown."))
        entry: discord.ui.TextInput[Any] = discord.ui.TextInput(custom_id="api_key", max_length=80)
        self.add_item(discord.ui.Label(text="API key", component=entry))
        bare: discord.ui.TextInput[Any] = discord.ui.TextInput(
            custom_id="note", label="Note", required=False, style=discord.TextStyle.paragraph
        )
        self.add_item(bare)


class SmallBot(discord.Client):
    """As much of a bot as testing the loopback needs."""

    def __init__(self, world: LoopbackDiscord) -> None:
        super().__init__(intents=discord.Intents(guilds=True), guild_ready_timeout=0.05)
        self.guild = discord.Object(world.guild_id)
        self.tree = app_commands.CommandTree(self)
        self.tree.error(self.failed)
        self.tree.add_command(_group(self), guild=self.guild)
        self.failures: asyncio.Queue[BaseException] = asyncio.Queue()
        self.submitted: list[dict[str, Any]] = []
        self.seen: list[int] = []

    async def setup_hook(self) -> None:
        await self.tree.sync(guild=self.guild)

    async def failed(self, _: Interaction, error: app_commands.AppCommandError) -> None:
        cause = error.original if isinstance(error, app_commands.CommandInvokeError) else error
        self.failures.put_nowait(cause)

    async def next_failure(self) -> BaseException:
        return await asyncio.wait_for(self.failures.get(), 2)

    async def on_interaction(self, interaction: Interaction) -> None:
        self.seen.append(interaction.id)
        data: Any = interaction.data
        if interaction.type is discord.InteractionType.component:
            await self.clicked(interaction, data)
        elif interaction.type is discord.InteractionType.modal_submit:
            self.submitted.append(data)
            if data["custom_id"] != "m:secrets:7":
                return  # discord.py routes it to its stored modal
            await interaction.response.send_message("stored", ephemeral=True)

    async def clicked(self, interaction: Interaction, data: dict[str, Any]) -> None:
        if data["custom_id"] == "enter":
            modal = Secrets()
            modal.stop()
            await interaction.response.send_modal(modal)
        elif data["custom_id"] == "manage":
            await interaction.response.send_modal(Everything())
        elif data["custom_id"] == "whoami":
            await interaction.response.send_message(f"guild {interaction.guild_id}")
        elif data["custom_id"] == "bump":
            await interaction.response.edit_message(content="bumped", view=None)
        elif data["custom_id"] == "pick":
            await interaction.response.send_message(f"picked {data['values']}")


class Everything(discord.ui.Modal, title="Every input"):
    """A form with one input of each newer kind."""

    who: discord.ui.Label[Any] = discord.ui.Label(
        text="Who", component=discord.ui.UserSelect(custom_id="who")
    )
    which: discord.ui.Label[Any] = discord.ui.Label(
        text="Which",
        component=discord.ui.Select(
            custom_id="which", options=[discord.SelectOption(label="One", value="1")]
        ),
    )
    file: discord.ui.Label[Any] = discord.ui.Label(
        text="File", component=discord.ui.FileUpload(custom_id="file")
    )
    mode: discord.ui.Label[Any] = discord.ui.Label(
        text="Mode",
        component=discord.ui.RadioGroup(
            custom_id="mode", options=[discord.RadioGroupOption(label=x, value=x) for x in "xy"]
        ),
    )
    sure: discord.ui.Label[Any] = discord.ui.Label(
        text="Sure", component=discord.ui.Checkbox(custom_id="sure")
    )

    async def on_submit(self, interaction: Interaction) -> None:
        parts: dict[str, Any] = {}
        for label in (self.who, self.which, self.file, self.mode, self.sure):
            item: Any = label.component
            value = item.values[0] if hasattr(item, "values") else item.value
            if isinstance(value, discord.Attachment):
                value = f"{value.filename}:{(await value.read()).decode()}"
            parts[item.custom_id] = value
        text = " ".join(f"{key}={value}" for key, value in parts.items())
        await interaction.response.send_message(text)


class Board(discord.ui.LayoutView):
    """A section with a button, in a container."""

    def __init__(self) -> None:
        super().__init__(timeout=None)
        button: discord.ui.Button[Any] = discord.ui.Button(label="Manage", custom_id="manage")
        section: discord.ui.Section[Any] = discord.ui.Section("shop: running", accessory=button)
        self.add_item(discord.ui.Container(section))
        self.stop()


def _group(bot: SmallBot) -> app_commands.Group:
    group = app_commands.Group(name="bot", description="Bots")

    @group.command(name="create", description="Makes one")
    async def create(
        interaction: Interaction, name: str, channel: discord.TextChannel | None = None
    ) -> None:
        await interaction.response.defer(ephemeral=True)
        await interaction.edit_original_response(content=f"made {name} in {channel}")
        view = _buttons(("Enter secrets", "enter"))
        try:
            await interaction.user.send("Secrets for shop", view=view)
        except discord.Forbidden:
            await interaction.followup.send("your DM is closed", view=view, ephemeral=True)

    @group.command(name="show", description="Shows one")
    async def show(interaction: Interaction, name: str, user: discord.Member | None = None) -> None:
        roles = [role.name for role in user.roles] if user else []
        await interaction.response.send_message(f"{name} {user} {roles}")

    @show.autocomplete("name")
    async def names(_: Interaction, current: str) -> list[app_commands.Choice[str]]:
        known = ["shop", "shed", "barn"]
        return [app_commands.Choice(name=n, value=n) for n in known if n.startswith(current)]

    @group.command(name="logs", description="Its logs")
    async def logs(interaction: Interaction) -> None:
        file = discord.File(io.BytesIO(b"line 1\nline 2\n"), "shop.log")
        await interaction.response.send_message("the log", file=file)

    @group.command(name="panel", description="Buttons")
    async def panel(interaction: Interaction) -> None:
        view = _buttons(("Bump", "bump"))
        options = [discord.SelectOption(label="One", value="1")]
        view.add_item(discord.ui.Select(custom_id="pick", placeholder="Which?", options=options))
        await interaction.response.send_message("panel", view=view)

    @group.command(name="board", description="Components V2")
    async def board(interaction: Interaction) -> None:
        await interaction.response.send_message(view=Board())

    @group.command(name="long", description="Too long")
    async def long(interaction: Interaction, empty: bool = False) -> None:
        await interaction.response.send_message("" if empty else "x" * 2001)

    @group.command(name="slow", description="Answers late")
    async def slow(interaction: Interaction) -> None:
        await asyncio.sleep(0.3)
        await interaction.response.send_message("late")

    return group


def _buttons(*pairs: tuple[str, str]) -> discord.ui.View:
    view = discord.ui.View(timeout=None)
    for label, custom_id in pairs:
        view.add_item(discord.ui.Button(label=label, custom_id=custom_id))
    view.stop()
    return view


@contextlib.asynccontextmanager
async def running(bot: discord.Client, world: LoopbackDiscord) -> AsyncIterator[None]:
    task = asyncio.create_task(bot.start(world.token))
    try:
        await world.wait_ready(timeout=5)
        yield
    finally:
        await bot.close()
        await asyncio.wait([task])
