"""Errors in words: ours with message and hint, unexpected ones with a number and nothing else."""

from __future__ import annotations

import logging
import re

import pytest

from controller.chat.words.failures import failure_words
from controller.chat.words.hints import HINTS
from controller.domain import errors as tree
from controller.domain.acts import ACTS, Act
from controller.domain.errors import ControllerError
from demo.world import World
from tests.chat.acting import ready_bot, said

KINDS = [
    kind
    for kind in vars(tree).values()
    if isinstance(kind, type) and issubclass(kind, ControllerError)
]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_an_error_of_ours_reads_as_message_and_hint(kind: type[ControllerError]) -> None:
    """On two lines; without a hint of its own or of Discord's, one."""
    assert (
        failure_words(kind("It did not work.", hint="Do this.")) == "❌ It did not work.\nDo this."
    )
    bare = failure_words(kind("It did not work."))
    hint = HINTS.get(kind.code, "")
    assert bare == f"❌ It did not work.\n{hint}".rstrip()
    assert len(failure_words(kind("x" * 5000, hint="y" * 5000))) <= 2000


@pytest.mark.parametrize(
    "error",
    [ValueError("sk-secret-text"), KeyError("sk-secret-text"), AssertionError("sk-secret-text")],
    ids=lambda error: type(error).__name__,
)
def test_an_unexpected_error_gives_a_number_that_the_log_has(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    """The person reads no word of it; whoever reads the log finds all of it by the number."""
    with caplog.at_level(logging.ERROR):
        text = failure_words(error)
    assert "sk-secret-text" not in text
    assert type(error).__name__ not in text
    found = re.search(r"\(fault ([0-9a-f]{6})\)", text)
    assert found is not None
    (record,) = caplog.records
    assert found[1] in record.getMessage()
    assert record.exc_info is not None
    assert record.exc_info[1] is error


async def test_discords_own_refusal_becomes_a_fault_in_the_answer(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """An edit that Discord refuses once is told with the number from the log."""
    await ready_bot(world)
    world.env.inject_error("PATCH", "/webhooks/*", status=400, code=50035, message="odd text")
    result = await world.admin.slash(world.channel, "bot show", name="shop")
    text = said(result)
    found = re.search(r"fault ([0-9a-f]{6})", text)
    assert found is not None
    assert "odd text" not in text
    assert f"fault {found[1]}" in caplog.text
    assert len(world.env.errors) == 1
    world.env._errors.clear()


@pytest.mark.parametrize("act", ACTS.values(), ids=lambda act: act.id)
def test_every_act_reads_as_a_sentence(act: Act) -> None:
    """ "… needs the role viewer" follows the words of each act."""
    assert act.sentence[0].isupper()
    assert not act.sentence.endswith(".")
