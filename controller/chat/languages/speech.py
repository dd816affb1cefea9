"""Saying a sentence in the language of whoever reads it.

The language belongs to a task: it is set where a request comes in, or where something for everybody
is published, and holds to the task's end.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar

from controller.chat.languages.dictionary import LANGUAGES, Dictionary, read_dictionary

ENGLISH = "en"
_LOCALES: Mapping[str, str] = {"de": "de", "es-ES": "es", "es-419": "es"}  # Discord's, if spoken
_language: ContextVar[str] = ContextVar("language", default=ENGLISH)
_read: dict[str, Dictionary] = {}  # what is in the files; each is read once


def language_of(locale: str) -> str:
    """The language for a locale of Discord's; English if it isn't spoken here."""
    return _LOCALES.get(locale, ENGLISH)


async def speak(language: str) -> None:
    """Say everything in this language from here to the end of the task. English costs nothing."""
    if language in LANGUAGES and language not in _read:
        thread = ThreadPoolExecutor(1, "language")
        try:
            loop = asyncio.get_running_loop()
            _read[language] = await loop.run_in_executor(thread, read_dictionary, language)
        finally:
            thread.shutdown(wait=False)
    _language.set(language)


def spoken() -> str:
    """The language of this task."""
    return _language.get()


def say(english: str, /, **facts: object) -> str:
    """The sentence in the reader's language, with its facts filled in."""
    found = _read.get(_language.get())
    text = found.sentences.get(english, english) if found else english
    return text.format(**facts) if facts else text


def plural(count: int, one: str, many: str | None = None) -> str:
    """`1 bot`, `2 bots`."""
    found = _read.get(_language.get())
    forms = found.counted.get(one) if found else None
    single, several = forms or (one, many or one + "s")
    return f"{count} {single if count == 1 else several}"


def told(english: str) -> str:
    """A text from below chat, which is English there, in the reader's language."""
    found = _read.get(_language.get())
    return found.recognition.told(english) if found else english


def command(path: str) -> str:
    """A command as the reader's client shows it: `/bot create`."""
    found = _read.get(_language.get())
    return "/" + (found.commands.path(path) if found else path)
