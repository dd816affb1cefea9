"""What a person can do: type a command, click, fill in a form, read their DMs.
Next door: payloads.py shapes it for the wire, invocation.py is what comes back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from . import messages, payloads
from .errors import Json
from .invocation import Invocation, Modal
from .world import Member, Message, User

if TYPE_CHECKING:
    from .server import LoopbackDiscord


class Person:
    """A member of the guild; `dm_closed` may be changed at any time.

    `override` replaces top-level keys of the payload, to forge what a real client wouldn't send.
    With `wait=False` a call returns its invocation at once, before the bot has answered.
    """

    def __init__(self, world: LoopbackDiscord, user: User, dm_closed: bool = False) -> None:
        self.world = world
        self.user = user
        self.dm_closed = dm_closed
        self.locale = "en-US"

    @property
    def id(self) -> int:
        return self.user.id

    @property
    def name(self) -> str:
        return self.user.name

    @property
    def member(self) -> Member:
        return self.world.guild.members[self.user.id]

    @property
    def roles(self) -> list[str]:
        return [self.world.guild.roles[role].name for role in self.member.roles]

    @property
    def dm_channel_id(self) -> int:
        return self.world.guild.dm_with(self.user).id

    @property
    def dms(self) -> list[Message]:
        """What the bot sent to this person's DM and hasn't deleted."""
        sent = self.world.messages(self.dm_channel_id)
        return [message for message in sent if message.author is self.world.guild.bot]

    async def slash(
        self,
        command: str,
        /,
        *,
        channel_id: int | None = None,
        within: float | None = None,
        wait: bool = True,
        override: Json | None = None,
        **options: Any,
    ) -> Invocation:
        """Types a slash command; options that are None are left out."""
        data = payloads.command_data(self.world, command, options)
        return await self._send(2, channel_id, data, None, within, wait, override)

    async def autocomplete(
        self,
        command: str,
        /,
        *,
        option: str,
        value: str,
        channel_id: int | None = None,
        within: float | None = None,
        **others: Any,
    ) -> list[Json]:
        """Types into an option; returns the choices that appear, each with name and value."""
        data = payloads.command_data(self.world, command, {**others, option: value}, option)
        inv = await self._send(4, channel_id, data, None, within, True, None)
        return inv.choices or []

    async def click(
        self,
        target: Message | Invocation,
        label: str | None = None,
        *,
        custom_id: str | None = None,
        values: list[Any] | None = None,
        forged: bool = False,
        within: float | None = None,
        wait: bool = True,
        override: Json | None = None,
    ) -> Invocation:
        """Clicks a button, or picks `values` in a select; `forged` sends any custom_id at all."""
        message, part = self._component(target, label, custom_id, forged)
        data = payloads.component_data(self.world, part, values)
        return await self._send(3, message.channel_id, data, message, within, wait, override)

    async def submit(
        self,
        modal: Modal | None,
        values: Mapping[str, Any],
        *,
        within: float | None = None,
        wait: bool = True,
        override: Json | None = None,
    ) -> Invocation:
        """Sends a form; text fields that aren't given are sent empty."""
        if modal is None:
            raise LookupError("there is no modal to submit")
        data = payloads.modal_data(self.world, modal, values)
        opened = modal.invocation
        channel_id, source = opened.channel_id, opened.source
        return await self._send(5, channel_id, data, source, within, wait, override)

    async def say(self, text: str, channel_id: int | None = None) -> Message:
        """Writes an ordinary message."""
        where = self.world.admin_channel_id if channel_id is None else channel_id
        return messages.create(self.world, where, {"content": text}, {}, author=self.user)

    def _component(
        self,
        target: Message | Invocation,
        label: str | None,
        custom_id: str | None,
        forged: bool,
    ) -> tuple[Message, Json]:
        if (label is None) == (custom_id is None):
            raise ValueError("name the component by its label or by its custom_id")
        candidates = self._messages_of(target)
        if forged:
            return candidates[0], {"type": 2, "custom_id": custom_id}
        for message in candidates:
            try:
                part = payloads.find_component(message, label, custom_id)
            except LookupError:
                if message is candidates[-1]:
                    raise
                continue
            self._may_click(target, message, part)
            return message, part
        raise LookupError("there is no message to click on")

    @staticmethod
    def _messages_of(target: Message | Invocation) -> list[Message]:
        if isinstance(target, Message):
            return [target]
        found = [] if target.message is None else [target.message]
        return [m for m in [*found, *target.followups] if not m.deleted]

    def _may_click(self, target: Message | Invocation, message: Message, part: Json) -> None:
        origin = target if isinstance(target, Invocation) else self.world.origins.get(message.id)
        if message.deleted:
            raise ValueError("the message is gone")
        if part.get("disabled"):
            raise ValueError(f"{part.get('label')!r} is disabled")
        if message.ephemeral and origin is not None and origin.person is not self:
            raise ValueError(f"only {origin.person.name} can see this message")

    async def _send(
        self,
        kind: int,
        channel_id: int | None,
        data: Json,
        source: Message | None,
        within: float | None,
        wait: bool,
        override: Json | None,
    ) -> Invocation:
        where = self.world.admin_channel_id if channel_id is None else channel_id
        payload = payloads.base(self, kind, where, data)
        if source is not None:
            payload["message"] = source.json()
        inv = Invocation(self.world, self, payload | (override or {}))
        inv.source = source
        self.world.send_interaction(inv)
        return await inv.wait(within) if wait else inv

    def __repr__(self) -> str:
        return f"<Person {self.name} {self.roles}>"
