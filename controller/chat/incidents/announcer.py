"""Announces incidents in the admin channel: one message for each, edited in place.

A new message pings whoever asked for that; an edit pings nobody. A message that is posted anew
takes the place of the one before it. What couldn't be said while Discord was away is said later, as
it is then.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
from collections import Counter

import discord

from controller.chat.cards.backoff import pause_after
from controller.chat.cards.schedule import Budget, Schedule
from controller.chat.incidents.incident_buttons import incident_buttons
from controller.chat.incidents.incident_words import incident_words, mentions
from controller.chat.requests.audience import speak_to_all
from controller.chat.requests.buttons import row
from controller.chat.requests.command_links import linked
from controller.chat.requests.discord_trouble import TROUBLE, reading_discord
from controller.chat.requests.place import Place
from controller.chat.requests.quiet import edit_message
from controller.chat.words.limits import NONCE_MAX
from controller.domain.errors import ControllerError
from controller.domain.incident import DUE, Incident
from controller.manager import Manager

log = logging.getLogger(__name__)
SPACING = 2.0  # seconds between two edits of one message
# For all incidents together; the cards have a budget of their own. Discord counts new messages and
# edits apart, and so does this: whatever is edited, what goes wrong is told at once.
EDITS, EDITS_SECONDS = 4, 5.0
POSTS, POSTS_SECONDS = 5, 5.0
SECONDS = 10.0  # for one message; then it waits its turn again
AT_ONCE = 2
LOGIN_SECONDS = 0.1  # between two looks at a client that hasn't begun to log in
TROUBLED = 5.0  # seconds until the next try when the database fails
CANT_EDIT = {10003, 10008, 30046}  # Discord's error codes: gone, gone, too many edits
_FAILURES = (*TROUBLE, OSError)


class Announcer:
    """Keeps the message of each incident equal to what `incident_words` says."""

    def __init__(
        self, manager: Manager, client: discord.Client, place: Place, spacing: float = SPACING
    ) -> None:
        self._incidents = manager.incidents
        self._bots = manager.bots
        self._client = client
        self._place = place
        self._spacing = spacing
        self._edit_budget = Budget(EDITS, EDITS_SECONDS)
        self._post_budget = Budget(POSTS, POSTS_SECONDS)
        self._edits = Schedule(self._edit_budget, int)
        self._posts = Schedule(self._post_budget, int)
        self._told: set[str] = set()  # that have a message and go on
        self._at_work: set[str] = set()  # in either queue
        self._later: dict[str, asyncio.TimerHandle] = {}  # of incidents that are open
        self._failures: Counter[str] = Counter()

    async def run(self) -> None:
        """Announce until cancelled."""
        with self._incidents.hearing(lambda number: self._poke(str(number))):
            await self._until_ready()
            for number in await self._incidents.to_show():
                self._poke(str(number))
            try:
                async with asyncio.TaskGroup() as group:
                    for schedule, name in ((self._posts, "new"), (self._edits, "known")):
                        for lane in range(AT_ONCE):
                            work = self._work(schedule)
                            group.create_task(work, name=f"{name}-incidents-{lane}")
            finally:
                for later in self._later.values():
                    later.cancel()

    async def _until_ready(self) -> None:
        """Wait for the first connection, also of a client that hasn't begun to log in."""
        while not self._client.is_ready():
            try:
                await self._client.wait_until_ready()
            except RuntimeError:
                await asyncio.sleep(LOGIN_SECONDS)

    def _queue(self, key: str) -> Schedule:
        return self._edits if key in self._told else self._posts

    def _poke(self, key: str) -> None:
        self._queue(key).poke(key)

    async def _work(self, schedule: Schedule) -> None:
        while True:
            key = await schedule.next()
            if key in self._at_work:  # it went from the one queue to the other
                schedule.put_off(key, self._spacing)
                schedule.done(key)
                continue
            self._at_work.add(key)
            try:
                await self._attempt(key)
            finally:
                self._at_work.discard(key)
                schedule.done(key)

    async def _attempt(self, key: str) -> None:
        """Publish one message, or note when to try it again. Never raises: it's only one."""
        try:
            async with asyncio.timeout(SECONDS):
                await speak_to_all(self._client, self._place)
                with reading_discord():
                    again = await self._publish(int(key))
        except _FAILURES as error:
            self._failures[key] += 1
            pause = pause_after(error, self._failures[key])
            log.warning("incident %s isn't up to date: %s; again in %.1f s", key, error, pause)
            self._queue(key).put_off(key, pause)
        except ControllerError as error:
            log.warning("incident %s isn't up to date: %s", key, error)
            self._queue(key).put_off(key, TROUBLED)
        except Exception as error:  # a bug in one message must not stop all others
            self._failures[key] += 1
            log.error("announcing incident %s failed", key, exc_info=error)
            self._queue(key).put_off(key, pause_after(error, self._failures[key]))
        else:
            self._failures.pop(key, None)
            self._look_again(key, again)

    async def _publish(self, number: int) -> float | None:
        """Bring one message up to date. Seconds until it is to be looked at again, if any."""
        incident = await self._incidents.get(number)
        if incident is None:
            return None
        plan = self._incidents.plan(incident)
        if plan.post:
            incident = await self._incidents.announce(incident, plan)
        if incident.shown == DUE:
            await self._post(incident)
        elif incident.shown != incident.version:
            await self._edit(incident)
        else:
            return plan.again
        now = await self._incidents.get(number)
        if now is None or now.is_over:
            self._told.discard(str(number))
        else:
            self._told.add(str(number))
        self._queue(str(number)).put_off(str(number), self._spacing)
        return self._incidents.plan(now).again if now is not None else None

    def _look_again(self, key: str, seconds: float | None) -> None:
        """Look at it then, though nothing changes: at a repeat, or when quiet hours end."""
        known = self._later.pop(key, None)
        if known is not None:
            known.cancel()
        if seconds is not None:
            loop = asyncio.get_running_loop()
            self._later[key] = loop.call_later(seconds, self._poke, key)

    async def _post(self, incident: Incident, *, quietly: bool = False) -> None:
        """Post it anew, and take the one before away. `quietly`: nobody is pinged."""
        whom = frozenset() if quietly else incident.owed
        place = self._place
        channel = self._client.get_partial_messageable(place.channel_id, guild_id=place.guild_id)
        before = incident.channel_id, incident.message_id
        self._post_budget.spend()
        # Discord drops a second message with the same nonce, so a retry posts and pings once.
        nonce = f"incident {incident.id} {incident.announced} {incident.message_id} {sorted(whom)}"
        message = await channel.send(
            self._words(incident),
            view=row(incident_buttons(incident, self._bots.get(incident.bot_id)))
            or discord.utils.MISSING,
            nonce=hashlib.sha256(nonce.encode()).hexdigest()[:NONCE_MAX],
            allowed_mentions=_only(whom),
            suppress_embeds=True,
        )
        await self._incidents.placed(incident.id, place.channel_id, message.id, incident.version)
        if before[1] and before[1] != message.id:
            with contextlib.suppress(*_FAILURES):
                await self._client.http.delete_message(*before)

    async def _edit(self, incident: Incident) -> None:
        here = incident.channel_id == self._place.channel_id and incident.message_id
        buttons = incident_buttons(incident, self._bots.get(incident.bot_id))
        try:
            if here:
                self._edit_budget.spend()
                await edit_message(
                    self._client,
                    incident.channel_id,
                    incident.message_id,
                    self._words(incident),
                    row(buttons),
                )
        except discord.HTTPException as error:
            if error.code not in CANT_EDIT:
                raise
            here = False
        if not here:
            await self._post(incident, quietly=True)
            return
        await self._incidents.placed(
            incident.id, incident.channel_id, incident.message_id, incident.version
        )

    def _words(self, incident: Incident) -> str:
        return linked(self._client, incident_words(incident, mentions(incident.pinged)))


def _only(whom: frozenset[str]) -> discord.AllowedMentions:
    """Mentions of these people and roles ping; no other ones do, whatever the text says."""
    found: dict[str, list[discord.Object]] = {"user": [], "role": []}
    for one in sorted(whom):
        kind, _, subject = one.partition(":")
        found[kind].append(discord.Object(int(subject)))
    return discord.AllowedMentions(
        everyone=False, replied_user=False, users=found["user"], roles=found["role"]
    )
