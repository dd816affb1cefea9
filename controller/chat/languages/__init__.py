"""What people read in Discord: whoever asks reads their own language, everybody else the server's.

English is written in the code and is the key: `say("{name} is gone.", name=name)`. A language has a
folder here; CONTRIBUTING says how to add a sentence or a language. What comes from below chat, such
as an error's words, is English there, and so in the database, over HTTP and in the console: `told`
finds such a sentence in the catalogue by its pattern when somebody reads it.
"""

from controller.chat.languages.figures import number, percent
from controller.chat.languages.speech import (
    ENGLISH,
    command,
    language_of,
    plural,
    say,
    speak,
    spoken,
    told,
)

__all__ = [
    "ENGLISH",
    "command",
    "language_of",
    "number",
    "percent",
    "plural",
    "say",
    "speak",
    "spoken",
    "told",
]
