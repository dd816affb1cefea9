"""Webhooks' rules: which events, which addresses, what an answer means, how long to try."""

from __future__ import annotations

import contextlib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.domain import webhook_progress as progress
from controller.domain.errors import BadInput
from controller.domain.journal import Kind
from controller.domain.webhook_urls import URL_MAX, check_url
from controller.domain.webhooks import (
    EVENTS,
    DeadLetter,
    Format,
    Pace,
    Verdict,
    Webhook,
    check_events,
    check_webhook_name,
    judge,
    kinds_of,
    reason_of,
)

DAY = 86_400.0
HOOK = Webhook(
    id="w",
    name="ops",
    format=Format.STANDARD,
    host="hooks.example.org",
    fingerprint="aaaaa-bbbbb",
    events=("bot.*",),
    created_at=0.0,
    created_by="ann",
    cursor=10,
)


def test_every_kind_of_the_journal_is_an_event_of_its_own() -> None:
    """So a new kind can't be left out, and a name means one thing."""
    assert set(EVENTS) == set(Kind)
    assert len(set(EVENTS.values())) == len(EVENTS)


@pytest.mark.parametrize(
    ("chosen", "kinds"),
    [
        (["bot.crash"], {Kind.CRASH}),
        (["access.*"], {Kind.GRANT, Kind.REVOKE}),
        (["*"], set(Kind)),
        (["request.refused", "bot.problem"], {Kind.REFUSED, Kind.PROBLEM}),
    ],
)
def test_events_are_chosen_by_name_or_by_group(chosen: list[str], kinds: set[Kind]) -> None:
    """A star at the end means all that begin so."""
    assert set(kinds_of(check_events(chosen))) == kinds


def test_without_a_choice_it_is_all_about_bots() -> None:
    """And an event that doesn't exist is refused with those that do."""
    assert check_events([]) == ("bot.*",)
    assert check_events([" BOT.crash ", "bot.crash"]) == ("bot.crash",)
    for wrong in ("bot.dance", "b*", "**", ""):
        with pytest.raises(BadInput, match="no such event") as caught:
            check_events([wrong])
        assert "bot.crash" in caught.value.hint


def test_names_are_as_those_of_tokens() -> None:
    """What was meant is taken, and nothing that could be a path."""
    assert check_webhook_name(" Ops-1 ") == "ops-1"
    for wrong in ("", "../x", "a b", "-a", "a" * 33):
        with pytest.raises(BadInput, match="A webhook's name"):
            check_webhook_name(wrong)


SECRET = "dGhpcyBpcyBzZWNyZXQ"


