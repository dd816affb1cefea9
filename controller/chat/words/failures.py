"""Errors in words: the one place where chat turns an exception into a message."""

from __future__ import annotations

import logging
import secrets

from controller.chat.words.hints import hint_for
from controller.chat.words.text import fitted
from controller.domain.errors import (
    BadInput,
    ControllerError,
    EngineUnavailable,
    NotReady,
    StorageTrouble,
)

log = logging.getLogger(__name__)
# What was asked can be asked again as it is: nothing of it was done.
NOTHING_DONE = (BadInput, NotReady, EngineUnavailable, StorageTrouble)


def failure_words(error: BaseException) -> str:
    """What a person reads about an error.

    An unexpected one becomes a number: its details are in the log only, under that number.
    """
    if isinstance(error, ControllerError):
        hint = hint_for(error)
        return fitted(f"❌ {error.message}\n{hint}" if hint else f"❌ {error.message}")
    incident = secrets.token_hex(3)
    log.error("incident %s", incident, exc_info=error)
    return (
        f"❌ Something went wrong inside BotMaker (incident {incident}).\n"
        "The controller's log has the details; your bots are not affected."
    )
