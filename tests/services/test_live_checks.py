"""Every service and every way it can answer, over real sockets: the verdict and its words.

Next door: test_secrecy.py (nothing is revealed), test_verdict_rules.py (hostile answers).
"""

from __future__ import annotations

import asyncio
import dataclasses
import socket
import time
from collections.abc import AsyncIterator

import pytest

from controller.domain.live import CHECKS, Verdict
from controller.services import LiveChecks
from tests.services.standin import BOT_ID, GOOD, Reply, Standin

KINDS = sorted(CHECKS)
TITLES = {
    "discord": "Discord",
    "telegram": "Telegram",
    "slack-bot": "Slack",
    "slack-app": "Slack",
    "anthropic": "Anthropic",
    "openai": "OpenAI",
    "openrouter": "OpenRouter",
}
ACCEPTED = {
    "discord": "Discord accepts it: the bot Shop Helper.",
    "telegram": "Telegram accepts it: the bot @shop_helper_bot.",
    "slack-bot": "Slack accepts it: shophelper in The Shop.",
    "slack-app": "Slack accepts it: Socket Mode works.",
    "anthropic": "Anthropic accepts it.",
    "openai": "OpenAI accepts it.",
    "openrouter": "OpenRouter accepts it.",
}
WHERE_TO_LOOK = {
    "discord": "Reset Token",
    "telegram": "@BotFather",
    "slack-bot": "xoxb-",
    "slack-app": "connections:write",
    "anthropic": "API keys",
    "openai": "API keys",
    "openrouter": "Keys",
}
VALUE = "123456789:fake-token-for-a-check"


@pytest.fixture
async def standin() -> AsyncIterator[Standin]:
    """Stands in for all services; they accept everything unless told otherwise."""
    async with Standin() as made:
        yield made
        assert made.strange == []


async def asked(kind: str, url: str, timeout: float = 4.0) -> Verdict:
    """One secret, one verdict."""
    live = LiveChecks(url, timeout)
    try:
        return (await live.check({"the_secret": (kind, VALUE)}))["the_secret"]
    finally:
        await live.close()


def answer(standin: Standin, kind: str, reply: Reply) -> None:
    standin.answers[kind] = reply
    if kind == "discord":
        standin.answers["discord-application"] = reply


@pytest.mark.parametrize("kind", KINDS)
async def test_a_good_secret_is_accepted_by_name(standin: Standin, kind: str) -> None:
    """With the account's name if the service tells it; the service saw exactly the secret."""
    verdict = await asked(kind, standin.url)
    assert (verdict.state, verdict.message) == ("accepted", ACCEPTED[kind])
    assert standin.secrets[kind] == VALUE


@pytest.mark.parametrize("kind", KINDS)
async def test_a_bad_secret_is_refused_with_where_to_find_a_good_one(
    standin: Standin, kind: str
) -> None:
    """Each service says no in its own way."""
    standin.refuse(kind)
    verdict = await asked(kind, standin.url)
    assert verdict.state == "refused"
    assert verdict.message.startswith(f"{TITLES[kind]} doesn't accept it")
    assert WHERE_TO_LOOK[kind] in verdict.message


@pytest.mark.parametrize("kind", KINDS)
async def test_unauthorised_is_a_no_whatever_else_is_said(standin: Standin, kind: str) -> None:
    """Only the status counts."""
    answer(standin, kind, Reply(401, "what?"))
    assert (await asked(kind, standin.url)).state == "refused"


