"""`/fleet digest …`: a message every week that says how the week was."""

from __future__ import annotations

from discord import app_commands

from controller.chat.commands.closed import CLOSED
from controller.chat.commands.suggestions import Choices, suggest
from controller.chat.commands.with_request import with_request
from controller.chat.languages import say
from controller.chat.requests.request import Request
from controller.domain.announcing import zone_of
from controller.domain.digest import DAYS, DigestWish, weekly
from controller.manager import Manager

_DAYS = [app_commands.Choice(name=day, value=day) for day in DAYS]
# What is answered: that it comes, and that it doesn't any more.
_YOU = (
    "🗓️ A digest comes to you every week, first {when}.",
    "No weekly digest for you any more.",
)
_HERE = (
    "🗓️ A digest comes to this channel every week, first {when}.",
    "No weekly digest for this channel any more.",
)
_DESCRIBED = {
    "day": "Monday if left out",
    "at": "At which time, like 9:00",
    "zone": "The time zone of that, like Europe/Berlin",
    "off": "No longer",
}


class DigestCommands(app_commands.Group):
    """Who is told how the week was."""

    def __init__(self, manager: Manager) -> None:
        super().__init__(
            name="digest", description="A message every week", default_permissions=CLOSED
        )
        self._digests = manager.digests
        self._schedules = manager.schedules

    @app_commands.command(description="Tell me every week how it was, by direct message")
    @app_commands.describe(**_DESCRIBED)
    @app_commands.choices(day=_DAYS)
    @with_request
    async def me(
        self,
        request: Request,
        day: str = DAYS[0],
        at: str = "9:00",
        zone: str = "UTC",
        off: bool = False,
    ) -> None:
        """Tell whoever asks."""
        wish = None if off else _wish("user", request.person, day, at, zone)
        made = await self._digests.ask_own(request.caller, wish)
        await request.reply(_done(made, _YOU))

    @app_commands.command(description="Tell this channel every week how it was")
    @app_commands.describe(**_DESCRIBED)
    @app_commands.choices(day=_DAYS)
    @with_request
    async def here(
        self,
        request: Request,
        day: str = DAYS[0],
        at: str = "9:00",
        zone: str = "UTC",
        off: bool = False,
    ) -> None:
        """Tell the channel."""
        channel_id = request.interaction.channel_id
        assert channel_id is not None  # a command of a server
        wish = None if off else _wish("channel", channel_id, day, at, zone)
        made = await self._digests.ask_for_channel(request.caller, channel_id, wish)
        await request.reply(_done(made, _HERE))

    @me.autocomplete("zone")
    @here.autocomplete("zone")
    @with_request
    async def _zones(self, _: Request, typed: str) -> Choices:
        return suggest(typed.replace(" ", "_"), await self._schedules.zones())


def _wish(kind: str, subject: int, day: str, at: str, zone: str) -> DigestWish:
    return DigestWish(
        kind="user" if kind == "user" else "channel",
        subject=subject,
        cron=weekly(day, at),
        zone=zone_of(zone),
        next_at=0.0,
    )


def _done(made: DigestWish | None, words: tuple[str, str]) -> str:
    comes, no_more = words
    return say(comes, when=f"<t:{int(made.next_at)}:F>") if made else say(no_more)
