"""What has to change so that the fleet is as its files say, as a table."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from controller.domain.fleet_plan import (
    Change,
    FleetGrant,
    Found,
    FoundBot,
    Plan,
    Setting,
    Wanted,
    WantedBot,
    WantedSecret,
    What,
    plan,
)

SHOP = FoundBot(
    name="shop",
    template="demo",
    provider="demo",
    model="small",
    channel="demo",
    settings={
        "greeting": Setting("hello", "hello"),
        "tone": Setting("soft", "soft", ("soft", "loud")),
        "rooms": Setting("a, b", "", (), is_list=True),
    },
    secrets={"api_key": "11111-11111", "token": "22222-22222"},
)
WANTED = WantedBot(name="shop", template="demo", fleet="f")


def found(**more: Any) -> Found:
    return Found((replace(SHOP, **more),))


def steps(
    there: Found, *bots: WantedBot, grants: tuple[FleetGrant, ...] = (), prune: bool = False
) -> Plan:
    return plan(Wanted(bots, grants, frozenset({"f"})), there, prune=prune)


def kinds(made: Plan) -> list[tuple[str, str]]:
    return [(change.what.value, change.bot) for change in made.changes]


def wanted(**more: Any) -> WantedBot:
    return replace(WANTED, **more)


@pytest.mark.parametrize(
    ("bot", "there", "what"),
    [
        # What the files leave open is as it is.
        (wanted(), found(), []),
        (wanted(), found(wish="stop"), []),
        # Names and choices in another case are the same.
        (wanted(provider="Demo", model=" SMALL", channel="DEMO"), found(), []),
        (wanted(model="large"), found(), ["model"]),
        (wanted(running=True), found(), []),
        (wanted(running=True), found(wish="stop"), ["start"]),
        (wanted(running=False), found(), ["stop"]),
        (wanted(running=False), found(wish="stop"), []),
        # Settings: all of them, each as it is spelt by its kind.
        (wanted(settings={"rooms": "a b"}), found(), []),
        (wanted(settings={"rooms": "b, a"}), found(), ["settings"]),
        (wanted(settings={}), found(), ["settings"]),  # rooms were set by hand
        (wanted(settings={"rooms": "a, b", "tone": "SOFT"}), found(), []),
        (wanted(settings={"rooms": "a, b", "greeting": "Hello"}), found(), ["settings"]),
        (wanted(settings={"rooms": "a, b", "greeting": "hello"}), found(), []),
        (wanted(settings={"nothing": "x"}), found(), ["stuck"]),
        # What can't be changed.
        (wanted(template="other"), found(), ["stuck"]),
        (wanted(provider="other"), found(), ["stuck"]),
        (wanted(channel="other", running=False), found(), ["stuck"]),
        (wanted(), found(wish="remove"), ["stuck"]),
        # Secrets that the files give.
        (wanted(secrets={"token": WantedSecret(True)}), found(compared={"token": "same"}), []),
        (
            wanted(secrets={"token": WantedSecret(True)}),
            found(compared={"token": "other"}),
            ["secrets"],
        ),
        (
            wanted(secrets={"token": WantedSecret(True)}),
            found(compared={"token": "missing"}, secrets={}),
            ["secrets"],
        ),
        # Secrets that they know by their fingerprint, or not at all.
        (wanted(secrets={"token": WantedSecret(fingerprint="22222-22222")}), found(), []),
        (wanted(secrets={"token": WantedSecret(fingerprint="33333-33333")}), found(), ["ask"]),
        (wanted(secrets={"token": WantedSecret()}), found(), []),
        (wanted(secrets={"token": WantedSecret()}), found(secrets={}), ["ask"]),
        (wanted(), found(secrets={}), []),  # not the files' matter
        # In this order.
        (
            wanted(
                model="large",
                settings={},
                running=True,
                secrets={"token": WantedSecret(True), "api_key": WantedSecret(fingerprint="3")},
            ),
            found(wish="stop"),
            ["model", "settings", "ask", "secrets", "start"],
        ),
        (wanted(model="large", running=False), found(), ["stop", "model"]),
        (wanted(secrets={"token": WantedSecret(True)}), Found(), ["create", "secrets"]),
        (wanted(secrets={"token": WantedSecret()}), Found(), ["create", "ask"]),
    ],
)
def test_one_bot(bot: WantedBot, there: Found, what: list[str]) -> None:
    """What differs is changed, and nothing else."""
    assert kinds(steps(there, bot)) == [(kind, "shop") for kind in what]


def test_a_change_tells_before_and_after() -> None:
    """So that people can judge it."""
    made = steps(found(), wanted(model="large", settings={"rooms": "c"}, running=False))
    assert made.changes == (
        Change(what=What.STOP, bot="shop"),
        Change(what=What.MODEL, bot="shop", before={"model": "small"}, after={"model": "large"}),
        Change(what=What.SETTINGS, bot="shop", before={"rooms": "a, b"}, after={"rooms": "c"}),
    )
    (created,) = steps(Found(), wanted(running=False, settings={"tone": "loud"})).changes
    assert created.after == {"template": "demo", "wish": "stopped", "settings.tone": "loud"}


def test_only_what_the_same_files_created_is_pruned() -> None:
    """Others' bots and grants stay, and without `prune` all do, but are told of."""
    there = Found(
        (
            replace(SHOP, name="ours", source="file:f"),
            replace(SHOP, name="theirs", source="file:g"),
            replace(SHOP, name="by-hand"),
            replace(SHOP, name="going", source="file:f", wish="remove"),
        ),
        (
            FleetGrant(kind="user", subject="1", role="viewer", source="file:f"),
            FleetGrant(kind="user", subject="2", role="viewer", source="granted"),
            FleetGrant(kind="user", subject="3", role="viewer", bot="ours", source="file:f"),
            FleetGrant(kind="role", subject="4", role="viewer", bot="theirs", source="file:f"),
        ),
    )
    made = steps(there, prune=True)
    assert kinds(made) == [("revoke", "theirs"), ("revoke", ""), ("remove", "ours")]
    assert made.left == ()
    kept = steps(there)
    assert kept.changes == ()
    assert kept.left == ("ours", "viewer of role 4 for theirs", "viewer of user 1")
    named = steps(there, wanted(name="ours"), prune=True)
    assert ("remove", "ours") not in kinds(named)
    assert ("revoke", "ours") in kinds(named)


@pytest.mark.parametrize(
    ("role", "bot", "what"),
    [
        ("viewer", "", []),
        ("operator", "", [("grant", "")]),
        ("viewer", "shop", [("grant", "shop")]),
        ("viewer", "new", [("create", "new"), ("grant", "new")]),
        ("viewer", "nobody", [("stuck", "nobody")]),
    ],
)
def test_grants(role: str, bot: str, what: list[tuple[str, str]]) -> None:
    """Given or changed where they differ; for a bot that is there, or that the files create."""
    there = Found((SHOP,), (FleetGrant(kind="user", subject="1", role="viewer"),))
    bots = [wanted(name="new")] if bot == "new" else []
    given = FleetGrant(kind="user", subject="1", role=role, bot=bot, fleet="f")
    assert kinds(steps(there, *bots, grants=(given,))) == what