@pytest.mark.parametrize(
    ("url", "host", "form"),
    [
        (f"https://hooks.example.org/{SECRET}", "hooks.example.org", Format.STANDARD),
        (f"https://Hooks.Example.org:8443/{SECRET}?a=b", "hooks.example.org:8443", Format.STANDARD),
        (f"https://discord.com/api/webhooks/1/{SECRET}", "discord.com", Format.DISCORD),
        (f"https://discord.com/api/v10/webhooks/1/{SECRET}", "discord.com", Format.DISCORD),
        ("https://discord.com/else", "discord.com", Format.STANDARD),
        (f"https://hooks.slack.com/services/T0/B0/{SECRET}", "hooks.slack.com", Format.SLACK),
        ("https://ntfy.sh/topic", "ntfy.sh", Format.NTFY),
        ("http://127.0.0.1:8080/x", "127.0.0.1:8080", Format.STANDARD),
        ("http://localhost/x", "localhost", Format.STANDARD),
        ("http://[::1]:8080/x", "[::1]:8080", Format.STANDARD),
        ("https://10.0.0.7/x", "10.0.0.7", Format.STANDARD),
    ],
)
def test_an_address_that_can_be_used_shows_its_host_alone(
    url: str, host: str, form: Format
) -> None:
    """And tells the format, where it's a known service's."""
    found = check_url(f" {url} ")
    assert (found.url, found.host, found.format) == (url, host, form)
    assert url not in repr(found)


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("", "bad-webhook-url"),
        ("hooks.example.org", "bad-webhook-url"),
        (f"ftp://hooks.example.org/{SECRET}", "bad-webhook-url"),
        (f"file:///{SECRET}", "bad-webhook-url"),
        (f"https:///{SECRET}", "bad-webhook-url"),
        (f"https://user:{SECRET}@hooks.example.org/", "bad-webhook-url"),
        (f"https://{SECRET}@hooks.example.org/", "bad-webhook-url"),
        (f"https://hooks.example.org/#{SECRET}", "bad-webhook-url"),
        (f"https://hooks.example.org/{SECRET} x", "bad-webhook-url"),
        (f"https://hooks.example.org\\@evil.example/{SECRET}", "bad-webhook-url"),
        (f"https://hooks.example.org/{SECRET}\r\nX: y", "bad-webhook-url"),
        (f"https://hooks.example.org:0/{SECRET}", "bad-webhook-url"),
        (f"https://hooks.example.org:99999/{SECRET}", "bad-webhook-url"),
        (f"https://[::1/{SECRET}", "bad-webhook-url"),
        (f"https://bücher.example/{SECRET}", "bad-webhook-url"),
        ("https://hooks.example.org/" + "x" * URL_MAX, "bad-webhook-url"),
        (f"https://169.254.169.254/{SECRET}", "bad-webhook-url"),
        (f"http://169.254.169.254/{SECRET}", "bad-webhook-url"),
        (f"https://[fe80::1]/{SECRET}", "bad-webhook-url"),
        (f"https://[::ffff:169.254.169.254]/{SECRET}", "bad-webhook-url"),
        (f"https://224.0.0.1/{SECRET}", "bad-webhook-url"),
        (f"https://0.0.0.0/{SECRET}", "bad-webhook-url"),
        (f"https://255.255.255.255/{SECRET}", "bad-webhook-url"),
        (f"http://hooks.example.org/{SECRET}", "plain-webhook"),
        (f"http://10.0.0.7/{SECRET}", "plain-webhook"),
        (f"http://127.example.org/{SECRET}", "plain-webhook"),
        (f"http://localhost.example.org/{SECRET}", "plain-webhook"),
    ],
)
def test_an_address_that_cant_be_used_is_refused_without_being_repeated(
    url: str, code: str
) -> None:
    """A URL may be a secret, so no part of it is in the error."""
    with pytest.raises(BadInput) as caught:
        check_url(url)
    assert caught.value.code == code
    assert SECRET not in str(caught.value)


def test_plain_http_to_another_machine_is_taken_only_when_it_was_allowed() -> None:
    """Nothing else gets through by that."""
    assert check_url("http://10.0.0.7:80/x", plain=True).host == "10.0.0.7:80"
    with pytest.raises(BadInput, match="no receiver has"):
        check_url("http://169.254.169.254/x", plain=True)


@given(st.text())
def test_no_text_raises_anything_else(text: str) -> None:
    """Whatever somebody sends as an address."""
    with contextlib.suppress(BadInput):
        assert check_url(text).url == text.strip()


@pytest.mark.parametrize(
    ("status", "form", "verdict"),
    [
        (200, Format.STANDARD, Verdict.DELIVERED),
        (204, Format.DISCORD, Verdict.DELIVERED),
        (301, Format.STANDARD, Verdict.AGAIN),
        (307, Format.STANDARD, Verdict.AGAIN),
        (400, Format.STANDARD, Verdict.REFUSED),
        (401, Format.STANDARD, Verdict.AGAIN),
        (403, Format.NTFY, Verdict.AGAIN),
        (404, Format.STANDARD, Verdict.AGAIN),
        (404, Format.DISCORD, Verdict.GONE),
        (404, Format.SLACK, Verdict.GONE),
        (408, Format.STANDARD, Verdict.AGAIN),
        (410, Format.STANDARD, Verdict.GONE),
        (413, Format.STANDARD, Verdict.REFUSED),
        (422, Format.STANDARD, Verdict.REFUSED),
        (429, Format.DISCORD, Verdict.AGAIN),
        (500, Format.STANDARD, Verdict.AGAIN),
        (503, Format.STANDARD, Verdict.AGAIN),
    ],
)
def test_what_an_answer_means(status: int, form: Format, verdict: Verdict) -> None:
    """Trouble is tried again; an event that is refused isn't for ever; gone is gone."""
    assert judge(status, form) is verdict


