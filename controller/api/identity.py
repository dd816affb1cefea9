"""Who asks, as far as an edge knows, and by what they are known."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from controller.domain.access import CONSOLE, Principal
from controller.domain.errors import NotSignedIn


@dataclass(frozen=True, slots=True)
class Identity:
    """A principal and the key that speaks for them: a token, a session, a service's ticket.

    For what goes on for a while: `still` raises NotSignedIn once the key no longer counts, and
    `renewed` says who they are by now; none where that never changes. `acting`: an assistant that
    asks by this key may start, stop and restart bots, not only look.
    """

    principal: Principal
    key: str  # "token:1a2b…"; begins the ids of requests, and limits are counted by it
    still: Callable[[], None]
    renewed: Callable[[], Awaitable[Principal]] | None = None
    acting: bool = False


def _always() -> None:
    """Whoever may enter the data folder needs no key."""


AT_THE_CONSOLE = Identity(CONSOLE, "console", _always)


def _never() -> None:
    raise NotSignedIn("Nobody is signed in.")


# Whoever asks for what needs no key. May do nothing: a service that nobody vouches for.
NOBODY = Identity(Principal("service", "", "somebody"), "nobody", _never)
