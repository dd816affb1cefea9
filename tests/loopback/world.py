"""The simulated guild: users, roles, channels, members and messages, and their JSON.
Next door: server.py runs it, rest.py and gateway.py let a bot see it, person.py acts in it."""

from __future__ import annotations

import datetime
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from .errors import Json, unknown

EPHEMERAL = 64
LOADING = 128
EVERY_PERMISSION = (1 << 53) - 1
MEMBER_PERMISSIONS = 1 << 10 | 1 << 11 | 1 << 16 | 1 << 31  # view, send, history, slash commands
DISCORD_EPOCH_MS = 1420070400000


def now_iso() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat()


class Snowflakes:
    """Ids that grow and contain the time, which discord.py reads from them."""

    def __init__(self) -> None:
        self._last = 0

    def next(self) -> int:
        stamp = (int(time.time() * 1000) - DISCORD_EPOCH_MS) << 22
        self._last = max(self._last + 1, stamp)
        return self._last


@dataclass(slots=True)
class User:
    id: int
    name: str
    bot: bool = False

    def json(self) -> Json:
        return {
            "id": str(self.id),
            "username": self.name,
            "global_name": None if self.bot else self.name.title(),
            "discriminator": "0",
            "avatar": None,
            "bot": self.bot,
            "public_flags": 0,
        }


@dataclass(slots=True)
class Role:
    id: int
    name: str
    position: int
    permissions: int = 0

    def json(self) -> Json:
        return {
            "id": str(self.id),
            "name": self.name,
            "color": 0,
            "colors": {"primary_color": 0, "secondary_color": None, "tertiary_color": None},
            "hoist": False,
            "icon": None,
            "unicode_emoji": None,
            "position": self.position,
            "permissions": str(self.permissions),
            "managed": False,
            "mentionable": False,
            "flags": 0,
        }


@dataclass(slots=True)
class Channel:
    """A text channel of the guild, or a DM when it has a recipient."""

    id: int
    name: str
    guild_id: int | None = None
    recipient: User | None = None
    position: int = 0
    overwrites: list[Json] = field(default_factory=list)

    @property
    def is_dm(self) -> bool:
        return self.recipient is not None

    def json(self) -> Json:
        if self.recipient is not None:
            return {
                "id": str(self.id),
                "type": 1,
                "last_message_id": None,
                "flags": 0,
                "recipients": [self.recipient.json()],
            }
        return {
            "id": str(self.id),
            "type": 0,
            "guild_id": str(self.guild_id),
            "name": self.name,
            "topic": None,
            "nsfw": False,
            "position": self.position,
            "permission_overwrites": self.overwrites,
            "last_message_id": None,
            "rate_limit_per_user": 0,
            "parent_id": None,
            "flags": 0,
        }


@dataclass(slots=True)
class Attachment:
    id: int
    filename: str
    data: bytes
    url: str
    description: str | None = None

    @property
    def size(self) -> int:
        return len(self.data)

    def json(self) -> Json:
        return {
            "id": str(self.id),
            "filename": self.filename,
            "description": self.description,
            "size": self.size,
            "url": self.url,
            "proxy_url": self.url,
            "content_type": "application/octet-stream",
        }


@dataclass(slots=True, eq=False)
class Message:
    """One message as it is now; `history` holds its earlier contents, oldest first."""

    id: int
    channel_id: int
    author: User
    written: str = ""  # its field `content`, empty with Components V2
    embeds: list[Json] = field(default_factory=list)
    components: list[Json] = field(default_factory=list)
    attachments: list[Attachment] = field(default_factory=list)
    flags: int = 0
    allowed_mentions: Json | None = None
    nonce: str | None = None
    reference: Json | None = None
    interaction: Json | None = None  # interaction_metadata, for answers to interactions
    webhook_id: int | None = None  # the application's id, for answers to interactions
    edits: int = 0
    deleted: bool = False
    created: str = field(default_factory=now_iso)
    edited: str | None = None
    history: list[str] = field(default_factory=list)

    @property
    def ephemeral(self) -> bool:
        return bool(self.flags & EPHEMERAL)

    @property
    def loading(self) -> bool:
        return bool(self.flags & LOADING)

    @property
    def content(self) -> str:
        """Everything that a person reads in it but the buttons, wherever it stands."""
        return read_text(self.written, self.components)

    def walk(self) -> Iterator[Json]:
        return walk_components(self.components)

    def labels(self) -> list[str]:
        """The labels of the buttons, in order."""
        return [part["label"] for part in self.walk() if part.get("type") == 2 and "label" in part]

    def json(self) -> Json:
        body: Json = {
            "id": str(self.id),
            "channel_id": str(self.channel_id),
            "author": self.author.json(),
            "content": self.written,
            "timestamp": self.created,
            "edited_timestamp": self.edited,
            "tts": False,
            "mention_everyone": False,
            "mentions": [],
            "mention_roles": [],
            "attachments": [attachment.json() for attachment in self.attachments],
            "embeds": self.embeds,
            "components": self.components,
            "pinned": False,
            "type": 20 if self.interaction and self.interaction["type"] == 2 else 0,
            "flags": self.flags,
        }
        if self.nonce is not None:
            body["nonce"] = self.nonce
        if self.interaction is not None:
            body["interaction_metadata"] = self.interaction
            body["webhook_id"] = body["application_id"] = str(self.webhook_id)
        return body


_LINK = re.compile(r"<(/[\w -]+):\d+>")  # a command that opens when it is pressed
_LOOKS = re.compile(r"(?m)^(?:#{1,3} |-# |> )")  # a heading's, small print's, a quote's mark


