"""Redaction: no live or likely secret gets through; ordinary lines stay as they are.

Every key here is put together at run time, so that no secret scanner finds one in the source.
"""

from __future__ import annotations

import base64
import json
import random
import re
import string
import threading
import time
import unicodedata
import urllib.parse
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.vault import MARK, Redactor, clean

WORD = string.ascii_letters + string.digits + "_-"
ALNUM = string.ascii_letters + string.digits
UPPER = string.ascii_uppercase + string.digits
LIVE = "live:Fake/value+with=signs&more"


def _chars(rnd: random.Random, alphabet: str, low: int, high: int | None = None) -> str:
    return "".join(rnd.choices(alphabet, k=rnd.randint(low, high or low)))


KINDS: dict[str, Callable[[random.Random], str]] = {
    "discord": lambda r: ".".join(
        (r.choice("MNO") + _chars(r, WORD, 23, 27), _chars(r, WORD, 6, 7), _chars(r, WORD, 27, 45))
    ),
    "anthropic": lambda r: "sk-" + "ant-api03-" + _chars(r, WORD, 80, 100),
    "openai": lambda r: "sk-" + r.choice(["proj-", "svcacct-"]) + _chars(r, WORD, 40, 150),
    "openai of old": lambda r: "sk-" + _chars(r, ALNUM, 48),
    "openrouter": lambda r: "sk-" + "or-v1-" + _chars(r, "0123456789abcdef", 64),
    "slack bot": lambda r: "xox" + "b-" + "-".join(_chars(r, ALNUM, 12) for _ in range(3)),
    "slack app": lambda r: "xapp" + "-1-" + _chars(r, UPPER, 11) + "-" + _chars(r, ALNUM, 60),
    "telegram": lambda r: _chars(r, "123456789", 8, 10) + ":" + _chars(r, WORD, 35),
    "google": lambda r: "AI" + "za" + _chars(r, WORD, 35),
    "github": lambda r: "gh" + r.choice("pousr") + "_" + _chars(r, ALNUM, 36, 60),
    "github fine": lambda r: "github" + "_pat_" + _chars(r, ALNUM + "_", 82),
    "jwt": lambda r: ".".join(
        ("ey" + "J" + _chars(r, WORD, 30), "ey" + "J" + _chars(r, WORD, 60), _chars(r, WORD, 43))
    ),
    "age": lambda r: "AGE-SECRET-" + "KEY-1" + _chars(r, UPPER, 58),
    "pem": lambda r: (
        "-----BEGIN RSA PRIVATE " + "KEY-----\n"
        + "\n".join(_chars(r, ALNUM + "+/", 64) for _ in range(4))
        + "\n-----END RSA PRIVATE " + "KEY-----"
    ),
}  # fmt: skip

PLACES: tuple[Callable[[str], str], ...] = (
    lambda key: key,
    lambda key: f"starting with key {key} and going on",
    lambda key: f"API_KEY={key};",
    lambda key: f'{{"level":"info","token":"{key}","n":1}}',
    lambda key: f"Authorization: Bearer {key}",
    lambda key: f"https://api.example.test/bot{key}/getMe",
    lambda key: f"GET /v1?key={key}&x=1 HTTP/1.1",
    lambda key: f"GET /v1?q=key%3D{key} HTTP/1.1",
    lambda key: f"('{key}', None)",
    lambda key: f"error\\n{key}\\nmore",
    lambda key: f"<{key}>, `{key}`",
)

HIDERS = ("\x1b[0m", "\x1b[38;5;200m", "\u200b", "\u202e", "\x07", "\x1b]0;t\x07", "\ufe0f", "\r")


def _left(key: str, text: str) -> bool:
    """Whether ten characters in a row of the key can still be read."""
    return any(key[at : at + 10] in text for at in range(len(key) - 9))


@pytest.mark.parametrize("kind", KINDS)
def test_no_generated_key_gets_through(kind: str) -> None:
    """800 of each kind in many places, half of them with something invisible inside: 0 misses."""
    rnd = random.Random(kind)
    redact = Redactor()
    misses = []
    for turn in range(800):
        key = KINDS[kind](rnd)
        line = PLACES[turn % len(PLACES)](key)
        if turn % 2:
            at = line.index(key) + rnd.randrange(1, len(key))
            line = line[:at] + rnd.choice(HIDERS) + line[at:]
        shown = redact(line)
        if _left(key, shown) or MARK not in shown:
            misses.append((line, shown))
    assert misses == []


