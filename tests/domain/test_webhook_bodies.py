"""What webhooks are sent: whole, bounded, and harmless however hostile its words are."""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.domain.access import discord_user
from controller.domain.journal import Author, Entry, Kind
from controller.domain.webhook_bodies import BODY_MAX, body_of, event_of, rfc3339, sentence
from controller.domain.webhooks import EVENTS, Format

BY = Author(discord_user(1, "ann"), "chat:1", 7)
CRASH = Entry(
    seq=1042,
    at=1_764_295_200.5,
    kind=Kind.CRASH,
    bot_id="b",
    bot_name="shop",
    author=BY,
    data={"ended": 1.0, "exit_code": 137, "oom_killed": True},
)


def sent(entry: Entry, form: Format) -> Any:
    body = body_of(event_of(entry, "0123456789ab"), form)
    return json.loads(body.content) if body.type == "application/json" else body.content.decode()


def problem(text: str) -> Entry:
    data = {"code": "c", "message": text, "hint": ""}
    return Entry(seq=1, at=1.0, kind=Kind.PROBLEM, bot_id="b", bot_name="shop", data=data)


def test_an_event_is_named_numbered_and_dated() -> None:
    """Its id is the installation's and the entry's number: the same whenever it is sent."""
    event = event_of(CRASH, "0123456789ab")
    assert event.id == "0123456789ab-1042"
    assert sent(CRASH, Format.STANDARD) == {
        "type": "bot.crash",
        "timestamp": "2025-11-28T02:00:00.500Z",
        "data": {
            "number": 1042,
            "bot": {"id": "b", "name": "shop"},
            "by": {"kind": "user", "id": "1", "name": "ann"},
            "cause": 7,
            "details": {"ended": 1.0, "exit_code": 137, "oom_killed": True},
        },
    }


@given(st.floats(0, 4e9))
def test_a_time_is_rfc_3339_in_utc(at: float) -> None:
    """To the millisecond."""
    text = rfc3339(at)
    assert text.endswith("Z")
    assert abs(datetime.fromisoformat(text).timestamp() - at) < 0.0011


@pytest.mark.parametrize("kind", Kind)
def test_every_kind_has_a_sentence(kind: Kind) -> None:
    """In one line, also where an entry has nothing but its kind."""
    line = sentence(Entry(at=1.0, kind=kind, bot_name="shop"))
    assert line.endswith(".") or "None" in line
    assert "\n" not in line
    assert sent(Entry(seq=3, at=1.0, kind=kind), Format.STANDARD)["type"] == EVENTS[kind]


def test_people_read_what_happened() -> None:
    """The same line for Discord, Slack and ntfy, each in its own form."""
    line = "shop crashed (exit 137: out of memory)."
    assert sentence(CRASH) == line
    assert sent(CRASH, Format.SLACK)["text"] == line
    assert sent(CRASH, Format.NTFY) == line
    assert sent(CRASH, Format.DISCORD)["content"] == line.replace(":", "\\:")
    assert body_of(event_of(CRASH, "i"), Format.NTFY).headers["Priority"] == "high"


HOSTILE = [
    "@everyone @here <@81> <@&5> <#7>",
    "[click](https://evil.example) https://evil.example discord.gg/evil",
    "**bold** `code` ```block``` ||spoiler|| ~~x~~ > quote # head",
    "<!channel> <!here> <https://evil.example|bank> &lt;!channel&gt;",
    "two\nlines\r\n\x1b[31mred\x00 \u202eturned",
    "\\" * 50 + "@everyone",
    "x" * 5000,
]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_words_name_nobody_in_discord(text: str) -> None:
    """No ping, no link, no markup, no second line; and Discord is told to ping nobody."""
    body = sent(problem(text), Format.DISCORD)
    assert body["allowed_mentions"] == {"parse": []}
    assert len(body["content"]) <= 2000
    assert body["content"].isprintable() or "\u200b" in body["content"]
    assert "\n" not in body["content"]
    assert not re.search(r"@(everyone|here|[!&]?\d)|discord\.gg", body["content"])
    bare = re.sub(r"\\\\|\\[^\w\s]", "", body["content"])
    assert not re.search(r"[*`|~<>\[\]#]|://", bare), bare


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_words_are_no_command_in_slack(text: str) -> None:
    """The three signs that Slack asks to escape, and no markup."""
    body = sent(problem(text), Format.SLACK)
    assert not re.search(r"[<>]|&(?!amp;|lt;|gt;)", body["text"])
    assert body["mrkdwn"] is False
    assert "\n" not in body["text"]


@given(st.text(max_size=3000), st.sampled_from(Format))
def test_no_words_break_a_body(text: str, form: Format) -> None:
    """Whatever a bot, a person or an engine says, also half characters."""
    body = body_of(event_of(problem(text), "i"), form)
    assert len(body.content) <= BODY_MAX
    if form is not Format.NTFY:
        json.loads(body.content)


def test_a_body_is_bounded() -> None:
    """Long texts and lists are cut; what is still too large comes without its details."""
    many = {"before": {f"field-{n}": "é" * 8000 for n in range(200)}, "names": ["x"] * 500}
    entry = Entry(seq=2, at=1.0, kind=Kind.SETTINGS, bot_id="b", bot_name="shop", data=many)
    body = body_of(event_of(entry, "i"), Format.STANDARD)
    assert len(body.content) <= BODY_MAX
    said = json.loads(body.content)["data"]
    assert (said["details"], said["cut"], said["number"]) == ({}, True, 2)
    some = Entry(seq=2, at=1.0, kind=Kind.SECRETS, data={"names": ["x"] * 500, "a": "y" * 5000})
    details = sent(some, Format.STANDARD)["data"]["details"]
    assert (len(details["names"]), len(details["a"])) == (50, 1000)


def test_what_an_event_quotes_is_redacted() -> None:
    """In the data as in the line."""
    event = event_of(problem("it said hunter2"), "i", lambda text: text.replace("hunter2", "***"))
    assert "hunter2" not in str(event)
    assert b"***" in body_of(event, Format.STANDARD).content
    assert b"\\\\*\\\\*\\\\*" in body_of(event, Format.DISCORD).content
