"""The catalogues are complete, and nothing is said past them: held against the code's own text."""

from __future__ import annotations

import re
import string
import tomllib
from collections import Counter
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import pytest

from controller.chat.languages.dictionary import LANGUAGES, read_dictionary
from controller.chat.languages.recognition import PLACEHOLDER
from controller.chat.requests.ways import ELSEWHERE
from controller.chat.words.limits import (
    BUTTON_LABEL_MAX,
    INPUT_HINT_MAX,
    INPUT_LABEL_MAX,
    OPTION_MAX,
)
from controller.domain.acts import ACTS
from controller.domain.batches import Verb
from controller.domain.observation import ContainerState
from controller.domain.phase import Phase
from controller.domain.roles import Role
from controller.domain.schedules import Chore
from tests.chat import spoken
from tests.conftest import ROOT

COMMAND_NAME = re.compile(r"[-_\w]{1,32}")  # Discord's rule for names of commands and options
# Texts in chat that look like sentences, and aren't read there: addresses, units, names of classes.
NOT_SENTENCES = re.compile(
    r"(batch|button|modal|outbox|updates) .*|(\{\} )?(KiB|MB|MiB|GiB|KiB/s)|BotMaker"
    r"|Announcer|ControllerClient|Place|Progress|Publisher|incident( \{\})+"
)
# Below chat: modules whose errors only the console, HTTP or a start says.
NOT_IN_DISCORD = re.compile(
    r"runtime/(validation|memory\w*|options|ssh_transport)|manager/(adoption|restor\w+|webhooks"
    r"|worker_deployments)|domain/(webhook\w*|errors)|catalog/(foreign|draft|loading)|services/"
    r"cloudflare|store/(copies|archive|rows)|vault/(key_files|webhook_keys)"
)
# Only a start says these, the console, HTTP or a log.
NOT_READ = re.compile(
    r"database \{\} (has|is of) a|There is no database|Start (this|the)|Stop that one|Run the newer"
    r"|already a webhook|no such operation|still owed"
)


@cache
def table(language: str, name: str) -> Mapping[str, Mapping[str, str]]:
    """One of a language's files."""
    path = ROOT / "controller/chat/languages" / language / f"{name}.toml"
    return tomllib.loads(path.read_text())


