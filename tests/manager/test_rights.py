"""Rights live in the use-cases: each refuses whoever lacks the right, whatever edge asks."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

import pytest

from controller.domain.access import Grant, discord_user
from controller.domain.acts import ACTS, BOT_LOGS, BOT_SECRETS, BOT_SHOW, Act, Scope
from controller.domain.announcing import Alert
from controller.domain.batches import Chosen, Verb
from controller.domain.bot import Bot
from controller.domain.digest import DigestWish
from controller.domain.errors import Denied, NotFound
from controller.domain.events import LogQuery
from controller.domain.journal import Kind
from controller.domain.roles import Role
from controller.fleet.journal import Caller
from controller.fleet.views import View
from controller.manager import Manager
from controller.manager.backups import BackupOrder
from controller.manager.incidents import Wanted
from controller.manager.lifecycle import Order
from controller.manager.schedules import ScheduleOrder
from controller.manager.webhooks import WebhookOrder
from tests.manager.rich import with_rich
from tests.manager.rig import ANN_ASKS, BEN, BEN_ASKS, SECRETS, WRITES, Rig

VIEWER_OF = Grant("user", 2, Role.VIEWER)
DAILY = ScheduleOrder("restart", "daily 4:30", "UTC")
A_WEBHOOK = WebhookOrder(name="ops", url="http://127.0.0.1:9/hook")


@dataclass(frozen=True)
class Setting:
    """What the calls below are about."""

    manager: Manager
    bot: Bot
    form: str  # of an admin, for the bot


Call = Callable[[Setting, Caller], Awaitable[Any]]


# Each act with every use-case that does it, by the name that it has in the manager.
async def begun(goes_on: AbstractAsyncContextManager[object]) -> None:
    """Begin what goes on, and end it."""
    async with goes_on:
        pass


def digest_of(kind: Literal["user", "channel"], subject: int) -> DigestWish:
    """Mondays at nine."""
    return DigestWish(kind=kind, subject=subject, cron="0 9 * * 1", zone="UTC", next_at=0.0)


CALLS: dict[str, dict[str, Call]] = {
    "bot.create": {
        "lifecycle.create": lambda s, who: s.manager.lifecycle.create(
            who, Order(name="n", template="plain")
        ),
        "bots.offered": lambda s, who: s.manager.bots.offered(who),
    },
    "bot.list": {
        "bots.listed": lambda s, who: s.manager.bots.listed(who),
        "bots.seen": lambda s, who: s.manager.bots.seen(who),
    },
    "bot.show": {
        "bots.named": lambda s, who: s.manager.bots.named(who, BOT_SHOW, s.bot.name),
        "bots.known": lambda s, who: s.manager.bots.known(who, BOT_SHOW, s.bot.id),
        "credentials.fingerprints_of": lambda s, who: s.manager.credentials.fingerprints_of(
            who, s.bot
        ),
        "credentials.stored": lambda s, who: s.manager.credentials.stored(who, s.bot),
        "access.require": lambda s, who: s.manager.access.require(who, BOT_SHOW, s.bot),
        "access.refuse": lambda s, who: s.manager.access.refuse(
            who, BOT_SHOW.id, s.bot, Denied("No.")
        ),
    },
    "bot.logs": {
        "logbook.read": lambda s, who: s.manager.logbook.read(who, s.bot, LogQuery()),
        "following.watch": lambda s, who: begun(
            s.manager.following.watch(who, s.bot, lambda: None)
        ),
    },
    "bot.snapshots": {
        "snapshots.listed": lambda s, who: s.manager.snapshots.listed(who, s.bot),
    },
    "bot.restore": {
        "snapshots.restore": lambda s, who: s.manager.snapshots.restore(who, s.bot, 1),
    },
    "bot.history": {
        "history.of_bot": lambda s, who: s.manager.history.of_bot(who, s.bot),
        # The first request of all: Ann's, for this bot.
        "history.of_request": lambda s, who: s.manager.history.of_request(who, 1),
    },
    "bot.start": {"lifecycle.start": lambda s, who: s.manager.lifecycle.start(who, s.bot)},
    "bot.stop": {"lifecycle.stop": lambda s, who: s.manager.lifecycle.stop(who, s.bot)},
    "bot.restart": {"lifecycle.restart": lambda s, who: s.manager.lifecycle.restart(who, s.bot)},
    "bot.do": {
        "actions.admit": lambda s, who: s.manager.actions.admit(who, s.bot, "status"),
        "actions.run": lambda s, who: s.manager.actions.run(who, s.bot, "status", {}),
    },
    "bot.edit": {
        "edits.open": lambda s, who: s.manager.edits.open(who, s.bot),
        "edits.submit": lambda s, who: s.manager.edits.submit(
            who, s.bot, ["tone"], {"tone": "loud"}
        ),
        "edits.choose": lambda s, who: s.manager.edits.choose(who, s.bot, model="other"),
    },
    "bot.clone": {"lifecycle.clone": lambda s, who: s.manager.lifecycle.clone(who, s.bot, "two")},
    "bot.rename": {
        "lifecycle.rename": lambda s, who: s.manager.lifecycle.rename(who, s.bot, "two")
    },
    "bot.update": {
        "releases.preview": lambda s, who: s.manager.releases.preview(who, s.bot),
        "releases.update": lambda s, who: s.manager.releases.update(who, s.bot),
    },
    "bot.rollback": {"releases.rollback": lambda s, who: s.manager.releases.rollback(who, s.bot)},
    "bot.releases": {"releases.listed": lambda s, who: s.manager.releases.listed(who, s.bot)},
    "bot.stats": {
        "stats.of_bot": lambda s, who: s.manager.stats.of_bot(
            who, s.manager.bots.get(s.bot.id) or View(s.bot)
        ),
    },
    "fleet.stats": {"stats.of_fleet": lambda s, who: s.manager.stats.of_fleet(who)},
    "bot.schedule.add": {
        "schedules.add": lambda s, who: s.manager.schedules.add(who, s.bot, DAILY)
    },
    "bot.schedule.list": {
        "schedules.listed": lambda s, who: s.manager.schedules.listed(who, s.bot)
    },
    "bot.schedule.pause": {
        "schedules.pause": lambda s, who: s.manager.schedules.pause(who, s.bot, 1),
    },
    "bot.schedule.resume": {
        "schedules.resume": lambda s, who: s.manager.schedules.resume(who, s.bot, 1),
    },
    "bot.schedule.remove": {
        "schedules.remove": lambda s, who: s.manager.schedules.remove(who, s.bot, 1),
    },
    "bot.secrets": {
        "credentials.open_form": lambda s, who: s.manager.credentials.open_form(
            who, s.bot, rotate=True
        ),
        "sameness.of": lambda s, who: s.manager.sameness.of(who, s.bot, SECRETS),
        "credentials.put": lambda s, who: s.manager.credentials.put(who, s.bot, SECRETS),
        "credentials.form": lambda s, who: s.manager.credentials.form(who, s.form),
        "credentials.submit": lambda s, who: s.manager.credentials.submit(
            who, s.form, SECRETS, SECRETS, last=True
        ),
    },
    "bot.delete": {"lifecycle.delete": lambda s, who: s.manager.lifecycle.delete(who, s.bot)},
    "fleet.incidents": {
        "incidents.listed": lambda s, who: s.manager.incidents.listed(who, Wanted()),
    },
    "incident.acknowledge": {
        "incidents.acknowledge": lambda s, who: s.manager.incidents.acknowledge(who, 1)
    },
    "incident.mute": {"incidents.mute": lambda s, who: s.manager.incidents.mute(who, 1)},
    "fleet.alerts.list": {"incidents.alerts": lambda s, who: s.manager.incidents.alerts(who)},
    "fleet.alerts.me": {
        "incidents.set_own_alert": lambda s, who: s.manager.incidents.set_own_alert(
            who, Alert(kind="user", subject=int(who.principal.id)), on=True
        )
    },
    "fleet.alerts.give": {
        "incidents.give_alert": lambda s, who: s.manager.incidents.give_alert(
            who, Alert(kind="role", subject=7), on=True
        )
    },
    "fleet.status": {
        "bots.status": lambda s, who: s.manager.bots.status(who),
        # What it is decides which further right it needs.
        "batches.begin": lambda s, who: s.manager.batches.begin(who, 1),
        "batches.get": lambda s, who: s.manager.batches.get(who, 1),
    },
    "fleet.start": {
        "batches.chosen": lambda s, who: s.manager.batches.chosen(who, Verb.START, Chosen()),
    },
    "fleet.stop": {"batches.cancel": lambda s, who: s.manager.batches.cancel(who, 1)},
    "fleet.restart": {
        "batches.ask": lambda s, who: s.manager.batches.ask(who, Verb.RESTART, [s.bot]),
    },
    "fleet.update": {
        "batches.chosen": lambda s, who: s.manager.batches.chosen(who, Verb.UPDATE, Chosen()),
        "batches.ask": lambda s, who: s.manager.batches.ask(who, Verb.UPDATE, [s.bot]),
    },
    "fleet.orphans": {"orphans.find": lambda s, who: s.manager.orphans.find(who)},
    "fleet.digest.me": {
        "digests.ask_own": lambda s, who: s.manager.digests.ask_own(
            who, digest_of("user", int(who.principal.id))
        )
    },
    "fleet.digest.here": {
        "digests.ask_for_channel": lambda s, who: s.manager.digests.ask_for_channel(
            who, 7, digest_of("channel", 7)
        )
    },
    "fleet.orphans.remove": {
        "orphans.remove": lambda s, who: s.manager.orphans.remove(who, ["volume/none"])
    },
    "fleet.history": {"history.of_everything": lambda s, who: s.manager.history.of_everything(who)},
    "fleet.doctor": {"doctor.examine": lambda s, who: s.manager.doctor.examine(who)},
    "fleet.board": {
        "boards.put_up": lambda s, who: s.manager.boards.put_up(who, 7),
        "boards.take_down": lambda s, who: s.manager.boards.take_down(who, 7),
    },
    "fleet.backup": {
        "backups.write": lambda s, who: s.manager.backups.write(who, BackupOrder()),
    },
    "fleet.updates": {
        "update_checks.find": lambda s, who: s.manager.update_checks.find(who),
        "update_checks.approve": lambda s, who: s.manager.update_checks.approve(who, "none"),
    },
    "access.grant": {"access.grant": lambda s, who: s.manager.access.grant(who, VIEWER_OF)},
    "access.revoke": {"access.revoke": lambda s, who: s.manager.access.revoke(who, "user", 2)},
    "access.list": {"access.listed": lambda s, who: s.manager.access.listed(who)},
    "access.test": {"access.test": lambda s, who: s.manager.access.test(who, BEN, None, [])},
    "access.web": {"web_sessions.invite": lambda s, who: s.manager.web_sessions.invite(who)},
    "access.sessions": {
        "web_sessions.listed": lambda s, who: s.manager.web_sessions.listed(who),
        "web_sessions.end": lambda s, who: s.manager.web_sessions.end(who, "nobody"),
    },
    "access.token.create": {
        "tokens.create": lambda s, who: s.manager.tokens.create(who, "deploy", Role.VIEWER),
    },
    "access.token.list": {"tokens.listed": lambda s, who: s.manager.tokens.listed(who)},
    "access.token.revoke": {
        "tokens.revoke": lambda s, who: s.manager.tokens.revoke(who, "deploy"),
    },
    "webhook.add": {"webhooks.add": lambda s, who: s.manager.webhooks.add(who, A_WEBHOOK)},
    "webhook.list": {
        "webhooks.listed": lambda s, who: s.manager.webhooks.listed(who),
        "webhooks.dead_letters": lambda s, who: s.manager.webhooks.dead_letters(who, "ops"),
    },
    "webhook.test": {"webhooks.test": lambda s, who: s.manager.webhooks.test(who, "ops")},
    "webhook.replay": {"webhooks.replay": lambda s, who: s.manager.webhooks.replay(who, "ops")},
    "webhook.remove": {"webhooks.remove": lambda s, who: s.manager.webhooks.remove(who, "ops")},
    "edge.status": {"worker.status": lambda s, who: s.manager.worker.status(who)},
    "edge.deploy": {"worker.deploy": lambda s, who: s.manager.worker.deploy(who)},
    "edge.rollback": {"worker.rollback": lambda s, who: s.manager.worker.rollback(who)},
    "help": {"access.own_acts": lambda s, who: s.manager.access.own_acts(who)},
}
EACH = [(act, name) for act, calls in CALLS.items() for name in calls]


@pytest.fixture
async def place(rig: Rig) -> Setting:
    """A bot that runs, and an open form for it."""
    await with_rich(rig)
    bot = await rig.running("rich")
    return Setting(rig.manager, bot, await rig.form(bot, rotate=True))


async def everything(rig: Rig) -> dict[str, object]:
    """All that a use-case could change, except the journal."""
    files = [
        path for path in rig.folder.rglob("*") if path.is_file() and "botmaker.db" not in path.name
    ]
    return {
        "bots": await rig.store.bots(),
        "views": list(rig.fleet),
        "grants": await rig.store.grants(),
        "tokens": await rig.store.tokens(),
        "sessions": await rig.store.sessions(),
        "webhooks": await rig.store.webhooks(),
        "schedules": await rig.store.schedules(),
        "batches": [await rig.store.batch(number) for number in (1, 2)],
        "forms": await rig.store.usable_forms(0.0),
        "incidents": await rig.store.incidents.newest(),
        "alerts": await rig.store.incidents.alerts(),
        "owed": await rig.store.owed(),
        "containers": {bot_id: held.seen for bot_id, held in rig.runtime.containers.items()},
        "writes": {name: rig.runtime.calls[name] for name in WRITES},
        "files": {str(path): path.read_bytes() for path in files},
    }


async def without_the_right(rig: Rig, act: Act) -> list[Caller]:
    """Callers who may almost do it: no role, too low a role, the role for another bot."""
    other = await rig.create()
    callers = [BEN_ASKS]
    if act.role > Role.VIEWER:
        lower = Grant("user", 3, Role(act.role - 1))
        await rig.manager.access.grant(ANN_ASKS, lower)
        callers.append(Caller(discord_user(3, "cid"), "request-3", "discord"))
    if act.scope is not Scope.ANY:
        elsewhere = Grant("user", 4, min(act.role, Role.OPERATOR), other.id)
        await rig.manager.access.grant(ANN_ASKS, elsewhere, other)
        callers.append(Caller(discord_user(4, "dan"), "request-4", "discord"))
    return callers


@pytest.mark.parametrize(("act", "name"), EACH, ids=[f"{act} by {name}" for act, name in EACH])
async def test_whoever_lacks_the_right_is_refused_and_changes_nothing(
    rig: Rig, place: Setting, act: str, name: str
) -> None:
    """Denied, one entry that says so, and the world as it was; an admin is let in."""
    callers = await without_the_right(rig, ACTS[act])
    await rig.becomes(place.bot, rig.view(place.bot).phase)
    before, written = await everything(rig), len(await rig.entries())
    for count, caller in enumerate(callers, written + 1):
        with pytest.raises(Denied):
            await CALLS[act][name](place, caller)
        newest, *rest = await rig.entries()
        assert (newest.kind, len(rest) + 1) == (Kind.REFUSED, count)
        assert (newest.data["act"], newest.data["code"]) == (act, "denied")
        assert newest.author.principal == caller.principal
        assert newest.bot_id == (place.bot.id if ACTS[act].scope is Scope.BOT else "")
    assert await everything(rig) == before
    if name == "access.refuse":
        return
    (admitted,) = await asyncio.gather(CALLS[act][name](place, ANN_ASKS), return_exceptions=True)
    assert not isinstance(admitted, Denied), admitted


def test_every_act_has_a_use_case_that_asks_for_it() -> None:
    """An act that nobody checks, or a call of an act that doesn't exist, fails here."""
    assert set(CALLS) == set(ACTS)
    assert all(CALLS.values())


