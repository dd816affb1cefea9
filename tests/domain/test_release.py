"""What makes a release, when one has proved itself, and what a failed one leaves."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from controller.domain.bot import Bot, Problem
from controller.domain.observation import ContainerState, Health, Observation, Proof, World
from controller.domain.release import (
    Gate,
    Release,
    content_of,
    images_kept,
    is_leaving,
    is_proven,
    judge,
    reason_for,
    taken_back,
    with_content,
)
from controller.domain.run import PRESENT, Run

S, H = ContainerState, Health
GATE = Gate(healthy_for=20, deadline=100)
WHY = Problem("config-refused", "Too loud.", "Change it.", 5.0)


def bot(**changes: Any) -> Bot:
    """A bot of release 4, which works."""
    base = Bot(
        id="6f1c1b9e-7a60-4b8e-9a55-0d6f3f3c2f11",
        name="shop",
        template="demo",
        provider="demo",
        model="small",
        channel="demo",
        fields={"tone": "soft"},
        image="sha256:1",
        image_ref="demo:1",
        release=4,
    )
    return replace(base, **changes)


def run(state: ContainerState = S.RUNNING, health: Health = H.NONE, **more: Any) -> Observation:
    """A container that was started."""
    return Observation(container_id="c", state=state, health=health, started=9.0, **more)


@pytest.mark.parametrize(
    ("before", "after", "why"),
    [
        ({}, {}, ""),
        ({}, {"problem": WHY, "run": Run(to_end="r")}, ""),
        ({}, {"fields": {"tone": "loud"}}, "settings"),
        ({}, {"model": "large"}, "settings"),
        ({}, {"held": "{}"}, "settings"),
        ({}, {"secret_set": 1}, "secrets"),
        ({}, {"secret_set": 1, "fields": {}}, "settings"),
        ({}, {"image": "sha256:2"}, "image"),
        ({}, {"image": "sha256:2", "fields": {}}, "settings"),
        ({}, {"image": ""}, ""),  # it is to be resolved again, and that tells
        ({"image": ""}, {"image": "sha256:2"}, "image"),
        ({"candidate": 5}, {"image": "sha256:2"}, ""),  # the candidate's own image became known
        ({"candidate": 5}, {"fields": {}}, "settings"),
        # A bot that never had a container: all that is entered belongs to its first release.
        ({"release": 0, "candidate": 1, "image": ""}, {"secret_set": 1, "fields": {}}, ""),
        ({"release": 0, "candidate": 1, "image": ""}, {"image": "sha256:1"}, ""),
        ({"release": 0, "candidate": 1}, {"fields": {}}, "settings"),
    ],
)
def test_what_changes_the_content_makes_a_release(
    before: dict[str, Any], after: dict[str, Any], why: str
) -> None:
    """And nothing else does: no wish, no run, no problem."""
    old = bot(**before)
    assert reason_for(old, replace(old, **after)) == why


WAITING, PASSED, FAILED = Proof.WAITING, Proof.PASSED, Proof.FAILED


@pytest.mark.parametrize(
    ("container", "well", "age", "more", "proof"),
    [
        (None, 0, 0, {}, WAITING),
        (Observation(container_id="c", state=S.CREATED), 0, 0, {}, WAITING),
        (run(), 19, 19, {}, WAITING),
        (run(), 20, 20, {}, PASSED),
        (run(health=H.HEALTHY), 20, 30, {}, PASSED),
        (run(health=H.HEALTHY), 20, 101, {}, PASSED),  # at the last moment
        (run(health=H.HEALTHY), 20, 30, {"ailing": True}, WAITING),
        (run(health=H.UNHEALTHY), -1, 99, {}, WAITING),
        (run(health=H.UNHEALTHY), -1, 101, {}, FAILED),
        (run(health=H.STARTING), 20, 30, {}, WAITING),
        (run(health=H.STARTING), -1, 101, {}, FAILED),
        (run(health=H.HEALTHY), 19, 101, {}, FAILED),
        (run(S.PAUSED), -1, 50, {}, WAITING),
        # What ended of itself and was started again, where another waits: once is enough.
        (run(restart_count=1), 99, 99, {}, FAILED),
        (run(S.RESTARTING, restart_count=1), -1, 1, {}, FAILED),
        (run(restart_count=1), 20, 30, {"replaces": False}, PASSED),
        # The engine's own doing, or somebody's by hand: it's started again, and may go on.
        (run(S.EXITED), -1, 50, {}, WAITING),
    ],
)
def test_a_run_proves_its_release_by_being_well_for_long_enough(
    container: Observation | None, well: float, age: float, more: dict[str, bool], proof: Proof
) -> None:
    """Within the deadline; why it failed is said in words."""
    asked = {"ailing": False, "replaces": True, **more}
    found, why = judge(container, GATE, well=well, age=age, **asked)
    assert found is proof
    assert bool(why) is (proof is FAILED)


def test_a_release_that_fails_leaves_the_content_of_the_one_before() -> None:
    """And the wish, the secrets and the reason; a restart for its sake isn't owed any more."""
    former = bot()
    now = bot(fields={"tone": "loud"}, image="sha256:2", candidate=5, problem=WHY)
    now = replace(now, run=Run(to_end="r", log_floor=7.0))
    after = taken_back(now, content_of(former), WHY)
    assert content_of(after) == content_of(former)
    assert (after.release, after.candidate, after.problem, after.setback) == (4, 0, None, WHY)
    assert after.run == Run(log_floor=7.0)