@given(st.integers(100, 599), st.sampled_from(Format))
def test_every_other_answer_has_a_reason_in_words(status: int, form: Format) -> None:
    """Only 2xx is a delivery."""
    assert (judge(status, form) is Verdict.DELIVERED) == (200 <= status < 300)
    assert str(status) in reason_of(status)


@given(st.integers(1, 10_000), st.floats(0, 1), st.floats(0, 1e9))
def test_a_pause_grows_to_five_minutes_and_keeps_to_what_was_asked(
    failures: int, chance: float, asked: float
) -> None:
    """A receiver can make us wait for an hour at most, and never less than it asked for."""
    pause = Pace().pause(failures, asked, chance)
    assert min(asked, 3600.0) <= pause <= max(300.0, min(asked, 3600.0))
    assert Pace().pause(failures + 1, 0.0, 1.0) >= Pace().pause(failures, 0.0, 1.0)


@pytest.mark.parametrize(
    ("at", "failing_since", "now", "over"),
    [
        (0.0, 0.0, 6.9 * DAY, False),
        (0.0, 0.0, 7.1 * DAY, True),
        (6 * DAY, 0.0, 8 * DAY, False),  # newer than the trouble
        (0.0, 30 * DAY, 31 * DAY, False),  # an old one, sent again
        (0.0, 30 * DAY, 37.1 * DAY, True),
        (9 * DAY, 9 * DAY, 0.0, False),  # a clock that was set back
    ],
)
def test_an_event_is_tried_for_seven_days(
    at: float, failing_since: float, now: float, over: bool
) -> None:
    """Of its own, and of the receiver's trouble."""
    assert Pace().is_over(at, failing_since, now) is over


def test_a_webhook_tells_how_it_is_doing() -> None:
    """Well, in trouble for a moment, for hours, stopped, and well again with losses."""
    assert progress.health(HOOK, 5.0)[0] is True
    failing = progress.failed(progress.failed(HOOK, "it can't be reached", 100.0), "no", 200.0)
    assert (failing.failures, failing.failing_since, failing.reason) == (2, 100.0, "no")
    assert progress.state(failing) == "failing"
    assert progress.health(failing, 160.0)[:2] == (None, "hasn't taken an event for 1 minute: no")
    assert progress.health(failing, 100.0 + 2 * DAY)[:2] == (
        *(False, "hasn't taken an event for 2 days: no"),
    )
    gone = progress.stopped(HOOK, "it answered 410", 5.0)
    assert progress.state(gone) == "stopped"
    assert progress.health(gone, 6.0)[0] is False
    assert "botmaker webhook replay ops" in progress.health(gone, 6.0)[2]
    well = progress.delivered(failing, 11, 300.0)
    assert (well.cursor, well.failures, well.failing_since, well.reason) == (11, 0, None, "")
    lost = progress.went_on(well, progress.Part(20, 3))
    assert (lost.cursor, lost.lost) == (20, 3)
    assert "3 events were no longer in the journal" in progress.health(lost, 6.0)[1]


def test_what_was_given_up_is_counted_and_told_once_for_each_trouble() -> None:
    """A replay begins anew, also where the receiver was gone; the count stays."""
    failing = progress.failed(HOOK, "no", 100.0)
    assert progress.is_first_loss(failing)
    after = progress.gave_up(failing, [DeadLetter(11, 150.0, "no"), DeadLetter(14, 150.0, "no")])
    assert (after.cursor, after.dead, after.failing_since) == (14, 2, 100.0)
    assert not progress.is_first_loss(after)
    assert progress.is_first_loss(replace(after, failing_since=200.0))
    again = progress.sent_again(replace(after, stopped=True), 3)
    assert (again.cursor, again.stopped, again.failing_since, again.dead) == (3, False, None, 2)