def use_cases() -> set[str]:
    """Every public coroutine of the manager's parts that somebody calls, and what goes on."""

    def is_one(member: object) -> bool:
        whole = inspect.unwrap(member) if callable(member) else member
        return inspect.iscoroutinefunction(whole) or inspect.isasyncgenfunction(whole)

    hints = inspect.get_annotations(Manager, eval_str=True)
    return {
        f"{part.name}.{name}"
        for part in fields(Manager)
        for name, method in inspect.getmembers(hints[part.name], is_one)
        if not name.startswith("_") and "Caller" in map(_kind, _parameters(method))
    }


def _parameters(method: Callable[..., Any]) -> list[inspect.Parameter]:
    return list(inspect.signature(method).parameters.values())


def _kind(parameter: inspect.Parameter) -> str:
    return str(parameter.annotation).rsplit(".", 1)[-1]


def test_every_use_case_that_somebody_calls_is_in_the_table() -> None:
    """So a new one can't be forgotten."""
    listed = {name for calls in CALLS.values() for name in calls}
    assert use_cases() == listed
    assert len(listed) > 20


def test_a_caller_comes_first() -> None:
    """In every use-case: who asks is never an afterthought."""
    for name in use_cases():
        part, method = name.split(".")
        found = inspect.get_annotations(Manager, eval_str=True)[part]
        assert _kind(_parameters(getattr(found, method))[1]) == "Caller", name


