"""Answers are hostile text: which parts reach a sentence or a link, and which reach nothing."""

from __future__ import annotations

import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.domain.live import CHECKS, Verdict
from controller.services.door import Answer, Silence
from controller.services.verdict_rules import NAME_MAX, VERDICTS, one_line
from tests.services.standin import GOOD

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
KEYS = ("id", "username", "flags", "ok", "error", "result", "data", "user", "team", "is_bot")
BODIES = st.dictionaries(st.sampled_from(KEYS) | st.text(), JSON, max_size=6)
HEARD = st.builds(
    Answer, st.sampled_from([200, 204, 301, 400, 401, 403, 404, 429, 500]), BODIES, st.booleans()
) | st.just(Silence("it can't be reached"))


def judged(kind: str, *bodies: dict[str, Any]) -> Verdict:
    return VERDICTS[kind](tuple(Answer(200, body) for body in bodies))


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("Shop Helper", "Shop Helper"),
        ("  a\n\tb\r\nc  ", "a b c"),
        ("a\x1b[31mb\x00c", "a [31mb c"),
        ("\u202eevil\u2066 \u200bname\u2028x", "evil name x"),
        ("\ud800x", "x"),
        ("x" * 100, "x" * 100),
        ("x" * 101, "x" * 99 + "…"),
        ("y" * 1_000_000, "y" * 99 + "…"),
        ("", ""),
        (None, ""),
        (7, ""),
        (["a"], ""),
    ],
    ids=range(12),
)
def test_text_of_a_service_becomes_one_plain_line(text: object, line: str) -> None:
    """The line has at most 100 characters, and no control, bidi or invisible ones."""
    assert one_line(text) == line


@given(st.text())
def test_no_text_brings_control_characters_along(text: str) -> None:
    """No text makes an exception."""
    line = one_line(text)
    assert len(line) <= NAME_MAX
    assert all(sign == " " or unicodedata.category(sign)[0] not in "CZ" for sign in line)


@pytest.mark.parametrize("kind", sorted(CHECKS))
@given(st.data())
def test_no_answer_breaks_a_check(kind: str, data: st.DataObject) -> None:
    """The result is always a verdict in plain lines; a service in trouble refuses nothing."""
    heard = tuple(data.draw(HEARD) for _ in range(2 if kind == "discord" else 1))
    verdict = VERDICTS[kind](heard)
    for line in (verdict.message, *verdict.notes):
        assert line.isprintable()
        assert len(line) < 500
    statuses = {one.status for one in heard if isinstance(one, Answer)}
    if verdict.state == "refused" and not kind.startswith("slack"):
        assert statuses & {401, 403, 404}
    if verdict.state == "accepted" and kind != "openai":
        assert 200 in statuses


@pytest.mark.parametrize(
    "made_up", ["1&redirect_uri=http://evil.example", "1\n2", "١٢٣", "", "9" * 21, 12, None, "../1"]
)
def test_an_invite_link_is_made_of_a_number_only(made_up: object) -> None:
    """With anything else as the application's id there is no link."""
    verdict = judged("discord", GOOD["discord"], {**GOOD["discord-application"], "id": made_up})
    assert verdict.state == "accepted"
    assert verdict.notes == ()


def test_a_name_is_repeated_without_its_tricks() -> None:
    """The name is clipped and on one line; escaping markdown is left to whoever shows it."""
    verdict = judged("discord", {"id": "1", "username": "a\n@everyone\x07" + "b" * 200}, {})
    assert verdict.message.startswith("Discord accepts it: the bot a @everyone bbb")
    assert len(verdict.message) < 140
    assert "\n" not in verdict.message


@pytest.mark.parametrize("handle", ["a b", "evil.example/x", "<@1>", "", None, 7])
def test_a_telegram_handle_that_is_none_is_not_shown_as_one(handle: object) -> None:
    """The bot's name is shown instead."""
    body = {"result": {**GOOD["telegram"]["result"], "username": handle}}
    assert judged("telegram", body).message == "Telegram accepts it: the bot Shop Helper."


def test_telegram_speaks_of_a_bot() -> None:
    """A person's account isn't accepted."""
    body = {"result": {**GOOD["telegram"]["result"], "is_bot": False}}
    assert judged("telegram", body).state == "unknown"


def test_the_socket_ticket_of_slack_is_not_repeated() -> None:
    """Anyone who has the ticket could listen in."""
    assert "ticket" not in f"{judged('slack-app', GOOD['slack-app'])}"


@pytest.mark.parametrize("first", [Answer(200, GOOD["discord"]), Silence("it can't be reached")])
def test_one_no_of_discord_is_enough(first: Answer | Silence) -> None:
    """That also holds if only the second question got through."""
    assert VERDICTS["discord"]((first, Answer(401, {}))).state == "refused"
