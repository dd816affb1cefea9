"""Which bots an act on many means, and what counts as its end."""

from __future__ import annotations

import pytest

from controller.domain.batches import Chosen, ItemState, Verb, ended_as
from controller.domain.bot import Bot
from controller.domain.phase import Phase


def bot(name: str, template: str = "demo") -> Bot:
    return Bot(id=name, name=name, template=template, provider="p", model="m", channel="c")


@pytest.mark.parametrize(
    ("chosen", "names"),
    [
        (Chosen(), ["shop-1", "shop-2", "news"]),
        (Chosen(name="shop-*"), ["shop-1", "shop-2"]),
        (Chosen(name="SHOP-?"), ["shop-1", "shop-2"]),
        (Chosen(name="op-2"), ["shop-2"]),
        (Chosen(template="other"), ["news"]),
        (Chosen(phase=Phase.UNHEALTHY), ["shop-2"]),
        (Chosen(Phase.RUNNING, "demo", "shop"), ["shop-1"]),
        (Chosen(name="*-3"), []),
    ],
)
def test_what_is_described_is_what_is_meant(chosen: Chosen, names: list[str]) -> None:
    """By phase, by template, by a pattern or a part of the name; all of them count."""
    bots = [
        (bot("shop-1"), Phase.RUNNING),
        (bot("shop-2"), Phase.UNHEALTHY),
        (bot("news", "other"), Phase.RUNNING),
    ]
    assert [one.name for one, phase in bots if chosen.fits(Verb.RESTART, one, phase)] == names


@pytest.mark.parametrize(
    ("verb", "left_alone"),
    [
        (Verb.START, set(Phase) - {Phase.STOPPED, Phase.ERROR}),
        (Verb.STOP, {Phase.CREATED, Phase.STOPPING, Phase.STOPPED, Phase.REMOVING}),
        (Verb.RESTART, {Phase.CREATED, Phase.STOPPING, Phase.STOPPED, Phase.REMOVING}),
        (Verb.UPDATE, {Phase.CREATED, Phase.STARTING, Phase.STOPPING, Phase.REMOVING}),
    ],
)
def test_bots_for_which_it_makes_no_sense_are_left_alone(
    verb: Verb, left_alone: set[Phase]
) -> None:
    """A restart of many never starts what somebody stopped; what is being removed stays so."""
    found = {phase for phase in Phase if not Chosen().fits(verb, bot("a"), phase)}
    assert found == left_alone


@pytest.mark.parametrize(
    ("verb", "phase", "problem", "expected"),
    [
        (Verb.START, Phase.RUNNING, "", (ItemState.DONE, "running")),
        (Verb.START, Phase.STARTING, "", (ItemState.DONE, "still starting")),
        (Verb.START, Phase.ERROR, "No image.", (ItemState.FAILED, "No image.")),
        (Verb.RESTART, Phase.UNHEALTHY, "", (ItemState.FAILED, "unhealthy")),
        (Verb.STOP, Phase.STOPPED, "", (ItemState.DONE, "stopped")),
        (Verb.STOP, Phase.STOPPING, "", (ItemState.DONE, "still stopping")),
        (Verb.UPDATE, Phase.STOPPED, "", (ItemState.DONE, "stopped")),
        (Verb.RESTART, Phase.STOPPED, "", (ItemState.FAILED, "stopped")),
    ],
)
def test_how_a_bot_ended(
    verb: Verb, phase: Phase, problem: str, expected: tuple[ItemState, str]
) -> None:
    """Done is what was asked for; what only takes longer isn't a failure."""
    assert ended_as(verb, phase, problem) == expected
