"""The one place where chat turns an error into words."""

from __future__ import annotations

import logging
import secrets

from controller.chat.words.text import MESSAGE_MAX
from controller.domain.errors import ControllerError

log = logging.getLogger(__name__)


def word(error: BaseException) -> str:
    """What a person reads of an error. An unexpected one gets a number that the log has too."""
    if isinstance(error, ControllerError):
        hint = f"\n{error.hint}" if error.hint else ""
        text = f"❌ {error.message}{hint}"
        return text if len(text) <= MESSAGE_MAX else text[: MESSAGE_MAX - 1] + "…"
    incident = secrets.token_hex(3)
    log.error("incident %s", incident, exc_info=error)
    return (
        f"❌ Something went wrong inside BotMaker (incident {incident}).\n"
        "The controller's log has the details; your bots are not affected."
    )
