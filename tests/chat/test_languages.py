"""Each reads their own language: whoever asks theirs, everybody the server's, programs English."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import simcord.interactions

from controller.chat.languages import number, percent, plural, say, speak, told
from controller.chat.languages.dictionary import LANGUAGES, read_commands
from controller.chat.words.failures import failure_words
from controller.domain.errors import BadInput
from tests.chat.acting import buttons_of, labels, make, newcomer, picks, said, until_card
from tests.chat.house import House
from tests.chat.test_help import named_in


@pytest.fixture
def locales(monkeypatch: pytest.MonkeyPatch) -> dict[int, str]:
    """The languages of people's clients by their ids: SimCord's are all English."""
    found: dict[int, str] = {}
    build = simcord.interactions.base_payload

    def spoken(backend: Any, *, user_id: int, **more: Any) -> Any:
        record, payload = build(backend, user_id=user_id, **more)
        return record, {**payload, "locale": found.get(user_id, "en-US")}

    monkeypatch.setattr(simcord.interactions, "base_payload", spoken)
    return found


async def test_a_german_reads_german_and_the_card_follows_the_server(
    house: House, locales: dict[int, str]
) -> None:
    """Answers, buttons, forms and refusals; what everybody sees stays English."""
    locales[house.admin.id] = "de"
    async with house.controller() as world:
        made = await world.admin.slash(world.channel, "bot create", name="shop", template="echo")
        assert "**shop** ist erstellt." in said(made)
        assert labels(made.response) == ["Secrets eingeben"]
        opened = await world.admin.click(made.response, label="Secrets eingeben")
        assert opened.modal is not None
        assert opened.modal["title"] == "Secrets für shop"
        refused = await world.admin.slash(world.channel, "bot start", name="shop")
        assert "shop hat noch keine Secrets: api_key, channel_token." in said(refused)
        assert "/bot secrets shop" in said(refused)
        nobody = await world.admin.slash(world.channel, "fleet alerts list")
        known = {
            one["name"]: one["id"] for one in world.env.backend.commands[world.guild.id].values()
        }
        assert nobody.response is not None
        assert f"</fleet alerts me:{known['fleet']}>" in nobody.response.content
        shown = await until_card(world, "shop", "created (waiting for secrets)")
        assert [one["label"] for one in buttons_of(shown)] == ["Enter secrets"]
        assert "Logs" in picks(shown)


async def test_a_value_that_is_refused_is_refused_in_the_persons_language(
    house: House, locales: dict[int, str]
) -> None:
    """By the sentence's pattern: where it was raised, nobody knows of languages."""
    locales[house.admin.id] = "es-419"
    async with house.controller() as world:
        made = await world.admin.slash(world.channel, "bot create", name="Shop!", template="echo")
        assert said(made).startswith(
            "❌ El nombre de un bot solo puede tener letras a–z, cifras y guiones en medio."
        )
        nobody = newcomer(world, "bob")
        locales[nobody.id] = "de"
        refused = await nobody.slash(world.channel, "bot list")
        assert "Bots auflisten: Dafür ist die Rolle Betrachter nötig" in said(refused)


async def test_what_everybody_reads_is_in_the_servers_language(
    house: House, locales: dict[int, str]
) -> None:
    """Its own, as Discord says; an English admin reads English beside it."""
    house.env.backend.get_guild(house.guild.id).preferred_locale = "es-ES"
    async with house.controller() as world:
        answer = await world.admin.slash(world.channel, "bot create", name="shop", template="echo")
        assert "**shop** is created." in said(answer)
        shown = await until_card(world, "shop", "creado (espera sus secretos)")
        assert [one["label"] for one in buttons_of(shown)] == ["Introducir secretos"]


async def test_the_setting_decides_over_the_server(house: House) -> None:
    """`BOTMAKER_LANGUAGE`, for what everybody reads."""
    house.settings = house.settings.model_copy(update={"language": "de"})
    async with house.controller() as world:
        await make(world)
        assert await until_card(world, "shop", "erstellt (wartet auf Secrets)")


async def test_the_database_and_the_log_hold_english_whoever_asked(
    house: House, locales: dict[int, str], caplog: pytest.LogCaptureFixture
) -> None:
    """A German's requests and refusals leave no German behind."""
    locales[house.admin.id] = "de"
    async with house.controller() as world:
        await make_in_german(world)
        await world.admin.slash(world.channel, "bot start", name="shop")
        await world.admin.slash(world.channel, "bot rollback", name="shop", release="7")
        history = said(await world.admin.slash(world.channel, "bot history", name="shop"))
        assert "das Neueste zuerst" in history
    german = ("Secrets eingeben", "hat noch keine", "erstellt", "gestoppt", "keine Secrets")
    kept = b"".join(path.read_bytes() for path in files_under(house.settings.data_dir))
    assert [word for word in german if word.encode() in kept] == []
    assert [word for word in german if word in caplog.text] == []


async def make_in_german(world: Any) -> None:
    """A bot, asked for in German."""
    answer = await world.admin.slash(world.channel, "bot create", name="shop", template="echo")
    assert "ist erstellt" in said(answer)


def files_under(folder: Path) -> Iterator[Path]:
    """Every file of a folder."""
    return (path for path in folder.rglob("*") if path.is_file())


