"""Errors in words: the one place where chat turns an exception into a message."""

from __future__ import annotations

import logging
import secrets

from controller.chat.languages import say, told
from controller.chat.words.hints import hint_for
from controller.chat.words.text import fitted, sentences
from controller.domain.errors import (
    BadInput,
    ControllerError,
    EngineUnavailable,
    NotReady,
    StorageTrouble,
)

_MESSAGE_MAX, _HINT_MAX = 1_200, 700  # characters: what to do is never pushed out
log = logging.getLogger(__name__)
# What was asked can be asked again as it is: nothing of it was done.
NOTHING_DONE = (BadInput, NotReady, EngineUnavailable, StorageTrouble)


def failure_words(error: BaseException) -> str:
    """What a person reads about an error.

    An unexpected one becomes a number: its details are in the log only, under that number.
    """
    if isinstance(error, ControllerError):
        # A denial's hint is chat's own, and mentions the right channel.
        said = told(hint_for(error))
        hint = said if error.code == "denied" else sentences(said)
        what = fitted(f"❌ {sentences(told(error.message))}", _MESSAGE_MAX)
        return "\n".join(filter(None, (what, fitted(hint, _HINT_MAX))))
    number = secrets.token_hex(3)
    log.error("fault %s", number, exc_info=error)
    return say(
        "❌ Something went wrong inside BotMaker (fault {number}).\n"
        "The controller's log has the details; your bots are not affected.",
        number=number,
    )
