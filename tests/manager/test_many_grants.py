"""Lists and suggestions for somebody with any grants: the same as asking bot by bot, but quick.
Next door: test_rights.py has the right of each act."""

from __future__ import annotations

import random
import time

import pytest

from controller.domain.access import Answer, Grant, Target, discord_user, rule
from controller.domain.acts import ACTS, BOT_LIST, BOT_SHOW, Scope
from controller.domain.bot import Bot
from controller.domain.observation import World
from controller.domain.roles import Role
from controller.fleet.views import Fleet
from controller.manager.access import Access, StaticGrants
from tests.manager.rig import Rig

MANY = 1000
QUICK_MS = 40  # of this thread's own time; asked bot by bot it takes several times as long
BEN = discord_user(2, "ben", (10,))


async def access_with(rig: Rig, bots: int, grants: list[Grant]) -> tuple[Access, Fleet]:
    """The rights of a fleet with so many bots and these grants."""
    fleet = Fleet()
    for number in range(bots):
        bot = Bot(
            id=f"b{number}",
            name=f"bot-{number}",
            template="plain",
            provider="",
            model="",
            channel="",
        )
        fleet.add(bot, World())
    async with rig.store.transaction() as write:
        for grant in grants:
            await write.save_grant(grant)
    access = Access(rig.store, fleet, rig.house.tools.journal, StaticGrants(admin_users=(1,)))
    await access.load()
    return access, fleet


def a_grant(dice: random.Random, bots: int) -> Grant:
    """One for somebody, about one bot, a bot that is gone, or all."""
    kind, subject = dice.choice([("user", 2), ("user", 3), ("role", 10), ("role", 11)])
    about = dice.choice(["", "gone", *(f"b{number}" for number in range(bots))])
    role = dice.choice([Role.VIEWER, Role.OPERATOR, Role.ADMIN])
    return Grant("user" if kind == "user" else "role", subject, role, about)


async def test_whichever_grants_there_are_the_same_is_allowed_as_bot_by_bot(rig: Rig) -> None:
    """For every act: the bots that are listed, whether any is, and the role in a refusal."""
    dice = random.Random(1)
    for _ in range(20):
        given = [a_grant(dice, 4) for _ in range(dice.randint(0, 6))]
        access, fleet = await access_with(rig, 4, given)
        compare(access, fleet, given)
        async with rig.store.transaction() as write:
            for one in given:
                await write.drop_grant(one.kind, one.subject, one.bot_id)


def compare(access: Access, fleet: Fleet, given: list[Grant]) -> None:
    """Ask for everything both ways. Of two grants for the same, the later one counts."""
    latest = {(one.kind, one.subject, one.bot_id): one for one in given}
    grants = list(latest.values())
    for act in ACTS.values():
        if act.scope is Scope.ANY:
            known = [Target(grant.bot_id) for grant in grants if grant.bot_id != "gone"]
            assert access.ruling(BEN, act) == rule(grants, BEN, act, known)
        if act.scope is not Scope.BOT:
            continue
        wanted = [
            view.bot.id
            for view in fleet
            if rule(grants, BEN, act, [Target.of(view.bot)]).answer is Answer.ALLOW
        ]
        assert [view.bot.id for view in access.allowed(BEN, act)] == wanted
        assert access.may_anywhere(BEN, act) is bool(wanted)


@pytest.mark.parametrize(
    "subjects", [range(100, 100 + MANY), [2] * MANY], ids=["one each for many", "all for one"]
)
async def test_a_thousand_grants_hold_up_nobody(rig: Rig, subjects: list[int]) -> None:
    """Neither an admin nor a member waits for what others, or they themselves, were granted."""
    grants = [
        Grant("user", subject, Role.VIEWER, f"b{number}") for number, subject in enumerate(subjects)
    ]
    access, _ = await access_with(rig, MANY, grants)
    for who in (BEN, discord_user(1, "ann")):
        spent = []
        for _ in range(5):
            began = time.thread_time()
            access.ruling(who, BOT_LIST)
            access.may_anywhere(who, BOT_SHOW)
            access.allowed(who, BOT_SHOW)
            spent.append((time.thread_time() - began) * 1000)
        assert min(spent) < QUICK_MS