def read_text(content: str, components: list[Json]) -> str:
    """A message's words as people read them, with Components V2 too: without the marks of looks."""
    if content:
        return _LINK.sub(r"\1", content)
    texts = [part["content"] for part in walk_components(components) if part.get("type") == 10]
    return _LINK.sub(r"\1", _LOOKS.sub("", "\n".join(texts)))


def walk_components(components: list[Json]) -> Iterator[Json]:
    """Every component, however deeply it is nested."""
    for part in components:
        yield part
        yield from walk_components(part.get("components") or [])
        for nested in ("accessory", "component"):
            if nested in part:
                yield from walk_components([part[nested]])


@dataclass(slots=True)
class Member:
    user: User
    roles: list[int] = field(default_factory=list)
    joined: str = field(default_factory=now_iso)

    def json(self) -> Json:
        return {
            "user": self.user.json(),
            "nick": None,
            "avatar": None,
            "roles": [str(role) for role in self.roles],
            "joined_at": self.joined,
            "premium_since": None,
            "deaf": False,
            "mute": False,
            "pending": False,
            "flags": 0,
            "communication_disabled_until": None,
        }


class Guild:
    """The one guild, its people and every channel including DMs."""

    def __init__(self, owner_name: str = "olivia") -> None:
        self.ids = Snowflakes()
        self.id = self.ids.next()
        self.application_id = self.ids.next()
        self.name = "Loopback"
        self.bot = User(self.ids.next(), "botmaker", bot=True)
        self.roles: dict[int, Role] = {}
        self.members: dict[int, Member] = {}
        self.channels: dict[int, Channel] = {}
        self.logs: dict[int, dict[int, Message]] = {}
        everyone = Role(self.id, "@everyone", 0, MEMBER_PERMISSIONS)
        self.bot_role = Role(self.ids.next(), "BotMaker", 1, EVERY_PERMISSION)
        self.roles = {role.id: role for role in (everyone, self.bot_role)}
        self.owner = self.add_member(owner_name)
        self.members[self.bot.id] = Member(self.bot, [self.bot_role.id])

    def add_member(self, name: str) -> User:
        user = User(self.ids.next(), name)
        self.members[user.id] = Member(user)
        return user

    def add_channel(self, name: str) -> Channel:
        position = sum(not channel.is_dm for channel in self.channels.values())
        return self._keep(Channel(self.ids.next(), name, self.id, None, position))

    def dm_with(self, user: User) -> Channel:
        """The DM channel with a user, created when first asked for."""
        for channel in self.channels.values():
            if channel.recipient is user:
                return channel
        return self._keep(Channel(self.ids.next(), f"dm-{user.name}", recipient=user))

    def _keep(self, channel: Channel) -> Channel:
        self.channels[channel.id] = channel
        self.logs[channel.id] = {}
        return channel

    def role_named(self, name: str) -> Role:
        """The role of that name, created when first asked for."""
        for role in self.roles.values():
            if role.name == name:
                return role
        role = Role(self.ids.next(), name, len(self.roles))
        self.roles[role.id] = role
        return role

    def channel(self, channel_id: int) -> Channel:
        if channel_id not in self.channels:
            raise unknown("Channel", 10003)
        return self.channels[channel_id]

    def message(self, channel_id: int, message_id: int) -> Message:
        """A message of a channel, or Discord's error 10008; never an ephemeral one."""
        self.channel(channel_id)
        message = self.logs[channel_id].get(message_id)
        if message is None or message.deleted:
            raise unknown("Message", 10008)
        return message

    def visible(self, channel_id: int) -> list[Message]:
        # Copied first: a test may ask in a thread while messages come.
        found = tuple(self.logs[channel_id].values())
        return [message for message in found if not message.deleted]

    def permissions_of(self, member: Member) -> int:
        if member.user.id == self.owner.id:
            return EVERY_PERMISSION
        total = self.roles[self.id].permissions
        for role in member.roles:
            total |= self.roles[role].permissions
        return total

    def json(self) -> Json:
        return {
            "id": str(self.id),
            "name": self.name,
            "icon": None,
            "splash": None,
            "discovery_splash": None,
            "owner_id": str(self.owner.id),
            "afk_channel_id": None,
            "afk_timeout": 300,
            "verification_level": 0,
            "default_message_notifications": 0,
            "explicit_content_filter": 0,
            "roles": [role.json() for role in self.roles.values()],
            "emojis": [],
            "stickers": [],
            "features": [],
            "mfa_level": 0,
            "system_channel_id": None,
            "system_channel_flags": 0,
            "rules_channel_id": None,
            "vanity_url_code": None,
            "description": None,
            "banner": None,
            "premium_tier": 0,
            "preferred_locale": "en-US",
            "public_updates_channel_id": None,
            "nsfw_level": 0,
            "premium_progress_bar_enabled": False,
        }

    def create_event(self) -> Json:
        """The guild as GUILD_CREATE sends it, with channels and the bot's own member."""
        extra: dict[str, Any] = {
            "joined_at": self.members[self.bot.id].joined,
            "large": False,
            "unavailable": False,
            "member_count": len(self.members),
            "members": [self.members[self.bot.id].json()],
            "channels": [c.json() for c in self.channels.values() if not c.is_dm],
        }
        empty = ("threads", "voice_states", "presences", "stage_instances", "soundboard_sounds")
        return self.json() | extra | {key: [] for key in (*empty, "guild_scheduled_events")}
