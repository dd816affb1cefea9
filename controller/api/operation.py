"""One thing that can be asked for over HTTP, as a value. The table of all is in `table`.

Routing, validation, rights and the OpenAPI description follow from these values alone.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Annotated, Any, Generic, TypeVar

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

from controller.api.gate import Gate
from controller.api.identity import Identity
from controller.api.resources import BotPages
from controller.api.streams import Streams
from controller.domain.acts import Act
from controller.domain.bot import Bot
from controller.domain.names import is_bot_id
from controller.fleet.journal import Caller
from controller.fleet.views import View
from controller.manager import Manager

Q = TypeVar("Q", bound=BaseModel)
B = TypeVar("B", bound=BaseModel)
_PARAMETER = re.compile(r"\{(\w+)\}")
SEGMENT = r"[A-Za-z0-9][A-Za-z0-9._~-]{0,99}"


class Given(BaseModel):
    """What somebody sends: a field that isn't known is refused, never ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True)


Source = Annotated[
    str,
    Field(
        pattern=r"^(file:[a-z0-9][a-z0-9-]{0,31})?$",
        description="`file:NAME` for what the files of the fleet of that name create.",
    ),
]
Value = Annotated[str, Field(max_length=8000)]
Values = Annotated[dict[Annotated[str, Field(max_length=64)], Value], Field(max_length=200)]


class Nothing(Given):
    """No fields at all."""


@dataclass(frozen=True, slots=True)
class Call(Generic[Q, B]):
    """One request for an operation, validated; and who makes it."""

    manager: Manager
    caller: Caller
    identity: Identity
    request: web.Request
    pages: BotPages
    streams: Streams
    gate: Gate
    path: Mapping[str, str]
    query: Q
    body: B

    async def view(self, act: Act) -> View:
        """The bot that the path names by its id or name, for somebody who wants to do this to it.

        Raises Denied before it says whether there is such a bot.
        """
        bots, named = self.manager.bots, self.path["bot"]
        if is_bot_id(named):
            return await bots.known(self.caller, act, named)
        return await bots.named(self.caller, act, named)

    async def bot(self, act: Act) -> Bot:
        """The same as a row."""
        return (await self.view(act)).bot


@dataclass(frozen=True, slots=True)
class Answer:
    """What is answered: a resource, or its JSON; the operation's own status unless one is given."""

    body: BaseModel | bytes | None = None
    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)


class Assistant(Enum):
    """What an assistant may do with an operation: nothing, look, or act where it's allowed to."""

    NOTHING = "nothing"
    LOOK = "look"
    ACT = "act"


@dataclass(frozen=True, kw_only=True)
class Operation(Generic[Q, B]):
    """An operation. `path` is below /api/v1; `{bot}` in it is a bot's id or name.

    `deed`: it takes its time, so its answer is an operation resource (202, or 200 with
    `Prefer: wait`). `secret`: what is sent or answered holds a secret, so nothing of it is kept and
    no Idempotency-Key is taken. `kept`: whether a repeat gets the same answer again. `etag`: it
    answers with an ETag, or where it changes something, needs If-Match. `anonymous`: it needs no
    key, because it gives one; only our own page may send it. `assistant`: whether it is a tool of
    assistants as well.
    `answer` is what comes back; None: nothing, or (`media`) something that isn't JSON. `event`: of
    a stream, what one line of it holds.
    """

    id: str
    method: str
    path: str
    act: Act
    summary: str
    query: type[Q]
    body: type[B]
    answer: type[BaseModel] | None
    handler: Callable[[Call[Q, B]], Awaitable[Answer | web.StreamResponse]]
    status: int = 200
    deed: bool = False
    secret: bool = False
    kept: bool = True
    etag: bool = False
    anonymous: bool = False
    media: str = "application/json"
    assistant: Assistant = Assistant.NOTHING
    event: type[BaseModel] | None = None

    @property
    def parameters(self) -> tuple[str, ...]:
        """The names in the path."""
        return tuple(_PARAMETER.findall(self.path))

    @property
    def pattern(self) -> str:
        """A regular expression that matches its paths as they are sent, undecoded."""
        return _PARAMETER.sub(rf"(?P<\1>{SEGMENT})", self.path)

    @property
    def changes(self) -> bool:
        """Whether it changes anything."""
        return self.method != "GET"


Operations = tuple[Operation[Any, Any], ...]
