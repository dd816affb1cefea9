"""Generated rubbish for everything that comes through Discord, and for everything said there.
Next door: test_fuzz.py has names, ids, templates, the engine; test_fuzz_inputs.py the rubbish."""

from __future__ import annotations

import json
import re
from types import SimpleNamespace
from typing import Any

import pytest

from controller.catalog import load
from controller.chat.forms import modals
from controller.chat.forms.pages import secret_pages
from controller.chat.logs import log_answers
from controller.chat.requests import custom_ids
from controller.chat.words.limits import MESSAGE_MAX
from controller.chat.words.text import code_block, newest_fitting, plain
from controller.domain.bot import Bot
from controller.domain.errors import BadInput
from controller.domain.events import LogLine, LogQuery
from controller.domain.names import new_bot_id
from controller.manager.logbook import Snippet
from tests.prove.tally import Tally
from tests.prove.test_fuzz import only_ours, rubbish, some
from tests.prove.test_fuzz_inputs import Rubbish

__all__ = ["rubbish"]  # the fixture
pytestmark = pytest.mark.timeout(300)


def test_any_custom_id_is_an_action_or_an_answer_in_words(tally: Tally, rubbish: Rubbish) -> None:
    """Forged ids of buttons and forms: any text of at most 100 characters."""
    bot = new_bot_id()
    for _ in some(tally, 400, 14_000):
        good = rubbish.choice(
            (
                f"older:{bot}:1.5:50:both:x:y", f"refresh:{bot}:0:50:stdout:", f"form:{bot[:24]}:0",
                f"delete:{bot}:1900000000", f"file:{bot}:nan:9:stderr:", f"form:x:{'9' * 60}",
            )
        )  # fmt: skip
        text = rubbish.choice((rubbish.inserted(good), rubbish.inserted(good), rubbish.text(9)))
        with only_ours(tally, text):
            action, arguments = custom_ids.parse(text[:100])
            assert ":" not in action
            for read in (
                log_answers.query_in,
                custom_ids.deadline_in,
                custom_ids.key_in,
                custom_ids.step_in,
            ):
                with only_ours(tally, text):
                    read(arguments)


def test_a_query_survives_its_way_through_a_button(tally: Tally, rubbish: Rubbish) -> None:
    """The search text comes back unchanged from the button, or there is no button."""
    bot = Bot(id=new_bot_id(), name="x", template="t", provider="", model="", channel="")
    for _ in some(tally, 100, 3_000):
        grep = rubbish.text(5)
        asked = LogQuery(
            lines=1 + rubbish.number(1000), since=float(rubbish.number(10**9)), grep=grep
        )
        with only_ours(tally, grep):
            snippet = Snippet(bot, asked, (LogLine(1.5, "stdout", "x"),))
            row = log_answers.log_buttons(snippet, asked)
            for item in row.children if row else ():
                custom_id = str(getattr(item, "custom_id", ""))
                assert len(custom_id) <= 100
                _, arguments = custom_ids.parse(custom_id)
                assert log_answers.query_in(arguments).grep == grep


def test_any_form_is_read_or_refused_in_words(tally: Tally, rubbish: Rubbish) -> None:
    """Payloads of submits have parts missing, doubled or of a wrong type."""
    part = {"type": 18, "component": {"type": 4, "custom_id": "api_key", "value": "v"}}
    old = {"type": 1, "components": [{"type": 4, "custom_id": "api_key", "value": "v"}]}
    for _ in some(tally, 300, 8_000):
        data: Any = rubbish.bent({"custom_id": "form:x:0", "components": [part, old, part]})
        interaction: Any = SimpleNamespace(data=data)
        with only_ours(tally, json.dumps(data)[:300]):
            for name, value in modals.values_of(interaction).items():
                assert isinstance(name, str)
                assert isinstance(value, str)


def test_any_value_of_a_form_is_taken_as_it_is_or_refused_without_a_word_of_it(
    tally: Tally, rubbish: Rubbish
) -> None:
    """For every input of every built-in template; a refusal repeats nothing that was entered."""
    inputs = []
    for template in load().templates.values():
        for provider in template.providers:
            for channel in template.channels:
                asked = (
                    *template.secrets_for(provider, channel),
                    *template.fields_for(provider, channel),
                )
                inputs += [item for page in secret_pages(asked) for item in page]
    for _ in some(tally, 400, 14_000):
        item = rubbish.choice(inputs)
        secret = f"Zq{rubbish.number(10**12):012}"
        value = rubbish.choice(
            (rubbish.text(8), rubbish.inserted(secret), secret + rubbish.text(900))
        )
        with only_ours(tally, value):
            try:
                item.check(value)
            except BadInput as error:
                assert secret not in str(error), value  # noqa: PT017 - not every value is refused
                raise


def test_any_text_is_safe_and_fits_when_it_is_said(tally: Tally, rubbish: Rubbish) -> None:
    """No mention, no escape from a code block, no control character, no overlong message."""
    for _ in some(tally, 400, 12_000):
        lines = [rubbish.text(rubbish.choice((3, 40))) for _ in range(rubbish.number(9))]
        with only_ours(tally, lines):
            for line in lines:
                said = plain(line)
                assert not re.search(r"@([!&]?\d{17,20}|everyone|here)", said), line
                assert not re.search("[\x00-\x1f\x7f-\x9f\u202a-\u202e]", said), line
            kept, _ = newest_fitting(lines, MESSAGE_MAX - 80)
            block = code_block("\n".join(kept))
            assert len(block) <= MESSAGE_MAX - 80, lines
            assert block.count("```") == 2, lines
            assert not re.search(r"@([!&]?\d{17,20}|everyone|here)", block), lines