@pytest.mark.parametrize(
    "body",
    [
        {"error": {"type": "forbidden", "message": "Request not allowed"}},  # Anthropic: a region
        {"message": "internal network error", "code": 40333},  # Discord: its firewall
        "what?",
    ],
    ids=["region", "firewall", "no-json"],
)
@pytest.mark.parametrize("kind", KINDS)
async def test_forbidden_is_no_clear_no(standin: Standin, kind: str, body: object) -> None:
    """A good key from the wrong place gets a 403 too, so it is stored unchecked."""
    answer(standin, kind, Reply(403, body))
    verdict = await asked(kind, standin.url)
    assert verdict.state == "unknown"
    assert "it refuses this machine or this account (status 403)" in verdict.message


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (
            Reply(429, {"retry_after": 60.0}, {"Retry-After": "60"}),
            "too many requests right now (status 429)",
        ),
        (Reply(500, "oops"), "it has problems of its own (status 500)"),
        (Reply(503, ""), "it has problems of its own (status 503)"),
        (Reply(200, "{]"), "its answer makes no sense (status 200)"),
        (Reply(200, b"\xff\x00\xfe"), "its answer makes no sense (status 200)"),
        (Reply(200, "[" * 60_000), "its answer makes no sense (status 200)"),
        (Reply(200, ["ok"]), "its answer makes no sense (status 200)"),
        (Reply(200, {"hello": "world"}), "its answer makes no sense (status 200)"),
        (Reply(200, {"id": 7, "ok": 1, "data": 7, "result": 7}), "makes no sense (status 200)"),
        (Reply(302, "", {"Location": "/elsewhere"}), "it answers with a redirect (status 302)"),
        (
            Reply(403, "<h1>Blocked</h1>", {"Content-Type": "text/html"}),
            "it refuses this machine or this account (status 403)",
        ),
        (Reply(200, b"x" * 1_000_000), "its answer was too long"),
        (Reply(delay=5), "it didn't answer within 0.3 seconds"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
@pytest.mark.parametrize("kind", KINDS)
async def test_what_is_no_clear_answer_keeps_no_secret_out(
    standin: Standin, kind: str, reply: Reply, reason: str
) -> None:
    """The verdict is unknown, with the reason, in time; the service is asked only once."""
    answer(standin, kind, reply)
    began = time.monotonic()
    verdict = await asked(kind, standin.url, 0.3 if reply.delay else 4.0)
    assert time.monotonic() - began < 3
    assert verdict.state == "unknown"
    assert verdict.message.startswith(f"{TITLES[kind]} couldn't be asked: ")
    assert reason in verdict.message
    assert verdict.message.endswith("The value was stored unchecked.")
    assert len(standin.seen) == (2 if kind == "discord" else 1)


@pytest.mark.parametrize("kind", KINDS)
async def test_a_service_that_is_not_there_keeps_no_secret_out(kind: str) -> None:
    """Nothing listens on that port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
        verdict = await asked(kind, url)
    assert verdict.state == "unknown"
    assert "it can't be reached" in verdict.message


@pytest.mark.parametrize("kind", KINDS)
async def test_a_connection_that_breaks_keeps_no_secret_out(kind: str) -> None:
    """Half of them close without a word, half answer with something that isn't HTTP."""

    async def broken(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail\r\n" if kind > "m" else b"")
        writer.close()

    async with await asyncio.start_server(broken, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        verdict = await asked(kind, f"http://127.0.0.1:{port}")
    assert verdict.state == "unknown"
    assert "the connection to it broke" in verdict.message


async def test_a_certificate_that_nobody_vouches_for_gets_no_secret(
    standin: Standin, self_signed: str
) -> None:
    """TLS is checked: the connection ends before the secret is sent."""
    verdict = await asked("telegram", self_signed)
    assert verdict.state == "unknown"
    assert "its certificate isn't trusted" in verdict.message
    assert standin.seen == []


async def test_a_page_is_checked_all_at_once(standin: Standin) -> None:
    """Seven secrets of 0.4 s each take about 0.4 s together; each name has its own verdict."""
    for kind in GOOD:
        standin.answers[kind] = Reply(body=GOOD[kind], delay=0.4)
    standin.refuse("openai")
    live = LiveChecks(standin.url)
    began = time.monotonic()
    verdicts = await live.check({f"my_{kind}": (kind, VALUE) for kind in KINDS})
    took = time.monotonic() - began
    await live.close()
    assert took < 1.6
    assert {name: one.state for name, one in verdicts.items()} == {
        f"my_{kind}": "refused" if kind == "openai" else "accepted" for kind in KINDS
    }


async def test_a_slow_service_delays_no_other_verdict(standin: Standin) -> None:
    """All share one time limit: the slow service's verdict is unknown, the other's isn't."""
    standin.answers["openai"] = Reply(body=GOOD["openai"], delay=5)
    live = LiveChecks(standin.url, 0.4)
    began = time.monotonic()
    verdicts = await live.check({"a": ("openai", VALUE), "b": ("anthropic", VALUE)})
    await live.close()
    assert time.monotonic() - began < 2
    assert (verdicts["a"].state, verdicts["b"].state) == ("unknown", "accepted")


async def test_checks_that_are_off_ask_nobody(standin: Standin) -> None:
    """No verdict and no connection."""
    live = LiveChecks(standin.url, enabled=False)
    assert await live.check({"a": ("discord", VALUE)}) == {}
    await live.close()
    assert standin.seen == []


async def test_after_the_end_nobody_is_asked(standin: Standin) -> None:
    """A form submitted while BotMaker stops is stored unchecked."""
    live = LiveChecks(standin.url)
    await live.check({"a": ("openai", VALUE)})
    await live.close()
    verdict = (await live.check({"a": ("openai", VALUE)}))["a"]
    assert (verdict.state, standin.seen) == ("unknown", ["openai"])


async def test_a_kind_that_is_not_known_is_unknown(standin: Standin) -> None:
    """It is the template's mistake, and no reason to lose what was typed."""
    assert (await asked("myspace", standin.url)).state == "unknown"
    assert standin.seen == []


async def test_no_secret_asks_nothing(standin: Standin) -> None:
    """A page may have only fields."""
    assert await LiveChecks(standin.url).check({}) == {}


async def test_discord_says_how_to_add_the_bot(standin: Standin) -> None:
    """The note is a link with the application's id and the rights to talk, nothing more."""
    verdict = await asked("discord", standin.url)
    (link,) = verdict.notes
    assert link.startswith(
        "Add it to a server: https://discord.com/oauth2/authorize"
        f"?client_id={BOT_ID}&scope=bot+applications.commands&permissions="
    )
    rights = int(link.rpartition("=")[2])
    for administrator_ban_manage in (1 << 3, 1 << 2, 1 << 1, 1 << 4, 1 << 5, 1 << 13, 1 << 28):
        assert not rights & administrator_ban_manage
    assert rights & 1 << 11, "it may send messages"


@pytest.mark.parametrize(
    ("flags", "off"), [(0, True), (1 << 18, False), (1 << 19, False), (1 << 15 | 1 << 23, True)]
)
async def test_discord_says_where_to_turn_the_intent_on(
    standin: Standin, flags: int, off: bool
) -> None:
    """Either of its two flags is enough."""
    standin.say("discord-application", flags=flags)
    notes = " ".join((await asked("discord", standin.url)).notes)
    assert ("Bot → Message Content Intent" in notes) is off


async def test_a_bot_that_needs_a_code_grant_is_told_of(standin: Standin) -> None:
    """The link can't add such a bot."""
    standin.say("discord-application", bot_require_code_grant=True)
    assert "Requires OAuth2 Code Grant" in (await asked("discord", standin.url)).notes[0]


@pytest.mark.parametrize("reply", [Reply(500), Reply(200, "{]"), Reply(delay=5)])
async def test_discord_accepts_a_token_also_without_its_settings(
    standin: Standin, reply: Reply
) -> None:
    """An unanswered second question doesn't change the verdict."""
    standin.answers["discord-application"] = reply
    verdict = await asked("discord", standin.url, 0.5)
    assert (verdict.state, verdict.message) == ("accepted", ACCEPTED["discord"])
    assert verdict.notes == ("Discord didn't say whether the Message Content Intent is on.",)


async def test_telegram_refuses_what_is_no_token_at_all(standin: Standin) -> None:
    """Telegram answers 404 to it."""
    standin.answers["telegram"] = Reply(404, {"ok": False, "error_code": 404})
    assert (await asked("telegram", standin.url)).state == "refused"


@pytest.mark.parametrize("status", [403, 404])
@pytest.mark.parametrize(
    "reply",
    [
        Reply(body="<html>Not Found</html>", headers={"Content-Type": "text/html"}),
        Reply(body="<html>Not Found</html>", headers={"Content-Type": "text/html; charset=utf-8"}),
        Reply(body="<?xml version='1.0'?>", headers={"Content-Type": "application/xhtml+xml"}),
        Reply(body="Not Found", headers={"Content-Type": "text/plain"}),
        Reply(body='{"ok": false}', headers={"Content-Type": "text/html"}),
        Reply(body={"message": "no Route matched with those values"}),
        Reply(body=""),
    ],
)
async def test_a_proxys_404_refuses_no_telegram_token(
    standin: Standin, reply: Reply, status: int
) -> None:
    """Only Telegram's own words do; the page of a proxy or a captive portal says nothing of it."""
    standin.answers["telegram"] = dataclasses.replace(reply, status=status)
    assert (await asked("telegram", standin.url)).state == "unknown"


async def test_telegram_says_what_the_bot_may_do_in_groups(standin: Standin) -> None:
    """The note also says how to change it."""
    assert (await asked("telegram", standin.url)).notes == ()
    standin.say("telegram", can_join_groups=False)
    assert "/setjoingroups" in (await asked("telegram", standin.url)).notes[0]
    standin.say("telegram", can_read_all_group_messages=False)
    assert "/setprivacy" in (await asked("telegram", standin.url)).notes[0]


@pytest.mark.parametrize("value", ["../../x", "1:a/b?c#d", "1:ü", "a b", "%2e%2e%2f"])
async def test_no_token_changes_what_telegram_is_asked(standin: Standin, value: str) -> None:
    """The token stays one part of the path, whatever characters it has."""
    live = LiveChecks(standin.url)
    await live.check({"a": ("telegram", value)})
    await live.close()
    assert standin.secrets["telegram"] == value


@pytest.mark.parametrize("value", ["a\r\nX-Evil: 1", "a\x00b", "ключ"])
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "telegram"])
async def test_no_value_breaks_out_of_its_header(standin: Standin, kind: str, value: str) -> None:
    """Such a value isn't sent at all."""
    live = LiveChecks(standin.url)
    verdict = (await live.check({"a": (kind, value)}))["a"]
    await live.close()
    assert "the value has characters that a web request can't carry" in verdict.message
    assert standin.seen == []


@pytest.mark.parametrize(
    ("error", "state"),
    [
        ("invalid_auth", "refused"),
        ("account_inactive", "refused"),
        ("token_revoked", "refused"),
        ("not_allowed_token_type", "refused"),
        ("ratelimited", "unknown"),
        ("internal_error", "unknown"),
        ("<!channel>", "unknown"),
    ],
)
@pytest.mark.parametrize("kind", ["slack-bot", "slack-app"])
async def test_slack_says_no_with_a_code(
    standin: Standin, kind: str, error: str, state: str
) -> None:
    """Some codes are about the token, some about Slack; what isn't a code isn't repeated."""
    standin.answers[kind] = Reply(body={"ok": False, "error": error})
    verdict = await asked(kind, standin.url)
    assert verdict.state == state
    assert (error in verdict.message) is (error != "<!channel>")


async def test_a_persons_slack_token_is_told_of(standin: Standin) -> None:
    """It works, but it isn't a bot's."""
    standin.say("slack-bot", bot_id=None, user="ann")
    verdict = await asked("slack-bot", standin.url)
    assert verdict.state == "accepted"
    assert "a person's token, not a bot's" in verdict.notes[0]


async def test_a_restricted_openai_key_is_a_good_key(standin: Standin) -> None:
    """It may not list models, but it may still be allowed to use them."""
    text = "You have insufficient permissions. Missing scopes: api.model.read."
    standin.answers["openai"] = Reply(403, {"error": {"message": text}})
    verdict = await asked("openai", standin.url)
    assert (verdict.state, len(verdict.notes)) == ("accepted", 1)
    standin.answers["openai"] = Reply(401, {"error": {"message": text}})
    assert (await asked("openai", standin.url)).state == "accepted"
    country = {"error": {"code": "unsupported_country_region_territory"}}
    standin.answers["openai"] = Reply(403, country)
    verdict = await asked("openai", standin.url)
    assert verdict.state == "unknown"
    assert "doesn't serve the country" in verdict.message


@pytest.mark.parametrize(("left", "noted"), [(None, False), (3.5, False), (0, True), (-1, True)])
async def test_a_spent_openrouter_key_is_told_of(
    standin: Standin, left: float | None, noted: bool
) -> None:
    """A key without a limit isn't spent. The answer holds both ends of the key: never repeated."""
    standin.say("openrouter", limit_remaining=left)
    verdict = await asked("openrouter", standin.url)
    assert bool(verdict.notes) is noted
    assert "sk-or" not in f"{verdict}"
