"""Hostile text in messages, judged by a markdown parser that knows nothing of ours."""

from __future__ import annotations

import re
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from controller.chat.words.failures import failure_words
from controller.chat.words.text import plain, sentences
from controller.domain.errors import EngineUnavailable
from demo.world import World
from tests.chat.acting import VALUES, fill, make, until_card

JUDGE = MarkdownIt("commonmark").enable(["strikethrough", "table"])
# What Discord's clients make live beyond markdown: addresses, mentions, times, commands, emojis.
LIVE = re.compile(
    r"(?<!\\)(?:https?|ftp|discord|steam)(?=://)"
    r"|<(?:[@#]|/|id:|t:|a?:|https?:|mailto:|tel:)"
    r"|@(?:everyone|here|[!&]?\d{17,20})"
    r"|(?<!\\):[a-z0-9_+-]+:|discord\.gg/"
    r"|(?<!\\)\|\|",
    re.IGNORECASE,
)
HARMLESS = {"text", "inline", "paragraph_open", "paragraph_close"}
pieces = st.sampled_from(
    [
        "[1](2) [log in](https://evil.example/x)", "[a][b]", "[a]: https://evil.example", "![i](u)",
        "https://evil.example", "HTTP://EVIL.example/a_b", "<https://evil.example>", "discord.gg/x",
        "<#123456789012345678>", "</bot list:123456789012345678>", "<t:1700000000:R>",
        "<id:browse>",
        "<:smile:123456789012345678>", "<a:x:123456789012345678>", ":smile:", "@everyone", "@Here",
        "<@123456789012345678>", "<@&123456789012345678>", "<a@b.example>", "# big", "-# small",
        "> quote", ">>> quote", "- item", "* item", "+ item", "1. item", "2) item", "```", "``",
        "`", "||spoiler||", "**", "__", "~~", "*", "_", "\\", "\\\\", "---", "===", "|a|b|",
        "|-|-|",
        "<b>", "<!--", "&lt;", "&#91;", "[", "]", "(", ")", "!", "\n", "\n\n",
        "    ", "\t", "a", " ", "\u200b", "\u202e", "\x1b[31m",
    ]
)  # fmt: skip
hostile = st.one_of(st.lists(pieces, max_size=12).map("".join), st.text(max_size=80))


def kinds(markdown: str) -> set[str]:
    """What the judge sees in a text."""
    found: list[Token] = JUDGE.parse(markdown)
    inner = [child for token in found for child in token.children or ()]
    return {token.type for token in (*found, *inner)}


def text_of(markdown: str) -> str:
    """What a reader would see."""
    return "".join(
        child.content for token in JUDGE.parse(markdown) for child in token.children or ()
    )


@given(hostile)
@example("[1](2) [log in](https://evil.example)")
@example("[[a](b)](https://evil.example)")
@example("\\[a](https://evil.example)")
@settings(max_examples=2000, deadline=None)
def test_nothing_of_a_hostile_text_survives_as_markup(text: str) -> None:
    """No link, no mention, no block, no emphasis: at a line's start and inside a line."""
    said = plain(text)
    for around in ("{}", "**bot** — {}", "{} (exit 1)", "❌ line\n{}", "{}\n{}"):
        seen = kinds(around.replace("{}", said)) - {"softbreak"}
        allowed = HARMLESS | ({"strong_open", "strong_close"} if "**bot**" in around else set())
        assert seen <= allowed, (seen - allowed, said)
    assert not LIVE.search(said), said


@given(hostile)
@settings(max_examples=500, deadline=None)
def test_a_reader_sees_the_hostile_text_as_it_was(text: str) -> None:
    """Escapes vanish for the reader: what a program printed can be read and found again."""
    seen = text_of(plain(text, 10_000)).replace("\u200b", "")
    assert seen.split() == plain_words(text)


def plain_words(text: str) -> list[str]:
    """The words of a text without what nobody can see."""
    from controller.vault import clean

    return clean(" ".join(text.split())).split()


@given(hostile)
@settings(max_examples=1000, deadline=None)
def test_a_sentence_that_quotes_hostile_text_stays_a_sentence(text: str) -> None:
    """An error's words may hold an engine's: its code spans stay code, and nothing else lives."""
    seen = kinds(sentences(f"Docker said: {text}. Run `docker ps`."))
    assert seen <= HARMLESS | {"code_inline", "softbreak", "hardbreak"}, seen
    words = failure_words(EngineUnavailable(f"It said {text}", hint=text))
    outside = re.sub(r"`[^`\n]+`", "", words)
    assert not LIVE.search(outside), words


async def test_everything_that_is_sent_suppresses_previews(world: World) -> None:
    """Cards, answers, direct messages and edits carry the flag."""
    await make(world)
    await until_card(world, "shop", "waiting for secrets")
    await fill(world, VALUES)
    await until_card(world, "shop", "running")
    await world.admin.slash(world.channel, "bot list")
    bodies = [body for body in map(message_of, world.env.http_requests) if body is not None]
    assert len(bodies) > 5
    for body in bodies:
        assert int(body.get("flags") or 0) & 1 << 2, body


def message_of(request: Any) -> dict[str, Any] | None:
    """The message in a request, if there is one with words."""
    body = request.json if isinstance(request.json, dict) else {}
    body = body.get("data", body) or {}
    if not isinstance(body, dict) or "title" in body:  # a form
        return None
    return body if body.get("content") or body.get("components") else None