async def test_a_denial_tells_nobody_which_bots_exist(rig: Rig) -> None:
    """Whoever may nothing reads the same for a bot that exists and for one that doesn't."""
    bot = await rig.create()
    said = []
    for name in (bot.name, "nothing"):
        with pytest.raises(Denied) as caught:
            await rig.manager.bots.named(BEN_ASKS, BOT_LOGS, name)
        said.append(caught.value.message)
    assert said[0] == said[1]
    with pytest.raises(NotFound):
        await rig.manager.bots.named(ANN_ASKS, BOT_LOGS, "nothing")


async def test_lists_show_what_one_may_see(rig: Rig) -> None:
    """A viewer of one bot lists that one."""
    bot, _ = await rig.create(), await rig.create()
    await rig.manager.access.grant(ANN_ASKS, Grant("user", 2, Role.VIEWER, bot.id), bot)
    for ask in (rig.manager.bots.listed, rig.manager.bots.status):
        assert [view.bot.id for view in await ask(BEN_ASKS)] == [bot.id]
        assert len(await ask(ANN_ASKS)) == 2
    assert rig.manager.bots.visible(BEN, BOT_SECRETS) == []


async def test_a_right_is_checked_again_when_the_form_comes_back(rig: Rig, tmp_path: Path) -> None:
    """An admin who opened a form and lost the role meanwhile writes nothing."""
    bot = await rig.create()
    await rig.manager.access.grant(ANN_ASKS, Grant("user", 2, Role.ADMIN))
    form = await rig.manager.credentials.open_form(BEN_ASKS, bot, rotate=False)
    await rig.manager.access.revoke(ANN_ASKS, "user", 2)
    with pytest.raises(Denied):
        await rig.manager.credentials.submit(BEN_ASKS, form.id, SECRETS, SECRETS, last=True)
    assert rig.secrets_on_disk() == set()


async def test_an_action_needs_the_role_of_its_template_too(rig: Rig, place: Setting) -> None:
    """A viewer may run what is for viewers; the rest is refused and noted by its title."""
    await rig.manager.access.grant(ANN_ASKS, VIEWER_OF)
    actions = rig.manager.actions
    assert set(actions.allowed(BEN_ASKS, place.bot)) == {"status"}
    with pytest.raises(Denied) as caught:
        await actions.run(BEN_ASKS, place.bot, "pair", {"code": "ABCD12"})
    said = "“Approve a code” needs the role operator; you are viewer."
    assert caught.value.message == said
    (newest, *_) = await rig.entries()
    assert (newest.kind, newest.data["message"]) == (Kind.REFUSED, said)
