"""One language's catalogue, read from its folder beside this file."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from controller.chat.languages.recognition import Recognition

LANGUAGES = ("de", "es")
_HERE = Path(__file__).parent
_COMMAND = re.compile(r"(?<![\w/.])/([a-z]+(?: [a-z]+)*)")


@dataclass(frozen=True, slots=True)
class Commands:
    """What Discord shows of the commands: names by their English path, other texts by English."""

    names: Mapping[str, str]
    options: Mapping[str, str]
    texts: Mapping[str, str]

    def path(self, english: str) -> str:
        """`bot create` with the names that people of this language see."""
        words = english.split(" ")
        return " ".join(
            self.names.get(" ".join(words[:end]), words[end - 1])
            for end in range(1, len(words) + 1)
        )

    def mentioned(self, text: str) -> str:
        """The text with the names of this language in every command that it mentions."""
        return _COMMAND.sub(lambda found: "/" + self._known(found[1]), text)

    def _known(self, words: str) -> str:
        """The command at the beginning of these words; what follows it stays."""
        said = words.split(" ")
        for end in range(len(said), 0, -1):
            known = " ".join(said[:end])
            if known in self.names:
                return " ".join([self.path(known), *said[end:]])
        return words


@dataclass(frozen=True, slots=True)
class Dictionary:
    """Everything that is said in one language, by its English."""

    commands: Commands
    sentences: Mapping[str, str]
    counted: Mapping[str, tuple[str, str]]  # one, many
    recognition: Recognition  # of what comes from below chat, and from the templates


def read_commands(language: str) -> Commands:
    """What Discord shows of the commands in a language. Reads a small file."""
    found = _table(language, "commands")
    return Commands(found["names"], found["options"], found["texts"])


def read_dictionary(language: str) -> Dictionary:
    """A language's catalogue. Reads and parses its files: not on the event loop."""
    commands = read_commands(language)
    found = _table(language, "sentences")
    sentences, below, templates = (
        {english: commands.mentioned(said) for english, said in found[name].items()}
        for name in ("sentences", "below", "templates")
    )
    whole = {english: said for english, said in sentences.items() if "{" not in english}
    return Dictionary(
        commands,
        {**commands.texts, **sentences},  # a description is said in the help, too
        {one: (said[0], said[1]) for one, said in found["counted"].items()},
        Recognition({**commands.texts, **whole, **templates, **below}),
    )


def _table(language: str, name: str) -> Mapping[str, Mapping[str, str]]:
    return tomllib.loads((_HERE / language / f"{name}.toml").read_text("utf-8"))