def test_a_run_that_owes_new_secrets_goes_on_owing_them() -> None:
    """The former values are gone: whatever content comes back has to use the new ones."""
    now = bot(fields={}, secret_set=2, candidate=5, run=Run(to_end=PRESENT))
    after = taken_back(now, content_of(bot(secret_set=1)), WHY)
    assert (after.fields, after.secret_set, after.run.to_end) == ({"tone": "soft"}, 2, PRESENT)


@pytest.mark.parametrize(
    ("kept", "parked", "secret_set", "to_end"),
    [
        (False, False, 2, "r"),  # the failed values stay, and go on being owed
        (True, False, 1, PRESENT),  # whatever runs may have read the failed ones
        (True, True, 1, ""),  # the container that comes back never read them
    ],
)
def test_former_secrets_come_back_where_they_are_kept(
    kept: bool, parked: bool, secret_set: int, to_end: str
) -> None:
    """With their number; and a run that may have read the others ends."""
    now = bot(secret_set=2, candidate=5, run=Run(to_end="r", to_reload="r"))
    after = taken_back(now, content_of(bot(secret_set=1)), WHY, kept=kept, parked=parked)
    assert (after.secret_set, after.run.to_end) == (secret_set, to_end)


def test_images_are_kept_to_go_back_to() -> None:
    """Each once; none that never had one, or that no name led to."""
    earlier = [
        Release(bot_id="b", number=number, content=content_of(bot(image=image, image_ref=ref)))
        for number, image, ref in (
            (3, "sha256:1", "demo:1"),
            (2, "sha256:0", "demo:0"),
            (1, "sha256:x", ""),
        )
    ]
    assert images_kept(content_of(bot()), earlier) == {"sha256:1": "demo:1", "sha256:0": "demo:0"}
    assert images_kept(content_of(bot(image="", image_ref="")), []) == {}


def test_content_goes_into_a_row_and_out_again() -> None:
    """Everything but the count of secrets, which tells what is on the disk."""
    other = bot(template="x", provider="p", model="m", channel="c", fields={}, image="", held="{}")
    assert content_of(with_content(bot(), content_of(other))) == content_of(other)


@pytest.mark.parametrize(("label", "proven"), [(0, True), (3, True), (4, True), (5, False)])
def test_only_a_container_that_worked_is_one_to_come_back_to(label: int, proven: bool) -> None:
    """One from before there were releases counts; a bot that never worked has none."""
    assert is_proven(bot(), run(release=label)) is proven
    assert not is_proven(bot(release=0), run(release=label))


def test_a_container_of_another_release_beside_a_parked_one_is_leaving() -> None:
    """Nothing that happens to it is news."""
    parked = run(S.EXITED)
    assert is_leaving(bot(), World(container=run(release=5), previous=parked))
    assert not is_leaving(bot(candidate=5), World(container=run(release=5), previous=parked))
    assert not is_leaving(bot(), World(container=run(release=3)))
    assert not is_leaving(bot(), World(previous=parked))
