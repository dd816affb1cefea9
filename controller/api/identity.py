"""Who asks, as far as an edge knows, and by what they are known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from controller.domain.access import CONSOLE, Principal


@dataclass(frozen=True, slots=True)
class Identity:
    """A principal and the key that speaks for them: a token, a session, a service's ticket.

    `still` raises NotSignedIn once the key no longer counts: for what goes on for a while.
    """

    principal: Principal
    key: str  # "token:1a2b…"; begins the ids of requests, and limits are counted by it
    still: Callable[[], None]


def _always() -> None:
    """Whoever may enter the data folder needs no key."""


AT_THE_CONSOLE = Identity(CONSOLE, "console", _always)
