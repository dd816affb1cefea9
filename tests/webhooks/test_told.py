"""What people read of webhooks in the history, in Discord and at the console."""

from __future__ import annotations

from controller.chat.words.history_words import history_words
from controller.cli.past import worded
from controller.domain.journal import Entry, Kind, Result, entry_of, webhook_trouble
from controller.manager.history import Event

GAVE_UP = entry_of(webhook_trouble("ops", "gave-up", 3, "it answered **500**"), 1.0)
ASKED = Entry(
    at=1.0,
    kind=Kind.ASKED,
    data={"act": "webhook.test", "webhook": "w", "name": "ops", "host": "hooks.example.org"},
)


def ended(**data: object) -> Entry:
    return Entry(at=1.0, kind=Kind.OUTCOME, data={"result": Result.DONE.value, **data})


def test_trouble_is_told_with_its_reason() -> None:
    """Which webhook, what became of how many events, and why; outside words are harmless."""
    (_, line) = history_words([Event(GAVE_UP)], "").splitlines()
    assert line.endswith("webhook ops **gave-up**, 3 events: it answered \\*\\*500\\*\\*")
    assert worded(GAVE_UP, None).endswith("webhook ops gave-up 3 events: it answered **500**")


def test_a_test_is_told_with_its_end() -> None:
    """By the webhook's name and host."""
    events = [
        Event(ASKED, ended(delivered=True, status=200, reason="")),
        Event(ASKED, ended(delivered=False, status=500, reason="it answered 500")),
    ]
    (_, good, bad) = history_words(events, "").splitlines()
    assert good.endswith("**webhook test** (ops, hooks.example.org): delivered")
    assert bad.endswith("not delivered: it answered 500")