async def test_two_people_of_different_languages_at_once_dont_mix() -> None:
    """A request speaks for itself: its task has a language, and nothing else does."""
    turn = asyncio.Barrier(3)

    async def asked(language: str) -> list[str]:
        await speak(language)
        found = []
        for _ in range(3):
            await turn.wait()
            found.append(say("Nothing was changed."))
        return found

    german, spanish, english = await asyncio.gather(*map(asked, ("de", "es", "en")))
    assert german == ["Nichts wurde geändert."] * 3
    assert spanish == ["No se cambió nada."] * 3
    assert english == ["Nothing was changed."] * 3
    assert say("Nothing was changed.") == "Nothing was changed."


@pytest.mark.parametrize("locale", ["de", "es-ES"])
async def test_the_help_fits_into_one_message_in_every_language(
    house: House, locales: dict[int, str], locale: str
) -> None:
    """With the names that people of that language see, and nothing cut into a file."""
    locales[house.admin.id] = locale
    async with house.controller() as world:
        answer = await world.admin.slash(world.channel, "help")
        commands = [dict(one) for one in world.env.backend.commands[house.guild.id].values()]
    assert answer.response is not None
    assert answer.response.attachments == []
    assert named_in(said(answer)) == {path for one in commands for path in localized(one, locale)}


def localized(part: dict[str, Any], locale: str, above: str = "") -> list[str]:
    """The paths of the commands in a group, or of one without one, in a language."""
    path = f"{above} {part['name_localizations'][locale]}".strip()
    inside = [one for one in part.get("options", ()) if one["type"] in {1, 2}]
    return [one for part in inside for one in localized(part, locale, path)] or [path]


async def test_discord_is_told_the_commands_in_every_language(house: House) -> None:
    """Names, options and descriptions, of every command that is registered."""
    async with house.controller() as world:
        commands = world.env.backend.commands[house.guild.id].values()
        missing = [path for one in commands for path in unlocalized(dict(one))]
        names = {one["name"]: one["name_localizations"]["de"] for one in commands}
    assert missing == []
    assert names == {"bot": "bot", "fleet": "flotte", "access": "zugriff", "help": "hilfe"}


def unlocalized(part: dict[str, Any], above: str = "") -> list[str]:
    """What of a command has no name or description in German or Spanish."""
    path = f"{above} {part['name']}".strip()
    found = []
    for locale in ("de", "es-ES", "es-419"):
        for key in ("name_localizations", "description_localizations"):
            if locale not in (part.get(key) or {}):
                found.append(f"{path}: {key} {locale}")
    for choice in part.get("choices", ()):
        if "de" not in (choice.get("name_localizations") or {}):
            found.append(f"{path}: choice {choice['name']}")
    return found + [one for option in part.get("options", ()) for one in unlocalized(option, path)]


async def test_no_command_in_a_catalogue_is_one_that_doesnt_exist(house: House) -> None:
    """What is registered, and nothing else."""
    async with house.controller() as world:
        known: set[str] = set()
        options: set[str] = set()
        texts: set[str] = set()
        for one in world.env.backend.commands[house.guild.id].values():
            collect(dict(one), "", known, options, texts)
    for language in LANGUAGES:
        commands = read_commands(language)
        assert set(commands.names) == known
        assert set(commands.options) == options
        assert set(commands.texts) == texts


def collect(
    part: dict[str, Any], above: str, names: set[str], options: set[str], texts: set[str]
) -> None:
    """The names and texts of a command and of everything in it."""
    path = f"{above} {part['name']}".strip()
    texts.add(part["description"])
    texts.update(choice["name"] for choice in part.get("choices", ()))
    (names if part.get("type", 1) in {1, 2} else options).add(
        path if part.get("type", 1) in {1, 2} else part["name"]
    )
    for option in part.get("options", ()):
        collect(option, path, names, options, texts)


async def test_a_program_reads_english_whatever_is_spoken() -> None:
    """The error that a German reads in German is the same error over HTTP."""
    error = BadInput("A bot needs a name.", hint="Give one like `shop-helper`.")
    await speak("de")
    assert failure_words(error) == "❌ Ein Bot braucht einen Namen.\nZum Beispiel `shop-helper`."
    assert str(error) == "A bot needs a name. Give one like `shop-helper`."


async def test_a_text_that_nobody_knows_stays_as_it_is() -> None:
    """Also beside sentences that are known, and whatever is in it."""
    await speak("de")
    assert told("Frobnicated. Try again.") == "Frobnicated. Noch einmal versuchen."
    assert told("{x} %s {}") == "{x} %s {}"
    hostile = "@everyone {0.__class__} **x**"
    assert told(f"{hostile} is gone.") == f"{hostile} gibt es nicht mehr."
    assert say("Delete {name}", name="{sign}") == "{sign} löschen"


async def test_hostile_text_costs_little_and_stays() -> None:
    """However often it looks like the end of a sentence, or like a sentence of ours."""
    await speak("es")
    for words in (". " * 1_990, "The file belongs to :" * 180, "a: " * 1_300, "x\n" * 3_000):
        began = time.process_time()
        assert told(words) == words
        assert time.process_time() - began < 1.0


async def test_numbers_are_written_as_the_language_does() -> None:
    """Points, commas, percent, and plurals."""
    assert [number(1234.5, 1), percent(0.125, 1), plural(2, "crash", "crashes")] == [
        *("1,234.5", "12.5%", "2 crashes"),
    ]
    await speak("de")
    assert [number(1234.5, 1), percent(0.125, 1), plural(2, "crash", "crashes")] == [
        *("1.234,5", "12,5\u00a0%", "2 Abstürze"),
    ]
    await speak("es")
    assert [plural(1, "bot"), plural(0, "bot")] == ["1 bot", "0 bots"]
