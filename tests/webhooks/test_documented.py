"""What docs/webhooks.md says is so: the events, and the snippet that checks a signature."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
import standardwebhooks

from controller.domain.errors import BadInput
from controller.domain.journal import Kind
from controller.domain.webhooks import EVENTS, TEST_EVENT, check_events
from tests.docs.pages import DOCS, blocks, tables_with
from tests.manager.rig import ANN_ASKS
from tests.webhooks.conftest import Post, taken
from tests.webhooks.receiver import Receiver

PAGE = DOCS / "webhooks.md"


def test_every_event_has_its_row_and_every_row_is_an_event() -> None:
    """Those that can be chosen, and the one of a test, which can't."""
    (table,) = tables_with(PAGE, "event")
    named = [name for cell in table.column("event") for name in cell.code]
    assert sorted(named) == sorted([*EVENTS.values(), TEST_EVENT])
    with pytest.raises(BadInput):
        check_events([TEST_EVENT])


async def test_the_documented_snippet_takes_what_is_sent_and_nothing_else(
    post: Post, receiver: Receiver
) -> None:
    """A real event by the code of the page; not with another body, id, time or key, or too late."""
    (code,) = blocks(PAGE, "python")
    names: dict[str, Any] = {}
    exec(compile(code, str(PAGE), "exec"), names)
    check = names["is_from_botmaker"]
    key = (await post.add(receiver)).key
    await post.happen()
    await taken(receiver, 1)
    (one,) = receiver.taken
    headers = {name.lower(): value for name, value in one.headers.items()}
    assert check(key, headers, one.content)
    other = (await post.add(receiver, "other")).key
    late = str(int(time.time()) - 301)
    assert not check(other, headers, one.content)
    assert not check(key, headers, one.content.replace(b"shop", b"shap"))
    assert not check(key, headers | {"webhook-id": "x"}, one.content)
    assert not check(key, headers | {"webhook-timestamp": late}, one.content)
    assert not check(key, headers | {"webhook-signature": "v1,nonsense"}, one.content)


async def test_the_public_package_takes_what_is_sent_and_nothing_else(
    post: Post, receiver: Receiver
) -> None:
    """A real event by Standard Webhooks' own library, as a receiver uses it."""
    key = (await post.add(receiver)).key
    await post.happen()
    await taken(receiver, 1)
    (one,) = receiver.taken
    headers = dict(one.headers)
    other = (await post.add(receiver, "other")).key
    assert standardwebhooks.Webhook(key).verify(one.content, headers)["type"] == "bot.crash"
    for wrong, content in ((other, one.content), (key, one.content + b" ")):
        with pytest.raises(standardwebhooks.WebhookVerificationError):
            standardwebhooks.Webhook(wrong).verify(content, headers)


async def test_the_documented_body_is_what_is_sent(post: Post, receiver: Receiver) -> None:
    """The same fields, at every depth."""
    (text,) = blocks(PAGE, "json")
    shown = json.loads(text)
    await post.add(receiver)
    await post.happen()
    await taken(receiver, 1)
    sent = receiver.taken[0].json
    assert fields(sent) == fields({**shown, "data": {**shown["data"], "details": {}}}) | {
        *("data.details.exit_code", "data.details.oom_killed"),
    }
    assert shown["type"] == EVENTS[Kind.CRASH]
    tested = await post.rig.manager.webhooks.test(ANN_ASKS, "ops")
    assert tested.delivered


def fields(value: Any, path: str = "") -> set[str]:
    """The names in a JSON value, each with the way to it."""
    if not isinstance(value, dict):
        return set()
    found = {f"{path}{name}" for name in value}
    return found.union(*(fields(one, f"{path}{name}.") for name, one in value.items()))
