"""The commands' names and descriptions as Discord shows them, in each reader's language.

Discord is told all of them when the commands are registered, and nothing of them stays in memory.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

import discord
from discord import app_commands
from discord.app_commands import TranslationContextLocation as Location

from controller.chat.languages.dictionary import LANGUAGES, Commands, read_commands
from controller.chat.languages.speech import language_of


class CommandNames(app_commands.Translator):
    """Words names, options, descriptions and choices."""

    def __init__(self) -> None:
        super().__init__()
        self._commands: dict[str, Commands] = {}

    async def load(self) -> None:
        """Read every language."""
        thread = ThreadPoolExecutor(1, "language")
        try:
            loop = asyncio.get_running_loop()
            for language in LANGUAGES:
                found = await loop.run_in_executor(thread, read_commands, language)
                self._commands[language] = found
        finally:
            thread.shutdown(wait=False)

    def english(self, names: Iterable[str]) -> dict[str, str]:
        """The commands by the names that they have in each language."""
        return {commands.path(name): name for name in names for commands in self._commands.values()}

    async def translate(
        self,
        string: app_commands.locale_str,
        locale: discord.Locale,
        context: app_commands.TranslationContextTypes,
    ) -> str | None:
        """What a client of that locale shows; None for the English."""
        commands = self._commands.get(language_of(locale.value))
        if commands is None:
            return None
        data = context.data
        if isinstance(data, app_commands.Group | app_commands.Command) and _is_name(context):
            return commands.names.get(data.qualified_name)
        if context.location is Location.parameter_name:
            return commands.options.get(string.message)
        return commands.texts.get(string.message)


def _is_name(context: app_commands.TranslationContextTypes) -> bool:
    return context.location in {Location.command_name, Location.group_name}