ORDINARY = (
    "2026-11-21T10:00:00.12345Z INFO gateway: connected to https://api.example.test/v1 in 23 ms",
    "container botmaker-6f1c1b9e-7a60-4b8e-9a55-0d6f3f3c2f11 started (exit 137: out of memory)",
    "image sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08 pulled",
    "task-runner-with-a-rather-long-name and risk-assessment-of-the-whole-thing-2026 disk-usage",
    "listening on 127.0.0.1:18789 and [::1]:7100 for http://user.example.test:8080/path@here",
    "2026-11-21 10:00:00,123 - root - WARNING - retry 3 of 10 at 1732181234:5678",
    "org.example.service.MethodArgumentNotValidException: Name must not be blank",
    "NullPointerException.handler.method at Main.java:42",
    "npm warn deprecated inflight@1.0.6: leaks memory; use lru-cache@11.0.0",
    "commit 3f2504e04f8911d39a0c0305e82c3301 by Jane Doe <jane.doe@example.test>",
    "usage: input_tokens=1234 output_tokens=99 max_tokens=4096 finish=stop",
    "-----BEGIN CERTIFICATE-----",
    "the secret is missing: enter the token again with /bot secrets",
    "bearer token expired; Bearer of bad news",
    "ghost_of_christmas_past xoxo eyJ sk-short AIza AKIA",
    "grüße aus Köln, 東京, Ελλάδα — “quoted” … 100 %",
    "\tindented\ttext with tabs",
)


@pytest.mark.parametrize("line", ORDINARY)
def test_ordinary_lines_stay_as_they_are(line: str) -> None:
    """What bots and libraries usually log isn't redacted."""
    redact = Redactor()
    redact.learn("bot", [LIVE, "a-b-c"])
    assert redact(line) == line


def test_our_own_tokens_are_hidden_by_their_shape() -> None:
    """BotMaker doesn't know them again: it keeps a hash."""
    token = f"bm_{'0a' * 6}_{'1b' * 32}"
    said = f"Authorization: {token}, token={token} and bm_short stays"
    assert Redactor()(said) == f"Authorization: {MARK}, token={MARK} and bm_short stays"