def short(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_sentence_of_chat_is_in_the_catalogue_and_no_other(language: str) -> None:
    """A sentence that the code no longer says goes from the catalogue too."""
    said = {text for text in spoken.said() if not NOT_SENTENCES.fullmatch(text)}
    said -= set(table(language, "commands")["texts"])
    found = set(table(language, "sentences")["sentences"])
    assert sorted(said - found) == []
    assert sorted(found - spoken.said()) == []
    assert set(table(language, "sentences")["counted"]) == spoken.counted()


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_text_of_the_built_in_templates_is_in_the_catalogue(language: str) -> None:
    """And nothing else."""
    assert set(table(language, "sentences")["templates"]) == spoken.of_templates()


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_error_that_may_reach_discord_is_in_the_catalogue(language: str) -> None:
    """By its pattern."""
    sentences = table(language, "sentences")
    whole = {text for text in sentences["sentences"] if "{" not in text}
    known = {spoken.bare(text) for text in {*sentences["below"], *whole}}
    asked = {spoken.bare(text) for text in spoken.raised(NOT_IN_DISCORD)}
    assert sorted(text for text in asked - known if not NOT_READ.search(text)) == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_phase_role_and_act_has_a_word(language: str) -> None:
    """They are filled into sentences, or begin a refusal."""
    below = table(language, "sentences")["below"]
    acts = {act.sentence for act in ACTS.values() if act not in ELSEWHERE}
    words = {phase.value for phase in Phase} | {role.word for role in Role if role is not Role.NONE}
    words |= {one.value for one in (*Verb, *Chore, *ContainerState)}
    assert sorted((acts | words) - set(below)) == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_kept_for_below_chat_is_still_said_there(language: str) -> None:
    """A text of nobody's any more goes from the catalogue."""
    every = spoken.anywhere()
    dead = [
        text
        for text in table(language, "sentences")["below"]
        if not _stands_in(spoken.bare(text).rstrip("."), every)
    ]
    assert dead == []


def _stands_in(text: str, every: str, parts: int = 3) -> bool:
    """Whether the code has the text: in one piece, or in a few that it puts together."""
    if text in every:
        return True
    at = text.find(" ")
    while parts > 1 and at > 0:
        if text[:at] in every and _stands_in(text[at + 1 :], every, parts - 1):
            return True
        at = text.find(" ", at + 1)
    return False


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_translation_loses_a_placeholder(language: str) -> None:
    """Nor has one of its own, nor a mark of Markdown or a space at its ends less."""
    for name in ("sentences", "below"):
        for english, said in table(language, "sentences")[name].items():
            assert _placeholders(said) == _placeholders(english), english
            assert said.strip(), english
            assert said.count("\n") == english.count("\n"), english
            assert _ends(said) == _ends(english), english
            assert said.count("**") == english.count("**"), english
    for english, said in table(language, "sentences")["templates"].items():
        assert said.strip(), english
        assert said.count("`") == english.count("`"), english


def _placeholders(text: str) -> Counter[str | None]:
    return Counter(name for _, name, _, _ in string.Formatter().parse(text) if name is not None)


def _ends(text: str) -> tuple[str, str]:
    return text[: len(text) - len(text.lstrip())], text[len(text.rstrip()) :]


@pytest.mark.parametrize("path", spoken.chat_modules(), ids=short)
def test_nothing_is_said_past_the_catalogue(path: Path) -> None:
    """Every sentence in a function of chat is an argument of `say`, or an error's words."""
    found = [(line, text) for line, text in spoken.unsaid(path) if not _is_no_sentence(text)]
    assert found == []


def _is_no_sentence(text: str) -> bool:
    return bool(NOT_SENTENCES.fullmatch(text)) or text == "Use it in <#{}>."


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_commands_of_a_language_keep_discords_rules(language: str) -> None:
    """Names are short, in lower case and unique beside each other; texts have 100 characters."""
    commands = table(language, "commands")
    for name in [*commands["names"].values(), *commands["options"].values()]:
        assert COMMAND_NAME.fullmatch(name), name
        assert name == name.lower()
    beside = Counter((path.rpartition(" ")[0], said) for path, said in commands["names"].items())
    assert [name for name, count in beside.items() if count > 1] == []
    assert len(set(commands["options"].values())) == len(commands["options"])
    assert [text for text in commands["texts"].values() if len(text) > OPTION_MAX] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_discord_bounds_fits_in_every_language(language: str) -> None:
    """Buttons, options and placeholders, and the labels and hints of the templates' inputs."""
    sentences = table(language, "sentences")
    for english, said in sentences["sentences"].items():
        if len(english) <= 40 and english[:1].isupper() and not english.endswith("."):
            assert len(said) <= BUTTON_LABEL_MAX - 20, english
    for english, said in sentences["templates"].items():
        if len(english) <= INPUT_HINT_MAX:
            assert len(said) <= INPUT_HINT_MAX, english
        if english in spoken.labels():
            assert len(said) <= INPUT_LABEL_MAX, english


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_sentence_from_below_is_found_as_itself(language: str) -> None:
    """With any words in its places: no pattern takes what another one says better."""
    below = table(language, "sentences")["below"]
    recognition = read_dictionary(language).recognition
    commands = read_dictionary(language).commands
    for english, said in below.items():
        facts = {name: f"x{at}" for at, name in enumerate(PLACEHOLDER.findall(english))}
        expected = commands.mentioned(said).format(**facts) if facts else commands.mentioned(said)
        assert recognition.told(english.format(**facts) if facts else english) == expected, english
