"""One interaction as the person sees it: what was sent, what came back, and its later changes.
Next door: payloads.py builds what is sent, callbacks.py fills this in, person.py hands it out."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .errors import Json, NoAnswer
from .world import Message

if TYPE_CHECKING:
    from .person import Person
    from .server import LoopbackDiscord

KINDS = {
    4: "message",
    5: "deferred",
    6: "deferred-update",
    7: "update",
    8: "choices",
    9: "modal",
}


@dataclass(slots=True, eq=False)
class Modal:
    """A form that the bot showed; `fields` are its inputs, `texts` its plain paragraphs."""

    invocation: Invocation
    raw: Json

    @property
    def custom_id(self) -> str:
        return str(self.raw["custom_id"])

    @property
    def title(self) -> str:
        return str(self.raw["title"])

    @property
    def texts(self) -> list[str]:
        return [part["content"] for part in self.raw["components"] if part["type"] == 10]

    @property
    def fields(self) -> list[Json]:
        return [_field(top, part) for top in self.raw["components"] for part in inputs_of(top)]


def inputs_of(top: Json) -> list[Json]:
    """The inputs inside one top-level part of a modal: a Label, an ActionRow, or none."""
    if top["type"] == 18:
        return [top["component"]]
    if top["type"] == 1:
        return list(top["components"])
    return []


def _field(top: Json, part: Json) -> Json:
    return {
        "custom_id": part["custom_id"],
        "type": part["type"],
        "label": top.get("label") or part.get("label"),
        "description": top.get("description"),
        "required": part.get("required", True),
        "min_length": part.get("min_length"),
        "max_length": part.get("max_length"),
        "placeholder": part.get("placeholder"),
        "value": part.get("value"),
        "style": part.get("style"),
        "options": part.get("options"),
    }


class Invocation:
    """An interaction and everything that the bot did with it."""

    def __init__(self, world: LoopbackDiscord, person: Person, payload: Json) -> None:
        self.world = world
        self.person = person
        self.payload = payload
        self.id = int(payload["id"])
        self.token = str(payload["token"])
        self.type = int(payload["type"])
        self.channel_id = int(payload["channel_id"])
        self.heard = True  # False when no gateway session existed to hear it
        self.dispatched_at = 0.0
        self.answered_ms: float | None = None
        self.kind: str | None = None
        self.source: Message | None = None  # the message whose component was used
        self.message: Message | None = None  # the original response
        self.followups: list[Message] = []
        self.owned: dict[int, Message] = {}  # all that this token may edit, ephemeral ones too
        self.modal: Modal | None = None
        self.choices: list[Json] | None = None
        self.callbacks: list[int] = []  # HTTP status of each callback, in order
        self.said: list[str] = []

    @property
    def answered(self) -> bool:
        return self.kind is not None

    @property
    def ephemeral(self) -> bool:
        return self.message is not None and self.message.ephemeral

    @property
    def text(self) -> str:
        return self.message.content if self.message is not None else ""

    @property
    def age(self) -> float:
        return time.perf_counter() - self.dispatched_at

    @property
    def modal_sent(self) -> Awaitable[Modal]:
        """Done when the bot's modal has arrived, before that request is answered."""
        return self._modal_sent()

    async def _modal_sent(self) -> Modal:
        await self.wait()
        if self.modal is None:
            raise AssertionError(f"expected a modal, got {self.kind}\n{self.transcript()}")
        return self.modal

    async def wait(self, within: float | None = None) -> Invocation:
        """Waits for the first callback; `within` counts from the dispatch."""
        limit = self.world.answer_window if within is None else within
        left = max(0.0, limit - self.age)
        if not await self.world.reached(lambda: self.answered, left):
            raise NoAnswer(f"no answer within {limit:g} s\n{self.transcript()}")
        return self

    async def until(self, wanted: Callable[[Invocation], Any], timeout: float = 10.0) -> Invocation:
        """Waits, without polling, until the predicate holds for this invocation."""
        if not await self.world.reached(lambda: wanted(self), timeout):
            raise NoAnswer(f"not reached within {timeout:g} s\n{self.transcript()}")
        return self

    def note(self, what: str) -> None:
        self.said.append(f"{self.age * 1000:8.1f} ms  {what}")

    def note_message(self, what: str, message: Message) -> None:
        private = "private " if message.ephemeral else ""
        self.note(f"{private}{what}: {describe(message)}")

    def transcript(self) -> str:
        """What was said, for somebody who reads a failed test."""
        head = f"{self.person.name}: {self.title}"
        lines = [head, *self.said] if self.said else [head, "  (the bot said nothing)"]
        if not self.heard:
            lines.append("  (no gateway session existed: nobody could hear it)")
        since = [r for r in self.world.requests if r.time >= self.dispatched_at]
        lines += ["requests since then:"] + [f"  {request}" for request in since[-20:]]
        return "\n".join(lines)

    @property
    def title(self) -> str:
        data = self.payload["data"]
        names = [str(data.get("name") or data.get("custom_id"))]
        options = data.get("options") or []
        while options and options[0]["type"] in (1, 2):
            names.append(options[0]["name"])
            options = options[0].get("options") or []
        what = {2: "/", 3: "clicks ", 4: "types in /", 5: "submits "}[self.type]
        given = [f"{option['name']}={option['value']!r}" for option in options]
        return " ".join([what + " ".join(names), *given])

    def __repr__(self) -> str:
        return f"<Invocation {self.title!r} {self.kind or 'unanswered'} {self.text!r}>"


def describe(message: Message) -> str:
    parts = [repr(message.content)]
    parts += [f"embed {e.get('title') or e.get('description')!r}" for e in message.embeds]
    parts += [f"[{label}]" for label in message.labels()]
    parts += [f"file {a.filename} ({a.size} bytes)" for a in message.attachments]
    return " ".join(parts)
