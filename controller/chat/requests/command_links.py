"""Commands in texts as links: `</bot edit:123>` opens the command where `/bot edit` is only read.

The numbers come from Discord with the registration. Until they are known, texts stay as they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

import discord

from controller.chat.words.limits import MESSAGE_MAX

_CODE = r"```.*?```|`[^`\n]*`"  # what is shown as it is typed
# A path or an address holds no command, and neither does a link that was made harmless.
_BEFORE = r"(?<![\w/:.<`\u200b])"


class CommandLinks:
    """Knows the commands' numbers, once Discord has told them."""

    def __init__(self) -> None:
        self._ids: dict[str, int] = {}
        self._english: dict[str, str] = {}
        self._found: re.Pattern[str] | None = None

    def learn(
        self, names: Iterable[str], ids: Mapping[str, int], spoken: Mapping[str, str] | None = None
    ) -> None:
        """`names` are all commands with their sub-commands; `ids` the numbers of the top ones.

        `spoken` are the commands by the names that they have in other languages.
        """
        known = {name: ids[name.split()[0]] for name in names if name.split()[0] in ids}
        self._english = {said: name for said, name in (spoken or {}).items() if name in known}
        longest_first = sorted({*known, *self._english}, key=len, reverse=True)
        self._ids = known
        every = "|".join(map(re.escape, longest_first))
        self._found = re.compile(rf"{_CODE}|{_BEFORE}/(?:{every})(?![\w-])", re.DOTALL)

    def linked(self, text: str, limit: int = MESSAGE_MAX) -> str:
        """The text with its commands as links; unchanged where that would be too long.

        `Code` that is exactly a command becomes a link as well; other code stays.
        """
        if self._found is None or not self._ids:
            return text
        made = self._found.sub(self._link, text)
        return made if len(made) <= limit else text

    def _link(self, found: re.Match[str]) -> str:
        said = found[0].strip("`").removeprefix("/")
        name = self._english.get(said, said)
        number = self._ids.get(name)
        return found[0] if number is None else f"</{name}:{number}>"


class LinkingClient(discord.Client):
    """A client that knows the numbers of its commands."""

    command_links: CommandLinks


def linked(client: discord.Client, text: str) -> str:
    """The text with its commands as links, as far as this client knows their numbers."""
    return client.command_links.linked(text) if isinstance(client, LinkingClient) else text