FORMS: dict[str, Callable[[str], str]] = {
    "plain": lambda value: value,
    "base64": lambda value: base64.b64encode(value.encode()).decode(),
    "base64 without padding": lambda value: base64.b64encode(value.encode()).decode().rstrip("="),
    "base64 for urls": lambda value: base64.urlsafe_b64encode(value.encode()).decode(),
    "base64 in a url": lambda value: urllib.parse.quote(
        base64.b64encode(value.encode()).decode(), safe=""
    ),
    "base64 after one byte": lambda value: base64.b64encode(b"a" + value.encode()).decode(),
    "base64 after a name": lambda value: base64.b64encode(f"me:{value}@x".encode()).decode(),
    "url": lambda value: urllib.parse.quote(value, safe=""),
    "url in lower case": lambda value: re.sub(
        "%..", lambda match: match[0].lower(), urllib.parse.quote(value, safe="")
    ),
    "form": urllib.parse.quote_plus,
    "path": urllib.parse.quote,
    "json": lambda value: json.dumps(value)[1:-1],
    "repr": lambda value: repr(value)[1:-1],
    "colour inside": lambda value: value[:5] + "\x1b[31m" + value[5:],
    "zero width inside": lambda value: value[:5] + "\u200b" + value[5:],
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("value", [LIVE, "fakefakefake", "quote\"s and 'more' \\ ümläut", "abc123"])
def test_a_live_value_is_hidden_in_every_form(value: str, form: str) -> None:
    """Known values are hidden however they were encoded on their way into a log."""
    redact = Redactor()
    redact.learn("bot", ["another-fake-value", value])
    text = FORMS[form](value)
    assert redact(f"before <{text}> after") == f"before <{MARK}> after"


@given(value=st.text(min_size=6, max_size=80), around=st.text(max_size=20))
def test_a_live_value_never_gets_through(value: str, around: str) -> None:
    """Any text of six or more visible characters is hidden, whatever is around it."""
    seen = clean(value).strip()
    redact = Redactor()
    redact.learn("bot", [value])
    shown = redact(f"{around} {value} {around}")
    if len(seen) >= 6 and seen not in MARK and seen not in clean(around):
        assert seen not in shown.replace(MARK, "\0")


@pytest.mark.parametrize("columns", [8, 19, 64, 76])
@pytest.mark.parametrize("before", ["", "a", "user:"])
@pytest.mark.parametrize("indent", ["", "    ", "\t"])
def test_a_value_that_was_broken_into_lines_is_hidden(
    columns: int, before: str, indent: str
) -> None:
    """No line keeps a part of a value wrapped by `base64` or `fold`; what is around it stays, and
    so does the number of log lines."""
    redact = Redactor()
    redact.learn("bot", [LIVE])
    for text in (LIVE, base64.b64encode(f"{before}{LIVE}".encode()).decode()):
        wrapped = [indent + text[at : at + columns] for at in range(0, len(text), columns)]
        shown = redact("\n".join(["before", *wrapped, "after"]))
        assert not [part for part in wrapped if len(part.strip()) > 3 and part.strip() in shown]
        assert (shown.split("\n")[0], shown.split("\n")[-1]) == ("before", "after")
        assert MARK in shown
        lines = redact.lines(["before", *wrapped, "after", "after that"])
        assert len(lines) == len(wrapped) + 3
        assert (lines[0], lines[-2], lines[-1]) == ("before", "after", "after that")
        assert not [part for part in wrapped if len(part.strip()) > 3 and part in lines]


def test_two_values_of_one_wrapped_text_both_go() -> None:
    """They may be side by side, or one inside the other."""
    redact = Redactor()
    redact.learn("bot", ["fake-first-value", "fake-second-value", "fake-first-value-and-more"])
    text = "fake-first-value-and-more:fake-second-value"
    for columns in range(3, 30):
        shown = redact("\n".join(text[at : at + columns] for at in range(0, len(text), columns)))
        assert not re.search("first|second|more", shown.replace("\n", "")), (columns, shown)


@pytest.mark.parametrize("value", ["4711", "pin-7"])
def test_a_short_value_goes_where_it_stands_alone(value: str) -> None:
    """Values of four and five characters are hidden as whole words, not inside other words."""
    redact = Redactor()
    redact.learn("bot", [value])
    assert redact(f"PIN={value}, again ({value}).") == f"PIN={MARK}, again ({MARK})."
    assert redact(f"order1{value}2 stays") == f"order1{value}2 stays"
    redact.forget("bot")
    assert redact(value) == value


def test_the_longer_of_two_values_goes_first() -> None:
    """A value that begins with another one doesn't leave its end behind."""
    redact = Redactor()
    redact.learn("bot", ["fake-key", "fake-key-and-more"])
    assert redact("x fake-key-and-more y fake-key z") == f"x {MARK} y {MARK} z"


def test_short_values_are_left_alone() -> None:
    """Hiding three characters or fewer would garble every text."""
    redact = Redactor()
    redact.learn("bot", ["abc", "", " "])
    assert redact("abc stays") == "abc stays"


def test_lines_of_a_long_secret_are_hidden_one_by_one() -> None:
    """A log shows one line at a time, so each longer line of a secret is a secret."""
    value = 'first-line-of-the-fake\nshort\n  "second": "line-of-the-fake"'
    redact = Redactor()
    redact.learn("bot", [value])
    assert redact('x first-line-of-the-fake "second": "line-of-the-fake"') == f"x {MARK} {MARK}"


def test_old_values_stay_hidden_until_the_bot_is_forgotten() -> None:
    """After a rotation old logs still hold the old value; other bots' values outlive a removal."""
    redact = Redactor()
    redact.learn("one", ["fake-old-value"])
    redact.learn("one", ["fake-new-value"])
    redact.learn("two", ["fake-of-another"])
    text = "fake-old-value fake-new-value fake-of-another"
    assert redact(text) == f"{MARK} {MARK} {MARK}"
    redact.forget("one")
    redact.forget("never-known")
    assert redact(text) == f"fake-old-value fake-new-value {MARK}"


def test_a_password_in_an_address_goes_and_the_rest_stays() -> None:
    """User and host help to find the mistake; the password doesn't."""
    assert Redactor()("postgres://me:p4ss@w@db.example.test/x") == (
        f"postgres://me:{MARK}@db.example.test/x"
    )


def test_a_cut_off_private_key_is_hidden_to_the_end() -> None:
    """If the end of the block is missing, everything after its start is hidden."""
    text = "before -----BEGIN PRIVATE " + "KEY-----\nRkFLRQ==\nRkFLRQ=="
    assert Redactor()(text) == f"before {MARK}"


def test_cleaning_leaves_nothing_unseen() -> None:
    """All control and format characters and separators go; newline, tab and letters stay."""
    every = [chr(code) for code in range(0x110000) if code not in range(0xD800, 0xE000)]
    unseen = [c for c in every if unicodedata.category(c) in {"Cc", "Cf", "Zl", "Zp"}]
    assert clean("".join(unseen)) in {"\n\t", "\t\n"}
    assert clean(
        "a\x1b[2J\x1b[1;31mb\x1b[0m\x1b]8;;http://x.test\x1b\\c\x1b]8;;\x1b\\d\x9b1me"
    ) == ("abcde")
    assert clean("half \x1b") == clean("half \x1b[") == clean("half \x1b[31") == "half "
    assert clean("grüße 東京 1\n\t2") == "grüße 東京 1\n\t2"


@given(st.text(st.characters(codec=None)))
def test_any_text_is_taken_without_an_error(text: str) -> None:
    """Even half a surrogate pair is fine; cleaning twice gives the same as cleaning once."""
    redact = Redactor()
    redact.learn("bot", [text, text * 3])
    assert isinstance(redact(text), str)
    assert clean(clean(text)) == clean(text)


@pytest.mark.parametrize(
    "evil",
    [
        *("eyJ", "sk-", "MMMMMM.", "1234567890:", "://a:", "-----BEGIN ", "Bearer ", "eyJ.eyJ."),
        *("\x1b[", "a@", "xoxb-", "\x1b]", "AIza", "PRIVATE KEY", "%3Dsk-", "\\nsk-", "://"),
        "A" * 100 + "\n",
    ],
)
def test_no_text_makes_redaction_slow(evil: str) -> None:
    """A hostile log line takes time in proportion to its length, not to its square."""
    redact = Redactor()
    redact.learn("bot", [LIVE])
    text = evil * (400_000 // len(evil))
    start = time.process_time()
    redact(text)
    assert time.process_time() - start < 1.0


def test_learning_and_redacting_at_the_same_time_is_safe() -> None:
    """A known value stays hidden while others come and go."""
    redact = Redactor()
    redact.learn("fixed", ["fake-fixed-value"])
    stop = threading.Event()

    def churn(number: int) -> None:
        while not stop.is_set():
            redact.learn(f"bot{number}", [f"fake-value-{number}-{n}" for n in range(5)])
            redact.forget(f"bot{number}")

    threads = [threading.Thread(target=churn, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    try:
        shown = {redact("x fake-fixed-value y") for _ in range(2000)}
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert shown == {f"x {MARK} y"}


def test_a_key_over_several_log_lines_goes_and_the_number_of_lines_stays() -> None:
    """Lines are redacted together; each line that was part of the key becomes the mark."""
    block = ["-----BEGIN PRIVATE KEY-----", "FAKEFAKEFAKE", "-----END PRIVATE KEY-----"]
    hidden = Redactor().lines(["before", *block, "after", "before"])
    assert len(hidden) == 6
    assert (hidden[0], hidden[4], hidden[5]) == ("before", "after", "before")
    assert "FAKE" not in " ".join(hidden)


def test_lines_without_a_secret_come_back_as_they_are() -> None:
    """In the common case nothing changes."""
    assert Redactor().lines(["one", "", "two"]) == ["one", "", "two"]
